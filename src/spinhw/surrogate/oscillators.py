"""What a calibration knows of single oscillators and their read-out: the parameters that are fitted, one of each."""

from dataclasses import dataclass, replace
from typing import Self

import torch
from torch import Tensor

from spinhw.errors import ConfigError
from spinhw.physics import LOGISTIC, Rate
from spinhw.rollout import Neurons

# In this order everywhere: in Jacobians, in covariances, in records. The first three are the dynamics.
PARAMETERS = ("gamma", "sigma", "q", "gain", "offset", "delay", "lag")
DYNAMICS = PARAMETERS[:3]
# A fit moves the logarithm of these: they are positive, and a step is then a relative change.
LOGARITHMIC = frozenset({"gamma", "sigma", "gain"})
LEAST_Q = -0.95  # At Q = -1 the power would grow beyond 1.
_LARGEST_LOGARITHM = 3.0  # From start to fit a positive parameter changes by a factor of 20 at most.
_FARTHEST = 0.3  # Step of ln gamma, ln sigma, Q and ln gain.


@dataclass(frozen=True)
class Oscillators:
    """Oscillators and the channels that measure them, each parameter (oscillator,), float64.

        dx/dt = rate(x, I, gamma, sigma, Q)        measured = offset + gain (x, lagged and late)

    What is measured is late by `delay` on average: it passes a first-order low-pass of time constant `lag`, which alone
    makes it late by as much, and cables for the rest. So a delay means the same whether or not a lag can be told apart.

    Args:
        gamma: Damping rate in 1/s.
        sigma: Drive efficiency, dimensionless: the deviation from what `drive_per_ampere` says.
        q: Non-linear damping Q, dimensionless.
        gain: Measured power for a power of 1, in the model units of the trace; 1 where the conversion is right.
        offset: Measured power for a power of 0, in model units.
        delay: By how much the record is later than the time axis of the trace says, in seconds; the lag is part of it.
        lag: Time constant of the first-order low-pass of the path in seconds, 1 / (2 pi bandwidth); 0 for none.
        rate: dx/dt, the same for all; gamma, sigma and Q mean what they mean to it.
    """

    gamma: Tensor
    sigma: Tensor
    q: Tensor
    gain: Tensor
    offset: Tensor
    delay: Tensor
    lag: Tensor
    rate: Rate = LOGISTIC

    @classmethod
    def nominal(cls, neurons: Neurons, count: int | None = None) -> Self:
        """Take the nominal neurons of a network, (1, neuron), measured by an ideal read-out.

        Args:
            neurons: Of the network.
            count: How many oscillators, each like the first neuron; None for one for each neuron.
        """
        picked = {
            name: (getattr(neurons, name)[0, :1].expand(count) if count else getattr(neurons, name)[0])
            .detach()
            .double()
            .clone()
            for name in DYNAMICS
        }
        one = torch.ones_like(picked["gamma"])
        return cls(**picked, gain=one, offset=one * 0, delay=one * 0, lag=one * 0, rate=neurons.rate)

    @classmethod
    def of(cls, table: Tensor, rate: Rate = LOGISTIC) -> Self:
        """Take the rows of a table, (parameter, oscillator), in the order of `PARAMETERS`."""
        return cls(**dict(zip(PARAMETERS, table.double().unbind(0), strict=True)), rate=rate)

    def table(self) -> Tensor:
        """Give all parameters, (parameter, oscillator)."""
        return torch.stack([getattr(self, name) for name in PARAMETERS])

    @property
    def count(self) -> int:
        """Number of oscillators."""
        return self.gamma.shape[0]

    def picked(self, chosen: Tensor) -> Self:
        """Give some of them.

        Args:
            chosen: Indices or a mask, (oscillator,).
        """
        return self.of(self.table()[:, chosen], self.rate)

    def moved(self, step: Tensor) -> Self:
        """Take a step in the coordinates of a fit.

        They are relative for positive parameters, absolute for the others, and the square of the lag, because a small
        lag acts by its square beside the delay.

        Args:
            step: (parameter, oscillator).
        """
        found = {}
        for row, name in enumerate(PARAMETERS):
            old, change = getattr(self, name), step[row]
            if name in LOGARITHMIC:
                found[name] = old * torch.exp(change.clamp(-_LARGEST_LOGARITHM, _LARGEST_LOGARITHM))
            else:
                found[name] = old + change
        found["q"] = found["q"].clamp_min(LEAST_Q)
        found["lag"] = (self.lag**2 + step[PARAMETERS.index("lag")]).clamp_min(0.0).sqrt()
        return replace(self, **found)

    def bounds(self) -> tuple[Tensor, Tensor]:
        """Give the lowest and the highest step that `moved` takes, each (oscillator, parameter)."""
        lowest = torch.full((self.count, len(PARAMETERS)), -torch.inf, dtype=torch.float64)
        for place, name in enumerate(PARAMETERS):
            if name in LOGARITHMIC:
                lowest[:, place] = -_LARGEST_LOGARITHM
        highest = torch.where(lowest.isfinite(), -lowest, torch.inf)
        lowest[:, PARAMETERS.index("q")] = LEAST_Q - self.q
        lowest[:, PARAMETERS.index("lag")] = -(self.lag**2)
        return lowest, highest

    def farthest(self) -> Tensor:
        """Give the longest step in which the model is about linear, (oscillator, parameter)."""
        time_s, one = 0.2 / self.gamma, torch.ones_like(self.gamma)
        far = {"offset": 0.1 * one, "delay": time_s, "lag": time_s**2}
        return torch.stack([far.get(name, _FARTHEST * one) for name in PARAMETERS], dim=1)

    def scales(self) -> Tensor:
        """Give the change of each parameter for a unit step of a fit, (parameter, oscillator)."""
        found = {
            name: getattr(self, name) if name in LOGARITHMIC else torch.ones_like(self.gamma) for name in PARAMETERS
        }
        # d lag = d(lag^2) / (2 lag); at a lag of zero there is none.
        found["lag"] = torch.where(self.lag > 0, 0.5 / self.lag.clamp_min(1e-30), torch.zeros_like(self.lag))
        return torch.stack(list(found.values()))

    def neurons(self, nominal: Neurons) -> Neurons:
        """Put the measured dynamics into nominal neurons, whose electronics (bias, bounds, filter, gain) stay.

        Args:
            nominal: (1, neuron) of the same number of neurons.

        Raises:
            ConfigError: The nominal neurons have another rate, to which these parameters say nothing.
        """
        if nominal.rate != self.rate:
            raise ConfigError(
                "network.rate: what is known of the oscillators belongs to another rate",
                seen=nominal.rate.name,
                allowed=self.rate.name,
                todo="write this rate under network, or train without calibration and refit",
            )
        dtype = nominal.gamma.dtype
        found = {name: getattr(self, name).to(dtype)[None] for name in DYNAMICS}
        return replace(nominal, **found)
