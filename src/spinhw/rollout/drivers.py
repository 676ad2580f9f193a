"""Where the drive of a step comes from: the network's own synapses, or a waveform that somebody plays."""

import math
from abc import ABC, abstractmethod

import torch
from torch import Tensor

from spinhw.rollout.cells import Cell
from spinhw.rollout.recurrence import Recurrence


class Driver(ABC):
    """Gives the drive I in 1/s, (member, batch, neuron), of each step, in the order of the steps."""

    @abstractmethod
    def at_start(self, step: int, output: Tensor) -> Tensor:
        """Give the drive at the start of a step, where the outputs are `output`."""

    @abstractmethod
    def at_middle(self, step: int, output: Tensor, predicted: Tensor) -> Tensor:
        """Give the drive at the middle of a step, from the outputs at its start and predicted for its end."""


class NetworkDriver(Driver):
    """Drive from the synapses: sat(scale (W y + external) + bias).

    Args:
        cell: Kind of neuron; it bounds the drive.
        synapses: Recurrence whose matrix and external parts carry the scale drive_rate S, in 1/s.
        substeps: Steps for each sample interval.
        delay_steps: Delay of y on its way to the drive, in steps; need not be whole.
    """

    def __init__(self, cell: Cell, synapses: Recurrence, substeps: int, delay_steps: float) -> None:
        self._cell, self._substeps, self._delay_steps = cell, substeps, delay_steps
        self._transposed = synapses.matrix.transpose(1, 2)
        # One unbind has one cheap backward; indexing a step at a time would make a full-sized gradient for each.
        self._held = synapses.held.unbind(2)
        self._nodes = None if synapses.nodes is None else synapses.nodes.unbind(2)
        self._past: list[Tensor] = []  # y at every node so far, for the delay only

    def at_start(self, step: int, output: Tensor) -> Tensor:
        external = self._held[step // self._substeps]
        if self._nodes is not None:
            external = external + self._nodes[step]
        if self._delay_steps > 0:
            self._past.append(output)
        return self._drive(self._arrived(step, output), external)

    def at_middle(self, step: int, output: Tensor, predicted: Tensor) -> Tensor:
        external = self._held[step // self._substeps]
        if self._nodes is not None:
            external = external + (self._nodes[step] + self._nodes[step + 1]) / 2
        arrived = (self._arrived(step, output) + self._arrived(step + 1, predicted)) / 2
        return self._drive(arrived, external)

    def _drive(self, arrived: Tensor, external: Tensor) -> Tensor:
        return self._cell.drive(torch.baddbmm(external, arrived, self._transposed))

    def _arrived(self, node: int, output: Tensor) -> Tensor:
        """Give the y that reaches the synapses at a node where the y that leaves the neurons is `output`."""
        position = node - self._delay_steps
        if self._delay_steps == 0:
            return output
        if position <= 0:
            return torch.zeros_like(output)  # y(0) = 0, and nothing came before
        left = math.floor(position)
        right = output if left + 1 >= len(self._past) else self._past[left + 1]
        return torch.lerp(self._past[left], right, position - left)


class GivenDriver(Driver):
    """Drive from a waveform.

    Args:
        drive: I in 1/s: (member, batch, time, neuron), held over each sample interval, or (member, batch, steps + 1,
            neuron).
        substeps: Steps for each sample interval.
        at_nodes: Whether the waveform is given at the step nodes.
    """

    def __init__(self, drive: Tensor, substeps: int, at_nodes: bool) -> None:
        self._drive, self._substeps, self._at_nodes = drive.unbind(2), substeps, at_nodes

    def at_start(self, step: int, output: Tensor) -> Tensor:
        return self._drive[step if self._at_nodes else step // self._substeps]

    def at_middle(self, step: int, output: Tensor, predicted: Tensor) -> Tensor:
        if not self._at_nodes:
            return self._drive[step // self._substeps]
        return (self._drive[step] + self._drive[step + 1]) / 2
