"""Without a model: the device itself is asked how its end signal changes, by perturbed parameters."""

from collections.abc import Iterable, Iterator, Mapping

import torch
from torch import Tensor

from spinhw.errors import DeviceError
from spinhw.gradients.base import Pass, Values, end_signal
from spinhw.streams import torch_stream


def spsa(one: Pass) -> Tensor:
    """Model the end signal as linear along a few random directions (SPSA: Spall, IEEE TAC 37, 332 (1992)).

    Measured: everything, twice for each direction. All parameters that the device holds move at once, by +-c each, as
    the signs are drawn. Modelled: nothing but that the end signal is linear within c. The gradient is unbiased to
    second order in c, and its noise grows with the number of parameters.
    """
    return _linear(one, _signs(one))


def finite_difference(one: Pass) -> Tensor:
    """Model the end signal as linear in each parameter that the device holds.

    Measured: everything, twice for each parameter: for tiny networks, to compare with. Modelled: only that the end
    signal is linear within the perturbation.
    """
    return _linear(one, _units(one))


def _linear(one: Pass, directions: Iterable[Values]) -> Tensor:
    """Give the measured end signal, zero where it is not good, with the gradient of the measured slopes."""
    if one.measure is None or one.trace is None:
        raise DeviceError("a gradient without a model needs a device", todo="use mode 'surrogate' without a device")
    size, total = one.choices.perturbation, None
    centre = inside_limits(one, size)
    for direction in directions:
        ends = [one.measure(_moved(centre, direction, sign * size)) for sign in (1.0, -1.0)]
        apart = torch.where(ends[0].good & ends[1].good, ends[0].values - ends[1].values, 0.0)
        along = projection(one.values, direction)  # (member,)
        slope = (apart / (2 * size)).to(along.dtype)
        term = slope * along.view(-1, *[1] * (slope.ndim - 1))
        total = term if total is None else total + term
    if total is None:
        raise ValueError("there is no direction to measure along")
    here = end_signal(one.trace, one.network, one.lengths)
    return torch.where(here.good, here.values, 0.0).to(total.dtype) + (total - total.detach())


def inside_limits(one: Pass, size: float) -> dict[str, Tensor]:
    """Give the requested values, moved so far into the limit of the weights that a perturbation stays within it."""
    limit = one.network.settings.weight_limit
    requested = {name: value.detach() for name, value in one.network.member_values().items()}
    if limit is None:
        return requested
    edge = max(limit - size, 0.0)
    return requested | {name: requested[name].clamp(-edge, edge) for name in one.held}


def projection(values: Values, direction: Values) -> Tensor:
    """Give the inner product of each member's values with a direction, (member,)."""
    parts = [(values[name] * step).flatten(1).sum(1) for name, step in direction.items()]
    return torch.stack(parts).sum(0)


def random_direction(one_of: Mapping[str, Tensor], masks: Values, *key: str | int) -> dict[str, Tensor]:
    """Draw +-1 for each parameter, 0 for absent synapses; each member draws its own.

    Args:
        one_of: Tensors of the parameters' shapes, by name.
        masks: Which synapses exist, by name.
        key: Names the stream.
    """
    generator = torch_stream("directions", *key)
    found = {}
    for name in sorted(one_of):
        signs = torch.randint(0, 2, one_of[name].shape, generator=generator) * 2.0 - 1.0
        found[name] = (signs * masks[name] if name in masks else signs).to(one_of[name].dtype)
    return found


def _held_values(one: Pass) -> dict[str, Tensor]:
    """Give the values that the device holds and that are trained: the others need not be perturbed."""
    return {name: one.values[name].detach() for name in sorted(one.held & one.network.trained())}


def _signs(one: Pass) -> Iterator[dict[str, Tensor]]:
    values, masks, count = _held_values(one), one.network.member_masks(), one.choices.directions
    for number in range(count):
        drawn = random_direction(values, masks, "spsa", one.turn, number)
        # The sum over directions is their mean.
        yield {name: step / count**0.5 for name, step in drawn.items()}


def _units(one: Pass) -> Iterator[dict[str, Tensor]]:
    """Move each parameter that some member has, in all members at once."""
    masks = one.network.member_masks()
    for name, value in _held_values(one).items():
        exists = masks.get(name, torch.ones_like(value, dtype=torch.bool)).flatten(1)
        for place in exists.any(0).nonzero()[:, 0].tolist():
            step = torch.zeros_like(value).flatten(1)
            step[:, place] = exists[:, place].to(step.dtype)
            yield {name: step.view_as(value)}


def _moved(centre: Values, direction: Values, size: float) -> dict[str, Tensor]:
    return {name: value + size * direction[name] if name in direction else value for name, value in centre.items()}
