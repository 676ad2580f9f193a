"""Which oscillator plays which neuron, and how the waveforms of a network become segments for a bank."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from spinhw.errors import ConfigError


@dataclass(frozen=True)
class Assignment:
    """Neurons of a network by the oscillator that plays them.

    An oscillator plays its neurons one after another, in rows: row 0 is the first neuron of every oscillator. The
    segments of a batch are row 0 of all images, then row 1 of all images, and so on.

    Args:
        oscillator: Number of the oscillator of each neuron.
        oscillators: How many the bank has.
    """

    oscillator: tuple[int, ...]
    oscillators: int

    def __post_init__(self) -> None:
        wrong = sorted({number for number in self.oscillator if not 0 <= number < self.oscillators})
        if wrong:
            raise ConfigError(
                "assignment: there is no such oscillator",
                seen=wrong,
                allowed=f"0 to {self.oscillators - 1}, as many as the bank has",
            )

    @classmethod
    def round_robin(cls, neurons: int, oscillators: int) -> Self:
        """Deal the neurons out in turn; with as many oscillators as neurons each has its own."""
        return cls(tuple(number % oscillators for number in range(neurons)), oscillators)

    @classmethod
    def of(cls, neurons: int, oscillators: int, given: Sequence[int] | None) -> Self:
        """Take an assignment that was given, one number for each neuron, or deal the neurons out in turn.

        Raises:
            ConfigError: The list has another length than there are neurons, or names an oscillator that is not there.
        """
        if given is None:
            return cls.round_robin(neurons, oscillators)
        if len(given) != neurons:
            raise ConfigError(
                "assignment: every neuron needs one oscillator",
                seen=f"{len(given)} numbers",
                allowed=f"{neurons}, one for each neuron of the network",
            )
        return cls(tuple(given), oscillators)

    @property
    def rows(self) -> int:
        """Neurons of the busiest oscillator: so many segments are played for each image."""
        return max(self._slots()) + 1

    @property
    def index(self) -> Tensor:
        """Oscillator of each neuron as a tensor, (neuron,)."""
        return torch.tensor(self.oscillator)

    def pack(self, waves: Tensor, idle: float | bool) -> Tensor:
        """Lay waveforms out as segments, (row * batch, time, oscillator).

        Args:
            waves: (batch, time, neuron).
            idle: What an oscillator gets in a row for which it has no neuron.
        """
        batch, times, _ = waves.shape
        packed = waves.new_full((self.rows, self.oscillators, batch, times), idle)
        packed[torch.tensor(self._slots()), self.index] = waves.movedim(2, 0)
        return packed.permute(0, 2, 3, 1).flatten(0, 1)

    def unpack(self, segments: Tensor) -> Tensor:
        """Return every neuron its own part of segments, (row * batch, time, oscillator) -> (batch, time, neuron)."""
        by_row = segments.unflatten(0, (self.rows, -1))  # (row, batch, time, oscillator)
        picked = by_row.permute(0, 3, 1, 2)[torch.tensor(self._slots()), self.index]  # (neuron, batch, time)
        return picked.movedim(0, 2)

    def _slots(self) -> list[int]:
        """Return the row of each neuron."""
        counts = [0] * self.oscillators
        slots = []
        for number in self.oscillator:
            slots.append(counts[number])
            counts[number] += 1
        return slots
