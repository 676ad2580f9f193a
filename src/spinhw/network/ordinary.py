"""A module that `torch.inference_mode` leaves no trace in: it can be trained wherever it was made, copied or moved."""

import copy
from collections.abc import Callable
from typing import Any, Self

from torch import Tensor, nn

from spinhw.rollout.kept import ordinary_tensors


class OrdinaryModule(nn.Module):
    """A module whose copies and conversions hold ordinary tensors, within `torch.inference_mode` too.

    torch itself would put tensors there that no gradient may ever need, and the module would be lost for training.
    """

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        with ordinary_tensors():
            found = self.__class__.__new__(self.__class__)
            memo[id(self)] = found
            found.__setstate__(copy.deepcopy(self.__dict__, memo))
        return found

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        with ordinary_tensors():
            return super()._apply(fn, recurse)
