"""Refitting the surrogate from the batches just measured, chip by chip."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import torch
from torch import Tensor

from spinhw.device import Trace
from spinhw.network import NetworkSettings, SpintronicNetwork
from spinhw.rollout import Neurons, Sparsity, Steps, Weights
from spinhw.states import part_of


@dataclass(frozen=True, eq=False)
class ChipBatch:
    """What one chip was given and gave.

    Args:
        network: The network as designed.
        nominal: Its neurons, (1, neuron).
        steps: Time grid of the surrogate.
        weights: As applied, with a member axis of one.
        inputs: u, (1, batch, time, input).
        trace: What was measured, with a member axis of one.
        groups: Batches after which every neuron was observed, where the channels take turns.
    """

    network: NetworkSettings
    nominal: Neurons
    steps: Steps
    weights: Weights
    inputs: Tensor
    trace: Trace
    groups: int = 1


class ByChip:
    """Cuts what was measured of networks into what each chip was given and gave.

    Args:
        network: The networks.
        chips: How many chips; one is shared by members that run one after another.
    """

    def __init__(self, network: SpintronicNetwork, chips: int) -> None:
        self._network, self._chips = network, chips
        masks = {name: mask if network.ensemble else mask[None] for name, mask in network.masks().items()}
        members = len(next(iter(masks.values())))
        if chips == 1 and members > 1:  # The synapses of a chip are those of all networks that it runs.
            masks = {name: mask.any(0, keepdim=True).expand_as(mask) for name, mask in masks.items()}
        heard = network.heard(masks)
        self._sparsities = [_sparsity(heard, member) for member in range(members)]

    def batches(self, inputs: Tensor, trace: Trace, groups: int) -> Iterator[tuple[int, ChipBatch]]:
        """Give the number of the chip and what it gave, for every member; arguments as for `Refits.update`."""
        network, designed = self._network, self._network.settings.neurons(torch.float64)
        known = network.neurons()
        for member, sparsity in enumerate(self._sparsities):
            alone = trace.of_member(member)
            # As designed, but with the corners that a record has measured.
            nominal = replace(designed, cutoff_hz=known.of_member(member).cutoff_hz.double())
            yield (
                member if self._chips > 1 else 0,
                ChipBatch(
                    network.settings,
                    nominal,
                    network.steps,
                    replace(network.weights(self._acting(member, alone.applied)), sparsity=sparsity),
                    inputs[member : member + 1],
                    alone,
                    groups,
                ),
            )

    def _acting(self, member: int, applied: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Turn what a device has applied into what acts of it by the model, with a member axis of one."""
        masks = {name: mask[member : member + 1] for name, mask in self._network.member_masks().items()}
        return self._network.as_they_act(applied, masks)


class Refit(Protocol):
    """Knows the oscillators of one chip, better with each batch."""

    def update(self, batch: ChipBatch) -> None:
        """Take in a batch."""

    def neurons(self, nominal: Neurons) -> Neurons:
        """Put what is known of the oscillators into nominal neurons, (1, neuron)."""

    def acting(self, name: str) -> Tensor | None:
        """Give what weights act by over what was read back, (neuron, source), by name; None where that is not known."""

    def state(self) -> dict[str, Tensor]:
        """Give what a checkpoint must hold."""

    def restore(self, state: dict[str, Tensor]) -> None:
        """Go back to a state that `state` gave."""


class Refits:
    """One refit for each chip.

    Args:
        each: By chip, in the order of the members; a single one is shared by members that run one after another.
        network: The networks on the chips.
    """

    def __init__(self, each: Sequence[Refit], network: SpintronicNetwork) -> None:
        self.each, self._by_chip = tuple(each), ByChip(network, len(each))
        self._stacked: tuple[list[Neurons], Neurons] | None = None
        self._of_chips: tuple[Neurons, list[Neurons]] | None = None

    @torch.no_grad()
    def update(self, inputs: Tensor, trace: Trace, groups: int = 1) -> None:
        """Take in a batch of all members, whose axis is in front; `groups` as for `ChipBatch`."""
        for chip, batch in self._by_chip.batches(inputs, trace, groups):
            self.each[chip].update(batch)

    def neurons(self, nominal: Neurons) -> Neurons:
        """Give the neurons of all chips, (chip, neuron), from nominal ones, (1 or chip, neuron)."""
        parts = self._of_chips
        if parts is None or parts[0] is not nominal:
            parts = (nominal, [nominal.of_member(chip) for chip in range(len(self.each))])
            self._of_chips = parts
        each = [refit.neurons(part) for refit, part in zip(self.each, parts[1], strict=True)]
        known = self._stacked
        if known is None or any(one is not other for one, other in zip(known[0], each, strict=True)):
            known = (each, stacked(each))
            self._stacked = known
        return known[1]

    def acting(self, name: str) -> Tensor | None:
        """Give what weights act by over what was read back, (chip, neuron, source); None where that is not known."""
        each = [refit.acting(name) for refit in self.each]
        known = next((one for one in each if one is not None), None)
        if known is None:
            return None
        return torch.stack([torch.ones_like(known) if one is None else one for one in each])

    def state(self) -> dict[str, Tensor]:
        """Give the states of all chips, by number and name."""
        return {f"{chip}/{name}": value for chip, one in enumerate(self.each) for name, value in one.state().items()}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Go back to states that `state` gave."""
        for chip, one in enumerate(self.each):
            one.restore(part_of(state, str(chip)))


def _sparsity(masks: Mapping[str, Tensor], member: int) -> Sparsity:
    alone = {name: mask[member : member + 1] for name, mask in masks.items()}
    layers = range(len(alone) // 2)
    return Sparsity.of([alone[f"w_ext.{one}"] for one in layers], [alone[f"w_int.{one}"] for one in layers])


def stacked(each: Sequence[Neurons]) -> Neurons:
    """Put the neurons of chips, each (1, neuron), on top of each other; the electronics are those of the first."""
    if len(each) == 1:
        return each[0]
    first = each[0]

    def together(name: str) -> Tensor:
        return torch.cat([getattr(one, name) for one in each])

    return replace(
        first,
        gamma=together("gamma"),
        sigma=together("sigma"),
        q=together("q"),
        cutoff_hz=together("cutoff_hz"),
        gain=together("gain"),
    )
