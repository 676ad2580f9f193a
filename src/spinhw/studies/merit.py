"""Figures of merit of measured curves, and how they are written in claims."""

from collections.abc import Sequence

import numpy as np

from spinhw.studies.measured import Floats, MeasuredCurve

LITTLE = 0.03  # A loss of accuracy that counts as none: about the paper's own spread over seeds.
MUCH = 0.10  # A loss that counts as a clear one.
NEAR = 3  # A number within this factor of another is about that.


def window(curve: MeasuredCurve) -> tuple[float, float]:
    """Give the ends of the widest run of neighbouring points whose median is within LITTLE of the best."""
    good = curve.median >= curve.median.max() - LITTLE
    first = last = int(curve.median.argmax())
    while first > 0 and good[first - 1]:
        first -= 1
    while last + 1 < len(good) and good[last + 1]:
        last += 1
    return float(curve.x[first]), float(curve.x[last])


def centre(curve: MeasuredCurve) -> float:
    """Give the geometric middle of the window: steadier than the single best point."""
    return float(np.sqrt(np.prod(window(curve))))


def at(curve: MeasuredCurve, x: float) -> float:
    """Give the median at the grid's point nearest to x."""
    return value_at(curve, curve.median, x)


def value_at(curve: MeasuredCurve, values: Floats, x: float) -> float:
    """Give the value at the grid's point nearest to x."""
    return float(values[np.abs(curve.x - x).argmin()])


def middles(curves: Sequence[MeasuredCurve]) -> str:
    """Say where the middle of each curve's window lies."""
    return "; ".join(
        f"{each.curve.label}: {ns(centre(each))} ({percents(each.median.max())} at best)" for each in curves
    )


def grows(values: Sequence[float]) -> bool:
    """Tell whether each value is larger than the one before."""
    return all(after > before for before, after in zip(values[:-1], values[1:], strict=True))


def percent(values: Floats) -> str:
    """Write mean and sample standard deviation over seeds, in percent."""
    spread = f" +- {100 * values.std(ddof=1):.2f}" if values.size > 1 else ""
    return f"{100 * values.mean():.2f}{spread} %"


def ns(seconds: float) -> str:
    """Write a time in nanoseconds."""
    return f"{1e9 * seconds:.2g} ns"


def percents(share: float) -> str:
    """Write a share in percent."""
    return f"{100 * share:.1f} %"


def points(share: float) -> str:
    """Write a difference of shares in points."""
    return f"{100 * share:g} points"


def rate_of(curve: MeasuredCurve) -> float:
    """Return the learning rate that a curve is trained with."""
    rate = curve.curve.points[0].settings.training.optimiser.learning_rate
    return rate if isinstance(rate, float) else rate[0]
