"""Watches all chips of a device for drift while networks train on it, and does on alarm what it was told."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from torch import Tensor

from spinhw.device import Description, Trace
from spinhw.gradients.channels import place_of
from spinhw.gradients.chip_batch import ByChip, ChipBatch
from spinhw.gradients.network_refit import NetworkRefit
from spinhw.gradients.network_watch import Look, NetworkWatch
from spinhw.gradients.neuron_chart import Shift
from spinhw.gradients.watch_settings import WatchSettings
from spinhw.network import SpintronicNetwork
from spinhw.states import part_of
from spinhw.surrogate import CHAINS

_log = logging.getLogger(__name__)

_NAMED = 5  # Neurons of a chip named in a message.


@dataclass(frozen=True)
class DriftAlarm:
    """A neuron that has changed.

    Args:
        batch: Batches in the loop so far, this one included.
        device_id: Its chip.
        neuron: Its number.
        place: For people: "layer 1, number 9".
        score: T^2.
        limit: Which it is beyond.
        parameters: By how much what explains it has moved: relative for gamma, sigma and gain; in half-linewidths for a
            chain, such as "chain w_int.0 [3]".
        instead: The same of what would explain it as well.
    """

    batch: int
    device_id: str
    neuron: int
    place: str
    score: float
    limit: float
    parameters: dict[str, float]
    instead: dict[str, float] = field(default_factory=dict)

    def __str__(self) -> str:
        other = f", or as well {_moved(self.instead)}" if self.instead else ""
        return f"neuron {self.neuron} ({self.place}): {_moved(self.parameters)}{other}"


class DeviceWatch:
    """A watch for each chip of a device, and what they saw.

    Args:
        each: By chip, in the order of the members.
        about: The device.
        network: The networks on it.
        settings: How to watch.
        refits: Of the model of the gradient, which take up what has changed; None where there are none.
    """

    def __init__(
        self,
        each: Sequence[NetworkWatch],
        about: Description,
        network: SpintronicNetwork,
        settings: WatchSettings,
        refits: Sequence[NetworkRefit] | None = None,
    ) -> None:
        self._each, self._about, self._settings, self._refits = tuple(each), about, settings, refits
        self._by_chip, self._layers = ByChip(network, len(each)), network.settings.topology().slices()
        self._beyond: set[tuple[int, int]] = set()  # Chips and neurons that are known to have changed and were left so.
        self.batches = 0  # In the loop so far.
        self.alarms: tuple[DriftAlarm, ...] = ()
        self.looks: list[dict[str, Any]] = []  # Since `taken` was called last.
        self._stopping: tuple[DriftAlarm, ...] = ()

    @torch.no_grad()
    def update(self, inputs: Tensor, trace: Trace, groups: int = 1) -> None:
        """Take in a batch of all members, whose axis is in front, before its gradient is taken.

        Args:
            inputs: u, (member, batch, time, input).
            trace: What was measured; does nothing where the power of no neuron was observed.
            groups: Batches after which every neuron was observed, where channels take turns.
        """
        if trace.power is None or not bool(trace.power.good.any()):
            return
        self.batches += 1
        batches: dict[int, list[ChipBatch]] = {}
        for chip, batch in self._by_chip.batches(inputs, trace, groups):
            batches.setdefault(chip, []).append(batch)
        looks = {chip: look for chip, one in batches.items() if (look := self._each[chip].look(one)) is not None}
        for chip, look in looks.items():
            self._act(chip, look, batches[chip])
        if looks:
            self.looks.append(self._row(looks))

    def taken(self) -> list[dict[str, Any]]:
        """Give the looks since this was called last, as plain data for JSON."""
        found, self.looks = self.looks, []
        return found

    def forget_shifts(self, taken: Mapping[str, Tensor]) -> None:
        """Go on with the resonators of the first batches, although the networks take them to be elsewhere.

        Args:
            taken: By how many half-linewidths, (chip, destination) by name of the matrix.
        """
        if taken:
            for chip, one in enumerate(self._each):
                one.forget_shifts({name: moved[chip] for name, moved in taken.items()})

    def stop(self) -> str:
        """Say why to stop, once for each alarm; empty where there is no reason or nothing was said of stopping."""
        alarms, self._stopping = self._stopping, ()
        return _told(alarms)

    def state(self) -> dict[str, Any]:
        """Give what an interrupted run needs to go on, as plain data for JSON."""
        return {
            "batches": self.batches,
            "alarms": [asdict(one) for one in self.alarms],
            "looks": self.looks,
            "beyond": sorted(self._beyond),
        }

    def tensors(self) -> dict[str, Tensor]:
        """Give the tensors that an interrupted run needs to go on: what the charts know."""
        return {f"{chip}/{name}": value for chip, one in enumerate(self._each) for name, value in one.state().items()}

    def restore(self, state: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> None:
        """Go back to a state that `state` and `tensors` gave."""
        self.batches, self.looks = int(state["batches"]), list(state["looks"])
        self.alarms = tuple(DriftAlarm(**one) for one in state["alarms"])
        self._beyond = {(chip, neuron) for chip, neuron in state["beyond"]}
        for chip, one in enumerate(self._each):
            one.restore(part_of(tensors, str(chip)))

    def _act(self, chip: int, look: Look, batches: Sequence[ChipBatch]) -> None:
        """Do what is to be done about what a look shows."""
        beyond = {one.neuron for one in look.shifts}
        seen = set((look.score > 0).nonzero()[:, 0].tolist())
        known = {neuron for where, neuron in self._beyond if where == chip}
        fresh = [one for one in look.shifts if one.neuron not in known]
        # Who is within the limit again may raise another alarm.
        self._beyond -= {(chip, neuron) for neuron in (known & seen) - beyond}
        if not fresh:
            return
        fresh = self._each[chip].weighed(batches, fresh)
        alarms = tuple(self._alarm(chip, one) for one in fresh)
        self.alarms += alarms
        action = self._settings.action
        _log.warning("drift after batch %d in the loop: %s", self.batches, _told(alarms))
        if action == "log":
            self._beyond |= {(chip, one.neuron) for one in fresh}
            return
        if self._refits is not None:
            self._refits[chip].renew(batches, self._settings.images, fresh)
        self._each[chip].renew(batches, fresh)
        if action == "stop":
            self._stopping += alarms

    def _alarm(self, chip: int, one: Shift) -> DriftAlarm:
        place, device_id = place_of(self._layers, one.neuron), self._about.device_ids[chip]
        told = [self._told(one.neuron, each) for each in (one.parameters, one.instead)]
        return DriftAlarm(self.batches, device_id, one.neuron, place, one.score, one.limit, *told)

    def _told(self, neuron: int, moved: Mapping[str, float]) -> dict[str, float]:
        """Name chains by their place, as metrics do."""
        layer = next(number for number, own in enumerate(self._layers) if own.start <= neuron < own.stop)
        row = neuron - self._layers[layer].start
        return {f"chain {name}.{layer} [{row}]" if name in CHAINS else name: one for name, one in moved.items()}

    def _row(self, looks: Mapping[int, Look]) -> dict[str, Any]:
        """Sum up a look at all chips."""
        chip = max(looks, key=lambda number: float(looks[number].score.max()))
        look = looks[chip]
        return {
            "batch": self.batches,
            "largest_score": float(look.score.max()),
            "limit": look.limit,
            "device": self._about.device_ids[chip],
            "neuron": int(look.score.argmax()),
            "beyond": [[self._about.device_ids[one], shift.neuron] for one in looks for shift in looks[one].shifts],
        }


def _moved(parameters: Mapping[str, float]) -> str:
    return ", ".join(
        f"{name} {value:+.2f} half-linewidths"
        if name.startswith("chain ")
        else f"{name} {value:+.3f}"
        if name == "q"
        else f"{name} {100 * value:+.1f} %"
        for name, value in parameters.items()
    )


def _told(alarms: Sequence[DriftAlarm]) -> str:
    """Name what has changed, chip by chip."""
    chips: dict[str, list[DriftAlarm]] = {}
    for one in alarms:
        chips.setdefault(one.device_id, []).append(one)
    parts = []
    for device_id, here in chips.items():
        shown = "; ".join(str(one) for one in here[:_NAMED])
        more = f"; and {len(here) - _NAMED} more" if len(here) > _NAMED else ""
        parts.append(f"{device_id}: {len(here)} changed: {shown}{more}")
    return " | ".join(parts)
