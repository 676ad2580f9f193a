"""The time grid of a rollout. Settings are checked with it, so it imports no torch."""

import math
from dataclasses import dataclass, replace

# Steps for each sample interval: beyond, a sequence would take hours.
MOST_SUBSTEPS = 100_000


@dataclass(frozen=True)
class Steps:
    """The time grid of a rollout.

    Args:
        sample_interval_s: Time for which each input sample is held, in seconds.
        substeps: Integration steps for each sample interval, 1 to 100 000.
        order: 1 freezes the drive over a step, 2 uses the drive at its midpoint (predict, average, step again).
    """

    sample_interval_s: float
    substeps: int = 2
    order: int = 2

    def __post_init__(self) -> None:
        if not 0 < self.sample_interval_s < math.inf or self.substeps < 1 or self.order not in (1, 2):
            raise ValueError(f"steps need a positive interval, at least one substep and order 1 or 2, not {self!r}")
        if self.substeps > MOST_SUBSTEPS:
            raise ValueError(
                f"{self.substeps} integration steps for each sample of {self.sample_interval_s:g} s are more than the "
                f"{MOST_SUBSTEPS} that are allowed; shorten the sample interval, or take fewer steps"
            )

    @property
    def step_s(self) -> float:
        """Integration step in seconds."""
        return self.sample_interval_s / self.substeps

    def at_least_per_ns(self, steps_per_ns: int) -> "Steps":
        """Give the same grid with at least this many steps per nanosecond.

        Raises:
            ValueError: That would be too many for the sample interval.
        """
        needed = -int(-self.sample_interval_s * 1e9 * steps_per_ns * (1 - 1e-12) // 1)
        return replace(self, substeps=max(self.substeps, needed))
