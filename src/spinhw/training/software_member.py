"""One recurrent network in software while it learns: weights, optimiser, and the best weights so far."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from spinhw.network import EVERY_STEP, Answer, RecurrentNetwork, RecurrentSettings
from spinhw.states import part_of
from spinhw.streams import torch_stream
from spinhw.tasks import Task, loss
from spinhw.training.optimiser import MemberAdam
from spinhw.training.optimiser_settings import OptimiserSettings
from spinhw.training.schedule import scheduled_rates

Look = Callable[[RecurrentNetwork], dict[str, float]]


@dataclass(frozen=True)
class SoftwareTraining:
    """How recurrent networks in software are trained.

    Args:
        optimiser: Adam and its learning rate.
        epochs: Passes through the sequences.
        answer: Which samples answer.
        label_smoothing: Probability spread evenly over all classes, 0 to below 1.
        look: Measures a network, by name; None for a training that nobody looks at, whose last weights count.
        judged_by: The measure by which the best network is kept; the smaller the better.
    """

    optimiser: OptimiserSettings
    epochs: int
    answer: Answer = EVERY_STEP
    label_smoothing: float = 0.0
    look: Look | None = None
    judged_by: str = "mse"


class Member:
    """One network of a run, computed by one thread from beginning to end.

    Args:
        network: The network as designed.
        training: How it is trained.
        seed: The network's.
        task: What it is trained on.
    """

    def __init__(self, network: RecurrentSettings, training: SoftwareTraining, seed: int, task: Task) -> None:
        self.settings, self.seed, self._training, self._task = network, seed, training, task
        self.network = RecurrentNetwork(network, seed)
        self.adam = MemberAdam(dict(self.network.named_parameters()))
        self.best = {name: value.detach().clone() for name, value in self.network.state_dict().items()}
        self.best_score: dict[str, float] | None = None
        self.best_step = 0

    def step(self, epoch: int, batch: int, number: int) -> float:
        """Take one step of the optimiser; return the loss before it.

        Args:
            epoch: Epoch that runs, from 0.
            batch: Batch of it, from 0.
            number: Steps that were taken before.
        """
        training, optimiser = self._training, self._training.optimiser
        shown = self._task.train([self.seed], epoch, batch)
        noise = torch_stream("flip-flop recurrent noise", self.seed, number)
        outputs = self.network.run(shown.inputs[0], record=False, generator=noise).outputs
        answers = training.answer.take(outputs[None], shown.lengths)
        found = loss(answers, shown, training.label_smoothing)[0]
        self.adam.zero_grad()
        found.backward()
        self.adam.clip(optimiser.gradient_clip)
        if optimiser.gradient_norm is not None:
            torch.nn.utils.clip_grad_norm_(self.network.parameters(), optimiser.gradient_norm)
        self.adam.step(scheduled_rates(optimiser, 1, training.epochs, epoch, batch, self._task.batches))
        return found.item()

    def look(self, number: int) -> dict[str, float]:
        """Measure the network after so many steps, and keep it if it is the best so far; nothing where none looks."""
        if self._training.look is None:
            return {}
        found, by = self._training.look(self.network), self._training.judged_by
        if self.best_score is None or found[by] < self.best_score[by]:
            self.best_score, self.best_step = found, number
            self.best = {name: value.detach().clone() for name, value in self.network.state_dict().items()}
        return found

    def best_network(self) -> RecurrentNetwork:
        """Return the best network so far."""
        network = RecurrentNetwork(self.settings, self.seed)
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
        return {"best_score": self.best_score, "best_step": self.best_step}

    def restore(self, tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> None:
        """Take up what `tensors` and `facts` gave."""
        self.network.load_state_dict(self._part(tensors, "network"))
        self.adam.restore(self._part(tensors, "adam"))
        self.best = self._part(tensors, "best")
        self.best_score = None if facts["best_score"] is None else dict(facts["best_score"])
        self.best_step = facts["best_step"]

    def _part(self, tensors: Mapping[str, Tensor], part: str) -> dict[str, Tensor]:
        return part_of(tensors, f"{self.seed}/{part}")
