"""What came out of a study of chips in the loop: arrays by cell and method."""

from collections.abc import Mapping

import numpy as np

from spinhw.studies.compared import Found
from spinhw.studies.in_loop.cell import GridPoint
from spinhw.studies.measured import Floats

LoopFound = Found[GridPoint]


def cells_in(found: LoopFound) -> list[GridPoint]:
    """Return the kinds of chips of a study, the ideal one left out, in order of mismatch, noise and synapse error."""
    cells = {each.chips for each in found.study.entries if not each.ideal}
    return sorted(cells, key=lambda cell: (cell.mismatch, cell.noise, cell.synapse_error))


def on_ideal(found: LoopFound, method: str) -> Floats | None:
    """Return the accuracy of a method on the ideal device, (seed,); None where it was not measured yet."""
    cells = [each.chips for each in found.study.entries if each.ideal]
    return found.accuracy(cells[0], method) if cells else None


def differences(found: LoopFound, method: str, other: str) -> dict[GridPoint, Floats]:
    """Return by how much a method is above another, (seed,), pair by pair, in every cell that has both."""
    apart = {}
    for cell in cells_in(found):
        one, two = found.accuracy(cell, method), found.accuracy(cell, other)
        if one is not None and two is not None:
            apart[cell] = one - two
    return apart


def over_cells(apart: Mapping[GridPoint, Floats]) -> Floats:
    """Average over cells, (seed,): all cells show a seed the same images, on chips drawn from the same numbers."""
    return np.mean(list(apart.values()), axis=0)
