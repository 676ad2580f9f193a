"""The model of a measured chain of resonators: which weights a tuning gives, which tuning gives wanted weights.

    f_k = resonance_k + span_k tuning_k            w_j = sum_k K_k 2 G_k (f_j - f_k) / ((f_j - f_k)^2 + G_k^2)

Source j plays at its own frequency f_j; every resonator of the chain sees all sources, so tails are part of the map.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from spinhw.errors import CalibrationError
from spinhw.physics import BELOW_LIMIT, Chain, chain_solution, detuning_for
from spinhw.records import SynapseRecord, find_record, load_synapses
from spinhw.records.synapses import MAP
from spinhw.surrogate.spread import covariance_from, normal_steps


@dataclass(frozen=True)
class AppliedWeights:
    """What a chain gives when weights are asked for.

    Args:
        tuning: To be set, (..., resonator).
        weights: What is expected to act, (..., source).
        errors: Standard errors of that: of the calibration and of one programming together, (..., source).
        reached: Where the wanted weight is within reach, boolean, (..., source).
    """

    tuning: Tensor
    weights: Tensor
    errors: Tensor
    reached: Tensor


@dataclass(frozen=True)
class CalibratedSynapses:
    """What a record says of one chain, or of several with as many resonators, whose axes then stand in front.

    Args:
        chain: Its resonators; one that is dead does nothing, one that is stuck has no span.
        covariance: Of resonance, G, K and span, (resonator, 4, 4); zero for those that failed.
        repeatability: Scatter of a programming over the largest weight, (resonator,).
        tones_hz: Frequencies of the sources, (resonator,).
        working: Which did not fail, boolean, (resonator,).
        device_id: Whose.
        highest_tuning: Largest tuning in size.
        noise: Of one reading (1 sigma), in units of an output; 0 where it was not measured.
    """

    chain: Chain
    covariance: Tensor
    repeatability: Tensor
    tones_hz: Tensor
    working: Tensor
    device_id: str
    highest_tuning: float = 1.0
    noise: float = 0.0

    @classmethod
    def of(cls, record: SynapseRecord) -> "CalibratedSynapses":
        """Read it from a record.

        Raises:
            CalibrationError: The record has no detuning sweep.
        """
        if not record.quantities["resonance"].fitted:
            raise CalibrationError(
                f"the record of {record.device.id} does not tell its resonances",
                seen=f"plan {record.made.plan}",
                allowed="a plan with a detuning sweep",
                todo="calibrate with plan 'synapses'",
            )
        count, ladder = record.device.resonators, record.nominal.ladder()
        designed = Chain.designed(ladder, count)
        found = torch.stack([_numbers(record, name, "values") for name in MAP])  # (quantity, resonator)
        dead = found.isnan().any(0)
        values = [torch.where(dead, old, new) for old, new in zip(_table(designed), found, strict=True)]
        chain = Chain(*values)
        working = torch.tensor([number not in record.failed for number in range(count)])
        return cls(
            replace(chain, max_weight=torch.where(dead, 0.0, chain.max_weight)),
            _covariance(record) * working[:, None, None],
            _numbers(record, "repeatability", "values").nan_to_num(0.0),
            ladder.tones_hz(count),
            working,
            record.device.id,
            noise=record.noise or 0.0,
        )

    def weights(self, tuning: Tensor) -> Tensor:
        """Give the weights that a tuning gives, (..., source); tuning (..., resonator). Differentiable."""
        return self._at_tones(tuning, Chain.weight)

    def steepness(self, tuning: Tensor) -> Tensor:
        """Return the derivative of each weight by each tuning, (..., source, resonator)."""
        by_resonance = self._at_tones(tuning, Chain.slopes)[..., 0]
        return by_resonance * self.chain.tuning_span_hz[..., None, :]

    def inner_branch(self) -> tuple[Tensor, Tensor]:
        """Return the lowest and the highest tuning of each resonator, (resonator,), at which its slope does not turn.

        These are one half-linewidth on either side of its source's tone, within reach of the tuning; both 0 of one that
        does not move.
        """
        chain, most = self.chain, self.highest_tuning
        span = self._span_hz
        centre, half = (self.tones_hz - chain.resonance_hz) / span, (chain.half_linewidth_hz / span).abs()
        return (centre - half).clamp(-most, most), (centre + half).clamp(-most, most)

    def errors(self, tuning: Tensor) -> Tensor:
        """Give the standard errors of those weights, of the calibration and of one programming, (..., source)."""
        slopes = self._at_tones(tuning, Chain.slopes)  # (..., source, resonator, 4)
        known = torch.einsum("...kp,kpq,...kq->...", slopes, self.covariance, slopes)
        return (known + ((slopes[..., 0] * self._scatter_hz) ** 2).sum(-1)).clamp_min(0).sqrt()

    def tuning_for(self, weights: Tensor) -> Tensor:
        """Find the tunings, (..., resonator), whose weights are nearest to those wanted, (..., source).

        Each resonator takes the detuning of smallest size that makes its own part, with the tails of the others taken
        off; within reach of its tuning. Those that failed stay at 0.
        """
        chain, span = self.chain, self._span_hz

        def tails(tuning: Tensor) -> Tensor:
            parts = self._at_tones(tuning, Chain.parts)  # (..., source, resonator)
            return parts.sum(-1) - parts.diagonal(dim1=-2, dim2=-1)

        def tuning_for(own: Tensor) -> Tensor:
            fresh = (self.tones_hz - self._own_detuning(own) - chain.resonance_hz) / span
            return fresh.clamp(-self.highest_tuning, self.highest_tuning)

        wanted = weights.double()
        return chain_solution(wanted, torch.zeros_like(wanted), tails, tuning_for)

    def applied(self, weights: Tensor, tolerance: float = 1e-3) -> AppliedWeights:
        """Say what acts when weights are asked for, and how sure that is.

        Args:
            weights: Wanted, (..., source).
            tolerance: By how much of the largest weight one may be missed and still count as reached.
        """
        tuning = self.tuning_for(weights)
        acting, errors = self.weights(tuning), self.errors(tuning)
        return AppliedWeights(tuning, acting, errors, self.near(acting, weights, tolerance))

    def near(self, acting: Tensor, wanted: Tensor, tolerance: float) -> Tensor:
        """Tell where weights that act are within a share of the largest one of those wanted, boolean, (..., source)."""
        return (acting - wanted.double()).abs() <= tolerance * self.chain.max_weight.abs().max()

    def drawn(self, generator: torch.Generator) -> Chain:
        """Draw a chain as it may be, given the errors of the calibration."""
        step = normal_steps(self.covariance, generator)
        return Chain(*(old + new for old, new in zip(_table(self.chain), step.T, strict=True)))

    @property
    def scatter(self) -> Tensor:
        """By how much tunings seem to scatter from one programming to the next, (resonator,)."""
        span = self.chain.tuning_span_hz
        return self._scatter_hz / torch.where(span == 0, torch.inf, span.abs())

    @property
    def _scatter_hz(self) -> Tensor:
        """The same of resonances: one that is off by a share e of the largest weight is shifted by e G / 2."""
        return self.repeatability * self.chain.half_linewidth_hz / 2 * (self.chain.tuning_span_hz != 0)

    @property
    def _span_hz(self) -> Tensor:
        """Shift by a tuning of 1, and infinite where a tuning moves nothing: its quotients are 0 then."""
        span = self.chain.tuning_span_hz
        return torch.where(self.working & (span != 0), span, torch.inf)

    def _own_detuning(self, weight: Tensor) -> Tensor:
        size = self.chain.max_weight
        safe = torch.where(size == 0, 1.0, size)
        share = torch.where(size == 0, 0.0, weight / safe).clamp(-BELOW_LIMIT, BELOW_LIMIT)
        return detuning_for(share, self.chain.half_linewidth_hz, 1.0)

    def _at_tones(self, tuning: Tensor, of: Callable[[Chain, Tensor, Tensor], Tensor]) -> Tensor:
        """Ask for every tone with the same tunings."""
        shape = (*tuning.shape[:-1], len(self.tones_hz), tuning.shape[-1])
        each = self.chain.mapped(lambda one: one[..., None, :])
        return of(each, tuning.double()[..., None, :].expand(shape), self.tones_hz.expand(shape[:-1]))


def calibrated_synapses(path: Path, device_id: str, anyway: bool = False) -> CalibratedSynapses:
    """Read what is known of a device's synapses.

    Args:
        path: A record, or a folder with DEVICE_ID.yaml for each.
        device_id: Whose.
        anyway: Whether another device's record will do.

    Raises:
        ConfigError: The record is missing or wrong.
        CalibrationError: It is another device's, or tells no resonances.
    """
    return CalibratedSynapses.of(load_synapses(find_record(path, device_id), device_id, anyway))


def _table(chain: Chain) -> tuple[Tensor, ...]:
    return chain.resonance_hz, chain.half_linewidth_hz, chain.max_weight, chain.tuning_span_hz


def _numbers(record: SynapseRecord, name: str, which: str) -> Tensor:
    table = record.quantities[name]
    numbers = table.values if which == "values" else table.errors
    return torch.tensor([float("nan") if one is None else one for one in numbers], dtype=torch.float64)


def _covariance(record: SynapseRecord) -> Tensor:
    """Put standard errors and correlations together, (resonator, 4, 4)."""
    errors = torch.stack([_numbers(record, name, "errors") for name in MAP], dim=1).nan_to_num(0.0)
    pairs = torch.zeros(len(errors), len(MAP) * (len(MAP) - 1) // 2, dtype=torch.float64)
    if record.correlations:
        pairs = torch.tensor([[one or 0.0 for one in row] for row in record.correlations], dtype=torch.float64)
    return covariance_from(errors, pairs)
