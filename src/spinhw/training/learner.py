"""Everything that changes while a run trains, and nothing else: what a checkpoint holds."""

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from spinhw.gradients import put_resonances, resonances
from spinhw.network import SpintronicNetwork
from spinhw.states import part_of
from spinhw.surrogate import CalibratedChains
from spinhw.training.checkpoint import of_others
from spinhw.training.device_loop import DeviceLoop
from spinhw.training.divergence import Diverged
from spinhw.training.drawn_chips import DrawnChips
from spinhw.training.kept import BestWeights, WeightAverage
from spinhw.training.optimiser import MemberAdam, freeze, trained
from spinhw.training.readout import SolvedReadout
from spinhw.training.settings import RunSettings
from spinhw.training.surrogate import TrainedSurrogate, known_chains
from spinhw.training.versions import bit_versions


@dataclass
class EpochSums:
    """Sums over the batches of an epoch so far, one number per member.

    Args:
        loss: Loss times sequences.
        correct: Right answers; None where answers are no classes.
        images: Sequences shown to each member.
        asked: Answers that count, right or wrong; None where each sequence has one.
    """

    loss: list[float]
    correct: list[int] | None
    images: int = 0
    asked: list[int] | None = None

    @classmethod
    def zero(cls, members: int) -> "EpochSums":
        """Begin an epoch."""
        return cls([0.0] * members, [0] * members)

    def add(self, losses: Tensor, judged: tuple[Tensor, Tensor] | None, images: int) -> None:
        """Take in a batch: mean losses (member,), what `right_answers` says, and its number of sequences."""
        self.loss = [total + images * one for total, one in zip(self.loss, losses.tolist(), strict=True)]
        if judged is None or self.correct is None:
            self.correct = None
        else:
            correct, asked = (one.tolist() for one in judged)
            so_far = [self.images] * len(asked) if self.asked is None else self.asked
            self.correct = [total + one for total, one in zip(self.correct, correct, strict=True)]
            self.asked = [total + one for total, one in zip(so_far, asked, strict=True)]
        self.images += images

    def mean_loss(self) -> list[float]:
        """Mean loss per sequence of every member; NaN where none is known yet."""
        if not self.images:
            return [math.nan] * len(self.loss)
        return [total / self.images for total in self.loss]

    def shares(self) -> dict[str, list[float]]:
        """Return ``train_accuracy``, the share of right answers of every member; nothing where there are no classes."""
        if self.correct is None or self.asked is None or not all(self.asked):
            return {}
        return {"train_accuracy": [total / asked for total, asked in zip(self.correct, self.asked, strict=True)]}


