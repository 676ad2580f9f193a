"""Without a model: the device itself is asked how its end signal changes, by perturbed parameters."""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from spinhw.errors import ConfigError, DeviceError
from spinhw.gradients.base import Pass, Values, end_signal
from spinhw.network import SpintronicNetwork
from spinhw.streams import torch_stream

# Share of what is perturbed that must be read back as moved: a converter may have rounded tunings back. And by how much
# of what was asked for: less is the rounding of numbers.
_LEAST_MOVED, _MOVED = 0.5, 1e-3


@dataclass(frozen=True, eq=False)
class Perturbed:
    """Where a device is perturbed, in what a network trains: weights, biases, tunings in units of weight (`Chains`).

    Args:
        network: The network.
        values: Requested, (member, ...) by name, so far within their limits that a perturbation stays within them.
        free: Which of them exist and have room to move, by name; all of a name that is missing.
        size: Of the perturbation, in units of weight.
    """

    network: SpintronicNetwork
    values: Values
    free: Values
    size: float

    @classmethod
    def around(cls, network: SpintronicNetwork, held: Collection[str], size: float) -> "Perturbed":
        """Perturb the values of a network that a device holds, by name."""
        limit, tuned = network.settings.weight_limit, network.tuned()
        values = trained_values(network, {name: one.detach() for name, one in network.member_programmed().items()})
        free = network.member_masks()
        if limit is None:
            return cls(network, values, free, size)
        edge = max(limit - size, 0.0)
        inside = {name: values[name].clamp(-edge, edge) for name in held if name not in tuned}
        for name in tuned & set(held):
            lowest, highest = (one.expand_as(values[name]) for one in _branch(network, name, values[name]))
            room = highest - lowest >= 2 * size  # A stuck resonator has none.
            free[name] = free[name] & room if name in free else room
            inside[name] = torch.where(free[name], values[name].clamp(lowest + size, highest - size), values[name])
        return cls(network, values | inside, free, size)

    def told(self, direction: Values, sign: float) -> dict[str, Tensor]:
        """Return what a device is asked for at one end of a perturbation."""
        step = sign * self.size
        moved = {name: one + step * direction[name] if name in direction else one for name, one in self.values.items()}
        return programmed(self.network, moved)

    def moved(self, direction: Values, ends: tuple[Values, Values]) -> Values:
        """Return the direction in which the values of a device have moved, by what it has read back at both ends.

        Converters round tunings by as much as a perturbation, so that some move further than was asked and others not
        at all. Weights are taken to have moved as was asked for.

        Raises:
            ConfigError: Less than half of the values have moved.
        """
        if not self.network.tuned():
            return direction
        up, down = (trained_values(self.network, {name: one[name] for name in direction}) for one in ends)
        found = {name: (up[name] - down[name]).to(step) / (2 * self.size) for name, step in direction.items()}
        asked = torch.cat([step.flatten(1) for step in direction.values()], dim=1).abs()  # (member, value)
        there = torch.cat([one.flatten(1) for one in found.values()], dim=1).abs() > _MOVED * asked
        some = (asked > 0).any(1)
        share = float((((asked > 0) & there).sum(1) / (asked > 0).sum(1).clamp_min(1))[some].min())
        if share < _LEAST_MOVED:
            raise ConfigError(
                "training.loop.perturbation: the device rounds perturbed tunings back to where they were",
                seen=f"{self.size:g}, by which {100 * share:.0f} % of the values have moved",
                allowed="so much that at least half of them move, as read back",
                todo=f"raise it to {self.size / max(share, 0.1):.2g}",
            )
        return found


def trained_values(network: SpintronicNetwork, told: Values) -> dict[str, Tensor]:
    """Return what is trained of what a device is told: tunings in units of weight, the others as they are."""
    chains, tuned = network.chains, network.tuned()
    return {name: one if chains is None or name not in tuned else chains.values(one) for name, one in told.items()}


def programmed(network: SpintronicNetwork, trained: Values) -> dict[str, Tensor]:
    """Return what a device is told of what is trained, the reverse of `trained_values`."""
    chains, tuned = network.chains, network.tuned()
    return {name: one if chains is None or name not in tuned else chains.tunings(one) for name, one in trained.items()}


