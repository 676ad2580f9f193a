"""The drive of a neuron: bias, and the smooth saturation that keeps a real device alive."""

from dataclasses import dataclass

import torch
from torch import Tensor

# The paper's fixed bias, in units of gamma: it sets the power without input to one half (Plouet et al. 2024, sec. II).
BIAS_OVER_GAMMA = 2.0


@dataclass(frozen=True)
class Saturation:
    """Bounds of the drive in 1/s, each a tensor that broadcasts over (member, 1, neuron); lowest < bias < highest."""

    lowest: Tensor
    highest: Tensor


def saturate(raw: Tensor, bias: Tensor, bounds: Saturation | None) -> Tensor:
    """Bound the drive smoothly: sat(bias) = bias with slope one there, lowest < sat < highest everywhere.

    With p = (bias - lowest) / (highest - lowest):

        sat(I) = lowest + (highest - lowest) sigmoid((I - bias) / ((highest - lowest) p (1 - p)) + logit(p))

    For lowest = 0, highest = 4 gamma and bias = 2 gamma this is 4 gamma sigmoid(I / gamma - 2).

    Args:
        raw: Unbounded drive in 1/s.
        bias: Drive without input in 1/s.
        bounds: None for the paper's own unbounded drive.
    """
    if bounds is None:
        return raw
    span = bounds.highest - bounds.lowest
    place = (bias - bounds.lowest) / span
    return bounds.lowest + span * torch.sigmoid((raw - bias) / (span * place * (1 - place)) + torch.logit(place))
