"""From an experiment on a chain to the points that are measured."""

from dataclasses import dataclass

import torch
from torch import Tensor

from spinhw.calibration.synapses.settings import (
    CrosstalkExperiment,
    DetuningSweep,
    NoTone,
    Programming,
    SynapseExperiment,
    SynapsePlanSettings,
)
from spinhw.physics import Ladder
from spinhw.streams import torch_stream


@dataclass(frozen=True)
class Points:
    """Points measured one after another.

    Args:
        tuning: Of each resonator, (point, resonator).
        rf_hz: Of the tone, (point,).
        power: Of the tone, (point,).
    """

    tuning: Tensor
    rf_hz: Tensor
    power: Tensor

    def repeated(self, readings: int) -> "Points":
        """Give each point so many times in a row."""
        return Points(*(one.repeat_interleave(readings, 0) for one in (self.tuning, self.rf_hz, self.power)))

    @property
    def programmings(self) -> int:
        """Count how often a tuning is set anew."""
        return 1 + int((self.tuning[1:] != self.tuning[:-1]).any(1).sum()) if len(self.tuning) else 0


def points_of(experiment: SynapseExperiment, plan: SynapsePlanSettings, ladder: Ladder, count: int) -> Points:
    """Give the points of an experiment, each once, float64.

    Args:
        experiment: Which.
        plan: Gives the power.
        ladder: The chain as designed.
        count: Resonators in it.
    """
    if isinstance(experiment, NoTone):
        one = torch.ones(1, dtype=torch.float64)
        return Points(torch.zeros(1, count, dtype=torch.float64), one * ladder.frequency_hz, 0 * one)
    if isinstance(experiment, DetuningSweep):
        rows, tones = _sweep(experiment, ladder, count)
    else:
        rows = (
            _up_and_down(experiment, count)
            if isinstance(experiment, CrosstalkExperiment)
            else visits(experiment, count)
        )
        tones = ladder.tones_hz(count).expand(len(rows), -1)
    tuning = rows.repeat_interleave(tones.shape[1], 0)  # (point, resonator)
    rf_hz = tones.reshape(-1)
    return Points(tuning, rf_hz, torch.full_like(rf_hz, plan.power))


def levels(experiment: DetuningSweep) -> Tensor:
    """Give the tunings of a sweep, (level,)."""
    if experiment.levels == 1:
        return torch.zeros(1, dtype=torch.float64)
    return torch.linspace(-experiment.range, experiment.range, experiment.levels, dtype=torch.float64)


def _sweep(experiment: DetuningSweep, ladder: Ladder, count: int) -> tuple[Tensor, Tensor]:
    """Give tunings (level, resonator) and tones (level, resonator x tone); the tones follow the tuning as designed."""
    tunings = levels(experiment)
    around = torch.linspace(-experiment.reach, experiment.reach, experiment.tones, dtype=torch.float64)
    centre = ladder.tones_hz(count) + ladder.tuning_span_hz * tunings[:, None]  # (level, resonator)
    tones = centre[..., None] + ladder.half_linewidth_hz * around
    return tunings[:, None].expand(-1, count), tones.flatten(1)


def _up_and_down(experiment: CrosstalkExperiment, count: int) -> Tensor:
    """Give tunings (2 x resonator, resonator): each up, then down, the others at 0."""
    single = experiment.depth * torch.eye(count, dtype=torch.float64)
    return torch.stack([single, -single], dim=1).flatten(0, 1)


def targets(experiment: Programming, count: int) -> Tensor:
    """Give the tunings that are programmed again and again, (target, resonator)."""
    generator = torch_stream("calibration targets", experiment.targets, count)
    fresh = torch.rand(experiment.targets, count, generator=generator, dtype=torch.float64)
    return experiment.range * (2 * fresh - 1)


def order(experiment: Programming) -> Tensor:
    """Give the number of the target of each visit, (visit,): never the same twice in a row, or it were not written."""
    generator, found = torch_stream("calibration order", experiment.targets, experiment.repeats), list[int]()
    for _ in range(experiment.repeats):
        turn = torch.randperm(experiment.targets, generator=generator).tolist()
        found += [*turn[1:], turn[0]] if found and turn[0] == found[-1] else turn
    return torch.tensor(found)


def visits(experiment: Programming, count: int) -> Tensor:
    """Give the tunings of each visit, (visit, resonator)."""
    return targets(experiment, count)[order(experiment)]
