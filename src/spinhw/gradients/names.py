"""The gradient modes by name."""

from typing import Literal, get_args

from spinhw.errors import ConfigError, nearest

ModeName = Literal["surrogate", "output", "layerwise", "observer", "spsa", "finite_difference", "oracle"]


def refuse_unknown_mode(name: str) -> None:
    """Check that there is a gradient mode of this name.

    Raises:
        ConfigError: There is none.
    """
    known = get_args(ModeName)
    if name not in known:
        raise ConfigError(
            "training.gradient: there is no such gradient",
            seen=name,
            allowed=", ".join(known),
            todo=nearest(name, known),
        )
