"""Training of the read-out alone: in closed form, from one look at every training sequence, without a gradient."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from spinhw.device import Signal
from spinhw.errors import ConfigError
from spinhw.estimate import CANDIDATES, Fits, Moments, fit
from spinhw.network import Answer, NetworkSettings, SpintronicNetwork
from spinhw.tasks import Batch, Classes
from spinhw.tasks.objective import wanted, weight_of

_log = logging.getLogger(__name__)

# A neuron of which a smaller share of a batch is good is not used in it.
_LEAST_GOOD = 0.5


class ReadoutLimitError(ConfigError):
    """No read-out lies within the limit of the weights."""


@dataclass(frozen=True, eq=False)
class Solution:
    """The read-out of every member.

    Args:
        w_out: (member, output, neuron).
        b_out: (member, output).
        ridges: What was taken, one for each member.
        errors: Mean squared error over the training part, one for each member.
        held: Whether a better ridge had asked for more than the limit of the weights, one for each member.
        scales: What weights and biases were multiplied by to stay within that limit, one for each member: 1 but for
            classes.
    """

    w_out: Tensor
    b_out: Tensor
    ridges: list[float]
    errors: list[float]
    held: list[bool]
    scales: list[float]


class SolvedReadout:
    """What was seen of the training part so far, as sums, and the read-out that follows from it.

    Args:
        network: As designed.
        members: Networks.
    """

    def __init__(self, network: NetworkSettings, members: int) -> None:
        self._network = network
        self._moments = Moments.zero(members, network.layers[-1], network.outputs)
        self._left_out = torch.zeros(members, dtype=torch.float64)
        self._classes = False
        self._fits: tuple[Moments, float | None, Fits] | None = None  # Made last: of which sums and which ridge.

    def take_in(self, states: Signal, batch: Batch, answer: Answer) -> None:
        """Add the answers of a batch that count.

        An answer with a sample in it that is not good is left out, and counted. A neuron that is mostly not good is
        taken to show nothing in this batch, which costs no answer.

        Args:
            states: y of the last layer at the samples that answer, (member, batch, sample, neuron).
            batch: What was shown.
            answer: How samples are pooled.
        """
        self._classes = isinstance(batch.target, Classes)
        good = states.good
        lost = good.double().mean((1, 2), keepdim=True) < _LEAST_GOOD  # (member, 1, 1, neuron)
        _tell_of(lost[:, 0, 0])
        whole = (good | lost).all(-1, keepdim=True)  # (member, batch, sample, 1)
        if answer.pooled:
            whole = whole.all(2, keepdim=True)
        values = torch.where(good & ~lost, states.values, torch.zeros_like(states.values))
        y = answer.pool(values)  # (member, batch, answer, neuron)
        counts = weight_of(y, batch)
        weight = torch.ones_like(whole, dtype=torch.float64) if counts is None else counts.double()
        self._left_out += ((weight > 0) & ~whole).flatten(1).sum(1)
        targets = wanted(batch, self._network.outputs)
        rows = (one.flatten(1, 2) for one in (y, targets, (weight * whole)[..., 0]))
        self._moments = self._moments.with_rows(*rows)

    def solve(self, ridge: float | None) -> Solution:
        """Solve for the read-out of every member.

        Weights and biases stay within the limit of the network. Of classes, where the largest answer counts, they are
        scaled down together if need be, which changes no class; of values only such ridges are taken as stay within it.

        Args:
            ridge: Above 0; None for the one with the least error by generalised cross-validation.

        Raises:
            ConfigError: No answer can be used.
            ReadoutLimitError: The read-out is beyond the limit of the weights.
        """
        if not bool((self._moments.rows > 0).all()):
            raise ConfigError(
                "training.trainable: there is nothing to solve a read-out from",
                seen=f"{int(self._left_out.sum())} answers with samples that are not good, and no others",
                todo="look at the read-out of the device, or at task.washout",
            )
        fits = self._fitted(ridge)
        w_out, b_out = (fits.weights / self._network.out_gain).float(), fits.biases.float()
        size = torch.maximum(w_out.abs().flatten(2).amax(2), b_out.abs().amax(2))  # (member, ridge)
        limit = self._network.weight_limit
        within = torch.ones_like(size, dtype=torch.bool) if limit is None or self._classes else size <= limit
        if limit is not None and not bool(within.any(1).all()):
            raise _beyond(ridge, float(size.amin(1).max()), limit, self._network.out_gain)
        judged = fits.errors if ridge is not None else fits.validated
        best, free = torch.where(within, judged, torch.inf).argmin(1), judged.argmin(1)
        members = torch.arange(len(best))
        scale = torch.ones(len(best)) if limit is None else (limit / size[members, best]).clamp_max(1.0)
        return Solution(
            w_out[members, best] * scale[:, None, None],
            b_out[members, best] * scale[:, None],
            fits.ridges[best].tolist(),
            fits.errors[members, best].tolist(),
            (best != free).tolist(),
            scale.tolist(),
        )

    def _fitted(self, ridge: float | None) -> Fits:
        """Solve once for every ridge in question: of many neurons it takes a while."""
        kept = self._fits
        if kept is None or kept[0] is not self._moments or kept[1] != ridge:
            kept = self._fits = self._moments, ridge, fit(self._moments, CANDIDATES if ridge is None else [ridge])
        return kept[2]

    def facts(self, ridge: float | None) -> dict[str, Any]:
        """Say how the read-out came about, as plain data, a number for each member.

        Args:
            ridge: As for `solve`.
        """
        found = self.solve(ridge)
        return {
            "ridge": found.ridges,
            "chosen_by": "generalised cross-validation" if ridge is None else "training.ridge",
            "held_by_weight_limit": found.held,
            "scaled_to_weight_limit": found.scales,
            "mse": found.errors,
            "answers": [int(one) for one in self._moments.rows.tolist()],
            "answers_left_out": [int(one) for one in self._left_out.tolist()],
        }

    def tensors(self) -> dict[str, Tensor]:
        """Give what an interrupted run needs to go on."""
        return {**self._moments.named(), "left_out": self._left_out, "classes": torch.tensor(self._classes)}

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Go back to what `tensors` gave."""
        sums = dict(tensors)
        self._left_out, self._classes = sums.pop("left_out").clone(), bool(sums.pop("classes"))
        self._moments = Moments.of(sums)


@torch.no_grad()
def put(solution: Solution, network: SpintronicNetwork) -> None:
    """Give every member of an ensemble its read-out."""
    network.w_out.copy_(solution.w_out)
    network.b_out.copy_(solution.b_out)


def _tell_of(lost: Tensor) -> None:
    for member, row in enumerate(lost):
        if bool(row.any()):
            _log.warning(
                "network %d: most samples of neurons %s of the last layer are not good; they count as 0 in this batch",
                member,
                ", ".join(map(str, row.nonzero()[:, 0].tolist())),
            )


def _beyond(ridge: float | None, size: float, limit: float, out_gain: float) -> ReadoutLimitError:
    what, other = "training.trainable: no ridge keeps", "scale what is right down"
    if ridge is not None:
        what, other = f"training.ridge: {ridge:g} does not keep", "raise training.ridge"
    return ReadoutLimitError(
        f"{what} the read-out within the limit of the weights",
        seen=f"a weight or bias of {size:.4g}",
        allowed=f"at most {limit:g}, network.weight_limit",
        todo=f"raise network.out_gain to {out_gain * size / limit:.3g} or above, or {other}",
    )
