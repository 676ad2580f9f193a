"""One network out of an ensemble."""

from spinhw.network import SpintronicNetwork


def member_of(network: SpintronicNetwork, member: int, seed: int) -> SpintronicNetwork:
    """Copy one member of an ensemble into an ensemble of one.

    Args:
        network: The ensemble.
        member: Which one, from 0.
        seed: Its seed.
    """
    alone = SpintronicNetwork(network.settings, network.steps, [seed])
    alone.load_state_dict({name: tensor[member : member + 1] for name, tensor in network.state_dict().items()})
    return alone
