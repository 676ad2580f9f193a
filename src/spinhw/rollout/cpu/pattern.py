"""Which weights exist: a sparse pattern shared by all calls that use the same mask."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.utils.weak import WeakTensorKeyDictionary

from spinhw.rollout.kept import Copies, copied, unchanged


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
    most_stored: int  # of any member

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
            column=column.astype(np.int32),
            back_start=_starts(member * columns + column, members * columns),
            back_row=row[back].astype(np.int32),
            back_index=back,
            most_stored=int(np.bincount(member, minlength=members).max()),
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


_known = WeakTensorKeyDictionary()  # Recurrent mask -> {members: (pattern, what it was made of)}.


def pattern_of(mask: Tensor, mask_in: Tensor, members: int) -> Pattern:
    """Give the pattern of two masks, remembered as long as the recurrent one lives and neither changes.

    mask: (member or 1, neuron, neuron), source last; mask_in: (member or 1, neuron, input).
    """
    known: dict[int, tuple[Pattern, Copies]] = _known.setdefault(mask, {})
    if members not in known or not unchanged(known[members][1], (mask, mask_in)):
        both = [each.bool().cpu().expand(members, -1, -1) for each in (mask, mask_in)]
        known[members] = Pattern.from_mask(torch.cat(both, dim=2)), copied((mask, mask_in))
    return known[members][0]
