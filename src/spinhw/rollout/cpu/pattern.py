"""Which weights exist: a sparse pattern shared by all calls that use the same mask."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.utils.weak import WeakTensorKeyDictionary


@dataclass(frozen=True)
class Pattern:
    """Positions of the stored weights of all members, ordered by (member, row, column).

    Weights are read from one matrix per member, (N, N + inputs): recurrent columns first, then one column per input channel.
    """

    members: int
    neurons: int
    inputs: int
    index: Tensor  # (stored,) positions in the flattened (M, N, N + inputs) matrix
    row: Tensor  # (stored,) member * N + row
    start: np.ndarray  # (M * N + 1,)
    column: np.ndarray  # (stored,)
    back_start: np.ndarray  # (M * (N + inputs) + 1,)
    back_row: np.ndarray  # (stored,) row, ordered by (member, column, row)
    back_index: np.ndarray  # (stored,) where the value of each of those is stored

    @classmethod
    def from_mask(cls, mask: Tensor) -> "Pattern":
        """Pattern of a boolean (M, N, N + inputs) mask."""
        members, neurons, columns = mask.shape
        dense = mask.detach().cpu().numpy().astype(bool)
        member, row, column = np.nonzero(dense)
        flat = (member * neurons + row) * columns + column
        back = np.argsort((member * columns + column) * neurons + row, kind="stable")
        return cls(
            members=members,
            neurons=neurons,
            inputs=columns - neurons,
            index=torch.from_numpy(flat),
            row=torch.from_numpy(member * neurons + row),
            start=_starts(member * neurons + row, members * neurons),
            column=np.ascontiguousarray(column),
            back_start=_starts(member * columns + column, members * columns),
            back_row=np.ascontiguousarray(row[back]),
            back_index=back,
        )


def _starts(group: np.ndarray, groups: int) -> np.ndarray:
    """First position of every group, and the number of entries at the end."""
    return np.concatenate([[0], np.cumsum(np.bincount(group, minlength=groups))]).astype(np.int64)


_known: WeakTensorKeyDictionary = WeakTensorKeyDictionary()


def pattern_of(mask: Tensor | None, mask_in: Tensor | None, members: int, neurons: int, inputs: int) -> Pattern:
    """Pattern of the recurrent mask ((M, N, N) or (N, N); None: dense) and of the input mask ((M, N, inputs) or (N, inputs); None: dense).

    Remembered as long as the recurrent mask lives and neither mask changes.
    """
    key = (members, neurons, inputs, _version(mask), id(mask_in), _version(mask_in))
    if mask is not None and mask in _known and key in _known[mask]:
        return _known[mask][key][0]
    recurrent = _expand(mask, members, neurons, neurons)
    pattern = Pattern.from_mask(torch.cat([recurrent, _expand(mask_in, members, neurons, inputs)], dim=2))
    if mask is not None:
        # The input mask is kept with the pattern, so that its id cannot be reused.
        _known.setdefault(mask, {})[key] = (pattern, mask_in)
    return pattern


def _version(mask: Tensor | None) -> int:
    """Counter of in-place changes."""
    return -1 if mask is None else mask._version


def _expand(mask: Tensor | None, members: int, rows: int, columns: int) -> Tensor:
    """Boolean mask of every member."""
    if mask is None:
        return torch.ones(members, rows, columns, dtype=torch.bool)
    return mask.bool().cpu().expand(members, rows, columns)
