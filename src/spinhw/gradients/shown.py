"""The outputs y of neurons as a device shows them: measured, or through the model's high-pass from measured power."""

import torch
from torch import Tensor

from spinhw.device import Description, ObservationPlan, Quality, Signal, Trace
from spinhw.device.highpassed import high_passed
from spinhw.device.reading import Samples
from spinhw.errors import ConfigError
from spinhw.network import NetworkSettings, SpintronicNetwork
from spinhw.rollout import Neurons


def refuse_hidden_states(about: Description) -> None:
    """Check that a device shows its neurons.

    Raises:
        ConfigError: It shows neither y nor the power.
    """
    if not {"filtered", "power"} & about.observables:
        raise ConfigError(
            f"{about.name}: the device does not show what its neurons do",
            seen=", ".join(sorted(about.observables)) or "no observables",
            allowed="filtered or power",
            todo="wire the neurons to a digitizer, or train through the read-out with training.trainable: all",
        )


def plan_of_last_layer(about: Description, network: NetworkSettings) -> ObservationPlan:
    """Return the plan by which every neuron of the last layer is observed, in as few repeats as possible."""
    last = network.topology().slices()[-1]
    return ObservationPlan.split(range(*last.indices(about.neurons)), about.channels)


def readout_plan(about: Description, network: NetworkSettings) -> ObservationPlan:
    """Return the plan by which what the read-out needs is observed, and no more: nothing where it is hardware."""
    return ObservationPlan.nothing() if network.readout == "hardware" else plan_of_last_layer(about, network)


def shown_outputs(trace: Trace, neurons: Neurons, interval_s: float) -> Signal:
    """Return y of every neuron, (member, batch, time, neuron): what was measured of it, or what follows from the power.

    From the power at the ends of the sample intervals y follows through the high-pass of the model, as `high_passed`
    says.

    Args:
        trace: What was measured, members in front; with `filtered`, or with `power`.
        neurons: For the corners of their high-passes, (member or 1, neuron).
        interval_s: Sample interval, in seconds.

    Raises:
        ConfigError: It has neither.
    """
    if trace.filtered is not None:
        return trace.filtered
    if trace.power is None:
        raise ConfigError(
            f"{trace.device_ids[0]}: measured neither y nor the power of its neurons",
            seen=", ".join(trace.signals()) or "nothing",
            allowed="filtered or power",
            todo="observe the neurons",
        )
    power, rest = trace.power, trace.power0
    ends = Samples(power.values, power.time_s, power.quality, power.noise)
    start = (
        Samples(power.values[:, :, 0], power.time_s[:1], power.quality[:, :, 0], power.noise)
        if rest is None
        else Samples(rest.values, rest.time_s, rest.quality, rest.noise)
    )
    y = high_passed(start, ends, neurons.cutoff_hz[:, None], interval_s)
    return Signal(y.values, y.judged(), power.time_s, power.noise)


def last_layer(signal: Signal, network: SpintronicNetwork, lengths: Tensor | None = None) -> Signal:
    """Return y of the last layer at the samples that answer, not pooled, (member, batch, sample, neuron).

    Args:
        signal: y of every neuron, or of the last layer, which comes last.
        network: The network.
        lengths: Samples of each sequence, (member, batch); None where all end with the time axis.
    """
    width, chosen = network.settings.layers[-1], network.answer
    values, quality = (chosen.cut(one[..., -width:], lengths) for one in (signal.values, signal.quality))
    return Signal(values, quality, signal.time_s[-values.shape[-2] :], signal.noise)


def modelled(values: Tensor, time_s: Tensor) -> Signal:
    """Return what a model gives as a signal, all of it good."""
    return Signal(values, torch.full_like(values, Quality.GOOD, dtype=torch.uint8), time_s, 0.0)
