"""The bridge: the same tasks on networks of spintronic oscillators, simulated or on a device.

A step of the task is one sample interval. A memory must outlive the high-pass behind each neuron: it passes changes of
the power alone, so that all constant states answer alike after a few 1 / (2 pi f_cut). With the 44 MHz of the digits
that is 3.6 ns; a network that is to hold needs a corner far below 1 / (hold time).
"""

import math

import torch
from torch import Tensor, nn

from spinhw.device import Device, DeviceSettings, ObservationPlan, open_device
from spinhw.energy import EnergySettings, ledger
from spinhw.flipflop.network import Activity
from spinhw.flipflop.trials import Trials
from spinhw.network import NetworkSettings, SpintronicNetwork
from spinhw.rollout import Steps

# Steps per nanosecond at which simulated chips integrate, and so the figures that count.
FINE_STEPS_PER_NS = 16
_AT_ONCE = 64


class OscillatorNetwork(nn.Module):
    """A network of oscillators with an answer at every step: z = out_gain W_out y_last + b_out.

    Args:
        settings: The network as designed.
        seed: Of its masks and initial weights.
        interval_s: Time of one step of the task, in seconds.
    """

    def __init__(self, settings: NetworkSettings, seed: int = 0, interval_s: float = 1e-9) -> None:
        super().__init__()
        self.settings, self.seed = settings, seed
        self.oscillators = SpintronicNetwork(settings, Steps(interval_s), seed)

    def forward(self, inputs: Tensor) -> Tensor:
        """Give the outputs (batch, time, output) of inputs (batch, time, input), at the steps of the training."""
        return self.run(inputs, record=False).outputs

    def run(
        self,
        inputs: Tensor,
        start: None = None,
        *,
        record: bool = True,
        generator: torch.Generator | None = None,
        fine: bool = False,
    ) -> Activity:
        """Run the network from rest.

        Args:
            inputs: (batch, time, input).
            start: There for the common form; oscillators start from rest.
            record: Whether to return the states y.
            generator: Not used: thermal noise belongs to devices.
            fine: Integrate at `FINE_STEPS_PER_NS`, as devices do.
        """
        steps = self.oscillators.steps.at_least_per_ns(FINE_STEPS_PER_NS) if fine else None
        filtered = self.oscillators.run(inputs, steps).filtered[0]  # (batch, time, neuron)
        return Activity(self.read_out(filtered), filtered if record else None)

    def read_out(self, filtered: Tensor) -> Tensor:
        """Turn y (batch, time, neuron) into outputs (batch, time, output)."""
        last = filtered[..., -self.settings.layers[-1] :]
        return self.settings.out_gain * last @ self.oscillators.w_out.T + self.oscillators.b_out

    def limit_weights_(self) -> None:
        """Project every weight onto the limit of the hardware."""
        self.oscillators.limit_weights_()

    def energy_per_step_j(self, energy: EnergySettings | None = None) -> float:
        """Estimate the energy of one step of the task, in joules: power of all devices times its time."""
        readout = self.settings.layers[-1] * self.settings.outputs if self.settings.readout == "hardware" else 0
        synapses = self.settings.topology().synapses(bool(readout))
        account = ledger(
            energy or EnergySettings(),
            self.settings.topology().neurons,
            synapses,
            self.oscillators.steps.sample_interval_s,
        )
        return account.scaled_per_inference_j

    @property
    def forgetting_steps(self) -> float:
        """Steps after which the high-pass has forgotten a constant state: 1 / (2 pi f_cut); infinite without one."""
        cutoff = self.settings.cutoff_hz
        return 1 / (2 * math.pi * cutoff * self.oscillators.steps.sample_interval_s) if cutoff else math.inf


def device_of(network: OscillatorNetwork, profile: DeviceSettings) -> Device:
    """Make the device that runs a network; a simulated one is another chip for each seed, "ID-3" for seed 3."""
    interval_s = network.oscillators.steps.sample_interval_s
    return open_device(profile, network.settings, interval_s, members=[network.seed])


def answer_on_device(network: OscillatorNetwork, trials: Trials, profile: DeviceSettings) -> Tensor:
    """Open a device and let a network answer on it, as `play` does."""
    with device_of(network, profile) as device:
        return play(network, trials, device)


@torch.no_grad()
def play(network: OscillatorNetwork, trials: Trials, device: Device) -> Tensor:
    """Program a device, play trials and read the outputs of every step, (trial, time, output).

    The neurons of the last layer are observed; the read-out is computed. Samples that are not good count as zero.

    Args:
        network: The network.
        trials: What to play.
        device: Open, with one chip.

    Raises:
        LimitError: A weight, bias or input is beyond a limit of the device.
        DeviceError: The device failed.
    """
    settings, inner = network.settings, network.oscillators
    device.program({name: value.detach() for name, value in inner.values().items()}, inner.masks())
    last = range(*settings.topology().slices()[-1].indices(sum(settings.layers)))
    plan = ObservationPlan.split(last, device.describe().channels)
    answers = []
    for part in trials.inputs.split(_AT_ONCE):
        signal = device.run(part, observe=plan).filtered
        if signal is None:
            raise RuntimeError("a device gave no y of its neurons")
        answers.append(network.read_out(signal.or_else(torch.zeros_like(signal.values)).to(inner.w_out.dtype)))
    return torch.cat(answers)
