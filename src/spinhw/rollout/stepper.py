"""A network that is stepped sample by sample, for inputs that nobody knows before it has answered."""

import torch
from torch import Tensor

from spinhw.rollout.cells import make_cell
from spinhw.rollout.drivers import NetworkDriver
from spinhw.rollout.parameters import Neurons, Weights
from spinhw.rollout.recurrence import recurrence
from spinhw.rollout.reference import advance, change, start_state
from spinhw.rollout.steps import Steps


class Stepper:
    """Does what `rollout` does by the reference engine, a sample at a time and without a gradient.

    Args:
        weights: By layer.
        neurons: (member or 1, neuron).
        steps: Time grid.
        cell: Kind of neuron.
        drive_rate_per_s: Drive for a unit weight, in 1/s.
        initial: State before the first sample, as for `rollout`.
    """

    def __init__(
        self,
        weights: Weights,
        neurons: Neurons,
        steps: Steps,
        cell: str = "spintronic",
        drive_rate_per_s: float = 1e9,
        initial: str | Tensor = "rest",
    ) -> None:
        self._weights, self._steps, self._initial = weights, steps, initial
        self._cell = make_cell(cell, neurons, steps.step_s)
        self._scale = (neurons.gain * drive_rate_per_s)[:, None]  # (member or 1, 1, neuron)
        self._state: tuple[Tensor, Tensor] | None = None  # x and y, (member, batch, neuron)

    @torch.no_grad()
    def step(self, inputs: Tensor) -> Tensor:
        """Hold one sample for its interval; return y of all neurons at its end, (member, batch, neuron).

        Args:
            inputs: u, (member, batch, input).
        """
        synapses = recurrence(self._weights, inputs[:, :, None], {}).scaled(self._scale)
        driver = NetworkDriver(self._cell, synapses, self._steps.substeps, 0.0)
        if self._state is None:
            start = start_state(self._cell, self._initial, synapses.held[:, :, 0])
            self._state = start, self._cell.silence(start)
        state, output = self._state
        for step in range(self._steps.substeps):
            _, moved = advance(self._cell, driver, step, self._steps.order, state, output)
            output, state = self._cell.emit(output, change(state, moved), moved), moved
        self._state = state, output
        return output
