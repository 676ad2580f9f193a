"""What neurons do while sequences are played to them, on the simulator or on a device."""

import torch
from torch import Tensor

from spinhw.device import Device, ObservationPlan
from spinhw.device.told import told
from spinhw.gradients import shoot
from spinhw.gradients.shown import plan_of_last_layer, shown_outputs
from spinhw.merit.choices import MeritChoices
from spinhw.network import SpintronicNetwork


@torch.no_grad()
def simulated_states(network: SpintronicNetwork, inputs: Tensor, choices: MeritChoices) -> Tensor:
    """Return y of the neurons that count after each sample, (member, sequence, time, neuron).

    Args:
        network: An ensemble.
        inputs: What is played, (sequence, time, input).
        choices: Which neurons count.
    """
    members = len(network.b_out)
    y = network.run(inputs.expand(members, *inputs.shape)).filtered
    return y[..., -_width(network, choices) :]


@torch.no_grad()
def measured_states(
    device: Device, network: SpintronicNetwork, inputs: Tensor, choices: MeritChoices
) -> tuple[Tensor, float]:
    """Measure the same on a device: all members at once, or one after another on a single chip.

    Args:
        device: Open.
        network: An ensemble.
        inputs: What is played, (sequence, time, input).
        choices: Which neurons count, and how often each sequence is played.

    Returns:
        y, (member, sequence, time, neuron), where a sample that is not good counts as 0; and the share of good ones.
    """
    about, members = device.describe(), len(network.b_out)
    plan = plan_of_last_layer(about, network.settings)
    if choices.neurons == "all":
        plan = ObservationPlan.split(about.neurons, about.channels)
    shown = inputs.expand(members, *inputs.shape)
    values, masks = told(network, about), network.member_masks()
    trace = shoot(device, values, shown, plan, choices.averages, present=masks)
    signal = shown_outputs(trace, network.neurons(), network.steps.sample_interval_s)
    width = _width(network, choices)
    y, good = signal.values[..., -width:], signal.good[..., -width:]
    return torch.where(good, y, torch.zeros_like(y)), float(good.double().mean())


def _width(network: SpintronicNetwork, choices: MeritChoices) -> int:
    return network.settings.layers[-1] if choices.neurons == "last" else network.neuron_count
