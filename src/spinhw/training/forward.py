"""The forward pass: what the loop differentiates and what evaluation counts."""

from torch import Tensor

from spinhw.network import SpintronicNetwork
from spinhw.rollout import Engine, Steps
from spinhw.tasks import Batch


def logits(network: SpintronicNetwork, batch: Batch, steps: Steps | None = None, engine: Engine = "auto") -> Tensor:
    """Return the answers of an ensemble by simulation, (member, batch, answer, output).

    Args:
        network: The networks.
        batch: Sequences of all members.
        steps: Another time grid than the network's own.
        engine: Engine of the rollout.
    """
    last = network.answer.last if batch.lengths is None else None
    run = network.run(batch.inputs, steps, record_last=last, engine=engine)
    return network.read_out(run.filtered, batch.lengths)
