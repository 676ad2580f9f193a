"""What came out of a study of chips in the loop: arrays by cell and method."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spinhw.studies.in_loop.catalogue import Entry, LoopStudy
from spinhw.studies.in_loop.cell import GridPoint
from spinhw.studies.outcome import Outcome
from spinhw.training.statistics import bootstrap_interval

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Found:
    """A study and the outcomes that are there.

    Args:
        study: The study.
        outcomes: By key of the point; those that are missing are not done yet.
    """

    study: LoopStudy
    outcomes: Mapping[str, Outcome]

    @property
    def entries(self) -> list[tuple[Entry, Outcome]]:
        """Runs that are done, in the order of the study."""
        return [(each, self.outcomes[each.point.key]) for each in self.study.entries if each.point.key in self.outcomes]

    @property
    def missing(self) -> list[Entry]:
        """Runs that are not done yet."""
        return [each for each in self.study.entries if each.point.key not in self.outcomes]

    @property
    def cells(self) -> list[GridPoint]:
        """Kinds of chips, the ideal one left out, in order of mismatch, noise and synapse error."""
        cells = {each.cell for each in self.study.entries if each.cell.device == self.study.worst.device}
        return sorted(cells, key=lambda cell: (cell.mismatch, cell.noise, cell.synapse_error))

    def accuracy(self, cell: GridPoint, method: str) -> Floats | None:
        """Give the accuracy on the device, (seed,), 0 to 1; None where it was not measured yet."""
        for entry, outcome in self.entries:
            if entry.cell == cell and entry.method == method:
                return outcome.shown()
        return None

    def on_ideal(self, method: str) -> Floats | None:
        """Give the accuracy of a method on the ideal device, (seed,); None where it was not measured yet."""
        cells = [each.cell for each in self.study.entries if each.cell.device != self.study.worst.device]
        return self.accuracy(cells[0], method) if cells else None

    def differences(self, method: str, other: str) -> dict[GridPoint, Floats]:
        """Give by how much a method is above another, (seed,), pair by pair, in every cell that has both."""
        found = {}
        for cell in self.cells:
            one, two = self.accuracy(cell, method), self.accuracy(cell, other)
            if one is not None and two is not None:
                found[cell] = one - two
        return found


def over_cells(differences: Mapping[GridPoint, Floats]) -> Floats:
    """Average over cells, (seed,): all cells show a seed the same images, on chips drawn from the same numbers."""
    return np.mean(list(differences.values()), axis=0)


def in_points(values: Floats | Sequence[float]) -> str:
    """Write a paired difference: its mean in points and the bootstrap interval over pairs."""
    low, high = bootstrap_interval([float(value) for value in values])
    return f"{100 * np.mean(values):+.2f} points, 95 % interval {100 * low:+.2f} to {100 * high:+.2f}"
