"""Keeps the oscillators and synapses of a running network up to date from its own traces, without extra shots.

Each batch that is looked at gives a residual, what was measured minus what the surrogate does under the drives that
each neuron felt, and one linear step for each neuron: of ln gamma, ln sigma, Q and of the relative errors of its
synapses, which are as plain in the residual as they are and would otherwise pass for errors of the oscillator. What was
learned is kept as information J^T J over the noise, and forgotten by a factor at each look.
"""

import logging
from collections.abc import Sequence

import torch
from torch import Tensor

from spinhw.errors import ConfigError
from spinhw.physics import LOGISTIC
from spinhw.rollout import Neurons, Weights
from spinhw.surrogate.evidence import Evidence, evidence
from spinhw.surrogate.feedback import Felt, NetworkRecord, felt_by_network
from spinhw.surrogate.oscillators import DYNAMICS, PARAMETERS, Oscillators
from spinhw.surrogate.synapses import Synapses

_log = logging.getLogger(__name__)

FORGETTING = 0.98  # What is left of old information after a look.

# A neuron whose step is shorter, or gains less than this in chi-square, has settled.
_FAR, _LEAST_GAIN = 0.01, 1.0
_LATER_FAR = 0.05  # In later looks, which begin near: a step as short as this is linear.
# Within this a step is nearly linear; beyond the other no step goes.
_NEAR, _FARTHEST = 0.1, 0.4
_FIRST_STEPS, _LATER_STEPS = 10, 2
# The first steps of all go far, on a third of the sequences and with the synapses as they were read back: they need not
# be exact.
_ROUGH_STEPS, _ROUGH = 3, 3
_WORSE = 1.5  # Times the squares before: less may come from drives that were worked out anew.
_MANY = 0.2  # Share of neurons that still move above which drives are worked out again.
# Oscillators differ by this much from where they started, unless they show otherwise: keeps those that hardly move.
_SPREAD = 0.3
_SEQUENCES = 16  # Looked at together: what they need stays small.
_MOST_NUMBERS = 2**25  # Of the information about all synapses: 256 MiB.


