"""Networks of oscillators in the loop with a device: what they answer is measured, its gradient is a model's."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from spinhw.device import Device, ObservationPlan, Signal
from spinhw.errors import ConfigError
from spinhw.flipflop.oscillators import OscillatorNetwork, play
from spinhw.flipflop.score import Score, score
from spinhw.flipflop.trials import Trials
from spinhw.gradients import (
    NetworkRefit,
    Refits,
    inferences,
    measured_value_modelled_gradient,
    shoot,
    straight_through,
)
from spinhw.surrogate import CoupledRefit, Oscillators


class FlipFlopLoop:
    """One network on one chip. `HardwareInLoop` measures the end of a sequence; here every step has an answer.

    As in its mode `output` the values are the device's and the way back is a model's, whose oscillators and synapses
    are refitted from what was just measured, where the device observes the power.

    Args:
        network: The network; its masks must not change any more.
        device: Open, with one chip.

    Raises:
        ConfigError: The device does not observe y of its neurons.
    """

    def __init__(self, network: OscillatorNetwork, device: Device) -> None:
        about = device.describe()
        if "filtered" not in about.observables:
            raise ConfigError(
                f"{device.name}: an answer at every step takes y of the neurons",
                seen=", ".join(sorted(about.observables)) or "no observations",
                allowed="a device that observes 'filtered'",
            )
        self.network, self.device = network, device
        self.inferences = 0  # Sequences played for training so far.
        self._plan = ObservationPlan.split(about.neurons, about.channels)
        self._refits: Refits | None = None
        if "power" in about.observables and network.settings.initial_state == "rest":
            nominal = Oscillators.nominal(network.settings.neurons(torch.float64))
            self._refits = Refits([NetworkRefit(CoupledRefit(nominal))], network.oscillators)

    def run(self, inputs: Tensor) -> Tensor:
        """Measure what the network answers, (batch, time, output), to inputs (batch, time, input); with a gradient.

        Raises:
            LimitError: A weight, bias or input is beyond a limit of the device.
            DeviceError: The device failed and was made safe.
        """
        inner, played = self.network.oscillators, inputs[None]  # A member axis in front.
        requested, masks = inner.member_values(), inner.member_masks()
        detached = {name: value.detach() for name, value in requested.items()}
        trace = shoot(self.device, detached, played, self._plan, 1, present=masks)
        self.inferences += inferences(played, self.device, trace)
        neurons = inner.neurons()
        if self._refits is not None:
            self._refits.update(played, trace)
            neurons = self._refits.neurons(neurons)
        values = {
            name: straight_through(value, self._acting(name, trace.applied[name]), masks.get(name))
            if name in trace.applied
            else value
            for name, value in requested.items()
        }
        model = inner.run(inputs, values=values, neurons=neurons).filtered  # (1, batch, time, neuron)
        measured: Signal | None = trace.filtered
        return self.network.read_out(measured_value_modelled_gradient(measured, model)[0])

    def _acting(self, name: str, applied: Tensor) -> Tensor:
        """Give what a weight is taken for in the model: what was read back, but for the error that a refit found."""
        factor = None if self._refits is None else self._refits.acting(name)
        return applied if factor is None else applied * factor.to(applied.dtype)

    def measure(self, trials: Trials, network: OscillatorNetwork | None = None) -> Score:
        """Score the network, or another one, on the device."""
        return score(play(network or self.network, trials, self.device), trials)

    def tensors(self) -> dict[str, Tensor]:
        """Give what is known of the chip."""
        return {} if self._refits is None else self._refits.state()

    def facts(self) -> dict[str, Any]:
        """Give shots and counters as plain data for JSON."""
        return {"device": self.device.state(), "inferences": self.inferences}

    def restore(self, tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> None:
        """Go back to what `tensors` and `facts` gave."""
        if self._refits is not None and tensors:
            self._refits.restore(tensors)
        self.device.restore(facts["device"])
        self.inferences = int(facts["inferences"])
