"""The kinds of neuron a rollout can step, each prepared once for its parameters and step length."""

from abc import ABC, abstractmethod
from functools import cached_property

import torch
from torch import Tensor

from spinhw.physics import (
    LOGISTIC,
    Saturation,
    coefficients,
    ctrnn_output,
    ctrnn_step,
    equilibrium,
    highpass_factors,
    highpass_step,
    logistic_step,
    midpoint_step,
    rest_by_newton,
    saturate,
)
from spinhw.rollout.parameters import Neurons


class Cell(ABC):
    """A kind of neuron. Its parameters are shaped (member, 1, neuron), states and outputs (member, batch, neuron)."""

    @abstractmethod
    def rest(self) -> Tensor:
        """Give the state that the bias drive alone leads to, (member, 1, neuron)."""

    @abstractmethod
    def silence(self, state: Tensor) -> Tensor:
        """Give the output before the first sample."""

    @abstractmethod
    def drive(self, synaptic: Tensor) -> Tensor:
        """Give the drive I in 1/s for a synaptic drive, drive_rate S (W y + b), in 1/s."""

    @abstractmethod
    def advance(self, state: Tensor, drive: Tensor) -> Tensor:
        """Advance the state by one step of constant drive."""

    @abstractmethod
    def emit(self, output: Tensor, change: Tensor, state: Tensor) -> Tensor:
        """Give the output after a step.

        Args:
            output: Output before the step.
            change: Change of the state (and of the defect) over the step.
            state: State after the step.
        """


class OscillatorCell(Cell):
    """The spintronic oscillator with its high-pass: state x, output y (Plouet et al. 2024, eq. 1 to 5)."""

    def __init__(self, neurons: Neurons, step_s: float) -> None:
        self.gamma, self.sigma, self.q, self.bias, cutoff_hz = (
            value[:, None] for value in (neurons.gamma, neurons.sigma, neurons.q, neurons.bias_drive, neurons.cutoff_hz)
        )
        self.bounds = neurons.bounds and Saturation(neurons.bounds.lowest[:, None], neurons.bounds.highest[:, None])
        self.step_s = step_s
        self._cutoff_hz = cutoff_hz

    # Worked out when they are needed: the compiled engines ask a cell only where it rests.
    @cached_property
    def damping(self) -> Tensor:
        """Damping of a whole step, gamma (1 + Q) h."""
        return self.gamma * (1 + self.q) * self.step_s

    @cached_property
    def highpass(self) -> tuple[Tensor, Tensor]:
        """Factors of the high-pass over a step."""
        return highpass_factors(self._cutoff_hz, self.step_s)

    def rest(self) -> Tensor:
        return equilibrium(*coefficients(self.bias, self.gamma, self.sigma, self.q))

    def silence(self, state: Tensor) -> Tensor:
        return torch.zeros_like(state)  # y(0) = 0: the high-pass has long forgotten

    def drive(self, synaptic: Tensor) -> Tensor:
        return saturate(synaptic + self.bias, self.bias, self.bounds)

    def advance(self, state: Tensor, drive: Tensor) -> Tensor:
        return logistic_step(state, (self.sigma * drive - self.gamma) * self.step_s, self.damping)

    def emit(self, output: Tensor, change: Tensor, state: Tensor) -> Tensor:
        return highpass_step(output, change, self.highpass)


class RateCell(OscillatorCell):
    """The same with any other rate, by midpoint steps."""

    def __init__(self, neurons: Neurons, step_s: float) -> None:
        super().__init__(neurons, step_s)
        self.rate, self.parameters = neurons.rate, (self.gamma, self.sigma, self.q)

    def rest(self) -> Tensor:
        return rest_by_newton(self.rate, super().rest(), self.bias, self.parameters)

    def advance(self, state: Tensor, drive: Tensor) -> Tensor:
        return midpoint_step(self.rate, state, drive, self.parameters, self.step_s)


class CtrnnCell(Cell):
    """The software peer: hidden state x, output tanh x (Plouet et al. 2024, eq. 6 to 8); no bias drive, no bounds."""

    def __init__(self, neurons: Neurons, step_s: float) -> None:
        self.gamma, self.step_s = neurons.gamma[:, None], step_s

    def rest(self) -> Tensor:
        return torch.zeros_like(self.gamma)

    def silence(self, state: Tensor) -> Tensor:
        return ctrnn_output(state)

    def drive(self, synaptic: Tensor) -> Tensor:
        return synaptic

    def advance(self, state: Tensor, drive: Tensor) -> Tensor:
        return ctrnn_step(state, drive, self.gamma, self.step_s)

    def emit(self, output: Tensor, change: Tensor, state: Tensor) -> Tensor:
        return ctrnn_output(state)


def make_cell(kind: str, neurons: Neurons, step_s: float) -> Cell:
    """Prepare neurons for a step length.

    Args:
        kind: "spintronic" or "ctrnn".
        neurons: Their parameters, and the rate of the former.
        step_s: Integration step in seconds.
    """
    if kind == "ctrnn":
        return CtrnnCell(neurons, step_s)
    return OscillatorCell(neurons, step_s) if neurons.rate == LOGISTIC else RateCell(neurons, step_s)
