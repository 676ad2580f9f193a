"""How far a gradient points the way that the device's own does: the cosine between the two."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from spinhw.errors import ConfigError
from spinhw.gradients import HardwareInLoop, Perturbed, knows_truth, logits_of, projection, random_direction
from spinhw.network import SpintronicNetwork
from spinhw.tasks import Batch, loss
from spinhw.training.statistics import bootstrap_interval

Gradients = dict[str, Tensor]

# Random directions of a batch along which a bench is asked for its own slope, and what each of them takes.
DIRECTIONS, MEASUREMENTS = 16, 4


def gradients_of(network: SpintronicNetwork, losses: Tensor, held: Iterable[str]) -> Gradients:
    """Differentiate every member's loss by the parameters that a device holds and a run trains, (member, ...)."""
    named = set(held)
    parameters = {name: value for name, value in network.named_parameters() if name in named and value.requires_grad}
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
        self,
        loop: HardwareInLoop,
        batch: Batch,
        key: Sequence[str | int],
        directions: int,
        label_smoothing: float,
    ) -> None:
        names, size = held_by(loop), loop.choices.perturbation
        centre = Perturbed.around(loop.network, names, size)
        held = {name: centre.values[name] for name in names}
        drawn = [random_direction(held, centre.free, "align", *key, number) for number in range(directions)]

        def slope(direction: Mapping[str, Tensor]) -> tuple[Tensor, Mapping[str, Tensor]]:
            (up, above), (down, below) = (
                self._losses(loop, batch, centre.told(direction, sign), label_smoothing) for sign in (1.0, -1.0)
            )
            return (up - down) / (2 * size), centre.moved(direction, (above, below))

        # Two independent measurements, whose product has no bias by noise; what is read back is alike in both.
        twice = [(slope(one), slope(one)) for one in drawn]
        self.directions = [first[1] for first, _ in twice]
        self.slopes = torch.stack([torch.stack([one[0] for one in each]) for each in twice])  # (direction, 2, member)

    @staticmethod
    def _losses(
        loop: HardwareInLoop, batch: Batch, told: Mapping[str, Tensor], smoothing: float
    ) -> tuple[Tensor, Mapping[str, Tensor]]:
        """Measure the losses, (member,), and return them with what was read back."""
        signal, applied = loop.end_for(told, batch.inputs, batch.lengths)
        end = torch.where(signal.good, signal.values, 0.0).to(loop.network.w_out.dtype)
        return loss(logits_of(loop.network, end).detach(), batch, smoothing), applied

    def cosine(self, gradients: Gradients) -> Tensor:
        """Estimate the cosine between a gradient and the device's own, (member,).

        For directions D of independent signs, the mean of (g D)(m D) is g m; of tunings D is what was read back, so
        that those count for more that a converter's rounding lets move further. Noise of the slopes g D is kept out of
        their size by multiplying two measurements; what remains may pass +-1 a little. NaN where the noise hides the
        slopes altogether.
        """
        modelled = torch.stack([projection(gradients, one) for one in self.directions])  # (direction, member)
        size = (self.slopes[:, 0] * self.slopes[:, 1]).sum(0)
        product = (self.slopes.mean(1) * modelled).sum(0)
        return product / (size * modelled.square().sum(0)).sqrt()  # The root of a negative size is NaN.


def held_by(loop: HardwareInLoop) -> list[str]:
    """Name the parameters that the device of a loop holds and that are trained."""
    shapes = {} if loop.device is None else loop.device.describe().parameters
    return sorted(name for name, value in loop.network.named_parameters() if name in shapes and value.requires_grad)


def loop_gradients(loop: HardwareInLoop, batch: Batch, label_smoothing: float) -> Gradients:
    """Measure a batch and give its gradient by the mode of a loop; in mode oracle that is the true one."""
    losses = loss(loop.answers(batch.inputs, batch.lengths), batch, label_smoothing)
    device = loop.device
    held = set(dict(loop.network.named_parameters())) if device is None else device.describe().parameters
    return gradients_of(loop.network, losses, held)


class Reference:
    """The device's own gradient, whatever the device: the truth where it is known, else slopes along directions.

    Args:
        loop: The networks on the device, in any mode; how it observes and averages is taken.
        label_smoothing: Of the loss.
        directions: Random directions of a batch where the truth is not known.
    """

    def __init__(self, loop: HardwareInLoop, label_smoothing: float, directions: int = DIRECTIONS) -> None:
        device = loop.device
        if device is None:
            raise ConfigError("there is no device to compare gradients with", todo="name one with --device")
        self.knows = knows_truth(device)
        mode = "oracle" if self.knows else "output"
        self.loop = HardwareInLoop(
            loop.network, device, mode, averages=loop.averages, choices=loop.choices, engine=loop.engine
        )
        self._smoothing, self._directions = label_smoothing, directions

    def of(self, batch: Batch, *key: str | int) -> Callable[[Gradients], list[float]]:
        """Ask the device for its gradient of a batch, and give what tells the members' cosines of others with it.

        Args:
            batch: Images.
            key: Names the directions.
        """
        if self.knows:
            truth = loop_gradients(self.loop, batch, self._smoothing)
            return lambda gradients: cosine(gradients, truth).tolist()
        slopes = OwnSlopes(self.loop, batch, key, self._directions, self._smoothing)
        return lambda gradients: slopes.cosine(gradients).tolist()


def align(
    loops: Mapping[str, HardwareInLoop],
    reference: Reference,
    batches: Iterable[Batch],
    label_smoothing: float,
    tick: Callable[[int], None] = lambda done: None,
) -> dict[str, dict[str, Any]]:
    """Compare gradients with the device's own.

    Args:
        loops: The same networks in the loop by several modes, by name.
        reference: The device's own gradient.
        batches: Images to average over.
        label_smoothing: Of the loss.
        tick: Told how many batches are done; may raise to stop.

    Returns:
        By name what `summed_up` gives.
    """
    found: dict[str, list[float]] = {name: [] for name in loops}
    for number, batch in enumerate(batches):
        compare = reference.of(batch, number)
        for name, loop in loops.items():
            found[name] += compare(loop_gradients(loop, batch, label_smoothing))
        tick(number + 1)
    return {name: summed_up(cosines) for name, cosines in found.items()}


def summed_up(cosines: Sequence[float]) -> dict[str, Any]:
    """Sum up cosines: ``mean``, ``interval95`` (bootstrap) and ``each``; those that noise hid are left out.

    `each` has one for each batch and member. ``mean`` is None where noise hid all.
    """
    known = [each for each in cosines if math.isfinite(each)]
    return {
        "mean": sum(known) / len(known) if known else None,
        "interval95": bootstrap_interval(known) if len(known) > 1 else None,
        "each": known,
        "hidden_by_noise": len(cosines) - len(known),
    }
