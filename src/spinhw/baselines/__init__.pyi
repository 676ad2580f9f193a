from .baseline import Baseline, plain_guess
from .echo import EchoSettings
from .gated import GatedSettings
from .linear import LinearSettings, linear_baseline
from .model import Ground, ModelSettings

__all__ = [
    "Baseline",
    "EchoSettings",
    "GatedSettings",
    "Ground",
    "LinearSettings",
    "ModelSettings",
    "linear_baseline",
    "plain_guess",
]
