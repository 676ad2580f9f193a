"""What a flip-flop run in software is: task, network and training, as written in one YAML file."""

from collections import Counter
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from spinhw.config import Gone, Moved, Settings
from spinhw.config.sorts import ANY_RECIPE, SOFTWARE_RECIPE
from spinhw.network import RecurrentSettings
from spinhw.tasks import DecisionSettings, Feed, FlipFlopSettings, Task
from spinhw.training.optimiser_settings import OptimiserSettings, Rate

AnyTask = Annotated[FlipFlopSettings | DecisionSettings, Field(discriminator="kind")]
_OSCILLATORS = Gone("networks of oscillators and their devices are trained by 'spinhw train', with this task")


class RecurrentOptimiserSettings(OptimiserSettings):
    """Adam as the published networks were trained: its rate falls with every step, and no gradient is clipped."""

    learning_rate: Rate = Field(default=1e-4, description="Adam's learning rate at the start; above 0.")
    schedule_per: Literal["epoch", "step"] = Field(
        default="step", description=OptimiserSettings.model_fields["schedule_per"].description
    )
    decay: float = Field(default=1e4, gt=0.0, description=OptimiserSettings.model_fields["decay"].description)
    gradient_clip: float | None = Field(
        default=None, gt=0.0, description=OptimiserSettings.model_fields["gradient_clip"].description
    )
    average_decay: None = Field(default=None, description="Null: the best network of all looks is kept, no average.")


class FlipFlopTraining(Settings):
    """How the networks are trained; every seed is a network of its own."""

    moved = {
        **{name: Moved(f"task.{name}", from_top=True) for name in ("sequences", "fresh", "long_steps", "held_out")},
        **{name: _OSCILLATORS for name in ("loop_epochs", "loop_learning_rate")},
        "learning_rate": Moved("optimiser.learning_rate"),
        "schedule": Moved("optimiser.schedule", lambda schedule: "paper" if schedule == "decay" else schedule),
        # Steps after which the rate has halved, which were once the share by which it falls in a step.
        "decay": Moved("optimiser.decay", lambda decay: 1 / max(float(decay), 1e-12)),
        "warm_up": Moved("optimiser.warm_up"),
        "gradient_norm": Moved("optimiser.gradient_norm"),
    }
    seeds: tuple[Annotated[int, Field(ge=0)], ...] = Field(
        default=(0,), min_length=1, description="One network each: its weights, sequences and noise."
    )
    epochs: int = Field(default=20, ge=0, description="Passes through the sequences, 0 or above.")
    batch_size: int = Field(default=128, ge=1, description="Sequences for each step of the optimiser, at least 1.")
    optimiser: RecurrentOptimiserSettings = Field(
        default=RecurrentOptimiserSettings(), description="Adam and its learning rate."
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

    sorts = (SOFTWARE_RECIPE, ANY_RECIPE)

    moved = {"device": _OSCILLATORS, "sample_interval": Moved("task.sample_interval")}
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
