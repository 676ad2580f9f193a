"""The forward pass: what the loop differentiates and what evaluation counts."""

from torch import Tensor

from spinhw.network import SpintronicNetwork
from spinhw.rollout import Engine, Steps


def logits(network: SpintronicNetwork, inputs: Tensor, steps: Steps | None = None, engine: Engine = "auto") -> Tensor:
    """Return the answers of an ensemble by simulation, (member, batch, answer, output).

    Args:
        network: The networks.
        inputs: (member, batch, time, input).
        steps: Another time grid than the network's own.
        engine: Engine of the rollout.
    """
    run = network.run(inputs, steps, record_last=network.answer.last, engine=engine)
    return network.read_out(run.filtered)
