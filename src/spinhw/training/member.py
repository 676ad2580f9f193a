"""One network out of an ensemble, alone or several times over."""

import torch

from spinhw.network import SpintronicNetwork


def member_of(network: SpintronicNetwork, member: int, seed: int) -> SpintronicNetwork:
    """Copy one member of an ensemble into an ensemble of one.

    Args:
        network: The ensemble.
        member: Which one, from 0.
        seed: Its seed.
    """
    alone = SpintronicNetwork(network.settings, network.steps, [seed], network.answer)
    alone.load_state_dict({name: tensor[member : member + 1] for name, tensor in network.state_dict().items()})
    if network.calibrated:
        alone.use_neurons(network.neurons().of_member(member))
    return alone


def repeated(network: SpintronicNetwork, member: int, seed: int, times: int) -> SpintronicNetwork:
    """Copy one member of an ensemble into an ensemble of copies of it, such as one for each of several chips.

    Args:
        network: The ensemble; its neurons are left behind, for chips have their own.
        member: Which one, from 0.
        seed: Its seed.
        times: How many copies, at least 1.
    """
    copies = SpintronicNetwork(network.settings, network.steps, [seed] * times, network.answer)
    rows = torch.full((times,), member)
    copies.load_state_dict({name: tensor[rows] for name, tensor in network.state_dict().items()})
    return copies
