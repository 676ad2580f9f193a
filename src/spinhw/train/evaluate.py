"""What trained networks do on images they have not seen."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from spinhw.network import SpintronicNetwork
from spinhw.rollout import Steps
from spinhw.tasks import as_sequence
from spinhw.train.data import EnsembleData
from spinhw.train.loss import correct_answers

Tick = Callable[[int, int], None]  # Called with the parts that are done and those there are.

QUANTILES = (0.0, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 1.0)
_NEAR = 0.01  # A drive within this share of the span from a bound counts as saturated.
_DRIVE_IMAGES = 120  # Images of each member whose drives are looked at: plenty for quantiles, and they fit in memory.


def chunks(data: EnsembleData, size: int, tick: Tick | None = None) -> Iterator[Tensor]:
    """Give the held-out images as inputs (member, batch, time, 1), a chunk at a time."""
    images = data.test.shape[1]
    for start in range(0, images, size):
        yield as_sequence(data.test[:, start : start + size], data.task)
        if tick is not None:
            tick(min(start + size, images), images)


@torch.no_grad()
def held_out_logits(
    network: SpintronicNetwork, data: EnsembleData, size: int, steps: Steps | None = None, tick: Tick | None = None
) -> Tensor:
    """Give the logits (member, image, class) of the held-out images.

    Args:
        network: An ensemble.
        data: Its data.
        size: Images at a time.
        steps: Another time grid than the network's own.
        tick: Told of the progress.
    """
    return torch.cat(
        [network.read_out(network.run(inputs, steps).filtered) for inputs in chunks(data, size, tick)], dim=1
    )


def held_out_accuracy(network: SpintronicNetwork, data: EnsembleData, size: int) -> list[float]:
    """Give each member's accuracy, 0 to 1, on the network's own time grid."""
    return accuracy(held_out_logits(network, data, size), data.test_labels)


def accuracy(logits: Tensor, labels: Tensor) -> list[float]:
    """Give each member's share of right answers, 0 to 1, from logits (member, image, class) and labels (member, image)."""
    return [count / labels.shape[1] for count in correct_answers(logits, labels).tolist()]


def confusion(logits: Tensor, labels: Tensor) -> list[list[int]]:
    """Count answers by class, summed over members: row is the true class, column the answer."""
    classes = logits.shape[-1]
    pairs = labels.flatten() * classes + logits.argmax(-1).flatten()
    counts: list[list[int]] = torch.bincount(pairs, minlength=classes**2).view(classes, classes).tolist()
    return counts


@dataclass(frozen=True)
class DriveStatistics:
    """Where the drives lie, over members, images, time and neurons.

    Args:
        quantiles: Of I / gamma, by probability as text, such as "0.05".
        saturated: Share of time that a neuron spends within 1 % (of the span) of a bound; None without bounds.
    """

    quantiles: dict[str, float]
    saturated: float | None


@torch.no_grad()
def drive_statistics(network: SpintronicNetwork, data: EnsembleData) -> DriveStatistics:
    """Look at the mean drive of every sample interval, for up to 120 held-out images of each member."""
    inputs = as_sequence(data.test[:, :_DRIVE_IMAGES], data.task)
    drive = network.run(inputs, record_drive=True).drive
    if drive is None:
        raise RuntimeError("the rollout gave no drive although it was asked for one")
    neurons = network.neurons()
    levels = (drive / neurons.gamma[:, None, None]).numpy()  # (member, batch, time, neuron)
    quantiles = {str(p): float(value) for p, value in zip(QUANTILES, np.quantile(levels, QUANTILES), strict=True)}
    if neurons.bounds is None:
        return DriveStatistics(quantiles, None)
    lowest, highest = neurons.bounds.lowest[:, None, None], neurons.bounds.highest[:, None, None]
    place = (drive - lowest) / (highest - lowest)
    return DriveStatistics(quantiles, float(((place < _NEAR) | (place > 1 - _NEAR)).double().mean()))


@dataclass(frozen=True)
class Examples:
    """What every neuron of one network does while it reads one image of each class.

    Args:
        labels: True classes, (image,).
        answers: What the network says, (image,).
        time_s: End of each sample interval in seconds, (time,).
        inputs: u, (image, time).
        drive_over_gamma: Mean drive of each interval over gamma, (image, time, neuron).
        power: x at the end of each interval (the state of a CTRNN neuron), the same shape.
        filtered: y, the same shape.
        layers: Neurons of each layer, first layer first: how the neuron axis is divided.
    """

    labels: np.ndarray
    answers: np.ndarray
    time_s: np.ndarray
    inputs: np.ndarray
    drive_over_gamma: np.ndarray
    power: np.ndarray
    filtered: np.ndarray
    layers: tuple[int, ...]


@torch.no_grad()
def examples(network: SpintronicNetwork, data: EnsembleData, steps: Steps | None = None) -> Examples:
    """Record the first member on its first held-out image of each class."""
    labels = data.test_labels[0]
    chosen = torch.tensor([int((labels == value).nonzero()[0, 0]) for value in labels.unique()])
    inputs = as_sequence(data.test[:1, chosen], data.task)
    run = network.run(inputs.expand(len(data.seeds), -1, -1, -1), steps, record_drive=True)
    if run.drive is None:
        raise RuntimeError("the rollout gave no drive although it was asked for one")
    return Examples(
        labels=labels[chosen].numpy(),
        answers=network.read_out(run.filtered)[0].argmax(-1).numpy(),
        time_s=np.arange(1, inputs.shape[2] + 1) * data.task.sample_interval_s,
        inputs=inputs[0, :, :, 0].numpy(),
        drive_over_gamma=(run.drive[0] / network.neurons().gamma).numpy(),
        power=run.power[0].numpy(),
        filtered=run.filtered[0].numpy(),
        layers=network.settings.layers,
    )
