"""Experimental: the surrogate's state is moved towards the measurement after every sample."""

import math
import warnings
from dataclasses import dataclass

import torch
from torch import Tensor

from spinhw.device import Signal, Trace
from spinhw.errors import DeviceError, SpinhwWarning
from spinhw.gradients.base import Pass, end_of
from spinhw.physics import POWER_FLOOR
from spinhw.rollout.cells import make_cell
from spinhw.rollout.drivers import NetworkDriver
from spinhw.rollout.recurrence import recurrence
from spinhw.rollout.reference import advance, change, start_state

# Times by which the gradient may grow on its way back from the last sample to any other before it is called exploded.
EXPLODED = 1e3

said: set[str] = set()


def observer(one: Pass) -> Tensor:
    """Model the end signal by a rollout whose state is moved towards the measurement at the end of every sample.

    Measured: the end signal, and power (and y, where it is observed) of every observed neuron, towards which the state
    moves by a share, the observer's gain. States are clipped to [1e-6, 1], where the exact step is defined. Modelled:
    how a state leads to the next; the moves themselves carry no gradient. That is their weakness: linearised about
    states that the model would leave, the gradient may explode, and a warning says so. Slow: plain torch.

    Warns:
        SpinhwWarning: Once in a process, where the gradient explodes.
    """
    if one.trace is None:
        raise DeviceError("an observer needs a measured trace", todo="use mode 'surrogate' without a device")
    settings, steps, neurons = one.network.settings, one.steps, one.neurons
    scale = (neurons.gain * settings.drive_rate_per_s)[:, None]
    cell = make_cell(settings.kind, neurons, steps.step_s)
    synapses = recurrence(one.network.weights(one.values), one.inputs, {}).scaled(scale)
    driver, growth = NetworkDriver(cell, synapses, steps.substeps, 0.0), _GradientGrowth()
    state = start_state(cell, settings.initial_state, synapses.held[:, :, 0])
    output, outputs = cell.silence(state), []
    for time in range(one.inputs.shape[2]):
        for step in range(time * steps.substeps, (time + 1) * steps.substeps):
            _, moved = advance(cell, driver, step, steps.order, state, output)
            output, state = cell.emit(output, change(state, moved), moved), moved
        outputs.append(output)
        state, output = _steered(one.trace, time, state, output, one.choices.observer_gain)
        growth.look_at(state)
    return end_of(one.network, one.values, torch.stack(outputs, dim=2), one.lengths)


def _steered(trace: Trace, time: int, state: Tensor, output: Tensor, gain: float) -> tuple[Tensor, Tensor]:
    moved = _towards(trace.power, time, state, gain)
    inside = moved.clamp(POWER_FLOOR, 1.0)
    return moved + (inside - moved).detach(), _towards(trace.filtered, time, output, gain)


def _towards(signal: Signal | None, time: int, model: Tensor, gain: float) -> Tensor:
    if signal is None:
        return model
    values, good = signal.values[:, :, time].to(model.dtype), signal.good[:, :, time]
    return model + torch.where(good, gain * (values - model), torch.zeros_like(model)).detach()


@dataclass
class _GradientGrowth:
    """Looks at the gradients of the states on their way back, the last sample's first."""

    first: float | None = None

    def look_at(self, state: Tensor) -> None:
        if state.requires_grad:
            state.register_hook(self._hear)

    def _hear(self, gradient: Tensor) -> None:
        size = float(gradient.detach().abs().max())
        if self.first is None or self.first == 0.0:
            self.first = size
        elif not math.isfinite(size) or size > EXPLODED * self.first:
            _warn(size / self.first)


def _warn(growth: float) -> None:
    if "exploded" in said:
        return
    said.add("exploded")
    warnings.warn(
        f"the gradient of an observer has grown {growth:.3g} times on its way back through the samples; lower "
        "observer_gain (in a run training.loop.observer_gain), or use the gradient 'output' (this is said once)",
        SpinhwWarning,
        stacklevel=2,
    )