class CoupledRefit:
    """Oscillators and synapses of one network that learn from its traces.

    Args:
        start: What is known of the oscillators: nominal, or from a record; of the logistic rate.
        synapse_error: Relative error that a synapse is expected to have (1 sigma), 0 or above; 0 trusts what was read
            back.
        forgetting: What is left of old information after a look, above 0 to 1.
        prior: How sure the start is, as `spinhw.surrogate.information` gives it, (oscillator, parameter, parameter);
            None for not at all.

    Raises:
        ConfigError: The oscillators have another rate: the compiled derivatives are those of the logistic one.
    """

    def __init__(
        self,
        start: Oscillators,
        synapse_error: float = 0.1,
        forgetting: float = FORGETTING,
        prior: Tensor | None = None,
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
        self.synapses: Synapses | None = None
        self.residual = torch.full((start.count,), torch.nan, dtype=torch.float64)  # Rms of one sample, last look.
        self.looks = self.steps = 0  # So far; of the last look.
        self._start, self._synapse_error, self._forgetting = _table(start), synapse_error, forgetting
        size = len(DYNAMICS)
        known = torch.zeros(start.count, size, size, dtype=torch.float64)
        self._information = known if prior is None else prior[:, :size, :size].clone()

    def update(self, record: NetworkRecord, only: Tensor | None = None) -> None:
        """Take in what was measured of a network; a neuron of which no sample is good keeps its values.

        A neuron that is far off is looked at again, up to ten times in the first look and twice in a later one, each
        time from the step before: a step is linear only nearby. The others rest meanwhile.

        Args:
            record: What was measured.
            only: Numbers of the neurons that learn from it, which takes less time; None for all.
        """
        record = record.in_single()
        synapses = self._listed(record.weights)
        start, before = self._whole_start(), self._values()
        old, fixed = self._forgetting * self._information, self._fixed()
        weights = synapses.listed(record.weights)
        seen = record.good.flatten(0, 1).any(0)
        busy = seen.nonzero()[:, 0] if only is None else only[seen[only]]
        best = torch.full((len(before),), torch.inf, dtype=torch.float64)
        taken, held, unit = torch.zeros_like(before), before.clone(), torch.full_like(best, torch.nan)
        parts: list[tuple[NetworkRecord, Felt]] = []
        self.steps, far = 0, _LATER_FAR if self.looks else _FAR
        while len(busy) and self.steps < (_LATER_STEPS if self.looks else _FIRST_STEPS):
            rough = not self.looks and self.steps < _ROUGH_STEPS
            # A few neurons that still move hardly change what the others feel, and rough steps go by what was measured.
            renewed = not parts or self.steps == _ROUGH_STEPS or (not rough and len(busy) > len(before) * _MANY)
            if renewed:
                parts = self._felt(record.images(slice(-(-len(record.inputs) // _ROUGH))) if rough else record)
            found = self._evidence(parts, synapses.without() if rough else synapses, weights, busy)
            size = found.gradient.shape[1]
            now = self._values()[busy]
            back, home = ((one[busy] - now)[:, :size] for one in (before, start))
            known, firm = old[busy, :size, :size], fixed[:size]
            unit[busy] = torch.where(unit[busy].isnan(), found.variance(record.noise), unit[busy])
            pull = (known @ back[..., None])[..., 0]
            apart = (back * pull).sum(1) + (firm * home**2).sum(1)
            cost = (found.squares + unit[busy] * apart) / found.samples
            fresh, gradient = _weighed(found, record.noise)
            slope = gradient + pull + firm * home
            learned = known + fresh
            ahead = torch.linalg.solve(learned + torch.diag(firm), slope)
            gain, longest = (ahead * slope).sum(1), ahead[:, : len(DYNAMICS)].abs().amax(1)
            ahead = ahead / (longest / _FARTHEST).clamp_min(1.0)[:, None]
            ahead = torch.nn.functional.pad(ahead, (0, len(fixed) - size))
            # Where a step has made it worse, a quarter of it is taken instead, from where it began.
            worse = (cost > best[busy] * (_WORSE if renewed else 1.001)) & (self.steps != _ROUGH_STEPS)
            held[busy] = torch.where(worse[:, None], held[busy], now)
            step = torch.where(worse[:, None], -0.75 * taken[busy], ahead)
            taken[busy] = torch.where(worse[:, None], taken[busy] / 4, ahead)
            best[busy] = torch.where(worse, best[busy], cost)
            self._move(step, busy)
            if not rough:
                # Far from where it leads, what is learned there is no knowledge of it.
                self._information[busy] = torch.where((longest < _NEAR)[:, None, None], learned, known)
            self.residual[busy] = (found.squares / found.samples).sqrt()
            self.steps += 1
            busy = busy[(longest > far) & (gain > _LEAST_GAIN) | worse | rough]
        # The last step of those that still move was not looked at.
        self._move(held[busy] - self._values()[busy], busy)
        self.looks += 1

    def widen(self, numbers: Tensor, variance: Tensor) -> None:
        """Take it that some neurons may have changed, so that they follow what is measured next.

        Args:
            numbers: Of the neurons.
            variance: By how much ln gamma, ln sigma and Q of each may have moved, squared, (neuron, 3).
        """
        fixed = torch.diag(self._fixed())
        covariance = torch.linalg.inv(self._information[numbers] + fixed)
        size = len(DYNAMICS)
        covariance[:, range(size), range(size)] += variance
        self._information[numbers] = torch.linalg.inv(covariance) - fixed

    def acting(self, name: str) -> Tensor | None:
        """Give the factor between a weight that acts and the one that was read back.

        Args:
            name: Of the weights: "w_ext.0" and so on.

        Returns:
            (neuron, source), 1 where there is no synapse; None where nothing is known of these.
        """
        kind, _, layer = name.partition(".")
        if self.synapses is None or not self.synapses.slots or kind not in ("w_ext", "w_int"):
            return None
        return self.synapses.factors[kind == "w_int"][int(layer)]

    def weights(self, record: NetworkRecord) -> Weights:
        """Give the weights of a record as they seem to act, in single precision."""
        weights = record.in_single().weights
        return self._listed(weights).acting(weights)

    def errors(self) -> Tensor:
        """Give standard errors of gamma, sigma and Q in their units, (parameter, oscillator)."""
        variances = self.covariance().diagonal(dim1=1, dim2=2)[:, : len(DYNAMICS)].T
        return variances.sqrt() * self.oscillators.scales()[: len(DYNAMICS)]

    def covariance(self) -> Tensor:
        """Give the covariance of ln gamma, ln sigma, Q and the errors of synapses, (neuron, parameter, parameter)."""
        return torch.linalg.inv(self._information + torch.diag(self._fixed()))

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
        self.looks = int(state["looks"])
        self.synapses = Synapses.restored(state) if "sources" in state else None

    def _listed(self, weights: Weights) -> Synapses:
        """Give the synapses; lists them, and makes room for what will be known of them, the first time."""
        if self.synapses is not None:
            return self.synapses
        synapses = Synapses.of(weights)
        numbers = len(synapses.sources) * (len(DYNAMICS) + synapses.slots) ** 2
        if numbers > _MOST_NUMBERS:
            _log.warning("refit: the synapses are too many to be fitted; their weights are trusted as read back")
        if not self._synapse_error or numbers > _MOST_NUMBERS:
            synapses = synapses.without()
        self._information = torch.nn.functional.pad(self._information, (0, synapses.slots, 0, synapses.slots))
        self.synapses = synapses
        return synapses

    def _fixed(self) -> Tensor:
        """Give what is never forgotten, (parameter,): how far oscillators and synapses may be off at all."""
        known = torch.full((self._information.shape[1],), 1 / _SPREAD**2, dtype=torch.float64)
        known[len(DYNAMICS) :] = 1 / (self._synapse_error or 1.0) ** 2
        return known

    def _values(self) -> Tensor:
        dynamics = _table(self.oscillators)
        return dynamics if self.synapses is None else torch.cat([dynamics, self.synapses.error], dim=1)

    def _whole_start(self) -> Tensor:
        return torch.nn.functional.pad(self._start, (0, self._information.shape[1] - len(DYNAMICS)))

    def _felt(self, record: NetworkRecord) -> list[tuple[NetworkRecord, Felt]]:
        """Give what neurons felt, as far as that is known now, a few sequences at a time."""
        acting, neurons = self._listed(record.weights).acting(record.weights), self.oscillators.neurons(record.neurons)
        parts = [record.images(slice(k, k + _SEQUENCES)) for k in range(0, len(record.inputs), _SEQUENCES)]
        return [(part, felt_by_network(part, neurons, acting)) for part in parts]

    def _evidence(
        self, parts: Sequence[tuple[NetworkRecord, Felt]], synapses: Synapses, weights: Tensor, busy: Tensor
    ) -> Evidence:
        found = [evidence(part, felt, self.oscillators, synapses, weights, busy) for part, felt in parts]
        return sum(found[1:], found[0])

    def _move(self, step: Tensor, busy: Tensor) -> None:
        full = torch.zeros(len(PARAMETERS), self.oscillators.count, dtype=torch.float64)
        full[: len(DYNAMICS), busy] = step[:, : len(DYNAMICS)].T
        self.oscillators = self.oscillators.moved(full)
        if self.synapses is not None and self.synapses.slots:
            self.synapses = self.synapses.moved(step[:, len(DYNAMICS) :], busy)


def _table(oscillators: Oscillators) -> Tensor:
    """Give ln gamma, ln sigma and Q, (oscillator, parameter)."""
    return torch.stack([oscillators.gamma.log(), oscillators.sigma.log(), oscillators.q], dim=1)


def _weighed(found: Evidence, noise: float) -> tuple[Tensor, Tensor]:
    """Give information and gradient over the noise that residuals show, and over what their correlation makes of it."""
    seen, size = found.variance(noise)[:, None, None], len(DYNAMICS)
    expected, spread = found.normal[:, :size, :size] / seen, found.spread / seen**2
    scale = expected.diagonal(dim1=1, dim2=2).clamp_min(1e-12).sqrt()
    unit, off = (one / scale[:, :, None] / scale[:, None, :] for one in (expected, spread))
    ratio = torch.linalg.solve(unit + 1e-6 * torch.eye(size, dtype=torch.float64), off)
    larger = (ratio.diagonal(dim1=1, dim2=2).mean(1)).clamp_min(1.0)
    weight = 1 / (seen * larger[:, None, None])
    return found.normal * weight, found.gradient * weight[:, 0]
