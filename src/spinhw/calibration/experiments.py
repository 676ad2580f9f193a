"""From an experiment to the drives that are played, in units of nominal gamma."""

import torch
from torch import Tensor

from spinhw.calibration.settings import (
    DriveSweep,
    Experiment,
    HighPass,
    NoiseExperiment,
    PlanSettings,
    PseudoRandom,
    StepResponse,
)
from spinhw.physics import BIAS_OVER_GAMMA
from spinhw.streams import torch_stream


def drives(experiment: Experiment, plan: PlanSettings, oscillators: int, number: int = 0) -> Tensor:
    """Give the drives of an experiment over nominal gamma, (segment, sample, oscillator), float64.

    Args:
        experiment: Which.
        plan: Gives the range.
        oscillators: How many; only pseudo-random drives differ between them.
        number: Place in the plan: the key of what is random.
    """
    low, high = plan.lowest_over_gamma, plan.highest_over_gamma
    if isinstance(experiment, NoiseExperiment):
        levels = torch.full((experiment.segments, experiment.samples), min(max(BIAS_OVER_GAMMA, low), high))
    elif isinstance(experiment, DriveSweep):
        levels = torch.linspace(low, high, experiment.levels)[:, None].expand(-1, experiment.samples)
    elif isinstance(experiment, StepResponse | HighPass):
        levels = _steps(experiment, low, high)
    else:
        return _random(experiment, low, high, oscillators, number)
    return levels.double()[..., None].expand(-1, -1, oscillators)


def _steps(experiment: StepResponse | HighPass, low: float, high: float) -> Tensor:
    """Bias for four samples, a level until half the segment is over, then the level mirrored in the range."""
    ups = torch.linspace(low, high, experiment.levels)
    levels = torch.full((experiment.levels, experiment.samples), min(max(BIAS_OVER_GAMMA, low), high))
    levels[:, 4:] = ups[:, None]
    levels[:, experiment.samples // 2 :] = (low + high - ups)[:, None]
    return levels


def _random(experiment: PseudoRandom, low: float, high: float, oscillators: int, number: int) -> Tensor:
    shape = (experiment.segments, experiment.samples, oscillators)
    generator = torch_stream("calibration drives", number, *shape)
    fresh = torch.rand(shape, generator=generator, dtype=torch.float64) * (high - low) + low
    # A hold of h samples on average, longest_hold at most.
    change = torch.rand(shape, generator=generator) < 2 / (experiment.longest_hold + 1)
    held, since = fresh.clone(), torch.zeros(shape[0], shape[2], dtype=torch.int64)
    for sample in range(1, shape[1]):
        since = since + 1
        new = change[:, sample] | (since >= experiment.longest_hold)
        held[:, sample] = torch.where(new, fresh[:, sample], held[:, sample - 1])
        since = torch.where(new, torch.zeros_like(since), since)
    return held
