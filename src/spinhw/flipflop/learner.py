"""One network while it learns: weights, optimiser, and the best weights so far."""

import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import torch
from torch import Tensor

from spinhw.device import Device
from spinhw.flipflop.device_loop import FlipFlopLoop
from spinhw.flipflop.drawing import Feed
from spinhw.flipflop.oscillators import OscillatorNetwork
from spinhw.flipflop.settings import FlipFlopRun, FlipFlopTraining
from spinhw.network.recurrent import RecurrentNetwork
from spinhw.network.recurrent_settings import RecurrentSettings
from spinhw.states import part_of
from spinhw.streams import torch_stream
from spinhw.tasks.score import Score, score
from spinhw.tasks.trials import Trials
from spinhw.training.optimiser import MemberAdam

_EVALUATED_AT_ONCE = 256

AnyNetwork = RecurrentNetwork | OscillatorNetwork


def make_network(settings: FlipFlopRun, seed: int) -> AnyNetwork:
    """Make a network of a run, untrained."""
    if isinstance(settings.network, RecurrentSettings):
        return RecurrentNetwork(settings.network, seed)
    return OscillatorNetwork(settings.network, seed, settings.sample_interval_s)


class Member:
    """One network of a run, computed by one thread from beginning to end.

    Args:
        settings: The run.
        seed: The network's.
    """

    def __init__(self, settings: FlipFlopRun, seed: int) -> None:
        self.settings, self.seed = settings, seed
        self.network = make_network(settings, seed)
        self.feed = Feed.of(settings.task, settings.training, seed)
        self.adam = MemberAdam(dict(self.network.named_parameters()))
        self.best = {name: value.detach().clone() for name, value in self.network.state_dict().items()}
        self.best_score: Score | None = None
        self.best_step = 0
        self.loop: FlipFlopLoop | None = None
        # The best network before it met its device, and after how many steps; None until it does.
        self.trained: dict[str, Tensor] | None = None
        self.trained_step = 0

    def enter_loop(self, device: Device) -> None:
        """Go on with the best network so far on a device, open; Adam starts anew. After a resume, go on as it was.

        Args:
            device: The chip of this network.
        """
        if not isinstance(self.network, OscillatorNetwork):
            raise RuntimeError("only oscillators run on a device")
        if self.trained is None:
            self.trained = {name: value.clone() for name, value in self.best.items()}
            self.trained_step = self.best_step
            self.network.load_state_dict(self.best)
            self.adam = MemberAdam(dict(self.network.named_parameters()))
            self.best_score = None  # On the simulator, which does not compare with the device.
        self.loop = FlipFlopLoop(self.network, device)

    def step(self, epoch: int, batch: int, number: int) -> float:
        """Take one step of the optimiser; return the loss before it.

        Args:
            epoch: Epoch that runs, from 0.
            batch: Batch of it, from 0.
            number: Steps that were taken before.
        """
        training = self.settings.training
        trials = self.feed.batch(epoch, batch)
        loss = trials.loss(self._outputs(trials.inputs, number))
        self.adam.zero_grad()
        loss.backward()
        if training.gradient_norm is not None:
            torch.nn.utils.clip_grad_norm_(self.network.parameters(), training.gradient_norm)
        self.adam.step([learning_rate(training, number)])
        if isinstance(self.network, OscillatorNetwork):
            self.network.limit_weights_()
        return loss.item()

    def look(self, held_out: Trials, number: int) -> Score:
        """Measure the network on held-out trials after so many steps, and keep it if it is the best so far."""
        found = measure(self.network, held_out) if self.loop is None else self.loop.measure(held_out)
        if self.best_score is None or found.mse < self.best_score.mse:
            self.best_score, self.best_step = found, number
            self.best = {name: value.detach().clone() for name, value in self.network.state_dict().items()}
        return found

    def best_network(self) -> AnyNetwork:
        """Give the best network so far: on its device once that is in the loop."""
        return self._with(self.best)

    def trained_network(self) -> AnyNetwork:
        """Give the best network that never met a device."""
        return self._with(self.best if self.trained is None else self.trained)

    @property
    def simulated_step(self) -> int:
        """Steps after which that network was the best."""
        return self.best_step if self.trained is None else self.trained_step

    def _with(self, values: Mapping[str, Tensor]) -> AnyNetwork:
        network = make_network(self.settings, self.seed)
        network.load_state_dict(dict(values))
        return network

    def _outputs(self, inputs: Tensor, number: int) -> Tensor:
        if self.loop is not None:
            return self.loop.run(inputs)
        noise = torch_stream("flip-flop recurrent noise", self.seed, number)
        return self.network.run(inputs, record=False, generator=noise).outputs

    def finite(self) -> bool:
        """Tell whether all weights are finite."""
        return all(bool(value.isfinite().all()) for value in self.network.parameters())

    def tensors(self) -> dict[str, Tensor]:
        """Give every tensor that a checkpoint holds."""
        parts = {"network": self.network.state_dict(), "adam": self.adam.state(), "best": self.best}
        parts |= {} if self.trained is None else {"trained": self.trained}
        parts |= {} if self.loop is None else {"loop": self.loop.tensors()}
        return {f"{self.seed}/{part}/{name}": value for part, named in parts.items() for name, value in named.items()}

    def facts(self) -> dict[str, Any]:
        """Give every plain number that a checkpoint holds."""
        found = None if self.best_score is None else asdict(self.best_score)
        return {
            "best_score": found,
            "best_step": self.best_step,
            "trained_step": self.trained_step,
            "loop": None if self.loop is None else self.loop.facts(),
        }

    def restore(self, tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> None:
        """Take up what `tensors` and `facts` gave, but for the device, which `restore_loop` does."""
        self.network.load_state_dict(self._part(tensors, "network"))
        self.adam.restore(self._part(tensors, "adam"))
        self.best = self._part(tensors, "best")
        self.best_score = None if facts["best_score"] is None else Score(**facts["best_score"])
        self.best_step = facts["best_step"]
        self.trained, self.trained_step = self._part(tensors, "trained") or None, facts.get("trained_step", 0)

    def restore_loop(self, tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> None:
        """Take up what they gave about the device that is in the loop."""
        if self.loop is not None and facts.get("loop") is not None:
            self.loop.restore(self._part(tensors, "loop"), facts["loop"])

    def _part(self, tensors: Mapping[str, Tensor], part: str) -> dict[str, Tensor]:
        return part_of(tensors, f"{self.seed}/{part}")


def learning_rate(training: FlipFlopTraining, step: int) -> float:
    """Give the learning rate of a step, counted from 0; those after the last epoch have a device in the loop."""
    total = training.epochs * training.batches
    if step >= total:
        done = (step - total) / max(training.loop_epochs * training.batches, 1)
        return training.loop_learning_rate * 0.5 * (1 + math.cos(math.pi * done))
    if training.schedule == "decay":
        return training.learning_rate / (1 + training.decay * step)
    if step < training.warm_up:
        return training.learning_rate * (step + 1) / training.warm_up
    done = (step - training.warm_up) / max(total - training.warm_up, 1)
    return training.learning_rate * 0.5 * (1 + math.cos(math.pi * done))


@torch.no_grad()
def measure(network: AnyNetwork, trials: Trials, *, fine: bool = False) -> Score:
    """Score a network on trials, without recurrent noise.

    Args:
        network: The network.
        trials: The trials.
        fine: Integrate oscillators as finely as devices do.
    """

    def outputs(part: Tensor) -> Tensor:
        if isinstance(network, OscillatorNetwork):
            return network.run(part, record=False, fine=fine).outputs
        return network.run(part, record=False).outputs

    return score(torch.cat([outputs(part) for part in trials.inputs.split(_EVALUATED_AT_ONCE)]), trials)
