"""The hidden oscillators of one chip, or of several side by side: who they are, how they drift, what disturbs them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from spinhw.chip.draw import Identity, chosen, factors, q_offsets
from spinhw.chip.settings import ChipSettings
from spinhw.errors import ConfigError
from spinhw.physics import LOGISTIC, POWER_FLOOR, coefficients, equilibrium
from spinhw.rollout import Neurons


@dataclass(frozen=True)
class HiddenOscillators:
    """The truth about the oscillators of chips: drawn once, never changed (drift multiplies it).

    Args:
        neurons: Parameters of each, (member, neuron), float64; dead and stuck ones included.
        dead: Which never oscillate, (member, neuron).
        stuck: Which keep their power, (member, neuron).
        stuck_power: At what power.
    """

    neurons: Neurons
    dead: Tensor
    stuck: Tensor
    stuck_power: float

    @classmethod
    def draw(cls, settings: ChipSettings, nominal: Neurons, identities: Sequence[Identity]) -> "HiddenOscillators":
        """Draw the oscillators of chips.

        Args:
            settings: Spread and defects.
            nominal: Nominal neurons, (1, neuron). Bias drive and bounds are electronics and stay nominal.
            identities: Who the chips are; each draws what it would draw alone.
        """
        size, spread = nominal.gamma.shape[1], settings.spread
        _check_numbers(settings, size)
        dead, stuck = _defects(settings, size, identities)
        nominal = nominal.to(torch.float64)
        deviations = [q_offsets(one, nominal.q[0], spread.q) for one in identities]
        working = ~(dead | stuck)
        neurons = replace(
            nominal,
            gamma=nominal.gamma * factors(identities, size, spread.gamma, "gamma") * ~stuck,
            sigma=nominal.sigma * factors(identities, size, spread.sigma, "sigma") * working,
            q=nominal.q + torch.stack(deviations),
            cutoff_hz=nominal.cutoff_hz * factors(identities, size, spread.cutoff, "cutoff"),
            gain=nominal.gain * factors(identities, size, spread.gain, "gain"),
            rate=LOGISTIC,  # Whatever a network's model of it is.
        )
        return cls(neurons, dead, stuck, settings.defects.stuck_power)

    def at(self, walk: Tensor | None, dtype: torch.dtype) -> Neurons:
        """Give the oscillators as they are now.

        Args:
            walk: Logarithms of the drift of gamma and sigma, (member, at least 2, neuron); None for none.
            dtype: Floating-point type.
        """
        neurons = self.neurons
        if walk is not None:
            drifted = torch.exp(walk)
            neurons = replace(neurons, gamma=neurons.gamma * drifted[:, 0], sigma=neurons.sigma * drifted[:, 1])
        return neurons.to(dtype)

    def start(self, neurons: Neurons, initial: str) -> Tensor:
        """Give the state before the first sample, (member, 1, neuron): each device's OWN rest, or one half.

        Args:
            neurons: The oscillators as they are now.
            initial: "rest" or "half".
        """
        rest = equilibrium(*coefficients(neurons.bias_drive, neurons.gamma, neurons.sigma, neurons.q))
        start = rest if initial == "rest" else torch.full_like(rest, 0.5)
        start = torch.where(self.dead, torch.full_like(start, POWER_FLOOR), start)
        return torch.where(self.stuck, torch.full_like(start, self.stuck_power), start)[:, None]


def _defects(settings: ChipSettings, size: int, identities: Sequence[Identity]) -> tuple[Tensor, Tensor]:
    ask = settings.defects
    dead = torch.stack([chosen(one, size, ask.dead_fraction, ask.dead, "dead") for one in identities])
    stuck = torch.stack([chosen(one, size, ask.stuck_fraction, ask.stuck, "stuck") for one in identities])
    return dead & ~stuck, stuck


def _check_numbers(settings: ChipSettings, size: int) -> None:
    for name in ("dead", "stuck"):
        beyond = [number for number in getattr(settings.defects, name) if number >= size]
        if beyond:
            raise ConfigError(
                f"chip.defects.{name}: there is no such oscillator", seen=beyond, allowed=f"0 to {size - 1}"
            )
