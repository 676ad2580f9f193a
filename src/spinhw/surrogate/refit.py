"""Keeps the parameters of oscillators up to date from what they just played: one linear step for each batch.

The surrogate is played the same drives as the device, and what it misses by is linear in a small change of parameters,
with coefficients that come from the surrogate and so carry no noise. Read-out noise stands on the left side only, with
mean zero: it makes the step uncertain, not biased. (A regression of d ln x/dt on the measured x is as linear, but has
noise on both sides.) Information is kept as J^T J over the noise and forgotten by a factor at each batch.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from spinhw.estimate import NormalEquations, covariance, levenberg_marquardt
from spinhw.physics import derivatives_of
from spinhw.rollout import Neurons
from spinhw.surrogate.oscillators import PARAMETERS, Oscillators
from spinhw.surrogate.played import Played, columns, misfit

# A step longer than this share of the longest is followed by another look at the same batch: 0.005 of gamma and sigma.
_SHORT = 1 / 60
_MOST_LOOKS = 50
# The least noise assumed: rounding, and what no model of an oscillator gets right.
_LEAST_NOISE = 1e-4


class OnlineRefit:
    """Oscillators that learn from every batch.

    Args:
        start: What is known: nominal, or from a record; of any rate that gives its derivatives.
        free: Parameters that follow; the others stay.
        noise: Noise of one shot's sample in units of full power, (oscillator,) or a number; None estimates it from
            what the surrogate misses by.
        forgetting: What is left of old information after a batch, above 0 to 1. With 0.98 fifty batches count.
        prior: How sure the start is, as J^T J over variance, (oscillator, parameter, parameter); None for not at all.

    Raises:
        ConfigError: The rate gives no derivatives.
    """

    def __init__(
        self,
        start: Oscillators,
        free: Sequence[str] = ("gamma", "sigma", "q"),
        noise: Tensor | float | None = None,
        forgetting: float = 0.98,
        prior: Tensor | None = None,
    ) -> None:
        if not 0 < forgetting <= 1:
            raise ValueError(f"forgetting must be above 0 and at most 1, not {forgetting}")
        if not free or set(free) - set(PARAMETERS):
            raise ValueError(f"free must name some of {', '.join(PARAMETERS)}, not {list(free)}")
        derivatives_of(start.rate, torch.full_like(start.gamma, 0.5), start.gamma, (start.gamma, start.sigma, start.q))
        self.oscillators, self.forgetting = start, forgetting
        self.free = tuple(name for name in PARAMETERS if name in free)
        self._noise = noise
        size = len(PARAMETERS)
        self._information = torch.zeros(start.count, size, size, dtype=torch.float64) if prior is None else prior
        self.batches = 0
        self.residual = torch.full((start.count,), torch.nan, dtype=torch.float64)  # Rms of one shot, last batch.

    def update(self, played: Sequence[Played]) -> Oscillators:
        """Take in a batch and give the oscillators as they now seem.

        An oscillator that is far off is looked at again, up to 50 times: a step is linear only nearby. The others rest
        meanwhile.

        Args:
            played: What was played and measured, of the same oscillators. One of which no sample is good keeps its
                values.
        """
        before, old = self.oscillators, self.forgetting * self._information
        timed, moving = bool({"delay", "lag"} & set(self.free)), _moving(old, self.free)

        def look(steps: Tensor, busy: Tensor) -> NormalEquations:
            here = before.moved(steps.T).picked(busy)
            found = misfit(played if len(busy) == before.count else [one.of(busy) for one in played], here, timed)
            self.residual[busy] = (found.squares / found.samples.clamp_min(1)).sqrt()
            # What was known pulls back to where it was known from.
            return self._over_noise(found, busy).with_prior(old[busy], -steps[busy])

        steps, far = torch.zeros(moving.shape, dtype=torch.float64), before.farthest()
        end = levenberg_marquardt(
            look, steps, far, before.bounds(), moving, damping=0.0, short=_SHORT, most_looks=_MOST_LOOKS
        )
        self.oscillators, self._information = before.moved(end.values.T), end.found.normal
        self.batches += 1
        return self.oscillators

    def errors(self) -> Tensor:
        """Give standard errors in the unit of each parameter, (parameter, oscillator); infinite for what is unknown."""
        return self.covariance().diagonal(dim1=1, dim2=2).clamp_min(0).sqrt().T * self.oscillators.scales()

    def covariance(self) -> Tensor:
        """Give the covariance in the coordinates of a fit, (oscillator, parameter, parameter); zero for what stays."""
        return covariance(self._information, _moving(self._information, self.free))

    def neurons(self, nominal: Neurons) -> Neurons:
        """Give nominal neurons with the dynamics as they now seem."""
        return self.oscillators.neurons(nominal)

    def state(self) -> dict[str, Tensor]:
        """Give what a checkpoint must hold."""
        return {"parameters": self.oscillators.table(), "information": self._information}

    def restore(self, state: dict[str, Tensor]) -> None:
        """Go back to a state that `state` gave."""
        self.oscillators = Oscillators.of(state["parameters"], self.oscillators.rate)
        self._information = state["information"].clone()

    def _over_noise(self, found: NormalEquations, chosen: Tensor) -> NormalEquations:
        if self._noise is None:
            return found.profiled(_LEAST_NOISE**2)
        known = torch.as_tensor(self._noise, dtype=torch.float64).expand(self.oscillators.count)[chosen]
        return found.over(known.clamp_min(_LEAST_NOISE) ** 2)


def information(spread: Tensor, free: Sequence[str]) -> Tensor:
    """Turn a covariance into what `OnlineRefit` takes as prior, (oscillator, parameter, parameter).

    Args:
        spread: Covariance in the coordinates of a fit; where a variance is zero or infinite, as of an oscillator that
            failed, nothing is known.
        free: Parameters that will follow.
    """
    variance = spread.diagonal(dim1=1, dim2=2)
    known = _moving(spread, free) & (variance > 0) & variance.isfinite()
    return covariance(spread, known).nan_to_num(posinf=0.0)


def _moving(matrix: Tensor, free: Sequence[str]) -> Tensor:
    moving = torch.zeros(matrix.shape[:2], dtype=torch.bool)
    moving[:, columns(free)] = True
    return moving
