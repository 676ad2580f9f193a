from .baseline import Baseline, plain_guess
from .linear import LinearSettings, linear_baseline

__all__ = ["Baseline", "LinearSettings", "linear_baseline", "plain_guess"]
