"""What a gradient mode is given, and what all modes share: the end signal, measured or modelled."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from spinhw.device import Signal, Trace
from spinhw.errors import DeviceError
from spinhw.gradients.shown import last_layer
from spinhw.network import SpintronicNetwork, outputs_of
from spinhw.rollout import Engine, Neurons, Sparsity, Steps

Values = Mapping[str, Tensor]


@dataclass(frozen=True)
class Choices:
    """What the modes that perturb or steer are told.

    Args:
        perturbation: By how much `spsa` and `finite_difference` move a weight, a bias, or a tuning in units of weight,
            in either direction; above 0.
        directions: Random directions of `spsa` for each batch, each measured twice; at least 1.
        observer_gain: Share of the way to the measurement by which `observer` moves its state each sample, 0 to 1.
        oracle_steps_per_ns: Integration steps of the true gradient; None for as many as the chip takes itself.
    """

    perturbation: float = 0.05
    directions: int = 1
    observer_gain: float = 0.3
    oracle_steps_per_ns: int | None = None


@dataclass(frozen=True, eq=False)
class Pass:
    """One forward pass: what was asked of the device, what it gave, and what models it. Members are in front.

    Args:
        network: The network: its settings and masks.
        values: Parameters by name, (member, ...), as they act in the model.
        told: The same as the device applied them, weights or tunings, whose gradient passes straight through to the
            requested ones; `values` are made of them.
        neurons: The neurons of the surrogate, (member or 1, neuron).
        steps: Time grid of the surrogate.
        inputs: u, (member, batch, time, input).
        lengths: Samples of each sequence, (member, batch); None where all end with the time axis.
        trace: What was measured; None where nothing was.
        measure: Measures the end signal for other requested values, `end_signal` of that trace, and says which values
            were read back.
        truth: Gives the true end signal, differentiable in what is told; None where nobody knows it.
        held: Names of the parameters that the device holds.
        turn: Number of the pass: keys random directions.
        sparsities: Which synapses exist in each layer, made once.
        choices: For the modes that perturb or steer.
        engine: Engine of the surrogate's rollout.
    """

    network: SpintronicNetwork
    values: Values
    told: Values
    neurons: Neurons
    steps: Steps
    inputs: Tensor
    lengths: Tensor | None = None
    trace: Trace | None = None
    measure: Callable[[Values], tuple[Signal, Values]] | None = None
    truth: Callable[[Values], Tensor] | None = None
    held: frozenset[str] = frozenset()
    turn: int = 0
    sparsities: tuple[Sparsity, ...] = ()
    choices: Choices = field(default_factory=Choices)
    engine: Engine = "auto"


def end_of(network: SpintronicNetwork, values: Values, filtered: Tensor, lengths: Tensor | None = None) -> Tensor:
    """Return the end signal of a model: what of it a device would measure.

    Args:
        network: The network.
        values: Parameters, (member, ...); those of the read-out count where it is hardware.
        filtered: y of the neurons, (member, batch, time, neuron), the last layer's at the end of that axis.
        lengths: Samples of each sequence, (member, batch); None where all end with the time axis.

    Returns:
        With a hardware read-out the answers W_out y, (member, batch, answer, output); else y of the last layer at the
        samples that count, (member, batch, sample, neuron).
    """
    y = filtered[..., -network.settings.layers[-1] :]
    if network.settings.readout == "software":
        return network.answer.cut(y, lengths)
    return outputs_of(network.answer.take(y, lengths), values["w_out"])


def end_signal(trace: Trace, network: SpintronicNetwork, lengths: Tensor | None = None) -> Signal:
    """Return what of a trace the read-out uses, shaped as `end_of`; with or without the member axis, as the trace.

    Args:
        trace: What was measured.
        network: The network.
        lengths: Samples of each sequence, (member, batch), as the trace; None where all end with the time axis.

    Raises:
        DeviceError: The trace has neither outputs nor y.
    """
    if trace.outputs is not None:
        return trace.outputs
    if trace.filtered is None:
        raise DeviceError(
            f"{trace.device_ids[0]}: measured neither the outputs of a read-out nor y of the last layer",
            seen=", ".join(trace.signals()) or "nothing",
            todo="write readout: hardware under 'network', or let the device record the filtered signals",
        )
    return last_layer(trace.filtered, network, lengths)


def measured_value_modelled_gradient(measured: Signal | None, model: Tensor) -> Tensor:
    """Give the measured values with the gradient of a model; a sample that is not good has the model's value too."""
    if measured is None:
        return model
    value = measured.or_else(model.detach()).to(model.dtype)
    return value + (model - model.detach())


def straight_through(requested: Tensor, applied: Tensor, present: Tensor | None = None) -> Tensor:
    """Give the applied values with the gradient of the requested ones.

    Args:
        requested: As asked for.
        applied: As read back, same shape.
        present: Which synapses exist; the others have the requested value. None where all do.
    """
    difference = (applied.to(requested.dtype) - requested).detach()
    return requested + (difference if present is None else torch.where(present, difference, 0.0))


def logits_of(network: SpintronicNetwork, end: Tensor) -> Tensor:
    """Turn an end signal into answers, (member, batch, answer, output); what of the read-out is software is exact."""
    if network.settings.readout == "software":
        return network.read_out(end)
    b_out = network.b_out if network.ensemble else network.b_out[None]
    return network.settings.out_gain * end + b_out[:, None, None]
