"""A control chart of the neurons of a running network: has any of them changed since the looks before?

What the model of the first looks misses by is projected on what a shift of ln gamma, ln sigma, Q and of the read-out's
gain would do, of resonators also one of the chains that feed the neuron, g = J^T (measured - model), A = J^T J. Looks
at which nothing has moved give g a mean A m, for no model is quite right, and a covariance B, seen from the scatter of
the sequences of a batch. They find m and its covariance C, and by how much, k, looks scatter more than sequences make
believe. Of a later look

    T^2 = (g - A m)^T (k B + A (k C + e^2) A)^-1 (g - A m)

is compared with the limit of Hotelling's T^2 for so many sequences: e is a shift too small to matter. As the network
trains, what the model misses by moves slowly: m follows the looks that are within the limit, and the limit has a
margin.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from scipy.special import chdtri, fdtri
from torch import Tensor

from spinhw.surrogate.shifts import WATCHED, WITH_CHAINS, ShiftEvidence

# What is left of an old look in the baseline: about ten looks make it. A drift that takes longer is followed unseen.
_KEPT = 0.9
# Times the limit that chance alone asks for: what the model misses by also moves as the network trains, in jumps, too.
# A shift of 5 % of a neuron that moves scores 2 times that limit and more.
_MARGIN = 1.5
# How far the model of the first looks may be off, and what is too small a shift to matter.
_SPREAD, _LEAST = 0.1, 0.003
# Of what is left once the parameters that are named have moved, as a probability: less is unexplained.
_UNEXPLAINED = 0.01


@dataclass(frozen=True)
class Shift:
    """What one neuron shows.

    Args:
        neuron: Its number.
        score: T^2.
        limit: Beyond which it has changed.
        parameters: By how much the fewest parameters that explain it have moved: relative for gamma, sigma and gain, in
            half-linewidths for its chains, w_ext and w_int.
        instead: The same of what would explain it about as well: a chain in place of the neuron, or the reverse.
    """

    neuron: int
    score: float
    limit: float
    parameters: Mapping[str, float]
    instead: Mapping[str, float] = field(default_factory=dict)


class NeuronChart:
    """Looks at the neurons of one network, each with a baseline of its own.

    Args:
        neurons: How many.
        learn: Looks of a new baseline of which nothing is forgotten, at least 1.
        false_alarms: Probability of an alarm of an unchanged neuron at a look.
        chains: Whether looks show shifts of chains beside.
    """

    def __init__(self, neurons: int, learn: int, false_alarms: float, chains: bool = False) -> None:
        self._learn, self._false_alarms = learn, false_alarms
        self._names = WITH_CHAINS if chains else WATCHED
        self._size = len(self._names)
        self._looks = torch.zeros(neurons, dtype=torch.int64)  # That the baseline is made of.
        self._mean = torch.zeros(neurons, self._size, dtype=torch.float64)
        self._known = torch.eye(self._size, dtype=torch.float64).repeat(neurons, 1, 1) / _SPREAD**2
        self._excess = torch.zeros(2, dtype=torch.float64)  # Sum and number of what k was found from.

    @property
    def excess(self) -> float:
        """By how much looks scatter more, in variance, than the sequences of one make believe; at least 1."""
        total, count = self._excess.tolist()
        return max(1.0, total / count) if count else 1.0

    def learn(self, found: ShiftEvidence) -> None:
        """Take a look into the baseline; nothing is judged."""
        seen = found.sequences > 0
        before = seen & (self._looks > 0)
        if bool(before.any()):
            single = self._scores(found.gradient - self._expected(found), found.normal, found.spread, 1.0)[before]
            ratio = float(single.median()) / float(chdtri(self._size, 0.5))
            self._excess += torch.tensor([ratio, 1.0], dtype=torch.float64)
        self._include(found, seen)

    def judge(self, found: ShiftEvidence) -> tuple[Tensor, float, list[Shift]]:
        """Compare a look with the baseline, which takes it in where it is within the limit.

        Returns:
            T^2 of each neuron (0 of one that was not observed or has no baseline), the limit, and what has changed.
        """
        seen = found.sequences > 0
        judged = seen & (self._looks > 0)
        scores = self._scores(found.gradient - self._expected(found), found.normal, found.spread, self.excess)
        scores = torch.where(judged, scores, torch.zeros_like(scores))
        limit = self._limit(found)
        beyond = scores > limit
        shifts = [self._explained(found, number, float(scores[number]), limit) for number in _numbers(beyond)]
        self._include(found, seen & ~beyond)
        return scores, limit, shifts

    def renew(self, numbers: Tensor) -> None:
        """Forget the baseline of some neurons, by number: the next looks make a new one."""
        self._looks[numbers] = 0
        self._mean[numbers] = 0.0
        self._known[numbers] = torch.eye(self._size, dtype=torch.float64) / _SPREAD**2

    def state(self) -> dict[str, Tensor]:
        """Give what a checkpoint must hold."""
        return {name: getattr(self, f"_{name}").clone() for name in _HELD}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Go back to a state that `state` gave."""
        for name in _HELD:
            setattr(self, f"_{name}", state[name].clone())

    def _expected(self, found: ShiftEvidence) -> Tensor:
        return (found.normal @ self._mean[..., None])[..., 0]

    def _include(self, found: ShiftEvidence, chosen: Tensor) -> None:
        """Improve the baseline of some neurons, a mask, by the weighted mean of looks."""
        turned = torch.linalg.solve(_firm(found.spread), found.normal).transpose(1, 2)
        weight, pull = turned @ found.normal, turned @ (found.gradient - self._expected(found))[..., None]
        prior = torch.eye(self._size, dtype=torch.float64) / _SPREAD**2
        kept = torch.where(self._looks < self._learn, 1.0, _KEPT).double()[:, None, None]
        known = prior + kept * (self._known - prior) + weight
        mean = self._mean + torch.linalg.solve(known, pull)[..., 0]
        self._known = torch.where(chosen[:, None, None], known, self._known)
        self._mean = torch.where(chosen[:, None], mean, self._mean)
        self._looks = self._looks + chosen

    def _covariance(self, normal: Tensor, spread: Tensor, excess: float) -> Tensor:
        doubt = excess * torch.linalg.inv(self._known) + _LEAST**2 * torch.eye(self._size, dtype=torch.float64)
        return excess * spread + normal @ doubt @ normal.transpose(1, 2)

    def _scores(self, apart: Tensor, normal: Tensor, spread: Tensor, excess: float) -> Tensor:
        covariance = _firm(self._covariance(normal, spread, excess))
        return (apart * torch.linalg.solve(covariance, apart[..., None])[..., 0]).sum(1)

    def _limit(self, found: ShiftEvidence) -> float:
        seen = found.sequences[found.sequences > 0]
        count = max(float(seen.min()) if len(seen) else 0.0, self._size + 1.0)
        factor = self._size * (count - 1) / (count - self._size)
        return _MARGIN * factor * float(fdtri(self._size, count - self._size, 1 - self._false_alarms))

    def _explained(self, found: ShiftEvidence, number: int, score: float, limit: float) -> Shift:
        """Name the fewest parameters that explain a look, and by how much they moved."""
        normal = found.normal[number]
        apart = found.gradient[number] - normal @ self._mean[number]
        weight = torch.linalg.inv(_firm(self._covariance(found.normal, found.spread, self.excess)[number]))
        chosen: list[int] = []
        while len(chosen) < self._size:
            rest = [place for place in range(self._size) if place not in chosen]
            left = {place: _left(apart, normal[:, [*chosen, place]], weight) for place in rest}
            chosen.append(min(left, key=lambda place: left[place]))
            if len(rest) == 1 or left[chosen[-1]] < float(chdtri(len(rest) - 1, _UNEXPLAINED)):
                break
        shift = _fitted(apart, normal[:, chosen], weight)
        # Rounded: the last bits of these solutions differ from call to call, and a run resumes bit for bit.
        named = {self._names[place]: round(value, 6) for place, value in zip(chosen, shift.tolist(), strict=True)}
        return Shift(number, score, limit, {name: named[name] for name in self._names if name in named})


_HELD = ("looks", "mean", "known", "excess")


def _numbers(mask: Tensor) -> list[int]:
    found: list[int] = mask.nonzero()[:, 0].tolist()
    return found


def _firm(matrix: Tensor) -> Tensor:
    """Add so much to the diagonal that a neuron which hardly moves has a matrix that can be inverted."""
    return matrix + torch.diag_embed(matrix.diagonal(dim1=-2, dim2=-1) * 1e-9 + 1e-15)


def _fitted(total: Tensor, moves: Tensor, weight: Tensor) -> Tensor:
    return torch.linalg.lstsq(moves.T @ weight @ moves, moves.T @ weight @ total[:, None]).solution[:, 0]


def _left(total: Tensor, moves: Tensor, weight: Tensor) -> float:
    """Give the score once a shift of some parameters is taken out."""
    apart = total - moves @ _fitted(total, moves, weight)
    return float(apart @ weight @ apart)
