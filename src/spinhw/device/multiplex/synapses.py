"""A network's weights on the few resonators of a lab: chain after chain, in groups of as many as there are.

Voltages of a chain add up, so the weights of a row can be measured group by group: each group of its sources is played
through the resonators that there are, one tone at a time, and what was measured is the weight that acts. What differs
from a chain that has a resonator for every source: the groups are not in each other's tails, each sits on the same
ladder of tones, and sources without a synapse feel nothing.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from spinhw.device.banks import SynapseBank
from spinhw.device.verified import VerifyPlan, program_and_verify
from spinhw.errors import some_of
from spinhw.physics import alternating, chain_weights
from spinhw.surrogate import CalibratedSynapses

_log = logging.getLogger(__name__)
_NAMED = 5  # Synapses that a message names.


@dataclass(frozen=True)
class Groups:
    """The synapses of a network in groups of as many resonators as there are, (group, resonator) each.

    Args:
        place: Where each stands among all weights of the network, one weight matrix after the other, row by row.
        used: Which resonators of a group have a synapse.
        names: Of the weight matrices, in that order.
        shapes: Of these, (destination, source).
    """

    place: Tensor
    used: Tensor
    names: tuple[str, ...]
    shapes: tuple[tuple[int, int], ...]

    @classmethod
    def of(cls, present: Mapping[str, Tensor], working: Tensor) -> "Groups":
        """Deal the synapses of each row out to the resonators in turn.

        Args:
            present: Which synapses exist, boolean, (destination, source) by name.
            working: Which resonators can be tuned, boolean, (resonator,): at least one.
        """
        resonators = working.nonzero()[:, 0]
        groups: list[Tensor] = []
        first = 0
        for mask in present.values():
            for row, line in enumerate(mask):
                places = first + row * mask.shape[1] + line.nonzero()[:, 0]
                groups += [some for some in places.split(len(resonators)) if len(some)]
            first += mask.numel()
        place = torch.zeros(len(groups), len(working), dtype=torch.int64)
        used = torch.zeros(len(groups), len(working), dtype=torch.bool)
        for number, some in enumerate(groups):
            chosen = resonators[: len(some)]
            place[number, chosen], used[number, chosen] = some, True
        shapes = tuple((mask.shape[0], mask.shape[1]) for mask in present.values())
        return cls(place, used, tuple(present), shapes)

    def taken(self, weights: Mapping[str, Tensor]) -> Tensor:
        """Return the weights by group, (group, resonator), float64; 0 where a resonator has none."""
        flat = torch.cat([weights[name].flatten() for name in self.names]).double()
        return flat[self.place] * self.used

    def put(self, values: Tensor) -> dict[str, Tensor]:
        """Return weights (destination, source) by name from groups; 0 where there is no synapse."""
        flat = torch.zeros(sum(rows * columns for rows, columns in self.shapes), dtype=values.dtype)
        flat[self.place[self.used]] = values[self.used]
        parts = flat.split([rows * columns for rows, columns in self.shapes])
        return {name: part.view(shape) for name, part, shape in zip(self.names, parts, self.shapes, strict=True)}

    def called(self, group: int, resonator: int) -> str:
        """Return the name of a synapse, such as "w_int.0[3, 5]"."""
        place = int(self.place[group, resonator])
        for name, (rows, columns) in zip(self.names, self.shapes, strict=True):
            if place < rows * columns:
                return f"{name}[{place // columns}, {place % columns}]"
            place -= rows * columns
        raise ValueError(f"there is no synapse {group}, {resonator}")


class MultiplexedSynapses:
    """Weights of a network, measured on the resonators of a bank.

    A programming that is measured sets each group to what the record says, and verifies and corrects it as the plan
    says. Programmings between two measured ones move nothing on the bench: they act as the record says, off by what the
    last measured one was off.

    Args:
        bank: The resonators; nobody else uses them meanwhile.
        known: Their record.
        every: Programmings from one that is measured to the next, 1 and above.
        plan: Of a group.
    """

    def __init__(self, bank: SynapseBank, known: CalibratedSynapses, every: int, plan: VerifyPlan) -> None:
        self.bank, self.known, self._every, self._plan = bank, known, every, plan
        self._groups: Groups | None = None
        self._off = torch.zeros(0, dtype=torch.float64)  # Measured less expected at the last measuring.
        self._since = 0  # Programmings since then.
        self.readings = self.measured = 0  # Readings, and programmings that were measured, so far.

    def program(self, weights: Mapping[str, Tensor], present: Mapping[str, Tensor], afresh: bool) -> dict[str, Tensor]:
        """Return the weights that act, (destination, source) by name, float64; 0 where there is no synapse.

        Args:
            weights: Wanted, (destination, source) by name.
            present: Which synapses exist, boolean, by name.
            afresh: Whether to measure, even if it is not yet time.

        Raises:
            DeviceError: The bench failed and was made safe.
        """
        groups = Groups.of(present, self.known.working)
        same = self._groups is not None and torch.equal(self._groups.place, groups.place)
        wanted = groups.taken(weights)
        expected = self.known.weights(self.known.tuning_for(wanted))
        if afresh or not same or self._since >= self._every:
            acting = self._measure(groups, wanted)
            self._groups, self._off, self._since = groups, acting - expected, 0
        self._since += 1
        return groups.put(expected + self._off)

    def most_readings(self, present: Mapping[str, Tensor]) -> int:
        """Return the most readings that a measured programming takes."""
        return self._plan.most(self.known, int(Groups.of(present, self.known.working).used.sum()))

    def groups(self, present: Mapping[str, Tensor]) -> int:
        """Return how many groups of resonators the synapses make."""
        return len(Groups.of(present, self.known.working).used)

    def _measure(self, groups: Groups, wanted: Tensor) -> Tensor:
        acting, zero, missed = torch.zeros_like(wanted), None, []
        for number, (some, used) in enumerate(zip(wanted, groups.used, strict=True)):
            found = program_and_verify(self.bank, self.known, some, self._plan, used, zero)
            zero = found.zero  # Of the voltmeter, once for all groups.
            self.readings += found.readings
            acting[number] = torch.where(used, found.weights, acting[number])
            missed += [groups.called(number, int(one)) for one in (used & ~found.reachable).nonzero()[:, 0]]
        self.measured += 1
        if missed:
            _log.warning(
                "%s: %d weights are out of reach of the resonators and act as measured: %s",
                self.bank.name,
                len(missed),
                some_of(missed, _NAMED),
            )
        return acting

    def state(self) -> dict[str, Any]:
        """Return what a replay needs, as plain data for JSON."""
        known = self._groups
        return {
            "bank": self.bank.state(),
            "since": self._since,
            "readings": self.readings,
            "measured": self.measured,
            "off": self._off.tolist(),
            "present": None if known is None else {name: mask.tolist() for name, mask in _masks(known).items()},
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go back to a state that `state` gave."""
        self.bank.restore(state["bank"])
        self._since, self.readings, self.measured = (int(state[name]) for name in ("since", "readings", "measured"))
        self._off = torch.tensor(state["off"], dtype=torch.float64)
        masks = state["present"]
        kept = None if masks is None else {name: torch.tensor(mask) for name, mask in masks.items()}
        self._groups = None if kept is None else Groups.of(kept, self.known.working)


