"""Training that went to infinity: which networks, so that the others can go on without them."""

from collections.abc import Sequence

from torch import Tensor

from spinhw.errors import ConfigError


class Diverged(ConfigError):  # noqa: N818 - reads as what happened
    """Some networks of an ensemble diverged.

    Args:
        what: What is wrong; the seeds are added.
        fine: Whether all is well with each member, (member,).
        seeds: Seed of each member.
        seen: As for every error.
        todo: As for every error.
    """

    def __init__(self, what: str, fine: Tensor, seeds: Sequence[int], *, seen: str, todo: str) -> None:
        self.seeds = [seed for seed, good in zip(seeds, fine.tolist(), strict=True) if not good]
        super().__init__(f"{what}: seed {', '.join(map(str, self.seeds))}", seen=seen, todo=todo)
