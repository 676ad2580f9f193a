"""States of several parts in one dictionary of tensors, as a checkpoint holds them: "part/name"."""

from collections.abc import Mapping

from torch import Tensor


def part_of(state: Mapping[str, Tensor], part: str) -> dict[str, Tensor]:
    """Give the tensors of one part, by what is left of their names.

    Args:
        state: Tensors of all parts.
        part: Its name; parts of parts are named like "0/model".
    """
    prefix = f"{part}/"
    return {name.removeprefix(prefix): tensor for name, tensor in state.items() if name.startswith(prefix)}
