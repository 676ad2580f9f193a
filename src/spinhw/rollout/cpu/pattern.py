"""Which weights exist: a sparse pattern shared by all calls that use the same mask."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.utils.weak import WeakTensorKeyDictionary


@dataclass(frozen=True)
class Pattern:
    """Positions of the stored weights of all members, ordered by (member, row, column).

    The columns of a member are its N neurons, then its input channels.
    """

    members: int
    neurons: int
    inputs: int
    rec_place: np.ndarray  # where the stored recurrent weights are among all stored values
    rec_index: np.ndarray  # their positions in the flattened (M, N, N) matrices
    in_place: np.ndarray  # the same for the input weights
    in_index: np.ndarray  # their positions in the flattened (M, N, inputs) matrices
    row: np.ndarray  # (stored,) member * N + row
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
        flat_row, recurrent = member * neurons + row, column < neurons
        rec_place, in_place = np.nonzero(recurrent)[0], np.nonzero(~recurrent)[0]
        back = np.argsort((member * columns + column) * neurons + row, kind="stable")
        return cls(
            members=members,
            neurons=neurons,
            inputs=columns - neurons,
            rec_place=rec_place,
            rec_index=flat_row[rec_place] * neurons + column[rec_place],
            in_place=in_place,
            in_index=flat_row[in_place] * (columns - neurons) + column[in_place] - neurons,
            row=flat_row,
            start=_starts(flat_row, members * neurons),
            column=np.ascontiguousarray(column),
            back_start=_starts(member * columns + column, members * columns),
            back_row=np.ascontiguousarray(row[back]),
            back_index=back,
        )

    def gather(self, w_rec: np.ndarray | None, w_in: np.ndarray | None, dtype: np.dtype) -> np.ndarray:
        """(stored,) values of (M, N, N) and (M, N, inputs) matrices."""
        value = np.zeros(self.row.size, dtype)
        for matrix, place, index in ((w_rec, self.rec_place, self.rec_index), (w_in, self.in_place, self.in_index)):
            if matrix is not None:
                value[place] = matrix.reshape(-1)[index]
        return value

    def scatter(self, value: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(M, N, N) and (M, N, inputs) matrices with these stored values, zero elsewhere."""
        w_rec = np.zeros((self.members, self.neurons, self.neurons), value.dtype)
        w_in = np.zeros((self.members, self.neurons, self.inputs), value.dtype)
        w_rec.reshape(-1)[self.rec_index] = value[self.rec_place]
        w_in.reshape(-1)[self.in_index] = value[self.in_place]
        return w_rec, w_in


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
