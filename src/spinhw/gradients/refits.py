"""Refitting the surrogate from the batches just measured, chip by chip."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

import torch
from torch import Tensor

from spinhw.device import Signal, Trace
from spinhw.gradients.chip_batch import ByChip, ChipBatch, row_of
from spinhw.gradients.readout_shifts import Answered, ReadoutShifts, looked
from spinhw.network import SpintronicNetwork
from spinhw.physics import Chain
from spinhw.rollout import Neurons
from spinhw.states import part_of
from spinhw.surrogate import ChainShifts


class Refit(Protocol):
    """Knows the oscillators of one chip, better with each batch."""

    def update(self, batch: ChipBatch) -> None:
        """Take in a batch."""

    def neurons(self, nominal: Neurons) -> Neurons:
        """Put what is known of the oscillators into nominal neurons, (1, neuron)."""

    def acting(self, name: str) -> Tensor | None:
        """Give what weights act by over what was read back, (neuron, source), by name; None where that is not known."""

    def shifts_hz(self) -> Mapping[str, Tensor]:
        """Return by how many Hz resonances seem to be off, (destination, source) by name; empty where unknown."""

    def chain_shifts(self) -> Mapping[str, ChainShifts]:
        """Return by how much whole chains seem to be off, by name of the matrix; empty where that is not known."""

    def forget_shifts(self, taken: Mapping[str, Tensor]) -> None:
        """Take it that chains are less off by so many half-linewidths, (destination,) by name of the matrix."""

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
        self.each, self._by_chip, self._network = tuple(each), ByChip(network, len(each)), network
        outputs = network.settings.outputs if "w_out" in network.tuned() else 0
        self._readouts = [ReadoutShifts.begin(outputs) for _ in self.each if outputs]
        self._stacked: tuple[list[Neurons], Neurons] | None = None
        self._of_chips: tuple[Neurons, list[Neurons]] | None = None

    @torch.no_grad()
    def update(self, inputs: Tensor, trace: Trace, groups: int = 1) -> None:
        """Take in a batch of all members, whose axis is in front; `groups` as for `ChipBatch`."""
        for chip, batch in self._by_chip.batches(inputs, trace, groups):
            self.each[chip].update(batch)

    @torch.no_grad()
    def look_at_readout(self, y: Signal, trace: Trace) -> None:
        """Take in what a read-out of resonators answered to a batch of all members, where refits look at synapses.

        Args:
            y: Of the last layer at the samples that answer, (member, batch, sample, neuron).
            trace: Of the batch.
        """
        network, outputs = self._network, trace.outputs
        if not self._readouts or outputs is None or network.chains is None:
            return
        good, pooled = y.good.all(-1), network.answer.pool(y.values)
        good = (good.all(-1, keepdim=True) if network.answer.pooled else good) & outputs.good.all(-1)
        known = network.resonators()["w_out"]
        for member in range(len(y.values)):
            chip, chosen = member if len(self.each) > 1 else 0, good[member]
            if not self.each[chip].chain_shifts():
                continue
            seen = Answered(
                pooled[member][chosen].double(),
                outputs.values[member][chosen].double(),
                network.chains,
                row_of(known, member),
                trace.applied["w_out"][member].double(),
            )
            self._readouts[chip] = looked(self._readouts[chip], seen)

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

    def resonators(self) -> dict[str, Chain] | None:
        """Return the resonators of all chips as they now seem, for `as_they_act`; None where no more is known."""
        each = [dict(refit.shifts_hz()) for refit in self.each]
        for one, readout in zip(each, self._readouts, strict=False):
            if one:
                one["w_out"] = (self.half_linewidth_hz * readout.values)[:, None]
        names = {name for one in each for name in one}
        if not names:
            return None
        found = self._network.resonators()
        for name in names:
            chain = found[name]
            nothing = torch.zeros(chain.resonance_hz.shape[1:], dtype=torch.float64)
            off = torch.stack([one.get(name, nothing) for one in each])
            found[name] = replace(chain, resonance_hz=chain.resonance_hz + off)
        return found

    @property
    def half_linewidth_hz(self) -> float:
        """Of the resonators as designed; 0 of a network without any."""
        chains = self._network.chains
        return 0.0 if chains is None else chains.settings.half_linewidth_hz

    def moved(self, least: float, sure: float) -> dict[str, Tensor]:
        """Return by how much chains have moved, (chip, destination) by name of the matrix, and forget it.

        In half-linewidths, 0 of a chain that has moved by less than `least`, or by less than `sure` standard errors.
        Matrices of which no chain has moved are left out.
        """
        each = [
            {
                name: torch.where(one.told & (one.values.abs() > (sure * one.errors).clamp_min(least)), one.values, 0.0)
                for name, one in found.items()
            }
            for found in self._by_chain()
        ]
        for refit, taken in zip(self.each, each, strict=True):
            refit.forget_shifts(taken)
        pairs = zip(self._readouts, each, strict=False)
        self._readouts = [one.less(taken["w_out"]) if "w_out" in taken else one for one, taken in pairs]
        names = {name for one in each for name, values in one.items() if bool((values != 0).any())}
        shapes = {name: next(one[name] for one in each if name in one) for name in names}
        return {
            name: torch.stack([one.get(name, torch.zeros_like(like)) for one in each])
            for name, like in sorted(shapes.items())
        }

    def chain_shifts(self) -> list[dict[str, Any]]:
        """Return, as plain data for JSON, which chain of each chip seems to be off most; empty where none is known.

        ``chain``, its ``shift`` and ``error`` in half-linewidths, and how many ``chains`` there are, of which traces
        have ``told`` so many.
        """
        return [_summed_up(found) for found in self._by_chain() if found]

    def _by_chain(self) -> list[dict[str, ChainShifts]]:
        """Return the shifts of the chains of each chip by name of the matrix."""
        each = [dict(refit.chain_shifts()) for refit in self.each]
        for one, readout in zip(each, self._readouts, strict=False):
            if one:  # Else the synapses are trusted as they were read back.
                one["w_out"] = readout.found()
        return each

    def state(self) -> dict[str, Tensor]:
        """Give the states of all chips, by number and name."""
        found = {f"{chip}/{name}": value for chip, one in enumerate(self.each) for name, value in one.state().items()}
        readouts = {
            f"readout/{chip}/{name}": value.clone()
            for chip, one in enumerate(self._readouts)
            for name, value in vars(one).items()
        }
        return found | readouts

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Go back to states that `state` gave."""
        for chip, one in enumerate(self.each):
            one.restore(part_of(state, str(chip)))
        self._readouts = [
            ReadoutShifts(**part_of(state, f"readout/{chip}")) if f"readout/{chip}/values" in state else one
            for chip, one in enumerate(self._readouts)
        ]


def _summed_up(found: Mapping[str, ChainShifts]) -> dict[str, Any]:
    """Sum the shifts of the chains of one chip up."""
    told, chains = sum(int(one.told.sum()) for one in found.values()), sum(len(one.told) for one in found.values())
    places = {name: torch.where(one.told, one.values.abs(), -1.0) for name, one in found.items()}
    name = max(places, key=lambda one: float(places[one].max()))
    row = int(places[name].argmax())
    # Rounded: the last bits of these solutions differ from call to call, and a run resumes bit for bit.
    size, error = (round(float(one[row]), 6) for one in (found[name].values, found[name].errors))
    return {"chain": f"{name} [{row}]", "shift": size, "error": error, "chains": chains, "told": told}


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
