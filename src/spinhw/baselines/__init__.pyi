from .baseline import Baseline, plain_guess
from .contenders import NAMES, NETWORK
from .echo import EchoSettings
from .gated import GatedSettings
from .linear import LinearSettings, linear_baseline
from .model import Ground, ModelSettings
from .outcome import as_csv
from .run import compare
from .source import Source

__all__ = [
    "NAMES",
    "NETWORK",
    "Baseline",
    "EchoSettings",
    "GatedSettings",
    "Ground",
    "LinearSettings",
    "ModelSettings",
    "Source",
    "as_csv",
    "compare",
    "linear_baseline",
    "plain_guess",
]
