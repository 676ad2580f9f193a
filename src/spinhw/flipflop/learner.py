"""One network while it learns: weights, optimiser, and the best weights so far."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import torch
from torch import Tensor

from spinhw.flipflop.settings import FlipFlopRun
from spinhw.network import RecurrentNetwork
from spinhw.states import part_of
from spinhw.streams import torch_stream
from spinhw.tasks import Task, Trials, loss
from spinhw.tasks.score import Score, score
from spinhw.training.optimiser import MemberAdam
from spinhw.training.schedule import scheduled_rates

_EVALUATED_AT_ONCE = 256


class Member:
    """One network of a run, computed by one thread from beginning to end.

    Args:
        settings: The run.
        seed: The network's.
        task: What it is trained on.
    """

    def __init__(self, settings: FlipFlopRun, seed: int, task: Task) -> None:
        self.settings, self.seed, self._task = settings, seed, task
        self.network = RecurrentNetwork(settings.network, seed)
        self.adam = MemberAdam(dict(self.network.named_parameters()))
        self.best = {name: value.detach().clone() for name, value in self.network.state_dict().items()}
        self.best_score: Score | None = None
        self.best_step = 0

    def step(self, epoch: int, batch: int, number: int) -> float:
        """Take one step of the optimiser; return the loss before it.

        Args:
            epoch: Epoch that runs, from 0.
            batch: Batch of it, from 0.
            number: Steps that were taken before.
        """
        training = self.settings.training
        shown = self._task.train([self.seed], epoch, batch)
        noise = torch_stream("flip-flop recurrent noise", self.seed, number)
        outputs = self.network.run(shown.inputs[0], record=False, generator=noise).outputs
        found = loss(outputs[None], shown)[0]
        self.adam.zero_grad()
        found.backward()
        self.adam.clip(training.optimiser.gradient_clip)
        if training.optimiser.gradient_norm is not None:
            torch.nn.utils.clip_grad_norm_(self.network.parameters(), training.optimiser.gradient_norm)
        self.adam.step(scheduled_rates(training.optimiser, 1, training.epochs, epoch, batch, self.settings.batches))
        return found.item()

    def look(self, held_out: Trials, number: int) -> Score:
        """Measure the network on held-out trials after so many steps, and keep it if it is the best so far."""
        found = measure(self.network, held_out)
        if self.best_score is None or found.mse < self.best_score.mse:
            self.best_score, self.best_step = found, number
            self.best = {name: value.detach().clone() for name, value in self.network.state_dict().items()}
        return found

    def best_network(self) -> RecurrentNetwork:
        """Return the best network so far."""
        network = RecurrentNetwork(self.settings.network, self.seed)
        network.load_state_dict(dict(self.best))
        return network

    def finite(self) -> bool:
        """Tell whether all weights are finite."""
        return all(bool(value.isfinite().all()) for value in self.network.parameters())

    def tensors(self) -> dict[str, Tensor]:
        """Return every tensor that a checkpoint holds."""
        parts = {"network": self.network.state_dict(), "adam": self.adam.state(), "best": self.best}
        return {f"{self.seed}/{part}/{name}": value for part, named in parts.items() for name, value in named.items()}

    def facts(self) -> dict[str, Any]:
        """Return every plain number that a checkpoint holds."""
        found = None if self.best_score is None else asdict(self.best_score)
        return {"best_score": found, "best_step": self.best_step}

    def restore(self, tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> None:
        """Take up what `tensors` and `facts` gave."""
        self.network.load_state_dict(self._part(tensors, "network"))
        self.adam.restore(self._part(tensors, "adam"))
        self.best = self._part(tensors, "best")
        self.best_score = None if facts["best_score"] is None else Score(**facts["best_score"])
        self.best_step = facts["best_step"]

    def _part(self, tensors: Mapping[str, Tensor], part: str) -> dict[str, Tensor]:
        return part_of(tensors, f"{self.seed}/{part}")


@torch.no_grad()
def measure(network: RecurrentNetwork, trials: Trials) -> Score:
    """Score a network on trials, without recurrent noise."""
    parts = trials.inputs.split(_EVALUATED_AT_ONCE)
    return score(torch.cat([network.run(part, record=False).outputs for part in parts]), trials)
