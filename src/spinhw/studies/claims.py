"""Every claim of the paper that a study can test. The thresholds stand in `merit.py` and in every report."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import get_args

import numpy as np

from spinhw.studies.claim import Claim
from spinhw.studies.measured import Floats, Grid, MeasuredCurve, scatter
from spinhw.studies.merit import (
    LITTLE,
    MUCH,
    NEAR,
    at,
    centre,
    grows,
    middles,
    ns,
    percent,
    percents,
    points,
    rate_of,
    value_at,
    window,
)
from spinhw.studies.rate_rule import judge_rate_rule
from spinhw.training.statistics import difference_interval

# Plouet et al. 2024, section III.
PAPER_SPINTRONIC, PAPER_SPINTRONIC_STD = 0.8983, 0.0291
PAPER_CTRNN, PAPER_CTRNN_STD = 0.8900, 0.0348

FAST, REFERENCE, SLOW = 0.4e-9, 1e-9, 2.5e-9  # The paper's window of time scales and its middle, in seconds.

_WHEN = {"recipe": "after the recipe's epochs", "plateau": "at the plateau"}

Judge = Callable[[str, Sequence[MeasuredCurve]], list[Claim]]


def judge(study: str, curves: Sequence[MeasuredCurve], by_construction: Mapping[str, str] | None = None) -> list[Claim]:
    """Test every claim that a study bears on, protocol by protocol, by every measurement that there is.

    Converged accuracies at the plateau decide, or those after the recipe's epochs where there is no plateau; what the
    other measurements say stands beside it. Protocols with another task than the paper's have no claims.

    Args:
        study: Its name.
        curves: As measured.
        by_construction: Protocols under which its claims are no test, each with the reason.
    """
    claims = []
    for protocol in dict.fromkeys(each.curve.protocol for each in curves):
        mine = [each for each in curves if each.curve.protocol == protocol]
        if not all(each.curve.of_the_paper for each in mine):
            continue
        looks = sorted({each.curve.look for each in mine})  # "plateau" comes before "recipe".
        ways = [
            [replace(claim, how=f"{_WHEN[look]}, {grid}") for claim in _JUDGES[study](protocol, chosen)]
            for look in looks
            for grid in get_args(Grid)
            for chosen in [[replace(each, grid=grid) for each in mine if each.curve.look == look]]
        ]
        reason = (by_construction or {}).get(protocol, "")
        claims += [
            replace(first, others=tuple(others), by_construction=reason) for first, *others in zip(*ways, strict=True)
        ]
    return claims


def _headline(protocol: str, curves: Sequence[MeasuredCurve]) -> list[Claim]:
    accuracy = curves[0].score[0]
    return [
        Claim(
            "headline",
            protocol,
            "89.83 +- 2.91 % of the images are recognised (section III)",
            "the mean is not more than one published standard deviation lower",
            percent(accuracy),
            bool(accuracy.mean() >= PAPER_SPINTRONIC - PAPER_SPINTRONIC_STD),
        )
    ]


def _ctrnn(protocol: str, curves: Sequence[MeasuredCurve]) -> list[Claim]:
    by_kind = {each.curve.kind: each.score[0] for each in curves}
    spintronic, software = by_kind["spintronic"], by_kind["ctrnn"]
    low, high = difference_interval(spintronic.tolist(), software.tolist())
    difference = 100 * (spintronic.mean() - software.mean())
    return [
        Claim(
            "ctrnn",
            protocol,
            "a CTRNN of the same architecture reaches 89.00 +- 3.48 % (section III)",
            "the mean is not more than one published standard deviation lower",
            percent(software),
            bool(software.mean() >= PAPER_CTRNN - PAPER_CTRNN_STD),
        ),
        Claim(
            "ctrnn",
            protocol,
            "the spintronic network performs as well as the CTRNN (section III)",
            "the 95 % interval of the difference of means does not lie below zero",
            f"{difference:+.2f} points, 95 % interval {100 * low:+.2f} to {100 * high:+.2f} "
            f"({percent(spintronic)} against {percent(software)})",
            high >= 0,
        ),
    ]


def _fig2b(protocol: str, curves: Sequence[MeasuredCurve]) -> list[Claim]:
    by_kind = {each.curve.kind: each for each in curves}
    spintronic, software = by_kind["spintronic"], by_kind["ctrnn"]
    best, best_at = spintronic.median.max(), spintronic.x[spintronic.median.argmax()]
    at_reference = at(spintronic, REFERENCE)
    low, high = window(spintronic)
    inside = (spintronic.x >= FAST * 0.99) & (spintronic.x <= SLOW * 1.01)
    gap = 100 * (spintronic.median[inside] - software.median[inside])
    return [
        Claim(
            "fig2b",
            protocol,
            "accuracy is best at 1 ns between input points (section IV)",
            f"the median at 1 ns is within {points(LITTLE)} of the best",
            f"{percents(at_reference)} at 1 ns; best {percents(best)} at {ns(best_at)}",
            bool(at_reference >= best - LITTLE),
        ),
        Claim(
            "fig2b",
            protocol,
            "it is kept over a 5-fold window, from 0.4 to 2.5 ns (section IV)",
            f"medians within {points(LITTLE)} of the best at every point from 0.4 to 2.5 ns",
            f"window {ns(low)} to {ns(high)}, a factor of {high / low:.1f}; lowest median from 0.4 to 2.5 ns "
            f"{percents(spintronic.median[inside].min())}",
            bool((spintronic.median[inside] >= best - LITTLE).all()),
        ),
        Claim(
            "fig2b",
            protocol,
            "well below and well above 1 ns it is significantly degraded (section IV)",
            f"the median at either end of the grid is more than {points(MUCH)} below the best",
            f"{percents(spintronic.median[0])} at {ns(spintronic.x[0])}, "
            f"{percents(spintronic.median[-1])} at {ns(spintronic.x[-1])}",
            bool(max(spintronic.median[0], spintronic.median[-1]) < best - MUCH),
        ),
        Claim(
            "fig2b",
            protocol,
            "the spintronic network performs as well as the CTRNN over the window (section IV)",
            f"its median is not more than {points(LITTLE)} below the CTRNN's anywhere from 0.4 to 2.5 ns",
            f"differences of medians from {gap.min():+.1f} to {gap.max():+.1f} points",
            bool(gap.min() >= -100 * LITTLE),
        ),
    ]


def _fig3a(protocol: str, curves: Sequence[MeasuredCurve]) -> list[Claim]:
    ordered = sorted(curves, key=lambda each: each.curve.points[0].settings.network.tau_s)
    return [
        Claim(
            "fig3a",
            protocol,
            "the optimal time scale shifts with the relaxation time; slower inputs need a longer one (section IV)",
            f"the middle of the window (medians within {points(LITTLE)} of the curve's best) grows with tau",
            middles(ordered),
            grows([centre(each) for each in ordered]),
        )
    ]


def _fig3b(protocol: str, curves: Sequence[MeasuredCurve]) -> list[Claim]:
    ordered = sorted(curves, key=lambda each: -rate_of(each))
    return [
        Claim(
            "fig3b",
            protocol,
            "faster inputs need a higher learning rate (section IV)",
            f"the middle of the window (medians within {points(LITTLE)} of the curve's best) grows as the rate falls",
            middles(ordered),
            grows([centre(each) for each in ordered]),
        )
    ]


def _fig3c(protocol: str, curves: Sequence[MeasuredCurve]) -> list[Claim]:
    found = scatter(curves)
    drive, median = found.drive, found.median
    near = (drive > 1 / NEAR) & (drive < NEAR)
    long, short = median[near & found.remembers], median[near & ~found.remembers]
    return [
        _best_drive(protocol, drive[found.remembers], median[found.remembers]),
        Claim(
            "fig3c",
            protocol,
            "the relaxation time must be longer than the time between input points (section IV)",
            f"with I dt between 1/{NEAR} and {NEAR}, the median of points with dt < tau is more than "
            f"{points(LITTLE)} above that of the others",
            f"{percents(np.median(long))} ({long.size} points) against {percents(np.median(short))} ({short.size})"
            if long.size and short.size
            else "no points of both kinds",
            bool(np.median(long) > np.median(short) + LITTLE) if long.size and short.size else None,
        ),
    ]


def _best_drive(protocol: str, drive: Floats, median: Floats) -> Claim:
    """Test eq. 11 on points with dt < tau, drive and median (point,)."""
    best = drive[median >= median.max(initial=0.0) - LITTLE]
    middle = float(np.exp(np.log(best).mean())) if best.size else float("nan")
    return Claim(
        "fig3c",
        protocol,
        "accuracy is best where the cumulative drive I dt is about 1, provided dt < tau (section IV, eq. 11)",
        f"the geometric mean of I dt over the points with dt < tau within {points(LITTLE)} of the best "
        f"lies between 1/{NEAR} and {NEAR}",
        f"{middle:.2f} (from {best.min():.2f} to {best.max():.2f}, {best.size} points)" if best.size else "no points",
        1 / NEAR <= middle <= NEAR if best.size else None,
    )


def _fig4(protocol: str, curves: Sequence[MeasuredCurve]) -> list[Claim]:
    intra, inter, every = (_starting(curves, word) for word in ("intra", "inter", "all"))
    best_at = every.x[every.median.argmax()]
    spread = every.score.std(axis=1, ddof=1) if every.score.shape[1] > 1 else np.zeros(len(every.x))
    middle, dense = (100 * value_at(every, spread, share) for share in (0.5, 1.0))
    return [
        _thinned("the density within layers can be reduced to 10 % (section V)", protocol, intra, 0.1),
        Claim(
            "fig4",
            protocol,
            "without connections within layers accuracy is degraded but remains high (section V)",
            "the median at density 0 is below that at 0.1, and above 70 %",
            f"{percents(at(intra, 0.0))} at 0, {percents(at(intra, 0.1))} at 0.1",
            bool(0.7 < at(intra, 0.0) < at(intra, 0.1)),
        ),
        _thinned("the density between layers can be reduced to 20 % (section V)", protocol, inter, 0.2),
        Claim(
            "fig4",
            protocol,
            "the overall density is best near 50 % (section V)",
            "the best median of the curve 'all' lies between 0.3 and 0.7",
            f"best at {best_at:g} with {percents(every.median.max())}; {percents(at(every, 1.0))} at 1",
            bool(0.3 <= best_at <= 0.7),
        ),
        Claim(
            "fig4",
            protocol,
            "accuracy varies more from run to run at high densities (section V)",
            "the standard deviation over seeds at density 1 is larger than at 0.5",
            f"{dense:.2f} points at 1, {middle:.2f} at 0.5",
            bool(dense > middle),
        ),
    ]


def _thinned(says: str, protocol: str, curve: MeasuredCurve, share: float) -> Claim:
    return Claim(
        "fig4",
        protocol,
        says + " without losing accuracy",
        f"the median there is within {points(LITTLE)} of that at density 1",
        f"{percents(at(curve, share))} at {share:g}, {percents(at(curve, 1.0))} at 1",
        bool(at(curve, share) >= at(curve, 1.0) - LITTLE),
    )


def _starting(curves: Sequence[MeasuredCurve], word: str) -> MeasuredCurve:
    return next(each for each in curves if each.curve.label.startswith(word))


_JUDGES: dict[str, Judge] = {
    "fig1": lambda protocol, curves: [],
    "headline": _headline,
    "ctrnn": _ctrnn,
    "fig2b": _fig2b,
    "fig3a": _fig3a,
    "fig3b": _fig3b,
    "fig3c": _fig3c,
    "rate_rule": judge_rate_rule,
    "fig4": _fig4,
}
