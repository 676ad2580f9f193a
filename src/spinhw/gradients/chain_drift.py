"""Chains that have moved as a whole, as a temperature moves them: taken out of the tunings once a refit is sure."""

import logging
from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor

from spinhw.gradients.refits import Refits
from spinhw.network import SpintronicNetwork

_log = logging.getLogger(__name__)

# In half-linewidths: less is left to the refit, for tuning anew takes as long as some steps.
_WORTH = 0.1
_SURE = 3.0  # In standard errors.


@torch.no_grad()
def take_out(network: SpintronicNetwork, refits: Refits) -> dict[str, Tensor]:
    """Tune a network anew where its chains have moved, so that the weights that acted act again.

    Return by how much, (chip, destination) in half-linewidths by name of the matrix; empty where none had.

    Args:
        network: Takes its resonators to be where the refits have found them, from then on.
        refits: Of its chips; what is taken out is forgotten there.
    """
    resonators, found = network.resonators(), refits.moved(_WORTH, _SURE)
    for name, moved in found.items():
        off = (moved * refits.half_linewidth_hz)[..., None]  # (chip, destination, 1)
        resonators[name] = replace(resonators[name], resonance_hz=resonators[name].resonance_hz + off)
        count, largest = int((moved != 0).sum()), float(moved.abs().max())
        _log.info("%s: %d chains have moved, by up to %.2f half-linewidths; tuned anew", name, count, largest)
    if found:
        network.use_resonators(resonators, keep_weights=True)
    return found


def resonances(network: SpintronicNetwork) -> dict[str, Tensor]:
    """Return where a network takes its resonators to be, for a checkpoint, (member, destination, source) in Hz."""
    return {name: chain.resonance_hz.clone() for name, chain in network.resonators().items()}


def put_resonances(network: SpintronicNetwork, found: Mapping[str, Tensor], keep_weights: bool = False) -> None:
    """Let a network take its resonators to be where `resonances` said.

    Args:
        network: Changed where they are others than its own.
        found: By name of the matrix; nothing leaves all as it is.
        keep_weights: Whether to tune it anew, so that what acted acts again; else tunings stay.
    """
    there = network.resonators()
    if found and any(not torch.equal(there[name].resonance_hz, value) for name, value in found.items()):
        moved = {name: replace(there[name], resonance_hz=value) for name, value in found.items()}
        network.use_resonators(moved, keep_weights)


def follow(network: SpintronicNetwork, other: SpintronicNetwork) -> None:
    """Let a network take its resonators to be where another one does, tuned anew, so that what acted acts again."""
    if any(other.known(name) is not None for name in other.tuned()):
        put_resonances(network, resonances(other), keep_weights=True)
