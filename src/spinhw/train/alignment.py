"""How far a gradient points the way that the device's own does: the cosine between the two."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from spinhw.gradients import HardwareInLoop, logits_of, projection, random_direction
from spinhw.network import SpintronicNetwork
from spinhw.train.loss import member_losses
from spinhw.train.statistics import bootstrap_interval

Gradients = dict[str, Tensor]

# Random directions of a batch along which a bench is asked for its own slope; each takes four measurements.
DIRECTIONS = 16


@dataclass(frozen=True)
class Batch:
    """Images of all members with their labels.

    Args:
        inputs: (member, batch, time, input).
        labels: (member, batch).
    """

    inputs: Tensor
    labels: Tensor


def gradients_of(network: SpintronicNetwork, losses: Tensor, held: Iterable[str]) -> Gradients:
    """Differentiate every member's loss by the parameters that a device holds, (member, ...) by name."""
    parameters = {name: value for name, value in network.named_parameters() if name in set(held)}
    found = torch.autograd.grad(losses.sum(), list(parameters.values()))
    return dict(zip(parameters, found, strict=True))


def cosine(one: Gradients, other: Gradients) -> Tensor:
    """Give the cosine between gradients, (member,)."""
    flat = [torch.cat([gradients[name].flatten(1) for name in one], dim=1) for gradients in (one, other)]
    return torch.nn.functional.cosine_similarity(flat[0], flat[1], dim=1)


class OwnSlopes:
    """The device's own gradient of the loss, asked for along random directions: two measurements each way.

    Args:
        loop: The networks on the device; its perturbation is taken.
        batch: Images.
        key: Names the directions.
        directions: How many, at least 2.
        label_smoothing: Of the loss.
    """

    def __init__(
        self, loop: HardwareInLoop, batch: Batch, key: Sequence[str | int], directions: int, label_smoothing: float
    ) -> None:
        values = {name: value.detach() for name, value in loop.network.member_values().items()}
        held = {name: values[name] for name in held_by(loop)}
        masks = loop.network.masks()
        self.directions = [random_direction(held, masks, "align", *key, number) for number in range(directions)]
        size, limit = loop.choices.perturbation, loop.network.settings.weight_limit
        edge = None if limit is None else max(limit - size, 0.0)
        centre = values if edge is None else values | {name: value.clamp(-edge, edge) for name, value in held.items()}

        def slope(direction: Mapping[str, Tensor]) -> Tensor:
            ends = [
                self._losses(loop, batch, _moved(centre, direction, sign * size), label_smoothing)
                for sign in (1.0, -1.0)
            ]
            return (ends[0] - ends[1]) / (2 * size)

        # (direction, repeat, member): two independent measurements, whose product has no bias by noise.
        self.slopes = torch.stack([torch.stack([slope(one), slope(one)]) for one in self.directions])

    @staticmethod
    def _losses(loop: HardwareInLoop, batch: Batch, values: Mapping[str, Tensor], smoothing: float) -> Tensor:
        signal = loop.end_for(values, batch.inputs)
        end = torch.where(signal.good, signal.values, 0.0).to(loop.network.w_out.dtype)
        return member_losses(logits_of(loop.network, end).detach(), batch.labels, smoothing)

    def cosine(self, gradients: Gradients) -> float:
        """Estimate the cosine between a gradient and the device's own, pooled over directions and members.

        For directions D of independent signs, the mean of (g D)(m D) is g m. Noise of the slopes g D is kept out of
        their size by multiplying two measurements; what remains may pass +-1 a little. NaN where the noise hides the
        slopes altogether.
        """
        modelled = torch.stack([projection(gradients, one) for one in self.directions])  # (direction, member)
        size = (self.slopes[:, 0] * self.slopes[:, 1]).sum()
        product = (self.slopes.mean(1) * modelled).sum()
        return float(product / (size * modelled.square().sum()).sqrt()) if size > 0 else float("nan")


def held_by(loop: HardwareInLoop) -> list[str]:
    """Name the parameters that the device of a loop holds."""
    return [] if loop.device is None else sorted(loop.device.describe().parameter_shapes)


def truth_of(loop: HardwareInLoop, batch: Batch, label_smoothing: float) -> Gradients:
    """Give the true gradient of a simulated chip; `loop` is in mode oracle."""
    losses = member_losses(loop(batch.inputs), batch.labels, label_smoothing)
    return gradients_of(loop.network, losses, held_by(loop))


def summed_up(cosines: Sequence[float]) -> dict[str, Any]:
    """Sum up cosines over batches: ``mean``, ``interval95`` (bootstrap over batches), ``batches``."""
    return {
        "mean": sum(cosines) / len(cosines),
        "interval95": bootstrap_interval(cosines) if len(cosines) > 1 else None,
        "batches": list(cosines),
    }


def _moved(centre: Mapping[str, Tensor], direction: Mapping[str, Tensor], size: float) -> dict[str, Tensor]:
    return {name: value + size * direction[name] if name in direction else value for name, value in centre.items()}
