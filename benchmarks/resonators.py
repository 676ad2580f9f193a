"""What resonators cost a training step, beside the same networks of weights: all in turns, in one process.

    python -m benchmarks.resonators

The step is that of the digits: forward, loss, backward and projection of the paper's network, a batch of 120 series of
64 samples. Each figure is processor time over that of `kind: weights`.
"""

import argparse

import torch

from benchmarks.problem import BATCH, GRIDS, SAMPLES
from benchmarks.timing import in_turns
from spinhw import NetworkSettings, SpintronicNetwork
from spinhw.network import ResonatorSynapses, WeightSynapses

SYNAPSES = {
    "weights": WeightSynapses(),
    "resonators": ResonatorSynapses(kind="resonators"),
    "resonators without crosstalk": ResonatorSynapses(kind="resonators", crosstalk=False),
}


def step_of(network: SpintronicNetwork, inputs: torch.Tensor):
    """Return a training step without the optimiser, whose cost does not depend on the synapses."""

    def step() -> None:
        network.zero_grad()
        network(inputs).square().mean().backward()
        network.limit_weights_()

    return step


def measured(members: int, grid: str, repeats: int) -> dict[str, dict[str, float]]:
    """Time a step with each kind of synapses."""
    inputs = torch.randn(members, BATCH, SAMPLES, 1, generator=torch.Generator().manual_seed(0))
    actions = {}
    for name, synapses in SYNAPSES.items():
        network = SpintronicNetwork(NetworkSettings(synapses=synapses), GRIDS[grid], seed=list(range(members)))
        actions[name] = step_of(network, inputs)
        actions[name]()  # Compiled, and its pattern known.
    return in_turns(actions, repeats)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=7)
    repeats = parser.parse_args().repeats
    torch.set_num_threads(1)
    for members in (1, 10):
        for grid in GRIDS:
            times = measured(members, grid, repeats)
            one = times["weights"]["processor_s"]
            shares = ", ".join(f"{name} x {found['processor_s'] / one:.2f}" for name, found in times.items())
            print(f"{members} networks, {grid}: {1e3 * one:.1f} ms; {shares}")


if __name__ == "__main__":
    main()
