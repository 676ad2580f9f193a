from .answer import EVERY_STEP, Answer
from .module import SpintronicNetwork, outputs_of
from .rate_settings import RATES, LogisticSettings, RateSettings
from .recurrent import RecurrentNetwork
from .recurrent_settings import RecurrentSettings
from .settings import NetworkSettings, NoSaturation, SigmoidSaturation

__all__ = [
    "EVERY_STEP",
    "Answer",
    "LogisticSettings",
    "NetworkSettings",
    "NoSaturation",
    "RATES",
    "RateSettings",
    "RecurrentNetwork",
    "RecurrentSettings",
    "SigmoidSaturation",
    "SpintronicNetwork",
    "outputs_of",
]
