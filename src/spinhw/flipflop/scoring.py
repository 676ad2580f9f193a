"""How well a recurrent network does on trials."""

import torch

from spinhw.network import RecurrentNetwork
from spinhw.tasks import Trials
from spinhw.tasks.score import Score, score

_EVALUATED_AT_ONCE = 256


@torch.no_grad()
def measure(network: RecurrentNetwork, trials: Trials) -> Score:
    """Score a network on trials, without recurrent noise."""
    parts = trials.inputs.split(_EVALUATED_AT_ONCE)
    return score(torch.cat([network.run(part, record=False).outputs for part in parts]), trials)
