"""What a flip-flop run in software is: task, network and training, as written in one YAML file."""

from collections import Counter
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from spinhw.config import Settings
from spinhw.network import RecurrentSettings
from spinhw.tasks import DecisionSettings, Feed, FlipFlopSettings, Task

AnyTask = Annotated[FlipFlopSettings | DecisionSettings, Field(discriminator="kind")]
_OSCILLATORS = "networks of oscillators and their devices are trained by 'spinhw train', with this task"


class FlipFlopTraining(Settings):
    """How the networks are trained; every seed is a network of its own."""

    moved = {name: f"it is written task.{name} now" for name in ("sequences", "fresh", "long_steps", "held_out")} | {
        name: _OSCILLATORS for name in ("loop_epochs", "loop_learning_rate")
    }
    seeds: tuple[Annotated[int, Field(ge=0)], ...] = Field(
        default=(0,), min_length=1, description="One network each: its weights, sequences and noise."
    )
    epochs: int = Field(default=20, ge=0, description="Passes through the sequences, 0 or above.")
    batch_size: int = Field(default=128, ge=1, description="Sequences for each step of the optimiser, at least 1.")
    learning_rate: float = Field(default=1e-4, gt=0.0, description="Adam's learning rate at the start; above 0.")
    schedule: Literal["decay", "cosine"] = Field(
        default="decay",
        description="'decay' divides the rate by 1 + decay * step; 'cosine' warms up and lets it fall to zero.",
    )
    decay: float = Field(default=1e-4, ge=0.0, description="Decay of the learning rate per step; 0 or above.")
    warm_up: int = Field(default=0, ge=0, description="Steps over which 'cosine' raises the rate from zero.")
    gradient_norm: float | None = Field(
        default=None, gt=0.0, description="Largest norm of a network's gradient; null for no clipping."
    )
    evaluate_every: int = Field(
        default=50, ge=1, description="Steps between looks at held-out sequences; the best network is kept."
    )
    threads: int | None = Field(
        default=None,
        ge=1,
        le=1024,
        description="Networks trained at the same time; null for one for each core. No result depends on it.",
    )

    @model_validator(mode="after")
    def _seeds_differ(self) -> Self:
        twice = [str(seed) for seed, count in Counter(self.seeds).items() if count > 1]
        if twice:
            raise ValueError(f"seeds must differ, and {', '.join(twice)} stands there more than once")
        return self


class FlipFlopRun(Settings):
    """A whole run. A run folder keeps it as ``config.yaml``, complete."""

    moved = {"device": _OSCILLATORS, "sample_interval": "it is written task.sample_interval now"}
    task: AnyTask = Field(default=FlipFlopSettings(), description="The task.")
    network: RecurrentSettings = Field(default=RecurrentSettings(), description="The recurrent network in software.")
    training: FlipFlopTraining = Field(default=FlipFlopTraining(), description="How it is trained.")

    @property
    def batches(self) -> int:
        """Steps of the optimiser in an epoch."""
        return -(-self.task.sequences // self.training.batch_size)

    def open_task(self) -> Task:
        """Make the task, shown as the training says."""
        return self.task.open(Feed(self.training.batch_size, epochs=self.training.epochs))

    @model_validator(mode="after")
    def _network_fits_task(self) -> Self:
        for name, wanted in (("inputs", self.task.inputs), ("outputs", self.task.outputs)):
            has = getattr(self.network, name)
            if has != wanted:
                raise ValueError(f"network.{name} is {has}, but the task {self.task.kind} has {wanted}")
        return self
