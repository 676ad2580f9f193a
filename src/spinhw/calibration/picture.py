"""From a record and its traces to what a picture shows: data beside what the model of the record gives."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from spinhw.calibration.traces import Taken
from spinhw.surrogate import Calibrated, modelled


@dataclass(frozen=True)
class Compared:
    """One experiment with its fit.

    Args:
        kind: Which experiment.
        drive: In 1/s, (segment, time, oscillator).
        power: As recorded, (segment, time + 1, oscillator).
        fit: What the model of the record gives, same shape.
        good: Which samples count, same shape.
        averages: Shots of each sample.
        interval_s: Between samples.
    """

    kind: str
    drive: Tensor
    power: Tensor
    fit: Tensor
    good: Tensor
    averages: int
    interval_s: float


def compare(taken: Sequence[Taken], calibrated: Calibrated) -> list[Compared]:
    """Put the fit of a record beside its data."""
    found = []
    for one in taken:
        fit, _ = modelled(one.played, calibrated.oscillators)
        played = one.played
        found.append(
            Compared(
                str(one.experiment["kind"]),
                played.drive,
                played.power,
                fit,
                played.good,
                played.averages,
                played.interval_s,
            )
        )
    return found


def residuals_over_noise(compared: Sequence[Compared], calibrated: Calibrated) -> Tensor:
    """Give (measured - fit) / noise of all good samples of working oscillators, (sample,)."""
    parts = []
    for one in compared:
        noise = calibrated.noise.clamp_min(1e-9) / one.averages**0.5
        apart = (one.power - one.fit) / noise
        parts.append(apart[one.good & calibrated.working])
    return torch.cat(parts)
