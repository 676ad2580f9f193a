"""The rule for the learning rate (Plouet et al. 2024, section IV): the best rate, and how large the weights get."""

from collections.abc import Sequence

import numpy as np

from spinhw.studies.claim import Claim
from spinhw.studies.measured import MeasuredCurve
from spinhw.studies.merit import NEAR, ns, rate_of
from spinhw.studies.outcome import cumulative_drive


def judge_rate_rule(protocol: str, curves: Sequence[MeasuredCurve]) -> list[Claim]:
    """Test whether the best rate at each dt is a hundredth of the weights, 1 / (drive_rate dt S sqrt(N))."""
    rates, medians = np.array([rate_of(each) for each in curves]), np.stack([each.median for each in curves])
    best, points_x = medians.argmax(0), curves[0].x
    weights = np.stack([each.weight for each in curves])[best, range(points_x.size)]
    asked = np.array([1 / one for one in _drive_of_a_unit_weight(curves[0])])
    by_weight, by_rule = rates[best] / weights, rates[best] / asked
    edge = (best == rates.argmin()) | (best == rates.argmax())
    shown = "; ".join(
        f"{ns(x)}: rate {rate:g}{' (end of the grid)' if end else ''}, weights {weight:.2g}, asked for {one:.2g}"
        for x, rate, end, weight, one in zip(points_x, rates[best], edge, weights, asked, strict=True)
    )
    return [
        Claim(
            "rate_rule",
            protocol,
            "the best learning rate is a hundredth of the optimal weights (section IV)",
            f"it lies between 1/{100 * NEAR} and {NEAR}/100 of <|W|> as trained with it, at every dt",
            shown,
            bool(((by_weight > 0.01 / NEAR) & (by_weight < 0.01 * NEAR)).all()),
        ),
        Claim(
            "rate_rule",
            protocol,
            "the optimal weights are 1 / (dt S sqrt(N)) (section IV)",
            f"the rate is within a factor of {NEAR} of a hundredth of that, in units of the drive of a unit weight, at "
            "every dt",
            ", ".join(f"{ns(x)}: {100 * one:.2g} hundredths" for x, one in zip(points_x, by_rule, strict=True)),
            bool(((by_rule > 0.01 / NEAR) & (by_rule < 0.01 * NEAR)).all()),
        ),
    ]


def _drive_of_a_unit_weight(curve: MeasuredCurve) -> list[float]:
    """Return I dt of weights of size one, (point,)."""
    return [cumulative_drive(point.settings, [1.0])[0] or 0.0 for point in curve.curve.points]
