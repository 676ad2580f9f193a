"""What chips in the loop are claimed to reach, and whether they do."""

import numpy as np

from spinhw.studies.claim import Claim
from spinhw.studies.compared import in_points
from spinhw.studies.in_loop.catalogue import worst_of
from spinhw.studies.in_loop.measured import LoopFound, cells_in, differences, on_ideal, over_cells
from spinhw.studies.in_loop.settings import LoopGridSettings
from spinhw.studies.merit import percent

MEAN_BELOW_TRUTH, CELL_BELOW_TRUTH = 0.007, 0.015
BELOW_IDEAL, LOST_BY_DEPLOYING = 0.01, 0.30

_NOT_YET = "not all of it is measured yet"


def judge_loop(found: LoopFound, grid: LoopGridSettings) -> list[Claim]:
    """Test the claims that a study bears on."""
    if found.study.name != "chip_in_the_loop":
        return []
    return [test(found, grid) for test in (_near_the_truth, _nowhere_far, _near_the_ideal, _deploying_loses)]


def _near_the_truth(found: LoopFound, grid: LoopGridSettings) -> Claim:
    says = f"'{_label(grid, grid.default)}' is as good as '{_label(grid, grid.truth)}'"
    test = f"on average over all cells it is at most {100 * MEAN_BELOW_TRUTH:g} points lower"
    apart = differences(found, grid.default, grid.truth)
    if not apart:
        return _claim(found, says, test, _NOT_YET, None)
    mean = over_cells(apart)
    measured = f"{in_points(mean)}, over {len(apart)} of {len(cells_in(found))} cells"
    holds = mean.mean() >= -MEAN_BELOW_TRUTH if len(apart) == len(cells_in(found)) else None
    return _claim(found, says, test, measured, holds)


def _nowhere_far(found: LoopFound, grid: LoopGridSettings) -> Claim:
    says, test = "so it is in every cell", f"in no cell is its mean more than {100 * CELL_BELOW_TRUTH:g} points lower"
    apart = differences(found, grid.default, grid.truth)
    if not apart:
        return _claim(found, says, test, _NOT_YET, None)
    lowest = min(apart, key=lambda cell: float(apart[cell].mean()))
    measured = f"lowest at {lowest.label}: {in_points(apart[lowest])}"
    far = apart[lowest].mean() < -CELL_BELOW_TRUTH
    return _claim(found, says, test, measured, not far if far or len(apart) == len(cells_in(found)) else None)


def _near_the_ideal(found: LoopFound, grid: LoopGridSettings) -> Claim:
    says = "on the worst chips it is as good as on the ideal device"
    test = f"the mean is at most {100 * BELOW_IDEAL:g} point lower, with the same recipe"
    there, ideal = found.accuracy(worst_of(grid), grid.default), on_ideal(found, grid.default)
    if there is None or ideal is None:
        return _claim(found, says, test, _NOT_YET, None)
    measured = f"{in_points(there - ideal)} ({percent(there)} against {percent(ideal)})"
    return _claim(found, says, test, measured, there.mean() >= ideal.mean() - BELOW_IDEAL)


def _deploying_loses(found: LoopFound, grid: LoopGridSettings) -> Claim:
    says = "deploying without the loop loses thirty points there"
    test = f"the mean is at least {100 * LOST_BY_DEPLOYING:g} points below that of the ideal device"
    there, ideal = found.accuracy(worst_of(grid), grid.deployed), on_ideal(found, grid.default)
    if there is None or ideal is None:
        return _claim(found, says, test, _NOT_YET, None)
    measured = f"{in_points(there - ideal)} ({percent(there)})"
    return _claim(found, says, test, measured, there.mean() <= ideal.mean() - LOST_BY_DEPLOYING)


def _claim(found: LoopFound, says: str, test: str, measured: str, holds: bool | np.bool_ | None) -> Claim:
    return Claim(found.study.name, "in the loop", says, test, measured, None if holds is None else bool(holds))


def _label(grid: LoopGridSettings, method: str) -> str:
    return grid.methods[method].label
