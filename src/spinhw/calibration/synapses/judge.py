"""Looks at a chain: which resonators are dead, stuck or saturated, and which are tuned by another's line."""

from collections.abc import Sequence

import torch
from torch import Tensor

from spinhw.calibration.judge import MOST_BAD, MOST_CLIPPED
from spinhw.calibration.synapses.fit import Fitted
from spinhw.device import Quality
from spinhw.physics import Ladder

WIDTHS = (0.2, 5.0)  # Half linewidths over the designed one that are still believed.
WORST_CHI2 = 4.0
GOOD_ENOUGH = 2e-3  # A model this good, over the largest weight as designed, is good enough whatever the noise.
# Another's tuning line moves a weight clearly, its own line by far less.
CLEARLY_MOVES, CLEARLY_LESS = 0.2, 0.2
STUCK = "it is stuck"  # So begins the reason of one whose values are kept, ...
HELD = "held at a tuning of 0, where it acts as fitted"  # ... and so ends that of another.
LARGEST = 3.0  # Largest weights over the designed one that are still taken for what a resonator does that is held.


def faults(
    fitted: Fitted, chain: int, quality: Tensor, chi2: Tensor, ladder: Ladder, sources: Sequence[int] | None = None
) -> dict[int, str]:
    """Say which resonators of a chain do not count, and why, by their number in it.

    Args:
        fitted: Of all chains.
        chain: Which of them.
        quality: A `Quality` of each reading, (level, resonator, tone, reading).
        chi2: Residuals over the noise, squared, (resonator,).
        ladder: As designed.
        sources: Number of each resonator's tone along the ladder; None where each tone has one.
    """
    clipped, bad = (100 * test.double().mean((0, 2, 3)) for test in (quality == Quality.CLIPPED, quality != 0))
    found: dict[int, str] = {}
    for number in range(quality.shape[1]):
        if float(clipped[number]) > 100 * MOST_CLIPPED:
            found[number] = (
                f"the read-out is saturated: {float(clipped[number]):.0f} % of the readings around its resonance are "
                "clipped; widen its range, or lower the power"
            )
        elif float(bad[number]) > 100 * MOST_BAD:
            found[number] = f"{float(bad[number]):.0f} % of its readings are missing or faulty; check the meter"
        else:
            source = number if sources is None else sources[number]
            why = _unseen(fitted, chain, number, ladder, source) or _stuck(fitted, chain, number)
            if not why and float(chi2[number]) > WORST_CHI2:
                why = f"the model does not describe it: residuals {float(chi2[number]) ** 0.5:.1f} times the noise"
            if why:
                held = not why.startswith(STUCK) and _near(fitted, chain, number, ladder)
                found[number] = f"{why}; {HELD}" if held else why
    return found


def keeps_values(why: str) -> bool:
    """Tell by the reason of one that failed whether its values say what it does, though it is not to be tuned."""
    return why.startswith(STUCK) or why.endswith(HELD)


def _near(fitted: Fitted, chain: int, number: int, ladder: Ladder) -> bool:
    """Tell whether a fit says about what a resonator does; a narrow or a huge one stands for what it does not see."""
    size = abs(float(fitted.chain.max_weight[chain, number])) / ladder.max_weight
    share = float(fitted.chain.half_linewidth_hz[chain, number]) / ladder.half_linewidth_hz
    return bool(fitted.seen[chain, number]) and size < LARGEST and share > WIDTHS[0]


def _unseen(fitted: Fitted, chain: int, number: int, ladder: Ladder, source: int) -> str:
    around = ladder.frequency_hz + source * ladder.spacing_hz
    rf_hz = fitted.swept.rf_hz[chain, :, number]
    where = f"within {fitted.swept.reach * ladder.half_linewidth_hz / 1e6:.3g} MHz of {around / 1e9:.4g} GHz"
    if not bool(fitted.seen[chain, number]):
        weight = abs(float(fitted.weight[chain, number]))
        return f"it rectifies nothing {where} (weight {weight:.2g}): dead, or further from its design than the sweep"
    share = float(fitted.chain.half_linewidth_hz[chain, number]) / ladder.half_linewidth_hz
    centres = fitted.centres_hz[chain, :, number]
    outside = bool(((centres < rf_hz.amin(1)) | (centres > rf_hz.amax(1))).any()) and bool(fitted.moves[chain, number])
    if outside or not WIDTHS[0] < share < WIDTHS[1]:
        return f"no resonance of its design was found {where} (half linewidth {share:.2g} times the designed)"
    return ""


def _stuck(fitted: Fitted, chain: int, number: int) -> str:
    if bool(fitted.moves[chain, number]):
        return ""
    resonance = float(fitted.chain.resonance_hz[chain, number])
    return f"{STUCK}: its resonance stays at {resonance / 1e9:.5g} GHz whatever its tuning"


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
