"""The gradient modes by name."""

from typing import Literal, get_args

from spinhw.errors import ConfigError, nearest

ModeName = Literal["surrogate", "output", "layerwise", "observer", "spsa", "finite_difference", "oracle"]


def refuse_unknown_mode(name: str, key: str = "training.gradient") -> None:
    """Check that there is a gradient mode of this name.

    Args:
        name: As asked for.
        key: Where it was asked for: a key of YAML, or an argument.

    Raises:
        ConfigError: There is none.
    """
    known = get_args(ModeName)
    if name not in known:
        raise ConfigError(
            f"{key}: there is no such gradient",
            seen=name,
            allowed=", ".join(known),
            todo=nearest(str(name), known),
        )
