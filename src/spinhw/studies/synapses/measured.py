"""What came out of the study of resonators as synapses: arrays by kind of chip and method."""

from dataclasses import dataclass

import numpy as np

from spinhw.studies.compared import Found
from spinhw.studies.measured import Floats
from spinhw.studies.synapses.catalogue import sweeps_of
from spinhw.studies.synapses.settings import ResonatorChipSettings, SynapseGridSettings
from spinhw.training.statistics import interval_of

SynapsesFound = Found[ResonatorChipSettings]

ENOUGH = 0.01  # A spacing is enough where accuracy is so near to that of the best one.


@dataclass(frozen=True)
class NeededSpacing:
    """The smallest spacing at which accuracy is near to that of the best one.

    Args:
        spacings: Those that were compared, ascending, in half-linewidths.
        accuracy: (seed, spacing), 0 to 1; a row is one network and its chip.
    """

    spacings: tuple[float, ...]
    accuracy: Floats

    @property
    def spacing(self) -> float:
        """The spacing that is needed, in half-linewidths."""
        return float(self._of(self.accuracy.mean(axis=0)[None])[0])

    @property
    def interval(self) -> list[float]:
        """The 95 % interval of it, where networks and chips are drawn again."""
        return interval_of(self.accuracy, self._of)

    def below_best(self, spacing: float) -> Floats:
        """Return by how much accuracy at a spacing is above that at the best one, pair by pair, (seed,)."""
        best = self.accuracy.mean(axis=0).argmax()
        return self.accuracy[:, self.spacings.index(spacing)] - self.accuracy[:, best]

    def _of(self, means: Floats) -> Floats:
        """Return the needed spacing of each row of means, (sample, spacing)."""
        near = means >= means.max(axis=1, keepdims=True) - ENOUGH
        return np.array(self.spacings)[near.argmax(axis=1)]


def needed_spacing(found: SynapsesFound, grid: SynapseGridSettings, method: str) -> NeededSpacing | None:
    """Put accuracies over the spacing together; None where not all of them are measured yet."""
    chips = sweeps_of(grid)["spacing"]
    columns = [found.accuracy(each, method) for each in chips]
    known = [one for one in columns if one is not None]
    if len(known) < len(columns):
        return None
    return NeededSpacing(tuple(each.spacing for each in chips), np.stack(known, axis=1))
