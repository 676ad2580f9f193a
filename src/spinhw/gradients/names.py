"""The gradient modes by name."""

from typing import Literal

ModeName = Literal["surrogate", "output", "layerwise", "observer", "spsa", "finite_difference", "oracle"]
