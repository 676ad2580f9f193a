"""The coupled network of surrogate oscillators, with what they miss added to their powers."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from spinhw.network import NetworkSettings
from spinhw.rollout import Extras, Neurons, Steps, Weights, rollout
from spinhw.surrogate import Oscillators

# Steps for each relaxation time of the nominal neuron: the error of a midpoint step is then about 1e-5 of full power.
_STEPS_PER_TAU = 80
_NUMBERS_PER_CHUNK = 2**23  # Of the defect at the step nodes: 64 MB.


@dataclass(frozen=True)
class Waveforms:
    """What the neurons of a coupled network do.

    Args:
        power: x with the defect in it, before the first played interval and at the end of each, (batch, time + 1,
            neuron).
        filtered: y at the end of each, (batch, time, neuron).
        drive: Mean drive of each in 1/s, (batch, time, neuron).
    """

    power: Tensor
    filtered: Tensor
    drive: Tensor


@dataclass(frozen=True)
class CoupledNetwork:
    """A network, its weights, and the grid on which its waveforms are played.

    Args:
        settings: The network as designed.
        weights: As applied, with a member axis of length one.
        interval_s: Time for which an input is held, in seconds.
        samples: Played intervals for each input.
    """

    settings: NetworkSettings
    weights: Weights
    interval_s: float
    samples: int

    @property
    def played_s(self) -> float:
        """Length of a played interval in seconds."""
        return self.interval_s / self.samples

    def nominal(self) -> Neurons:
        """Return the electronics and nominal dynamics, (1, neuron), float64."""
        return self.settings.neurons(torch.float64)

    def neurons(self, oscillators: Oscillators) -> Neurons:
        """Put oscillators, one for each neuron, into the network's electronics."""
        return oscillators.neurons(self.nominal())

    @torch.no_grad()
    def solve(self, inputs: Tensor, oscillators: Oscillators, defect: Tensor) -> Waveforms:
        """Solve the coupled network.

        Args:
            inputs: u, (batch, time, input).
            oscillators: The surrogate, one for each neuron.
            defect: Added to the power before the high-pass, at the ends of the played intervals and before the first,
                (batch, time * samples + 1, neuron); between them it is taken for linear.
        """
        neurons, steps = self.neurons(oscillators), self._steps()
        fine = inputs.double().repeat_interleave(self.samples, 1)
        size = max(1, _NUMBERS_PER_CHUNK // (fine.shape[1] * steps.substeps * defect.shape[2]))
        parts = [
            self._solve(images, neurons, steps, missed)
            for images, missed in zip(fine.split(size), defect.double().split(size), strict=True)
        ]
        return Waveforms(
            torch.cat([part.power for part in parts]),
            torch.cat([part.filtered for part in parts]),
            torch.cat([part.drive for part in parts]),
        )

    def _solve(self, inputs: Tensor, neurons: Neurons, steps: Steps, defect: Tensor) -> Waveforms:
        result = rollout(
            self.weights,
            neurons,
            inputs[None],
            steps,
            drive_rate_per_s=self.settings.drive_rate_per_s,
            extras=Extras(defect=at_nodes(defect, steps.substeps)[None]),
            record_drive=True,
        )
        if result.drive is None:
            raise RuntimeError("the rollout did not record the drive")
        power = torch.cat([result.power0[0][:, None], result.power[0]], dim=1) + defect
        return Waveforms(power, result.filtered[0], result.drive[0])

    def _steps(self) -> Steps:
        substeps = math.ceil(_STEPS_PER_TAU * self.played_s / self.settings.tau_s * (1 - 1e-9))
        return Steps(self.played_s, max(1, substeps), 2)


def at_nodes(samples: Tensor, substeps: int) -> Tensor:
    """Interpolate linearly from samples, (batch, time + 1, neuron), to nodes, (batch, time * substeps + 1, neuron)."""
    share = torch.arange(substeps, dtype=samples.dtype)[:, None] / substeps
    left, right = samples[:, :-1, None], samples[:, 1:, None]
    inner = (left + share * (right - left)).flatten(1, 2)
    return torch.cat([inner, samples[:, -1:]], dim=1)


def weights_of(values: dict[str, Tensor], layers: int) -> Weights:
    """Put parameters by name, (1, ...) each, into the form of the rollout, in float64."""

    def by_layer(kind: str) -> tuple[Tensor, ...]:
        return tuple(values[f"{kind}.{layer}"].double() for layer in range(layers))

    return Weights(by_layer("w_ext"), by_layer("w_int"), by_layer("bias"))
