"""Limits of channels, in SI, checked before anything is sent: a whole batch is refused, never clipped."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from spinhw.conversion import Scaling
from spinhw.errors import LimitError

# Rounding of a conversion is not a violation; this share of the range is far below any resolution.
_ROUNDING = 1e-6


@dataclass(frozen=True)
class Limit:
    """Range of one kind of channel in SI, both ends allowed."""

    lowest: float
    highest: float

    @classmethod
    def of_model_range(cls, line: Scaling, lowest: float, highest: float) -> "Limit":
        """Convert a range in model units; with a factor for each channel, the narrowest of them."""
        ends = torch.tensor([lowest, highest], dtype=torch.float64)[:, None]
        low, high = line.to_si(ends).sort(dim=0).values
        return cls(float(low.max()), float(high.min()))

    def check(self, device: str, what: str, values: Tensor, line: Scaling, members: Sequence[str] = ()) -> None:
        """Refuse values beyond the limit.

        Args:
            device: Who would get them, for the message.
            what: Kind of channel, for the message: "input", "weight w_int.0".
            values: In SI; the channel is the last axis.
            line: Conversion, to tell the model value too.
            members: Device ids of the first axis of values, to name the one that is wrong; none if they are all one's.

        Raises:
            LimitError: Names the worst channel, its value and the limit.
        """
        slack = _ROUNDING * (self.highest - self.lowest)
        excess = torch.maximum(values - self.highest, self.lowest - values)
        if values.numel() == 0 or float(excess.max()) <= slack:
            return
        place = tuple(int(index) for index in torch.unravel_index(excess.argmax(), excess.shape))
        value, model = float(values[place]), float(line.to_model(values)[place])
        name = members[place[0]] if members else device
        raise LimitError(
            f"{name}: {what} channel {place[-1]} (at {place}) is beyond its limit and nothing was sent",
            seen=f"{value:.6g} {line.unit} (model value {model:.6g})",
            allowed=f"{self.lowest:.6g} to {self.highest:.6g} {line.unit}",
            todo="lower these values, or widen the limit in the device profile if the bench allows it",
        )


def check_finite(device: str, what: str, values: Tensor) -> None:
    """Refuse NaN and infinity.

    Raises:
        LimitError: Names the first place.
    """
    wrong = ~torch.isfinite(values)
    if bool(wrong.any()):
        place = tuple(int(index) for index in wrong.nonzero()[0])
        raise LimitError(
            f"{device}: {what} at {place} is not a finite number and nothing was sent",
            seen=float(values[place]),
            allowed="finite numbers",
            todo="look for a training run that diverged",
        )