def _masks(groups: Groups) -> dict[str, Tensor]:
    return {name: mask > 0 for name, mask in groups.put(groups.used.double()).items()}


def left_out(known: CalibratedSynapses, sources: int) -> float:
    """Return what the tails of the other groups would add to a weight, rms over the sources, over the largest weight.

    Of a chain with as many resonators as sources, on the ladder of the record continued, all tuned to their source.

    Args:
        known: The record.
        sources: Of the longest row.
    """
    count, tones = int(known.working.sum()), known.tones_hz
    spacing = float(tones[-1] - tones[0]) / max(1, len(tones) - 1)
    every = tones[0] + spacing * torch.arange(sources, dtype=torch.float64)
    width = known.chain.half_linewidth_hz.abs().median()
    signs = alternating(sources).double()

    def tails(first: int, last: int) -> Tensor:
        some = every[first:last]
        return chain_weights(some, some[None], width, signs[None, first:last])[0]

    grouped = torch.cat([tails(first, first + count) for first in range(0, sources, count)])
    return float((tails(0, sources) - grouped).square().mean().sqrt())


def present_of(shapes: Mapping[str, Sequence[int]], masks: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return which synapses of weight matrices exist, boolean, by name; all of a matrix that has no mask."""
    every = {name: torch.ones(*shape, dtype=torch.bool) for name, shape in shapes.items()}
    return {name: masks[name].bool() if name in masks else mask for name, mask in every.items()}
