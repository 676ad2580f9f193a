"""Keeps the parameters of oscillators up to date from what they just played: one linear step for each batch.

The surrogate is played the same drives as the device, and what it misses by is linear in a small change of parameters,
with coefficients that come from the surrogate and so carry no noise. Read-out noise stands on the left side only, with
mean zero: it makes the step uncertain, not biased. (A regression of d ln x/dt on the measured x is as linear, but has
noise on both sides.) Information is kept as J^T J over the noise and forgotten by a factor at each batch.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from spinhw.physics import derivatives_of
from spinhw.rollout import Neurons
from spinhw.surrogate.oscillators import PARAMETERS, Oscillators
from spinhw.surrogate.played import Misfit, Played, columns, misfit

# A step longer than this is followed by another on the same batch; relative for positive parameters.
_FAR = 0.005
_FARTHEST = 0.4
_MOST_STEPS = 14
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
        self._columns, self._noise = columns(self.free), noise
        size = len(PARAMETERS)
        self._information = torch.zeros(start.count, size, size, dtype=torch.float64) if prior is None else prior
        self.batches = 0
        # Times are small numbers of seconds: measure their steps in relaxation times.
        scales = torch.ones(size, dtype=torch.float64)
        scales[PARAMETERS.index("delay")] = scales[PARAMETERS.index("lag")] = 0.0
        self._scales = scales
        self.residual = torch.full((start.count,), torch.nan, dtype=torch.float64)  # Rms of one shot, last batch.

    def update(self, played: Sequence[Played]) -> Oscillators:
        """Take in a batch and give the oscillators as they now seem.

        An oscillator that is far off is looked at again, up to 14 times, each time from the step before: the step is
        linear only nearby. The others rest meanwhile.

        Args:
            played: What was played and measured, of the same oscillators. One of which no sample is good keeps its
                values.
        """
        old, before = self.forgetting * self._information, self.oscillators
        timed = bool({"delay", "lag"} & set(self.free))
        now, last = before.table(), before.table()
        step = torch.zeros(before.count, len(PARAMETERS), dtype=torch.float64)
        best = torch.full((before.count,), torch.inf, dtype=torch.float64)
        unit = torch.full_like(best, torch.nan)
        self._information = old.clone()
        busy = torch.arange(before.count)
        for _ in range(_MOST_STEPS):
            here = Oscillators.of(now[:, busy], before.rate)
            found = misfit(played if len(busy) == before.count else [one.of(busy) for one in played], here, timed)
            variance = self._variance(found, busy)
            unit[busy] = torch.where(unit[busy].isnan(), variance, unit[busy])
            known, back = old[busy], apart(before.picked(busy), here)
            cost = found.squares / unit[busy] + torch.einsum("op,opq,oq->o", back, known, back)
            worse = cost > best[busy] * (1 + 1e-9)
            fresh, gradient = found.normal / variance[:, None, None], found.gradient / variance[:, None]
            # What was known pulls back to where it was known from.
            ahead = self._step(known + fresh, gradient + (known @ back[..., None])[..., 0])
            # Where a step has made it worse, a quarter of it is taken instead, from where it began.
            base = Oscillators.of(torch.where(worse, last[:, busy], now[:, busy]), before.rate)
            step[busy] = torch.where(worse[:, None], step[busy] / 4, ahead)
            best[busy] = torch.where(worse, best[busy], cost)
            last[:, busy], now[:, busy] = base.table(), base.moved(step[busy].T).table()
            self._information[busy] = known + fresh
            self.residual[busy] = (found.squares / found.samples.clamp_min(1)).sqrt()
            busy = busy[(step[busy] * self._scales).abs().amax(1) >= _FAR]
            if not len(busy):
                break
        self.oscillators = Oscillators.of(now, before.rate)
        self.batches += 1
        return self.oscillators

    def errors(self) -> Tensor:
        """Give standard errors in the unit of each parameter, (parameter, oscillator); infinite before any batch."""
        return self.covariance().diagonal(dim1=1, dim2=2).clamp_min(0).sqrt().T * self.oscillators.scales()

    def covariance(self) -> Tensor:
        """Give the covariance in the coordinates of a fit, (oscillator, parameter, parameter); zero for what stays."""
        wanted = self._columns
        block = self._information[:, wanted][:, :, wanted]
        scale = block.diagonal(dim1=1, dim2=2).clamp_min(1e-300).sqrt()
        unit = block / scale[:, :, None] / scale[:, None, :]
        inverse, info = torch.linalg.inv_ex(unit)
        inverse = torch.where((info > 0)[:, None, None], torch.full_like(inverse, torch.inf), inverse)
        full = torch.zeros_like(self._information)
        full[:, wanted[:, None], wanted[None, :]] = inverse / scale[:, :, None] / scale[:, None, :]
        return full

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

    def _variance(self, found: Misfit, chosen: Tensor) -> Tensor:
        if self._noise is None:
            freedom = (found.samples - len(self.free)).clamp_min(1)
            return (found.squares / freedom).clamp_min(_LEAST_NOISE**2)
        known = torch.as_tensor(self._noise, dtype=torch.float64).expand(self.oscillators.count)[chosen]
        return known.clamp_min(_LEAST_NOISE) ** 2

    def _step(self, information: Tensor, gradient: Tensor) -> Tensor:
        wanted = self._columns
        block, right = information[:, wanted][:, :, wanted], gradient[:, wanted]
        scale = block.diagonal(dim1=1, dim2=2).sqrt()
        scale = torch.where(scale > 0, scale, torch.ones_like(scale))
        unit = block / scale[:, :, None] / scale[:, None, :] + 1e-9 * torch.eye(len(wanted), dtype=torch.float64)
        short = torch.linalg.solve(unit, (right / scale)[..., None])[..., 0] / scale
        dynamic = short[:, [place for place, name in enumerate(self.free) if name in ("gamma", "sigma", "q")]]
        if dynamic.shape[1]:
            short = short / (dynamic.abs().amax(1, keepdim=True) / _FARTHEST).clamp_min(1.0)
        full = torch.zeros_like(gradient)
        full[:, wanted] = short
        return full


def apart(before: Oscillators, now: Oscillators) -> Tensor:
    """Give the way back from here to there in the coordinates of a fit, (oscillator, parameter)."""
    rows = []
    for name in PARAMETERS:
        there, here = getattr(before, name), getattr(now, name)
        if name in ("gamma", "sigma", "gain"):
            rows.append(torch.log(there / here))
        else:
            rows.append(there**2 - here**2 if name == "lag" else there - here)
    return torch.stack(rows, dim=1)


def information(covariance: Tensor, free: Sequence[str]) -> Tensor:
    """Turn a covariance into what `OnlineRefit` takes as prior, (oscillator, parameter, parameter).

    Args:
        covariance: In the coordinates of a fit; an oscillator with zeros, one that failed, is not known at all.
        free: Parameters that will follow.
    """
    wanted = columns([name for name in PARAMETERS if name in free])
    block = covariance[:, wanted][:, :, wanted]
    known = (block.diagonal(dim1=1, dim2=2) > 0).all(1)
    result = torch.zeros_like(covariance)
    safe = torch.where(known[:, None, None], block, torch.eye(len(wanted), dtype=torch.float64))
    result[:, wanted[:, None], wanted[None, :]] = torch.linalg.inv(safe) * known[:, None, None]
    return result
