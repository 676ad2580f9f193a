"""What came out at one point, network by network."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from spinhw.training import RunSettings


@dataclass(frozen=True)
class PowerTrace:
    """Power of one neuron of each layer while a network reads one image of each class.

    Args:
        labels: Class of each image, (image,).
        power: x before the first sample and at the end of each, (layer, image, time + 1).
    """

    labels: list[int]
    power: list[list[list[float]]]


@dataclass(frozen=True)
class Outcome:
    """What came out, one number for each seed; None for a network whose training diverged.

    Args:
        seeds: The seeds.
        score: The task's headline on held-out sequences at the training step, such as accuracy (0 to 1) or NRMSE.
        score_converged: The same at the fine steps; what figures show.
        mean_weight: <|W|> over the synapses between and within layers that exist, dimensionless.
        wall_s: Time that training and measuring took, in seconds.
        version: Version of spinhw that trained.
        trace: Waveforms, where the point is traced.
        score_on_device: The same on the device; None where there is none.
        inferences: Sequences that all networks played on the device for training.
        cpu_s: Processor time that training and measuring took, in seconds, without what was before an interruption;
            None where it was not kept.
        epochs: Epochs that were trained; None where it was not kept.
        on_plateau: Whether training had got as far as it gets; None where nobody asked.
        readings: Of chains of resonators, of all networks, taken to program them by measuring.
    """

    seeds: list[int]
    score: list[float | None]
    score_converged: list[float | None]
    mean_weight: list[float | None]
    wall_s: float
    version: str
    trace: PowerTrace | None = None
    score_on_device: list[float | None] | None = None
    inferences: int = 0
    cpu_s: float | None = None
    epochs: int | None = None
    on_plateau: bool | None = None
    readings: int = 0

    def shown(self, worst: float = 0.0) -> NDArray[np.float64]:
        """Return the scores that count, (seed,): on the device where there is one, else converged.

        Args:
            worst: What a network that diverged has; of accuracy 0.
        """
        return _without_gaps(self.score_converged if self.score_on_device is None else self.score_on_device, worst)

    def converged(self, worst: float = 0.0) -> NDArray[np.float64]:
        """Return the converged scores, (seed,); of a network that diverged the worst there is."""
        return _without_gaps(self.score_converged, worst)

    def at_training_step(self, worst: float = 0.0) -> NDArray[np.float64]:
        """Return the scores at the training step, (seed,); of a network that diverged the worst there is."""
        return _without_gaps(self.score, worst)


def _without_gaps(scores: Sequence[float | None], worst: float) -> NDArray[np.float64]:
    return np.array([worst if value is None else value for value in scores])


def mean_weights(parameters: Mapping[str, torch.Tensor], masks: Mapping[str, torch.Tensor]) -> list[float]:
    """Average |W| over the existing synapses between and within layers, without those of the input, (member,).

    Args:
        parameters: Weights by name, with the member axis in front.
        masks: Which of them exist, by name.
    """
    names = [name for name in masks if name != "w_ext.0"]
    sizes = torch.cat([parameters[name].abs().flatten(1) for name in names], dim=1)
    exist = torch.cat([masks[name].flatten(1) for name in names], dim=1).to(sizes.dtype)
    mean: list[float] = ((sizes * exist).sum(1) / exist.sum(1).clamp(min=1)).tolist()
    return mean


def cumulative_drive(settings: RunSettings, mean_weight: Sequence[float | None]) -> list[float | None]:
    """Give I dt of each network, dimensionless (Plouet et al. 2024, eq. 9 and 11)."""
    scale = settings.network.drive_per_weight(settings.task.sample_interval_s)
    return [None if weight is None else scale * weight for weight in mean_weight]
