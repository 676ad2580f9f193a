"""What each chip of a device was given in a batch, and what it gave."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from spinhw.device import Trace
from spinhw.network import NetworkSettings, SpintronicNetwork
from spinhw.physics import Chain
from spinhw.rollout import Neurons, Sparsity, Steps, Weights
from spinhw.surrogate import ToldTunings


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
        programmed: What the resonators were told; None for synapses that are weights.
    """

    network: NetworkSettings
    nominal: Neurons
    steps: Steps
    weights: Weights
    inputs: Tensor
    trace: Trace
    groups: int = 1
    programmed: ToldTunings | None = None


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
            weights, programmed = self._acting(member, alone.applied)
            # As designed, but with the corners that a record has measured.
            nominal = replace(designed, cutoff_hz=known.of_member(member).cutoff_hz.double())
            yield (
                member if self._chips > 1 else 0,
                ChipBatch(
                    network.settings,
                    nominal,
                    network.steps,
                    replace(network.weights(weights), sparsity=sparsity),
                    inputs[member : member + 1],
                    alone,
                    groups,
                    programmed,
                ),
            )

    def _acting(self, member: int, applied: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], ToldTunings | None]:
        """Turn what a device has applied into what acts of it by the model, with a member axis of one."""
        network = self._network
        masks = {name: mask[member : member + 1] for name, mask in network.member_masks().items()}
        acting = network.as_they_act(applied, masks, network.resonators_of([member]))
        if network.chains is None:
            return acting, None
        known = {
            name: row_of(chain, member).mapped(lambda one: one[None])
            for name, chain in network.resonators().items()
            if name in masks
        }
        return acting, ToldTunings(network.chains, known, {name: applied[name] for name in known}, masks)


def row_of(chain: Chain, member: int) -> Chain:
    """Return what is known of one member's resonators, (destination, source)."""
    row = member if len(chain.resonance_hz) > 1 else 0
    return chain.mapped(lambda one: one[row])


def _sparsity(masks: Mapping[str, Tensor], member: int) -> Sparsity:
    alone = {name: mask[member : member + 1] for name, mask in masks.items()}
    layers = range(len(alone) // 2)
    return Sparsity.of([alone[f"w_ext.{one}"] for one in layers], [alone[f"w_int.{one}"] for one in layers])
