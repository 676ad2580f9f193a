"""What the neurons of one network do, for figures."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from spinhw.network import SpintronicNetwork
from spinhw.rollout import Steps
from spinhw.tasks import as_sequence
from spinhw.training.data import EnsembleData
from spinhw.training.member import member_of


@dataclass(frozen=True)
class Examples:
    """Waveforms of every neuron of one network while it reads one image of each class.

    Args:
        labels: True classes, (image,).
        answers: What the network says, (image,).
        sample_interval_s: Time for which a sample is held, in seconds.
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
    inputs: NDArray[np.float32]
    drive_over_gamma: NDArray[np.float32]
    state: NDArray[np.float32]
    filtered: NDArray[np.float32]
    layers: tuple[int, ...]


@torch.no_grad()
def record_examples(network: SpintronicNetwork, data: EnsembleData, steps: Steps | None = None) -> Examples:
    """Record the first member on its first held-out image of each class.

    Args:
        network: An ensemble.
        data: Its data.
        steps: Another time grid than the network's own.
    """
    labels = data.test_labels[0]
    chosen = torch.tensor([int((labels == value).nonzero()[0, 0]) for value in labels.unique()])
    inputs = as_sequence(data.test[:1, chosen], data.task)  # (1, image, time, 1)
    first = member_of(network, 0, data.seeds[0])
    run = first.run(inputs, steps, record_drive=True)
    if run.drive is None:
        raise RuntimeError("the rollout gave no drive although it was asked for one")
    return Examples(
        labels=labels[chosen].numpy(),
        answers=first.read_out(run.filtered)[0, :, 0].argmax(-1).numpy(),
        sample_interval_s=data.task.sample_interval_s,
        inputs=inputs[0, :, :, 0].numpy(),
        drive_over_gamma=(run.drive[0] / first.neurons().gamma).numpy(),
        state=torch.cat((run.power0[0, :, None], run.power[0]), dim=1).numpy(),
        filtered=run.filtered[0].numpy(),
        layers=network.settings.layers,
    )
