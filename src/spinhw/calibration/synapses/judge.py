"""Looks at a chain: which resonators are dead, stuck or saturated, and which are tuned by another's line."""

import torch
from torch import Tensor

from spinhw.calibration.judge import MOST_BAD, MOST_CLIPPED
from spinhw.calibration.synapses.fit import Lines, SweptWindows, Tuned
from spinhw.calibration.synapses.readings import Read
from spinhw.device import Quality
from spinhw.physics import Ladder

# A resonance must stand so far above its error in a single window: centres are searched for, and noise has its peaks.
LEAST_SEEN = 6.0
# Below these shares of the design nothing is rectified, and nothing follows its tuning.
LEAST_WEIGHT, LEAST_SPAN = 0.05, 0.2
WIDTHS = (0.2, 5.0)  # Half linewidths over the designed one that are still believed.
WORST_CHI2 = 4.0
GOOD_ENOUGH = 2e-3  # A model this good, over the largest weight as designed, is good enough whatever the noise.
# Another's tuning line moves a weight clearly, its own line by far less.
CLEARLY_MOVES, CLEARLY_LESS = 0.2, 0.2


def faults(
    read: Read, windows: SweptWindows, lines: Lines, tuned: Tuned, chi2: Tensor, ladder: Ladder
) -> dict[int, str]:
    """Say which resonators do not count, and why."""
    levels, count, tones = windows.rf_hz.shape
    quality = read.quality.view(levels, count, tones, -1)
    clipped, bad = (100 * (test).double().mean((0, 2, 3)) for test in (quality == Quality.CLIPPED, quality != 0))
    found: dict[int, str] = {}
    for number in range(count):
        if float(clipped[number]) > 100 * MOST_CLIPPED:
            found[number] = (
                f"the read-out is saturated: {float(clipped[number]):.0f} % of the readings around its resonance are "
                "clipped; widen its range, or lower the power"
            )
        elif float(bad[number]) > 100 * MOST_BAD:
            found[number] = f"{float(bad[number]):.0f} % of its readings are missing or faulty; check the meter"
        else:
            why = _unseen(windows, lines, number, ladder) or _stuck(tuned, number, levels, ladder)
            if why or float(chi2[number]) > WORST_CHI2:
                poor = f"the model does not describe it: residuals {float(chi2[number]) ** 0.5:.1f} times the noise"
                found[number] = why or poor
    return found


def _unseen(windows: SweptWindows, lines: Lines, number: int, ladder: Ladder) -> str:
    levels = len(windows.tuning)
    weight, error = abs(float(lines.max_weight[number])), float(lines.covariance[number, -1, -1]) ** 0.5
    rf_hz, around = windows.rf_hz[:, number], ladder.frequency_hz + number * ladder.spacing_hz
    reach_mhz = float(rf_hz[0, -1] - rf_hz[0, 0]) / 2e6
    where = f"within {reach_mhz:.3g} MHz of {around / 1e9:.4g} GHz"
    if not weight > max(LEAST_SEEN * levels**0.5 * error, LEAST_WEIGHT * ladder.max_weight):
        return f"it rectifies nothing {where} (weight {weight:.2g}): dead, or further from its design than the sweep"
    share = float(lines.half_linewidth_hz[number]) / ladder.half_linewidth_hz
    centres = lines.centre_hz[number]
    outside = bool((centres < rf_hz[:, 0]).any() or (centres > rf_hz[:, -1]).any())
    if outside or not WIDTHS[0] < share < WIDTHS[1]:
        return f"no resonance of its design was found {where} (half linewidth {share:.2g} times the designed)"
    return ""


def _stuck(tuned: Tuned, number: int, levels: int, ladder: Ladder) -> str:
    span, resonance = float(tuned.chain.tuning_span_hz[number]), float(tuned.chain.resonance_hz[number])
    if levels < 2 or abs(span) >= LEAST_SPAN * abs(ladder.tuning_span_hz):
        return ""
    return f"it is stuck: its resonance stays at {resonance / 1e9:.5g} GHz whatever its tuning"


def miswired(change: Tensor, ladder: Ladder, depth: float) -> dict[int, int]:
    """Find resonators that follow the tuning of another: by number, whose tuning it is.

    Args:
        change: Of the weight at each tone (row) by the tuning of each resonator (column).
        ladder: The chain as designed.
        depth: Tuning up and down.
    """
    size = change.abs().nan_to_num(0.0)
    expected = ladder.max_weight * min(1.0, depth * abs(ladder.tuning_span_hz) / ladder.half_linewidth_hz)
    best, own = size.argmax(1), size.diagonal()
    clear = (size.amax(1) > CLEARLY_MOVES * expected) & (own < CLEARLY_LESS * size.amax(1))
    wrong = clear & (best != torch.arange(len(own)))
    return {int(number): int(best[number]) for number in wrong.nonzero()[:, 0]}