class Learner:
    """Networks, optimiser, running average, and the place in the run.

    Args:
        settings: The run.
        known: What it knows of the resonators of its chips (`known_chains`); None to read it.
    """

    def __init__(self, settings: RunSettings, known: Sequence[CalibratedChains] | None = None) -> None:
        training = settings.training
        self.known = known_chains(settings) if known is None else known
        self.seeds = training.seeds
        self.network = SpintronicNetwork(settings.network, settings.steps, training.seeds, settings.answer)
        self.surrogate = None if settings.calibration is None else TrainedSurrogate(settings, self.known)
        if self.surrogate is not None:
            self.surrogate.begin(self.network)
        self.chips = None if training.chips is None else DrawnChips(settings, training.chips)
        freeze(self.network, training.trainable)
        self.adam = MemberAdam(trained(self.network))
        # The read-out in closed form, of a run whose last epoch solves for it: the optimiser rests then.
        self.readout = SolvedReadout(settings.network, len(self.seeds)) if training.solves else None
        self.loop: DeviceLoop | None = None  # The device in the loop, while it is open.
        self.loop_state: dict[str, Any] | None = None  # What it was when it was closed, or when a checkpoint was made.
        self._refits: dict[str, Tensor] = {}  # The same for what the refits of its model know.
        self.average = (
            None
            if training.optimiser.average_decay is None
            else WeightAverage(self.network, training.optimiser.average_decay)
        )
        self.best = BestWeights(self.network) if training.kept == "best" else None
        self.epoch = 0  # Epochs that are done.
        self.batch = 0  # Batches of the next epoch that are done.
        self.steps = 0  # Steps of the optimiser that are done.
        self.sums = EpochSums.zero(len(self.seeds))
        self._started = time.monotonic()
        self._trained_s = 0.0  # Time in the training loop, without the visit to it that may be going on.
        self._entered: float | None = None  # When that visit began.

    @property
    def evaluated(self) -> SpintronicNetwork:
        """The networks that count: the running average or the best at any look, where the run keeps these."""
        return self.network if self.kept is None else self.kept.network

    @property
    def kept(self) -> WeightAverage | BestWeights | None:
        """What is kept beside the present networks and counts in their place; None where nothing is."""
        return self.average or self.best

    @property
    def looked_at(self) -> SpintronicNetwork:
        """The networks that a look measures: the running average, or the present ones."""
        return self.network if self.average is None else self.average.network

    @property
    def wall_s(self) -> float:
        """Time spent on the run so far, resumes included, in seconds."""
        return time.monotonic() - self._started

    @property
    def train_wall_s(self) -> float:
        """Time spent in the training loop so far, resumes included, in seconds."""
        return self._trained_s + (0.0 if self._entered is None else time.monotonic() - self._entered)

    @contextmanager
    def in_the_loop(self, loop: DeviceLoop) -> Iterator[None]:
        """Train and measure on a device within the context, from where it stood last."""
        if self.loop_state is not None:
            loop.restore(self.loop_state, self._refits)
        self.loop = loop
        try:
            yield
        finally:
            self.loop_state, self._refits, self.loop = loop.state(), loop.tensors(), None

    def begin_loop(self, anew: bool) -> None:
        """Go on with a device in the loop, from the best weights where the run keeps these.

        Args:
            anew: Whether the optimiser forgets its moments.
        """
        if self.best is not None:
            self.best.go_on_from_here()
        if anew:
            self.adam = MemberAdam(trained(self.network))

    @contextmanager
    def training_time(self) -> Iterator[None]:
        """Count the time within the context as time in the training loop."""
        self._entered = time.monotonic()
        try:
            yield
        finally:
            self._trained_s, self._entered = self.train_wall_s, None

    def finish_epoch(self) -> None:
        """Move on to the next epoch."""
        self.epoch, self.batch, self.sums = self.epoch + 1, 0, EpochSums.zero(len(self.seeds))

    def tensors(self) -> dict[str, Tensor]:
        """Give every tensor that a checkpoint holds."""
        parts = {"network": self.network.state_dict(), "adam": self.adam.state()}
        if self.average is not None:
            parts["average"] = self.average.network.state_dict()
        if self.best is not None:
            parts["best"] = self.best.network.state_dict()
        if self.readout is not None:
            parts["readout"] = self.readout.tensors()
        if self.kept is not None:
            parts["kept"] = {f"resonances/{name}": one for name, one in resonances(self.kept.network).items()}
        parts["refits"] = self._refits if self.loop is None else self.loop.tensors()
        return {f"{part}/{name}": tensor for part, named in parts.items() for name, tensor in named.items()}

    def facts(self) -> dict[str, Any]:
        """Give every plain number that a checkpoint holds."""
        return {
            "epoch": self.epoch,
            "batch": self.batch,
            "steps": self.steps,
            "sums": vars(self.sums),
            **({} if self.best is None else {"best_losses": self.best.losses}),
            "wall_s": self.wall_s,
            "train_wall_s": self.train_wall_s,
            "loop": self.loop_state if self.loop is None else self.loop.state(),
            "threads": torch.get_num_threads(),
            "versions": bit_versions(),
        }

    def restore(self, tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> None:
        """Take up what a checkpoint held.

        Raises:
            ConfigError: It belongs to other networks.
        """
        try:
            self.network.load_state_dict(part_of(tensors, "network"))
            self.adam.restore(part_of(tensors, "adam"))
            if self.average is not None:
                self.average.network.load_state_dict(part_of(tensors, "average"))
            if self.best is not None:
                self.best.network.load_state_dict(part_of(tensors, "best"))
                self.best.losses = list(facts["best_losses"])
            if self.readout is not None:
                self.readout.restore(part_of(tensors, "readout"))
        except (RuntimeError, KeyError, TypeError) as error:
            raise of_others(error) from error
        self._refits = part_of(tensors, "refits")
        put_resonances(self.network, part_of(self._refits, "resonances"))
        if self.kept is not None:
            put_resonances(self.kept.network, part_of(tensors, "kept/resonances"))
        self.epoch, self.batch, self.steps = facts["epoch"], facts["batch"], facts["steps"]
        self.sums = EpochSums(**facts["sums"])
        self.loop_state = facts.get("loop")  # Checkpoints before 2026-11-22 lack it.
        self._started = time.monotonic() - facts["wall_s"]
        self._trained_s = facts.get("train_wall_s", facts["wall_s"])  # Checkpoints before 2026-11-22 lack it.

    def finite_weights(self) -> Tensor:
        """Tell of every member whether all its weights and biases are finite, (member,)."""
        return torch.stack([value.isfinite().flatten(1).all(1) for value in self.network.parameters()]).all(0)

    def refuse_divergence(self, fine: Tensor) -> None:
        """Stop when a member's training has diverged.

        Args:
            fine: Whether all is well with each member, (member,).

        Raises:
            Diverged: Names the seeds where it is not.
        """
        if not fine.all():
            raise Diverged(
                f"training diverged in epoch {self.epoch + 1}, batch {self.batch + 1}",
                fine,
                self.seeds,
                seen="a loss or weight that is not finite",
                todo="lower training.optimiser.learning_rate, or bound the network by its weight_limit and saturation",
            )
