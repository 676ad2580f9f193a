from .answer import Answer
from .module import SpintronicNetwork, outputs_of
from .settings import NetworkSettings, NoSaturation, SigmoidSaturation

__all__ = [
    "Answer",
    "NetworkSettings",
    "NoSaturation",
    "SigmoidSaturation",
    "SpintronicNetwork",
    "outputs_of",
]
