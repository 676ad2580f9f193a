from .answer import Answer
from .module import SpintronicNetwork, outputs_of
from .recurrent import RecurrentNetwork
from .recurrent_settings import RecurrentSettings
from .settings import NetworkSettings, NoSaturation, SigmoidSaturation

__all__ = [
    "Answer",
    "NetworkSettings",
    "NoSaturation",
    "RecurrentNetwork",
    "RecurrentSettings",
    "SigmoidSaturation",
    "SpintronicNetwork",
    "outputs_of",
]
