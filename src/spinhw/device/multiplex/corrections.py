"""Remembers what the surrogate missed for each sequence, so that the next epoch starts from there."""

import hashlib
from collections import OrderedDict

import torch
from torch import Tensor


class Corrections:
    """The last correction of each input sequence, of the latest sequences only.

    Args:
        most: Sequences to remember, 0 or more.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        # In half precision: corrections are some percent of full power, and only a start.
        self._kept: OrderedDict[bytes, Tensor] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    def recall(self, inputs: Tensor, shape: tuple[int, int]) -> Tensor:
        """Return what was missed last, (batch, *shape); zero for a sequence that is not remembered.

        Args:
            inputs: u, (batch, time, input).
            shape: Times and neurons of a correction.
        """
        found = [self._kept.get(key) for key in map(_key, inputs)]
        none = torch.zeros(shape, dtype=torch.float64)
        return torch.stack([none if one is None or one.shape != shape else one.double() for one in found])

    def keep(self, inputs: Tensor, values: Tensor) -> None:
        """Remember what was missed, (batch, time, neuron), for input sequences (batch, time, input)."""
        for key, one in zip(map(_key, inputs), values, strict=True):
            self._kept[key] = one.half()
            self._kept.move_to_end(key)
        while len(self._kept) > self._most:
            self._kept.popitem(last=False)

    def forget(self) -> None:
        """Forget everything."""
        self._kept.clear()


def _key(sequence: Tensor) -> bytes:
    return hashlib.blake2b(sequence.float().contiguous().numpy().tobytes(), digest_size=16).digest()
