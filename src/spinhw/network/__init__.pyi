from .module import SpintronicNetwork
from .settings import NetworkSettings, NoSaturation, SigmoidSaturation

__all__ = [
    "NetworkSettings",
    "NoSaturation",
    "SigmoidSaturation",
    "SpintronicNetwork",
]
