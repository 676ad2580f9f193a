"""Networks out of an ensemble: those of some seeds, one alone, one several times over."""

from collections.abc import Sequence

import torch

from spinhw.network import SpintronicNetwork
from spinhw.training.refusals import refuse_unknown_seeds
from spinhw.training.settings import RunSettings


def of_seeds(
    settings: RunSettings, network: SpintronicNetwork, seeds: Sequence[int] | None
) -> tuple[RunSettings, SpintronicNetwork]:
    """Return a run as if it had had some of its seeds alone, and their networks.

    Args:
        settings: The run.
        network: Its networks, a member for each seed.
        seeds: Which ones, in any order; None for all.

    Raises:
        ConfigError: The run has no such seed, or none is named.
    """
    if seeds is None:
        return settings, network
    refuse_unknown_seeds(settings, seeds)
    there = settings.training.seeds
    wanted = tuple(seed for seed in there if seed in seeds)
    training = settings.training.model_copy(update={"seeds": wanted})
    chosen = settings.model_copy(update={"training": training})
    return chosen, members_of(network, [there.index(seed) for seed in wanted], wanted)


def member_of(network: SpintronicNetwork, member: int, seed: int) -> SpintronicNetwork:
    """Copy one member of an ensemble into an ensemble of one.

    Args:
        network: The ensemble.
        member: Which one, from 0.
        seed: Its seed.
    """
    return members_of(network, [member], [seed])


def members_of(network: SpintronicNetwork, members: Sequence[int], seeds: Sequence[int]) -> SpintronicNetwork:
    """Copy some members of an ensemble into an ensemble of their own.

    Args:
        network: The ensemble.
        members: Which ones, from 0, in the order of the copies.
        seeds: Seed of each.
    """
    copies = _copies(network, members, seeds)
    if network.calibrated:
        copies.use_neurons(network.neurons().of_members(members))
    copies.use_resonators(network.resonators_of(members))
    return copies


def repeated(network: SpintronicNetwork, member: int, seed: int, times: int) -> SpintronicNetwork:
    """Copy one member of an ensemble into an ensemble of copies of it, such as one for each of several chips.

    Args:
        network: The ensemble; its neurons and resonators are left behind, for chips have their own.
        member: Which one, from 0.
        seed: Its seed.
        times: How many copies, at least 1.
    """
    return _copies(network, [member] * times, [seed] * times)


def _copies(network: SpintronicNetwork, members: Sequence[int], seeds: Sequence[int]) -> SpintronicNetwork:
    copies = SpintronicNetwork(network.settings, network.steps, seeds, network.answer)
    rows = torch.tensor(members)
    copies.load_state_dict({name: tensor[rows] for name, tensor in network.state_dict().items()})
    return copies
