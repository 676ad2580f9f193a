"""Looks at traces before anything is fitted: dead, stuck, saturated, only noise, wired to another's drive."""

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from spinhw.calibration.traces import Taken
from spinhw.device import Quality
from spinhw.surrogate import Oscillators, Played, modelled

MOST_CLIPPED = 0.02  # Share of clipped samples beyond which a fit would be led astray.
MOST_BAD = 0.5
# A record whose variance is not this many times its noise's does not follow its drive.
LEAST_SIGNAL = 4.0
LITTLE_POWER = 0.1  # Where a record that does not move lies below this, nothing oscillates.
# Another's drive explains a record so much better than its own that the wiring is wrong.
CLEARLY_OTHER = 0.2
CLEARLY_FOLLOWS = 0.6
_ROUNDING = 1e-6  # Values nearer than this are one code: records come in single precision.


def noise_of(taken: Sequence[Taken]) -> Tensor:
    """Estimate the noise of one shot's sample, (oscillator,), in units of full power.

    From the noise experiment, the standard deviation around the mean; without one, from second differences of all
    samples, which slow changes hardly touch.
    """
    quiet = [one.played for one in taken if one.experiment["kind"] == "noise"]
    if not quiet:
        return torch.stack([_second_differences(one.played) for one in taken]).median(0).values
    totals, counts = zip(*(_spread(one) for one in quiet), strict=True)
    return (torch.stack(totals).sum(0) / torch.stack(counts).sum(0).clamp_min(1)).sqrt()


def _spread(played: Played) -> tuple[Tensor, Tensor]:
    """Give the weighted sum of squared deviations and the degrees of freedom, each (oscillator,)."""
    good = played.good
    count = good.sum((0, 1))
    power = torch.where(good, played.power, 0.0)
    apart = torch.where(good, power - power.sum((0, 1)) / count.clamp_min(1), 0.0)
    return played.averages * (apart**2).sum((0, 1)), (count - 1).clamp_min(0).double()


def _second_differences(played: Played) -> Tensor:
    power = torch.where(played.good, played.power, torch.nan)
    bend = power[:, 2:] - 2 * power[:, 1:-1] + power[:, :-2]
    # Var(a - 2 b + c) = 6 s^2; the median ignores the kinks where the drive changes.
    return (bend**2).flatten(0, 1).nanmedian(0).values.div(0.455 * 6).sqrt() * played.averages**0.5


def clipped_share(taken: Sequence[Taken]) -> Tensor:
    """Give the share of samples that are beyond the range of the read-out, (oscillator,)."""
    return _mean_share(taken, Quality.CLIPPED)


def converter_steps(taken: Sequence[Taken]) -> Tensor:
    """Find the step of the converter of each oscillator, in units of full power, (oscillator,); NaN where none shows.

    A converter gives few values, each many times. Averages over shots lie between: its step over their number.
    """
    plain = min((one.played for one in taken), key=lambda one: one.averages)
    steps = []
    for number in range(plain.power.shape[2]):
        values = plain.power[..., number][plain.good[..., number]].sort().values
        gaps = values.diff()
        gaps = gaps[gaps > _ROUNDING]
        coarse = len(gaps) > 0 and 2 * len(gaps) < len(values)
        steps.append(float(gaps.min()) * plain.averages if coarse else float("nan"))
    return torch.tensor(steps, dtype=torch.float64)


def faults(taken: Sequence[Taken], noise: Tensor) -> dict[int, str]:
    """Say which oscillators cannot be fitted, and why."""
    found: dict[int, str] = {}
    clipped = _mean_share(taken, Quality.CLIPPED)
    bad = 1 - _mean_share(taken, Quality.GOOD)
    variance, level = _moments(taken)
    for number in range(len(noise)):
        if clipped[number] > MOST_CLIPPED:
            found[number] = (
                f"the read-out is saturated: {100 * clipped[number]:.0f} % of its samples are clipped; widen its range"
            )
        elif bad[number] > MOST_BAD:
            found[number] = f"{100 * bad[number]:.0f} % of its samples are missing or faulty; check its channel"
        elif variance[number] <= LEAST_SIGNAL * noise[number] ** 2 + 1e-9:
            found[number] = _still(float(level[number]), float(noise[number]))
    return found


def _still(level: float, noise: float) -> str:
    if level < LITTLE_POWER:
        return f"it does not oscillate: the record is only noise ({noise:.2g}) around {level:.3f} at every drive"
    return f"it does not follow its drive: the record stays at {level:.3f} (noise {noise:.2g})"


def _mean_share(taken: Sequence[Taken], quality: Quality) -> Tensor:
    sizes = [one.quality.shape[0] * one.quality.shape[1] for one in taken]
    total = sum(one.share(quality) * size for one, size in zip(taken, sizes, strict=True))
    return torch.as_tensor(total / sum(sizes))


def _moments(taken: Sequence[Taken]) -> tuple[Tensor, Tensor]:
    """Give the variance of one shot's record and its mean, each (oscillator,), of good samples of all experiments."""
    moving = [one.played for one in taken if one.experiment["kind"] != "noise"] or [one.played for one in taken]
    count = sum(one.good.sum((0, 1)) for one in moving)
    total = sum(torch.where(one.good, one.power, 0.0).sum((0, 1)) for one in moving)
    mean = torch.as_tensor(total / torch.as_tensor(count).clamp_min(1))
    squares = sum(one.averages * (torch.where(one.good, one.power - mean, 0.0) ** 2).sum((0, 1)) for one in moving)
    return torch.as_tensor(squares / torch.as_tensor(count).clamp_min(1)), mean


def miswired(taken: Sequence[Taken], nominal: Oscillators) -> dict[int, int]:
    """Find records that follow the drive of another oscillator: by number, whose drive it is.

    Only pseudo-random drives tell, because every oscillator has its own. Each record is correlated with what the
    nominal device would do under every drive, at the shift that fits its own best or at none.
    """
    random = [one.played for one in taken if one.experiment["kind"] == "pseudo_random"]
    if not random or nominal.count < 2:
        return {}
    tables = [_correlation(one, nominal) for one in random]
    table = torch.stack(tables).mean(0)  # (record, drive)
    own, best = table.diagonal(), table.argmax(1)
    wrong = (best != torch.arange(nominal.count)) & (table.amax(1) > (own + CLEARLY_OTHER).clamp_min(CLEARLY_FOLLOWS))
    return {int(number): int(best[number]) for number in wrong.nonzero()[:, 0]}


def _correlation(played: Played, nominal: Oscillators) -> Tensor:
    expected, _ = modelled(played, replace(nominal, delay=nominal.delay * 0, lag=nominal.lag * 0))
    power = torch.where(played.good, played.power, 0.0)
    # Slow parts outlive a shift of a few samples: means over four samples.
    record, model = (_normed(one[:, 1 : 1 + (one.shape[1] - 1) // 4 * 4]) for one in (power, expected))
    return record.T @ model


def _normed(signal: Tensor) -> Tensor:
    coarse = signal.unflatten(1, (-1, 4)).mean(2).flatten(0, 1)
    centred = coarse - coarse.mean(0)
    return centred / centred.norm(dim=0).clamp_min(1e-12)
