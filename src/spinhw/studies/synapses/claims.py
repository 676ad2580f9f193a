"""What resonators as synapses are claimed to reach, and whether they do; and the spacing that a designer needs."""

import math

import numpy as np

from spinhw.studies.claim import Claim
from spinhw.studies.compared import in_points
from spinhw.studies.measured import Floats
from spinhw.studies.merit import percent
from spinhw.studies.synapses.catalogue import WITH, WITHOUT
from spinhw.studies.synapses.measured import ENOUGH, NeededSpacing, SynapsesFound, needed_spacing
from spinhw.studies.synapses.settings import SynapseGridSettings

BELOW_IDEAL, BELOW_TRUTH, LOST_BY_DEPLOYING, LOST_BY_BLINDNESS = 0.01, 0.01, 0.30, 0.01

_NOT_YET = "not all of it is measured yet"


def judge_synapses(found: SynapsesFound, grid: SynapseGridSettings) -> list[Claim]:
    """Test what is claimed of chips of resonators."""
    chips, ideal = grid.chips, found.accuracy(grid.chips, WITH)
    loop, truth = (found.accuracy(chips, name) for name in (grid.default, grid.truth))
    closest = min(grid.sweeps.spacing)
    near = chips.model_copy(update={"spacing": closest})
    return [
        _spacing(found, grid),
        _difference(
            f"'{_label(grid, grid.default)}' is as good as an ideal device",
            f"the mean is at most {100 * BELOW_IDEAL:g} point lower",
            (loop, ideal),
            least=-BELOW_IDEAL,
        ),
        _difference(
            f"it is as good as '{_label(grid, grid.truth)}' on the same chips",
            f"the mean is at most {100 * BELOW_TRUTH:g} point lower",
            (loop, truth),
            least=-BELOW_TRUTH,
        ),
        _difference(
            "deploying without the loop and without knowing the resonators loses thirty points",
            f"the mean is at least {100 * LOST_BY_DEPLOYING:g} points below that of an ideal device",
            (found.accuracy(chips, grid.deployed), ideal),
            most=-LOST_BY_DEPLOYING,
        ),
        _difference(
            f"a model without the crosstalk costs accuracy where there is crosstalk, {closest:g} half-linewidths apart",
            f"on chips that are ideal otherwise the mean is at least {100 * LOST_BY_BLINDNESS:g} point lower",
            (found.accuracy(near, WITHOUT), found.accuracy(near, WITH)),
            most=-LOST_BY_BLINDNESS,
        ),
    ]


def answer(found: SynapsesFound, grid: SynapseGridSettings) -> str:
    """Say in a sentence which spacing a designer needs."""
    needed = needed_spacing(found, grid, grid.default)
    return _NOT_YET if needed is None else _sentence(needed)


def _spacing(found: SynapsesFound, grid: SynapseGridSettings) -> Claim:
    says = f"{grid.chips.spacing:g} half-linewidths from tone to tone are enough"
    test = (
        f"'{_label(grid, grid.default)}' is within {100 * ENOUGH:g} point of the best spacing there, or closer together"
    )
    needed = needed_spacing(found, grid, grid.default)
    holds = None if needed is None else needed.spacing <= grid.chips.spacing
    return _claim(says, test, answer(found, grid), holds)


def _sentence(needed: NeededSpacing) -> str:
    low, high = needed.interval
    spacing, place = needed.spacing, needed.spacings.index(needed.spacing)
    off, closer = f"accuracy there differs from that at the best spacing by {in_points(needed.below_best(spacing))}", ""
    if not np.any(needed.below_best(spacing)):
        off = "accuracy is highest there"
    if place:
        next_one = needed.spacings[place - 1]
        closer = f"; at {next_one:g} it differs by {in_points(needed.below_best(next_one))}"
    return (
        f"A designer needs {spacing:g} half-linewidths from tone to tone (95 % interval {low:g} to {high:g}, among "
        f"{', '.join(f'{one:g}' for one in needed.spacings)}): {off}{closer}."
    )


def _difference(
    says: str,
    test: str,
    pair: tuple[Floats | None, Floats | None],
    least: float = -math.inf,
    most: float = math.inf,
) -> Claim:
    one, other = pair
    if one is None or other is None:
        return _claim(says, test, _NOT_YET, None)
    measured = f"{in_points(one - other)} ({percent(one)} against {percent(other)})"
    return _claim(says, test, measured, least <= (one - other).mean() <= most)


def _claim(says: str, test: str, measured: str, holds: bool | np.bool_ | None) -> Claim:
    return Claim("rf_synapses", "resonators", says, test, measured, None if holds is None else bool(holds))


def _label(grid: SynapseGridSettings, method: str) -> str:
    return grid.methods[method].label