def _branch(network: SpintronicNetwork, name: str, like: Tensor) -> tuple[Tensor, Tensor]:
    """Return between which trained values the tunings of a matrix stay."""
    if network.chains is None:
        raise ValueError("there are no tunings")
    return network.chains.with_known(network.known(name)).bounds(like.shape[-1], like)


def spsa(one: Pass) -> Tensor:
    """Model the end signal as linear along a few random directions (SPSA: Spall, IEEE TAC 37, 332 (1992)).

    Measured: everything, twice for each direction. All parameters that the device holds move at once, by +-c each, as
    the signs are drawn. Modelled: nothing but that the end signal is linear within c. The gradient is unbiased to
    second order in c, and its noise grows with the number of parameters.
    """
    return _linear(one, _signs)


def finite_difference(one: Pass) -> Tensor:
    """Model the end signal as linear in each parameter that the device holds.

    Measured: everything, twice for each parameter: for tiny networks, to compare with. Modelled: only that the end
    signal is linear within the perturbation.
    """
    return _linear(one, _units)


def _linear(one: Pass, directions: Callable[[Pass, Values], Iterator[dict[str, Tensor]]]) -> Tensor:
    """Give the measured end signal, zero where it is not good, with the gradient of the measured slopes."""
    if one.measure is None or one.trace is None:
        raise DeviceError("a gradient without a model needs a device", todo="use mode 'surrogate' without a device")
    size, total = one.choices.perturbation, None
    centre, values = Perturbed.around(one.network, one.held, size), trained_values(one.network, one.told)
    for direction in directions(one, centre.free):
        (up, above), (down, below) = (one.measure(centre.told(direction, sign)) for sign in (1.0, -1.0))
        moved = centre.moved(direction, (above, below))
        apart = torch.where(up.good & down.good, up.values - down.values, 0.0)
        # Along what has moved, as long as what was asked for.
        along = projection(values, moved) * _ratio(projection(direction, direction), projection(moved, moved))
        slope = (apart / (2 * size)).to(along.dtype)
        term = slope * along.view(-1, *[1] * (slope.ndim - 1))
        total = term if total is None else total + term
    if total is None:
        raise ValueError("there is no direction to measure along")
    here = end_signal(one.trace, one.network, one.lengths)
    return torch.where(here.good, here.values, 0.0).to(total.dtype) + (total - total.detach())


def _ratio(one: Tensor, other: Tensor) -> Tensor:
    """Return a quotient, 1 where a member has nothing that could move."""
    return torch.where(other > 0, one / other, torch.ones_like(other))


def projection(values: Values, direction: Values) -> Tensor:
    """Give the inner product of each member's values with a direction, (member,)."""
    parts = [(values[name] * step).flatten(1).sum(1) for name, step in direction.items()]
    return torch.stack(parts).sum(0)


def random_direction(one_of: Mapping[str, Tensor], masks: Values, *key: str | int) -> dict[str, Tensor]:
    """Draw +-1 for each parameter, 0 for absent synapses; each member draws its own.

    Args:
        one_of: Tensors of the parameters' shapes, by name.
        masks: Which synapses exist and may move, by name.
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
    return {name: one.told[name].detach() for name in sorted(one.held & one.network.trained())}


def _signs(one: Pass, masks: Values) -> Iterator[dict[str, Tensor]]:
    values, count = _held_values(one), one.choices.directions
    for number in range(count):
        drawn = random_direction(values, masks, "spsa", one.turn, number)
        # The sum over directions is their mean.
        yield {name: step / count**0.5 for name, step in drawn.items()}


def _units(one: Pass, masks: Values) -> Iterator[dict[str, Tensor]]:
    """Move each parameter that some member has, in all members at once."""
    for name, value in _held_values(one).items():
        exists = masks.get(name, torch.ones_like(value, dtype=torch.bool)).flatten(1)
        for place in exists.any(0).nonzero()[:, 0].tolist():
            step = torch.zeros_like(value).flatten(1)
            step[:, place] = exists[:, place].to(step.dtype)
            yield {name: step.view_as(value)}
