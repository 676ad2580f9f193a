"""What a flip-flop run is: task, network and training, as written in one YAML file."""

from collections import Counter
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from spinhw.config import Settings
from spinhw.device import AnyDevice
from spinhw.flipflop.decision_settings import DecisionSettings
from spinhw.flipflop.task_settings import FlipFlopSettings
from spinhw.network import NetworkSettings
from spinhw.training.model_settings import or_a_name
from spinhw.units import TimeS

TaskSettings = Annotated[FlipFlopSettings | DecisionSettings, Field(discriminator="kind")]


class RecurrentSettings(Settings):
    """A recurrent network as designed."""

    kind: Literal["tanh", "gru", "lstm"] = Field(
        default="tanh", description="'tanh' (Jarne 2024, eq. 5 and 6), 'gru' or 'lstm' (torch's)."
    )
    inputs: int = Field(default=3, ge=1, description="Input channels, at least 1.")
    units: int = Field(default=400, ge=1, le=8192, description="Recurrent units, 1 to 8192.")
    outputs: int = Field(default=3, ge=1, description="Output channels, at least 1.")
    bias: bool = Field(default=False, description="Whether the recurrent units have a bias; the read-out always has.")
    initial: Literal["orthogonal", "normal"] = Field(
        default="orthogonal",
        description="Recurrent weights at the start: 'orthogonal', or 'normal' with variance 1 / units.",
    )
    initial_gain: float = Field(default=1.0, gt=0.0, description="Multiplies the recurrent weights at the start.")
    leak: float = Field(
        default=1.0, gt=0.0, le=1.0, description="dt / tau of tanh units, above 0, at most 1; 1 is eq. 6."
    )
    excitatory: float | None = Field(
        default=None,
        gt=0.0,
        lt=1.0,
        description="Share of units that excite, the others inhibit (Dale's law); null for units that do both.",
    )
    density: float = Field(default=1.0, gt=0.0, le=1.0, description="Share of recurrent weights that exist, to 1.")
    recurrent_noise: float = Field(
        default=0.0, ge=0.0, description="Standard deviation of noise on every unit's drive while training; 0 or above."
    )

    @model_validator(mode="after")
    def _gates_have_no_such_options(self) -> Self:
        changed = [
            name
            for name in ("leak", "excitatory", "density", "recurrent_noise")
            if getattr(self, name) != type(self).model_fields[name].default
        ]
        if self.kind != "tanh" and changed:
            raise ValueError(f"{', '.join(changed)}: only units of kind 'tanh' have this, not '{self.kind}'")
        return self


class FlipFlopTraining(Settings):
    """How the networks are trained; every seed is a network of its own."""

    seeds: tuple[Annotated[int, Field(ge=0)], ...] = Field(
        default=(0,), min_length=1, description="One network each: its weights, sequences and noise."
    )
    epochs: int = Field(default=20, ge=0, description="Passes through the sequences, 0 or above.")
    sequences: int = Field(default=30_050, ge=1, description="Sequences of an epoch, at least 1.")
    fresh: bool = Field(
        default=True, description="Draw new sequences in every epoch; false shows the same ones again, shuffled."
    )
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
    long_steps: int | None = Field(
        default=None,
        ge=1,
        description="From the middle of the training on, every other batch has sequences of so many steps, which end "
        "with a long hold: what a network never saw it need not do. Flip-flop only; null for none.",
    )
    loop_epochs: int = Field(
        default=0,
        ge=0,
        description="Further epochs with the run's device in the loop, where it has one: answers are measured, their "
        "gradient is that of a model which is refitted to the device on the way; 0 or above.",
    )
    loop_learning_rate: float = Field(
        default=0.01,
        gt=0.0,
        description="Adam's learning rate at the start of these; falls to zero at their end; above 0.",
    )
    evaluate_every: int = Field(
        default=50, ge=1, description="Steps between looks at held-out sequences; the best network is kept."
    )
    held_out: int = Field(default=256, ge=1, description="Held-out sequences, at least 1.")
    threads: int | None = Field(
        default=None,
        ge=1,
        le=1024,
        description="Networks trained at the same time; null for one for each core. No result depends on it.",
    )

    def is_long(self, epoch: int, batch: int) -> bool:
        """Tell whether a batch, both numbers from 0, has long sequences."""
        return self.long_steps is not None and 2 * epoch >= self.epochs and batch % 2 == 1

    @property
    def batches(self) -> int:
        """Steps of the optimiser in an epoch."""
        return -(-self.sequences // self.batch_size)

    @model_validator(mode="after")
    def _seeds_differ(self) -> Self:
        twice = [str(seed) for seed, count in Counter(self.seeds).items() if count > 1]
        if twice:
            raise ValueError(f"seeds must differ, and {', '.join(twice)} stands there more than once")
        return self


class FlipFlopRun(Settings):
    """A whole run. A run folder keeps it as ``config.yaml``, complete."""

    task: TaskSettings = Field(default=FlipFlopSettings(), description="The task.")
    network: Annotated[RecurrentSettings | NetworkSettings, Field(discriminator="kind")] = Field(
        default=RecurrentSettings(), description="The network: recurrent units in software, or oscillators."
    )
    training: FlipFlopTraining = Field(default=FlipFlopTraining(), description="How it is trained.")
    sample_interval_s: TimeS = Field(
        default=1e-9, description="Time of one step for a network of oscillators; 1 fs to 1 s. Software has none."
    )
    device: AnyDevice | None = Field(
        default=None,
        description="Device that networks of oscillators are measured on, and trained with for training.loop_epochs: "
        "name or file of a profile, or the profile itself; null for none. A simulated one is another chip for each "
        "seed.",
        json_schema_extra=or_a_name,
    )

    @property
    def all_epochs(self) -> int:
        """Epochs without and with the device in the loop."""
        return self.training.epochs + (0 if self.device is None else self.training.loop_epochs)

    @model_validator(mode="after")
    def _devices_are_oscillators(self) -> Self:
        if self.device is not None and self.network.kind != "spintronic":
            raise ValueError(f"a device runs networks of kind spintronic, not {self.network.kind}; leave device out")
        return self

    @model_validator(mode="after")
    def _network_fits_task(self) -> Self:
        for name, wanted in (("inputs", self.task.inputs), ("outputs", self.task.outputs)):
            has = getattr(self.network, name)
            if has != wanted:
                raise ValueError(f"network.{name} is {has}, but the task {self.task.kind} has {wanted}")
        return self

    @model_validator(mode="after")
    def _oscillators_answer_at_every_step(self) -> Self:
        if isinstance(self.network, NetworkSettings) and self.network.readout_samples != 1:
            raise ValueError("network.readout_samples must be 1 here: these tasks ask for an answer at every step")
        return self

    @model_validator(mode="after")
    def _long_sequences_are_longer(self) -> Self:
        long, task = self.training.long_steps, self.task
        if long is None:
            return self
        if not isinstance(task, FlipFlopSettings):
            raise ValueError(f"training.long_steps is for the task flipflop, not for {task.kind}; write null")
        if long <= task.steps or not self.training.fresh:
            raise ValueError(
                f"training.long_steps is {long}; it must be above the {task.steps} steps of the task's sequences, and "
                "the sequences fresh"
            )
        return self
