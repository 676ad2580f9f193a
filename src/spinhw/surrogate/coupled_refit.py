"""Keeps the oscillators and synapses of a running network up to date from its own traces, without extra shots.

Each batch that is looked at gives a residual, what was measured minus what the surrogate does under the drives that
each neuron felt, and one linear step for each neuron: of ln gamma, ln sigma, Q and of the relative errors of its
synapses, which are as plain in the residual as they are and would otherwise pass for errors of the oscillator; where
they are resonators, of the shifts of these and of whole chains. What was
learned is kept as information J^T J over the noise, and forgotten by a factor at each look.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from spinhw.errors import ConfigError
from spinhw.estimate import Minimum, NormalEquations, covariance, levenberg_marquardt
from spinhw.physics import LOGISTIC
from spinhw.rollout import Neurons, Weights
from spinhw.surrogate.evidence import evidence
from spinhw.surrogate.feedback import Felt, NetworkRecord, felt_by_network
from spinhw.surrogate.oscillators import DYNAMICS, PARAMETERS, Oscillators
from spinhw.surrogate.synapses import Synapses
from spinhw.surrogate.tuned import CHAINS, ChainShifts, TunedSynapses, chain_shifts

_log = logging.getLogger(__name__)

FORGETTING = 0.98  # What is left of old information after a look.

# A neuron whose step is shorter, or gains less than this in chi-square, has settled.
_FAR, _LEAST_GAIN = 0.005, 1.0
_LATER_FAR = 0.05  # In later looks, which begin near: a step as short as this is linear.
# Within this a step is nearly linear; beyond the other no step goes.
_NEAR, _FARTHEST = 0.1, 0.4
_FIRST_LOOKS, _LATER_LOOKS = 7, 2
# The first steps of all go far, on a third of the sequences, under the drives as they seem at first and with the
# synapses as they were read back: they need not be exact.
_ROUGH_LOOKS, _ROUGH = 4, 3
# Residuals smaller than this, in units of full power, say nothing against a step: drives are not known exactly. Nor
# does a loss, in chi-square for each sample, that may come from drives that were worked out anew.
_DOUBT, _WORSE = 0.03, 0.4
_MANY = 0.2  # Share of neurons that still move above which drives are worked out again.
_LEAST_NOISE = 1e-4  # Rounding, and what no model of an oscillator gets right.
# Oscillators differ by this much from where they started, unless they show otherwise: keeps those that hardly move.
_SPREAD = 0.3
_SEQUENCES = 16  # Looked at together: what they need stays small.
_MOST_NUMBERS = 2**25  # Of the information about all synapses: 256 MiB.


@dataclass(frozen=True, eq=False)
class TriedFit:
    """How well neurons are described once some of their parameters have moved.

    Args:
        dynamics: By how much ln gamma, ln sigma and Q have moved, (neuron, 3).
        chains: By how many half-linewidths their chains have, (neuron, 2).
        squares: Sum of the squared residuals, (neuron,).
        samples: How many, (neuron,).
    """

    dynamics: Tensor
    chains: Tensor
    squares: Tensor
    samples: Tensor


class CoupledRefit:
    """Oscillators and synapses of one network that learn from its traces.

    Args:
        start: What is known of the oscillators: nominal, or from a record; of the logistic rate.
        synapse_error: Relative error that a synapse is expected to have (1 sigma), 0 or above; 0 trusts what was read
            back.
        forgetting: What is left of old information after a look, above 0 to 1.
        prior: How sure the start is, as `spinhw.surrogate.information` gives it, (oscillator, parameter, parameter);
            None for not at all.
        errors_hz: Standard errors of resonances that were measured, (destination, source) by parameter name; None where
            they are as designed, and off by `synapse_error` half-linewidths.

    Raises:
        ConfigError: The oscillators have another rate: the compiled derivatives are those of the logistic one.
    """

    def __init__(
        self,
        start: Oscillators,
        synapse_error: float = 0.1,
        forgetting: float = FORGETTING,
        prior: Tensor | None = None,
        errors_hz: Mapping[str, Tensor] | None = None,
    ) -> None:
        if not 0 < forgetting <= 1:
            raise ValueError(f"forgetting must be above 0 and at most 1, not {forgetting}")
        if not synapse_error >= 0:
            raise ValueError(f"the error of a synapse must be 0 or above, not {synapse_error}")
        if start.rate != LOGISTIC:
            raise ConfigError(
                "neurons of a running network cannot be refitted with their rate",
                seen=start.rate.name,
                allowed=LOGISTIC.name,
                todo="write training.refit: {when: never} and no training.drift, or network.rate: {kind: logistic}",
            )
        self.oscillators = start
        self.synapses: Synapses | TunedSynapses | None = None
        self._errors_hz = errors_hz
        self._told: tuple[int, Tensor] | None = None  # Variances of shifts, and after how many looks.
        self.residual = torch.full((start.count,), torch.nan, dtype=torch.float64)  # Rms of one sample, last look.
        self.looks = 0  # So far.
        self._start, self._synapse_error, self._forgetting = _table(start), synapse_error, forgetting
        size = len(DYNAMICS)
        known = torch.zeros(start.count, size, size, dtype=torch.float64)
        self._information = known if prior is None else prior[:, :size, :size].clone()

    def update(self, record: NetworkRecord, only: Tensor | None = None) -> None:
        """Take in what was measured of a network; a neuron of which no sample is good keeps its values.

        A neuron that is far off is looked at again, up to eleven times in the first look and twice in a later one: a
        step is linear only nearby. The others rest meanwhile.

        Args:
            record: What was measured.
            only: Numbers of the neurons that learn from it, which takes less time; None for all.
        """
        record = record.in_single()
        synapses = self._listed(record)
        seen = record.good.flatten(0, 1).any(0)
        chosen = seen.nonzero()[:, 0] if only is None else only[seen[only]]
        if len(chosen):
            self._information[chosen] = self._forgetting * self._information[chosen]
            if isinstance(synapses, TunedSynapses) and self.looks:
                moved = torch.nn.functional.pad(synapses.wander(), (len(DYNAMICS), 0))
                self.widen(chosen, moved[chosen])
            before = self._values()
            if not self.looks:
                few = record.images(slice(-(-len(record.inputs) // _ROUGH)))
                self._search(few, synapses.without(), chosen, before, (_FAR, _ROUGH_LOOKS, 1.0))
            far, looks = (_LATER_FAR, _LATER_LOOKS) if self.looks else (_FAR, _FIRST_LOOKS)
            if isinstance(synapses, TunedSynapses):  # A chain that has moved is no small change.
                looks = _FIRST_LOOKS
            end = self._search(record, synapses, chosen, before, (far, looks, _MANY))
            # Far from where it leads, what is learned there is no knowledge of it.
            near = end.step[:, : len(DYNAMICS)].abs().amax(1) < _NEAR
            learned = end.found.normal - self._firm(chosen)
            self._information[chosen[near]] = learned[near]
        self.looks += 1

    def widen(self, numbers: Tensor, variance: Tensor) -> None:
        """Take it that some neurons may have changed, so that they follow what is measured next.

        Args:
            numbers: Of the neurons.
            variance: By how much ln gamma, ln sigma and Q of each may have moved, squared, (neuron, 3); with more
                columns also what is known of its synapses.
        """
        fixed, size = self._firm(numbers), variance.shape[1]
        spread = covariance(self._information[numbers] + fixed)
        spread[:, range(size), range(size)] += variance
        self._information[numbers] = covariance(spread) - fixed

    def acting(self, name: str) -> Tensor | None:
        """Give the factor between a weight that acts and the one that was read back.

        Args:
            name: Of the weights: "w_ext.0" and so on.

        Returns:
            (neuron, source), 1 where there is no synapse; None where nothing is known of these.
        """
        kind, _, layer = name.partition(".")
        if not isinstance(self.synapses, Synapses) or not self.synapses.slots or kind not in ("w_ext", "w_int"):
            return None
        return self.synapses.factors[kind == "w_int"][int(layer)]

    def shifts_hz(self) -> dict[str, Tensor]:
        """Return by how many Hz resonances seem to be off, (destination, source) by name; empty where unknown."""
        known = self.synapses
        return known.shifts_hz() if isinstance(known, TunedSynapses) and known.slots else {}

    def chain_shifts(self) -> dict[str, ChainShifts]:
        """Return by how much whole chains seem to be off, by name of the matrix; empty where that is not known."""
        synapses, told = self.synapses, self._told
        if not isinstance(synapses, TunedSynapses):
            return {}
        if told is None or told[0] != self.looks:  # A covariance takes as long as a step.
            variances = self.covariance().diagonal(dim1=1, dim2=2)[:, len(DYNAMICS) :]
            self._told = told = self.looks, variances
        return chain_shifts(synapses, told[1])

    def forget_shifts(self, taken: Mapping[str, Tensor]) -> None:
        """Take it that chains are less off by so many half-linewidths, (destination,) by name of the matrix."""
        if isinstance(self.synapses, TunedSynapses):
            self.synapses = self.synapses.less(taken)

    def weights(self, record: NetworkRecord) -> Weights:
        """Give the weights of a record as they seem to act, in single precision."""
        record = record.in_single()
        return _acting(self._listed(record), record)

    def chain_moves(self, record: NetworkRecord) -> Tensor | None:
        """Return by how much shifts of chains change the weights of a record, per half-linewidth.

        (neuron, source, chain), the chain from the layer before and that of the own layer; None where chains are not
        looked at.
        """
        record = record.in_single()
        synapses = self._listed(record)
        if record.programmed is None or not isinstance(synapses, TunedSynapses) or not synapses.slots:
            return None
        return synapses.chain_moves(record.programmed)

    def tried(self, record: NetworkRecord, numbers: Tensor, dynamics: bool, chains: bool) -> TriedFit:
        """Fit neurons or the chains that feed them to a record, as if nothing had been known of these; keep nothing.

        Args:
            record: What was measured.
            numbers: Of the neurons.
            dynamics: Whether gamma, sigma and Q move.
            chains: Whether the common shift of each chain moves.
        """
        record = record.in_single()
        synapses, before = self._listed(record), self._values()
        moving = torch.zeros(before.shape[1], dtype=torch.bool)
        moving[: len(DYNAMICS)], moving[-len(CHAINS) :] = dynamics, chains
        kept = self.oscillators, self.synapses, self.residual, self._information
        try:
            self.residual, self._information = self.residual.clone(), self._information.clone()
            self._information[numbers] = 0.0
            end = self._search(record, synapses, numbers, before, (_FAR, _FIRST_LOOKS, _MANY), moving)
            bare, none = synapses.without(), torch.zeros(len(before), 0, 0)
            each = [evidence(part, felt, self.oscillators, bare, none, numbers) for part, felt in self._felt(record)]
        finally:
            self.oscillators, self.synapses, self.residual, self._information = kept
        found = sum(each[1:], each[0])
        return TriedFit(end.values[:, : len(DYNAMICS)], end.values[:, -len(CHAINS) :], found.squares, found.samples)

    def widen_chains(self, numbers: Tensor, variance: Tensor) -> None:
        """Take it that the chains of some neurons may have moved, so that they follow what is measured next.

        Args:
            numbers: Of the neurons.
            variance: By how many half-linewidths each chain may have moved, squared, (neuron, chain).
        """
        if isinstance(self.synapses, TunedSynapses) and self.synapses.slots:
            self.widen(numbers, torch.nn.functional.pad(variance, (len(DYNAMICS) + self.synapses.slots, 0)))

    def errors(self) -> Tensor:
        """Give standard errors of gamma, sigma and Q in their units, (parameter, oscillator)."""
        variances = self.covariance().diagonal(dim1=1, dim2=2)[:, : len(DYNAMICS)].T
        return variances.sqrt() * self.oscillators.scales()[: len(DYNAMICS)]

    def covariance(self) -> Tensor:
        """Give the covariance of ln gamma, ln sigma, Q and the errors of synapses, (neuron, parameter, parameter)."""
        return covariance(self._information + self._firm(torch.arange(len(self._information))))

    def neurons(self, nominal: Neurons) -> Neurons:
        """Give nominal neurons with the dynamics as they now seem."""
        return self.oscillators.neurons(nominal)

    def state(self) -> dict[str, Tensor]:
        """Give what a checkpoint must hold."""
        held = {"parameters": self.oscillators.table(), "information": self._information.clone()}
        held["looks"] = torch.tensor(self.looks)
        return held if self.synapses is None else held | self.synapses.state()

    def restore(self, state: dict[str, Tensor]) -> None:
        """Go back to a state that `state` gave."""
        self.oscillators, self._information = Oscillators.of(state["parameters"]), state["information"].clone()
        self.looks, self._told = int(state["looks"]), None
        kind = TunedSynapses if "prior" in state else Synapses
        self.synapses = kind.restored(state) if "sources" in state else None

    def _listed(self, record: NetworkRecord) -> Synapses | TunedSynapses:
        """Give the synapses; lists them, and makes room for what will be known of them, the first time."""
        if self.synapses is not None:
            return self.synapses
        synapses: Synapses | TunedSynapses = Synapses.of(record.weights)
        if record.programmed is not None:
            synapses = TunedSynapses.of(record.weights, record.programmed, self._synapse_error, self._errors_hz)
        numbers = len(synapses.sources) * (len(DYNAMICS) + synapses.unknowns) ** 2
        if numbers > _MOST_NUMBERS:
            _log.warning("refit: the synapses are too many to be fitted; their weights are trusted as read back")
        if not self._synapse_error or numbers > _MOST_NUMBERS:
            synapses = synapses.without()
        self._information = torch.nn.functional.pad(self._information, (0, synapses.unknowns, 0, synapses.unknowns))
        self.synapses = synapses
        return synapses

    def _firm(self, numbers: Tensor) -> Tensor:
        """Give what is never forgotten of some neurons: how far oscillators and synapses may be off at all.

        (parameter, parameter), or with neurons in front where they differ.
        """
        known = torch.full((self._information.shape[1],), 1 / _SPREAD**2, dtype=torch.float64)
        known[len(DYNAMICS) :] = 1 / (self._synapse_error or 1.0) ** 2
        if not isinstance(self.synapses, TunedSynapses):
            return torch.diag(known)
        dynamics = known[: len(DYNAMICS)].expand(len(numbers), -1)
        return torch.diag_embed(torch.cat([dynamics, self.synapses.known()[numbers]], dim=1))

    def _values(self) -> Tensor:
        dynamics = _table(self.oscillators)
        return dynamics if self.synapses is None else torch.cat([dynamics, self.synapses.error], dim=1)

    def _whole_start(self) -> Tensor:
        return torch.nn.functional.pad(self._start, (0, self._information.shape[1] - len(DYNAMICS)))

    def _search(
        self,
        record: NetworkRecord,
        synapses: Synapses | TunedSynapses,
        chosen: Tensor,
        before: Tensor,
        limits: tuple[float, int, float],
        moving: Tensor | None = None,
    ) -> Minimum:
        """Move some neurons to where they fit best; drives go by the model as it is meanwhile.

        Args:
            record: What was measured.
            synapses: Those that are fitted.
            chosen: Numbers of the neurons.
            before: Values that what is known belongs to, (neuron, parameter).
            limits: A step that is linear; looks at most; the share of neurons that still move above which drives are
                worked out again.
            moving: Which parameters move, boolean, (parameter,); None for all.
        """
        far, most_looks, many = limits
        size = len(DYNAMICS) + synapses.unknowns
        known, firm = self._information[chosen, :size, :size], self._firm(chosen)[..., :size, :size]
        begun, first = self._values()[chosen, :size], (self.oscillators, self.synapses)
        away, home = (one[chosen, :size] - begun for one in (before, self._whole_start()))
        parts: list[tuple[NetworkRecord, Felt]] = []
        renewed, under = 0, torch.zeros_like(begun)

        def look(steps: Tensor, busy: Tensor) -> NormalEquations:
            nonlocal parts, renewed, under
            self._move(first, steps, chosen)
            numbers, design = chosen[busy], self._design(synapses, record)
            # A few neurons that still move hardly change what the others feel.
            if not parts or len(busy) > many * len(before):
                parts, renewed, under = self._felt(record), renewed + 1, steps.clone()
            apart = synapses.change(design, (steps - under)[busy, len(DYNAMICS) :], numbers)
            each = [
                evidence(part, felt.moved(numbers, apart), self.oscillators, synapses, design, numbers)
                for part, felt in parts
            ]
            found = sum(each[1:], each[0])
            self.residual[numbers] = (found.squares / found.samples).sqrt()
            likely = found.profiled(max(record.noise, _LEAST_NOISE) ** 2).discounted()
            # That drives were worked out anew may make it look worse.
            cost = found.profiled(_DOUBT**2).squares - _WORSE * renewed * found.samples
            likely = replace(likely, squares=cost).with_prior(known[busy], away[busy] - steps[busy])
            return likely.with_prior(firm if firm.dim() == 2 else firm[busy], home[busy] - steps[busy])

        farthest = torch.full_like(begun, _FARTHEST if isinstance(synapses, TunedSynapses) else torch.inf)
        farthest[:, : len(DYNAMICS)] = _FARTHEST
        end = levenberg_marquardt(
            look,
            torch.zeros_like(begun),
            farthest,
            moving=None if moving is None else moving.expand_as(begun),
            damping=0.0,
            short=far / _FARTHEST,
            least_gain=_LEAST_GAIN,
            most_looks=most_looks,
        )
        self._move(first, end.values, chosen)
        return end

    def _felt(self, record: NetworkRecord) -> list[tuple[NetworkRecord, Felt]]:
        """Give what neurons felt, as far as that is known now, a few sequences at a time."""
        acting, neurons = _acting(self._listed(record), record), self.oscillators.neurons(record.neurons)
        parts = [record.images(slice(k, k + _SEQUENCES)) for k in range(0, len(record.inputs), _SEQUENCES)]
        return [(part, felt_by_network(part, neurons, acting)) for part in parts]

    def _design(self, synapses: Synapses | TunedSynapses, record: NetworkRecord) -> Tensor:
        """Give what errors of synapses do to weights as these seem now, or nothing where they are not fitted."""
        if isinstance(synapses, Synapses):
            return synapses.listed(record.weights)
        now = self.synapses if synapses.slots else synapses
        if not isinstance(now, TunedSynapses) or record.programmed is None:
            raise ValueError("resonators were fitted before, and this record does not say what they were told")
        return now.design(record.programmed)

    def _move(self, first: tuple[Oscillators, Synapses | TunedSynapses | None], steps: Tensor, chosen: Tensor) -> None:
        """Take steps of some neurons, (chosen, parameter), from where a search began."""
        oscillators, synapses = first
        full = torch.zeros(len(PARAMETERS), oscillators.count, dtype=torch.float64)
        full[: len(DYNAMICS), chosen] = steps[:, : len(DYNAMICS)].T
        self.oscillators = oscillators.moved(full)
        if synapses is not None and steps.shape[1] > len(DYNAMICS):
            self.synapses = synapses.moved(steps[:, len(DYNAMICS) :], chosen)


def _acting(synapses: Synapses | TunedSynapses, record: NetworkRecord) -> Weights:
    """Give the weights of a record as they seem to act."""
    if isinstance(synapses, Synapses):
        return synapses.acting(record.weights)
    if record.programmed is None or not synapses.slots:
        return record.weights
    return synapses.acting(record.weights, record.programmed)


def _table(oscillators: Oscillators) -> Tensor:
    """Give ln gamma, ln sigma and Q, (oscillator, parameter)."""
    return torch.stack([oscillators.gamma.log(), oscillators.sigma.log(), oscillators.q], dim=1)
