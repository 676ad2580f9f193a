"""What the neurons of one network do, for figures."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from spinhw.network import SpintronicNetwork
from spinhw.rollout import Steps
from spinhw.tasks import Batch, Classes, Task, Values, chosen, joined
from spinhw.training.member import member_of
from spinhw.training.settings import RunSettings

# Sequences that are shown of a task without classes.
_SHOWN = 4


@dataclass(frozen=True)
class Examples:
    """Waveforms of every neuron of one network while it reads one sequence of each class, or the first few.

    Args:
        labels: True classes, (image,); of tasks without a class for each sequence their numbers.
        answers: What the network says, (image,); likewise.
        sample_interval_s: Time for which a sample is held, in seconds.
        lengths: Samples of each, (image,): what is after them is nobody's concern.
        inputs: u, (image, time).
        drive_over_gamma: Mean drive of each interval over gamma, (image, time, neuron).
        state: x (the power, or the state of a CTRNN neuron) before the first sample and at the end of each,
            (image, time + 1, neuron).
        filtered: y at the end of each interval, (image, time, neuron).
        layers: Neurons of each layer, first layer first: how the neuron axis is divided.
    """

    labels: NDArray[np.int64]
    answers: NDArray[np.int64]
    sample_interval_s: float
    lengths: NDArray[np.int64]
    inputs: NDArray[np.float32]
    drive_over_gamma: NDArray[np.float32]
    state: NDArray[np.float32]
    filtered: NDArray[np.float32]
    layers: tuple[int, ...]


@torch.no_grad()
def record_examples(
    network: SpintronicNetwork, settings: RunSettings, task: Task, steps: Steps | None = None
) -> Examples:
    """Record the first member on its first held-out sequence of each class; of other tasks on its first few.

    Args:
        network: An ensemble.
        settings: The run.
        task: Its task.
        steps: Another time grid than the network's own.
    """
    seed = settings.training.seeds[0]
    batch = joined(list(task.held_out([seed], settings.final_part)))
    shown = chosen(batch, _one_of_each(batch))
    first = member_of(network, 0, seed)
    run = first.run(shown.inputs, steps, record_drive=True)
    if run.drive is None:
        raise RuntimeError("the rollout gave no drive although it was asked for one")
    answers, target = first.read_out(run.filtered, shown.lengths)[0], shown.target
    labels = _classes(target)
    return Examples(
        labels=np.arange(shown.size) if labels is None else labels.numpy(),
        answers=np.arange(shown.size) if labels is None else answers[:, 0].argmax(-1).numpy(),
        sample_interval_s=settings.task.sample_interval_s,
        lengths=np.full(shown.size, shown.inputs.shape[2]) if shown.lengths is None else shown.lengths[0].numpy(),
        inputs=shown.inputs[0, :, :, 0].numpy(),
        drive_over_gamma=(run.drive[0] / first.neurons().gamma).numpy(),
        state=torch.cat((run.power0[0, :, None], run.power[0]), dim=1).numpy(),
        filtered=run.filtered[0].numpy(),
        layers=network.settings.layers,
    )


def _classes(target: Classes | Values) -> Tensor | None:
    """Return the class of each sequence of the first member, (sequence,); None where a sequence has none."""
    return target.labels[0] if isinstance(target, Classes) and not target.per_step else None


def _one_of_each(batch: Batch) -> Tensor:
    labels = _classes(batch.target)
    if labels is None:
        return torch.arange(min(_SHOWN, batch.size))
    return torch.tensor([int((labels == value).nonzero()[0, 0]) for value in labels.unique()])
