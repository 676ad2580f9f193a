"""What a run is: task, network, training, device and energy, as written in one YAML file."""

from collections import Counter
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import Field, ValidationError, ValidationInfo, model_validator

from spinhw.config import ByKind, Moved, Settings
from spinhw.config.sorts import ANY_RECIPE, RECIPE
from spinhw.device import AnyDevice, RecordedSettings, is_bench
from spinhw.energy import EnergySettings
from spinhw.errors import ConfigError, MisfitError
from spinhw.gradients import ModeName, WatchSettings
from spinhw.network import Answer, NetworkSettings
from spinhw.rollout import Engine, Steps
from spinhw.tasks import TASKS, AugmentationSettings, Feed, Part, Task, TaskSettings
from spinhw.training.experiment import ExperimentSettings
from spinhw.training.loggers import LOGGERS, LoggerSettings
from spinhw.training.loop_settings import LoopSettings, RefitSettings
from spinhw.training.model_settings import CalibrationUse, DrawnChipsSettings, or_a_name
from spinhw.training.optimiser_settings import OptimiserSettings
from spinhw.training.plateau import PlateauSettings


class TrainingSettings(Settings):
    """How the networks are trained; every seed is a network of its own, and all advance side by side."""

    moved = {
        "learning_rate": Moved("optimiser.learning_rate"),
        "schedule": Moved("optimiser.schedule"),
        "schedule_per": Moved("optimiser.schedule_per"),
        "learning_rate_decay": Moved("optimiser.decay"),
        "gradient_clip": Moved("optimiser.gradient_clip"),
        "gradient_norm": Moved("optimiser.gradient_norm"),
        "weight_average": Moved("optimiser.average_decay"),
        "refit": Moved("refit.when", lambda when: "never" if when == "none" else when),
        "refit_images": Moved("refit.images"),
        "refit_every": Moved("refit.every"),
        "refit_synapse_error": Moved("refit.synapse_error"),
        "watch": Moved("drift"),
        "loop_epochs": Moved("loop.epochs"),
        "loop_learning_rate": Moved("loop.learning_rate"),
        "loop_learning_rate_decay": Moved("loop.decay"),
        **{
            name: Moved(f"loop.{name}")
            for name in (
                "averages",
                "mask_after",
                "perturbation",
                "directions",
                "observer_gain",
                "oracle_steps_per_ns",
                "align_every",
            )
        },
    }
    seeds: tuple[Annotated[int, Field(ge=0)], ...] = Field(
        default=tuple(range(10)),
        min_length=1,
        description="One network each: its split, masks, initial weights and noise.",
    )
    start: str | None = Field(
        default=None,
        min_length=1,
        description="Run folder whose trained networks, seed by seed, are the start; null for random weights.",
    )
    trainable: Literal["all", "biases_and_readout", "readout"] = Field(
        default="all",
        description="What is trained: 'all', 'biases_and_readout' (biases of the neurons, w_out and b_out), the cheap "
        "way to make up for drift, or 'readout' (w_out and b_out alone): solved in closed form, by ridge regression "
        "on what the neurons of the last layer showed, from one look at each training sequence; of classes on 1 for "
        "the right one and 0 for the others. There is no gradient, and `optimiser` has no part in it.",
    )
    solve_readout: bool = Field(
        default=False,
        description="Whether the last epoch takes no step of the optimiser and solves for the read-out instead, as "
        "trainable: readout does, behind the neurons as trained until then; by simulation at fine_steps_per_ns. Worth "
        "its epoch where values are answered.",
    )
    ridge: float | None = Field(
        default=None,
        gt=0.0,
        description="For a read-out that is solved. What a weight costs, in units of the mean variance of y of a "
        "neuron; above 0. Null: chosen by generalised cross-validation within the training part.",
    )
    chips: DrawnChipsSettings | None = Field(
        default=None,
        description="Robust training: epochs without a device train on chips drawn anew again and again; null for "
        "nominal ones.",
    )
    epochs: int = Field(default=45, ge=0, description="Passes through the training part, 0 or above.")
    plateau: PlateauSettings | None = Field(
        default=None, description="Ends training earlier, where it gets no better; null for all `epochs`."
    )
    batch_size: int = Field(default=120, ge=1, description="Sequences for each step of the optimiser, at least 1.")
    optimiser: OptimiserSettings = Field(default=OptimiserSettings(), description="Adam and its learning rate.")
    keep: Literal["last", "average", "best"] | None = Field(
        default=None,
        description="Which weights count: the 'last', their running 'average' (of decay optimiser.average_decay), or "
        "the 'best' of all looks, with the lowest loss on the validation part. Null: the average where its decay is "
        "set, else the last.",
    )
    input_noise: float = Field(
        default=0.0,
        ge=0.0,
        description="Standard deviation of Gaussian noise on the (scaled) input while training; 0 or above.",
    )
    label_smoothing: float = Field(
        default=0.0, ge=0.0, lt=1.0, description="Probability spread over all classes, 0 to below 1."
    )
    augmentation: AugmentationSettings = Field(
        default=AugmentationSettings(), description="Random maps of the training images, of tasks that have some."
    )
    substeps: int = Field(
        default=2, ge=1, le=1000, description="Integration steps for each sample interval while training, 1 to 1000."
    )
    order: Literal[1, 2] = Field(
        default=2, description="Order of the integration: 1 (frozen drive) or 2 (midpoint drive)."
    )
    coarse_share: float = Field(
        default=0.0,
        ge=0.0,
        le=1.0,
        description="Share of the epochs without a device, the first ones, that are trained with a single integration "
        "step per sample, which costs less; 0 to 1. The rest, and every accuracy, uses `substeps`.",
    )
    fine_steps_per_ns: int = Field(
        default=16, ge=16, le=1000, description="Steps per nanosecond of the converged accuracy, 16 to 1000."
    )
    final_part: Literal["test", "validation"] = Field(
        default="test",
        description="Part that is measured in the end, where the task has it: 'test', or 'validation', which leaves "
        "the test part alone while hyper-parameters are chosen.",
    )
    evaluate_every: int = Field(
        default=5, ge=1, description="Epochs between looks at the validation part, where the task has one, at least 1."
    )
    checkpoint_every: int = Field(default=1, ge=1, description="Epochs between checkpoints, at least 1.")
    engine: Engine = Field(
        default="auto",
        description="What integrates: 'reference' (plain torch), 'cpu' (compiled), 'auto' for the fastest.",
    )
    gradient: ModeName | None = Field(
        default=None,
        description="Where the gradient comes from. 'surrogate': a model alone, no device. With the device in the "
        "loop the loss is the device's own: 'output' (only the read-out is measured, the way back is the model's), "
        "'layerwise' (each layer's model is driven by what was measured of the layer before), 'observer' "
        "(experimental), 'spsa' and 'finite_difference' (no model), 'oracle' (the truth of a simulated chip). Null: "
        "'output' where there is a device, else 'surrogate'.",
    )
    loop: LoopSettings = Field(default=LoopSettings(), description="Training with the device in the loop.")
    refit: RefitSettings = Field(
        default=RefitSettings(), description="Fits of the model to the device in the loop, from its own batches."
    )
    drift: WatchSettings | None = Field(
        default=None, description="Watch for drift of the device in the loop; null for none."
    )
    threads: int | None = Field(
        default=None,
        ge=1,
        le=1024,
        description="Threads of torch, 1 to 1024; null for torch's own choice. The last bits of a result depend on it.",
    )

    @model_validator(mode="before")
    @classmethod
    def _one_look_is_enough_for_a_readout(cls, data: Any) -> Any:
        if isinstance(data, dict) and data.get("trainable") == "readout":
            return {"epochs": 1} | data
        return data

    @property
    def loop_start(self) -> int:
        """First epoch, counted from 0, that has a device in the loop; `epochs` where none has."""
        if self.gradient in (None, "surrogate"):
            return self.epochs
        return max(0, self.epochs - (self.epochs if self.loop.epochs is None else self.loop.epochs))

    @property
    def solves(self) -> bool:
        """Whether the last epoch solves for the read-out."""
        return self.trainable == "readout" or self.solve_readout

    @property
    def kept(self) -> Literal["last", "average", "best"]:
        """Which weights count."""
        return self.keep or ("last" if self.optimiser.average_decay is None else "average")

    @property
    def can_be_longer(self) -> bool:
        """Whether the first epochs would be the same in a training of more of them."""
        if self.solves:
            return False
        in_time = self.optimiser.schedule == "paper" and self.coarse_share == 0 and self.kept != "best"
        return in_time and self.loop_start == self.epochs

    def substeps_in(self, epoch: int) -> int:
        """Integration steps per sample that an epoch, counted from 0, is trained with."""
        return 1 if epoch < self.coarse_share * self.loop_start else self.substeps

    @model_validator(mode="after")
    def _a_readout_alone_is_solved(self) -> Self:
        if self.trainable != "readout":
            return self
        without = {
            "epochs": (self.epochs, 1),
            "coarse_share": (self.coarse_share, 0.0),
            "label_smoothing": (self.label_smoothing, 0.0),
            "keep": (self.kept, "last"),
            "plateau": (self.plateau and "given", None),
            "chips": (self.chips and "given", None),
            "drift": (self.drift and "given", None),
            "refit.when": ("online" if self.refit.when == "online" else None, None),
            "loop.align_every": (self.loop.align_every, None),
            "gradient": (None if self.gradient in ("surrogate", "output") else self.gradient, None),
        }
        wrong = {name: seen for name, (seen, allowed) in without.items() if seen != allowed}
        if wrong:
            lines = {"epochs": "1", "coarse_share": "0", "label_smoothing": "0", "keep": "last", "gradient": "output"}
            raise MisfitError(
                "training.trainable 'readout' is solved from one look at each sequence, without a gradient",
                seen=", ".join(f"training.{name} {seen}" for name, seen in wrong.items()),
                allowed=", ".join(f"training.{name} {lines.get(name, 'null')}" for name in wrong),
                todo="write these",
            )
        return self

    @model_validator(mode="after")
    def _a_ridge_has_its_readout(self) -> Self:
        if self.ridge is not None and not self.solves:
            raise MisfitError(
                "training.ridge is for read-outs in closed form",
                seen=f"training.trainable {self.trainable}, training.solve_readout false",
                allowed="training.trainable: readout, or training.solve_readout: true",
                todo="leave training.ridge out, or write one of these",
            )
        return self

    @model_validator(mode="after")
    def _what_is_solved_last_counts(self) -> Self:
        if not self.solve_readout or self.trainable == "readout":
            return self
        without = {
            "epochs": (self.epochs, self.epochs >= 1, "1 and above"),
            "keep": (self.kept, self.kept == "last", "last"),
            "plateau": ("given", self.plateau is None, "null"),
            "gradient": (self.gradient, self.gradient in (None, "surrogate", "output", "layerwise"), "output"),
        }
        wrong = {name: seen for name, (seen, fine, _) in without.items() if not fine}
        if wrong:
            raise MisfitError(
                "training.solve_readout solves for the read-out in the last epoch, of the networks as they are then",
                seen=", ".join(f"training.{name} {seen}" for name, seen in wrong.items()),
                allowed=", ".join(f"training.{name}: {without[name][2]}" for name in wrong),
                todo="write these, or leave training.solve_readout out",
            )
        return self

    @model_validator(mode="after")
    def _one_network_and_one_rate_per_seed(self) -> Self:
        twice = [str(seed) for seed, count in Counter(self.seeds).items() if count > 1]
        if twice:
            raise ValueError(f"seeds must differ, and {', '.join(twice)} stands there more than once")
        decay, rates = self.optimiser.average_decay, self.optimiser.learning_rate
        if self.keep is not None and (self.keep == "average") != (decay is not None):
            raise ValueError(
                f"keep is '{self.keep}' and optimiser.average_decay {decay}: an average needs its decay, and nothing "
                "else has one"
            )
        if isinstance(rates, tuple) and len(rates) != len(self.seeds):
            raise ValueError(
                f"optimiser.learning_rate lists {len(rates)} rates for {len(self.seeds)} seeds; give one for each"
            )
        return self


class RunSettings(Settings):
    """A whole run. A run folder keeps it as ``config.yaml``, complete."""

    sorts = (RECIPE, ANY_RECIPE)

    task: Annotated[TaskSettings, ByKind(TASKS, default="sequential_digits")] = Field(
        default_factory=lambda: TASKS.find("sequential_digits")(), description="The task."
    )
    network: NetworkSettings = Field(default=NetworkSettings(), description="The network.")
    training: TrainingSettings = Field(default=TrainingSettings(), description="How it is trained.")
    device: AnyDevice | None = Field(
        default=None,
        description="Device that is trained with, as training.gradient says, and that the trained networks are "
        "measured on: name or file of a profile, or the profile itself; null for none.",
        json_schema_extra=or_a_name,
    )
    calibration: CalibrationUse | None = Field(
        default=None, description="Calibrated oscillators to train with; null for nominal ones."
    )
    recording: Literal["none", "observed", "all"] | None = Field(
        default=None,
        description="What is kept of the batches that the device measures: 'none', 'observed' (whole batches, with the "
        "neurons that were observed) or 'all' (the other neurons are observed too, which takes more shots where there "
        "are few channels); null for 'observed' on a bench and 'none' otherwise.",
    )
    energy: EnergySettings = Field(default=EnergySettings(), description="What an inference costs.")
    run: ExperimentSettings = Field(
        default=ExperimentSettings(), description="What is written down of the experiment; no result depends on it."
    )
    loggers: tuple[Annotated[LoggerSettings, ByKind(LOGGERS)], ...] = Field(
        default=(),
        description="Loggers of other packages that are told of every batch, epoch and evaluation; a list, each with "
        "its kind.",
    )

    @model_validator(mode="before")
    @classmethod
    def _gradient_follows_from_the_device(cls, data: Any) -> Any:
        """Write down which gradient null stands for, so that a run folder says it."""
        if not isinstance(data, dict):
            return data
        training = data.get("training", {})
        chosen = "surrogate" if data.get("device") is None else "output"
        if isinstance(training, dict) and training.get("gradient") is None:
            return data | {"training": training | {"gradient": chosen}}
        if isinstance(training, TrainingSettings) and training.gradient is None:
            return data | {"training": training.model_copy(update={"gradient": chosen})}
        return data

    @model_validator(mode="before")
    @classmethod
    def _network_follows_from_the_task(cls, data: Any, info: ValidationInfo) -> Any:
        """Write down what follows from the task's data, and inputs and outputs of the network that are left out."""
        if not isinstance(data, Mapping):
            return data
        task = _task_of(data.get("task"), info)
        return data if task is None else _fitted(data, task)

    @model_validator(mode="after")
    def _draws_have_a_gradient(self) -> Self:
        if self.training.trainable == "readout" and self.calibration is not None and self.calibration.draws > 0:
            raise MisfitError(
                "calibration.draws draws the oscillators of each step of a gradient, and a read-out alone has none",
                seen=f"{self.calibration.draws}",
                allowed="calibration.draws: 0",
                todo="write that, or train more than the read-out",
            )
        return self

    @model_validator(mode="after")
    def _gradient_has_its_device(self) -> Self:
        gradient = self.training.gradient
        if self.device is None and gradient not in (None, "surrogate"):
            raise ValueError(f"training.gradient is '{gradient}', which needs a device; name one, or leave it out")
        return self

    @model_validator(mode="after")
    def _a_plateau_ends_a_training_on_the_simulator(self) -> Self:
        training = self.training
        if training.plateau is None:
            return self
        if training.loop_start < training.epochs:
            raise ValueError("training.plateau ends trainings on the simulator, and this one has a device in the loop")
        if training.optimiser.schedule != "paper":
            raise ValueError(
                "training.plateau needs a learning rate that does not depend on the number of epochs, and "
                f"optimiser.schedule is '{training.optimiser.schedule}'; write 'paper', or leave plateau out"
            )
        return self

    @model_validator(mode="after")
    def _draws_are_of_one_kind(self) -> Self:
        if self.training.chips is not None and self.calibration is not None and self.calibration.draws > 0:
            raise ValueError("training.chips and calibration.draws both draw the oscillators of a step; keep one")
        return self

    @model_validator(mode="after")
    def _network_fits_task(self) -> Self:
        task, network = self.task, self.network
        for name, wanted in (("inputs", task.inputs), ("outputs", task.outputs)):
            if getattr(network, name) != wanted:
                raise ValueError(f"network.{name} is {getattr(network, name)}, but the task {task.kind} has {wanted}")
        if task.per_step and network.readout_samples != 1:
            raise ValueError(
                f"network.readout_samples must be 1: the task {task.kind} asks for an answer after each sample"
            )
        if network.readout_samples > task.shortest:
            raise ValueError(
                f"network.readout_samples is {network.readout_samples}, but a sequence has {task.shortest} samples"
            )
        return self

    @model_validator(mode="after")
    def _nothing_is_asked_for_in_vain(self) -> Self:
        training, task = self.training, self.task
        if training.augmentation.active and not task.augmented:
            raise ValueError(f"training.augmentation moves images, and the task {task.kind} has none; leave it out")
        if training.label_smoothing and task.headline == "nrmse":
            raise ValueError(f"training.label_smoothing is for classes, and the task {task.kind} asks for values")
        return self

    @model_validator(mode="after")
    def _final_part_is_there(self) -> Self:
        if self.training.final_part == "validation" and "validation" not in self.task.parts:
            raise ValueError("training.final_part is 'validation': this task has no validation part")
        return self

    @model_validator(mode="after")
    def _best_can_be_told(self) -> Self:
        if self.training.kept == "best" and "validation" not in self.task.parts:
            raise ValueError("training.keep is 'best', which is told by a validation part: this task has none")
        return self

    @model_validator(mode="after")
    def _converged_accuracy_can_be_measured(self) -> Self:
        try:
            _ = self.fine_steps
        except ValueError as error:
            raise ValueError(f"task.sample_interval is too long for training.fine_steps_per_ns: {error}") from error
        return self

    @property
    def final_part(self) -> Part:
        """The part that is measured in the end."""
        return "validation" if self.training.final_part == "validation" else self.task.final_part

    @property
    def records(self) -> Literal["none", "observed", "all"]:
        """What is recorded, with the default that goes with the device; a replay is not recorded again."""
        if isinstance(self.device, RecordedSettings):
            return "none"
        if self.recording is not None:
            return self.recording
        return "observed" if self.device is not None and is_bench(self.device) else "none"

    @property
    def answer(self) -> Answer:
        """Which samples of a sequence answer: its end, as the network says, or each of them, as the task may ask."""
        return Answer(None, pooled=False) if self.task.per_step else self.network.answer

    def looks_after(self, epoch: int) -> bool:
        """Tell whether the validation part is looked at after so many epochs; never where the task has none."""
        every = self.training.evaluate_every
        return "validation" in self.task.parts and (epoch % every == 0 or epoch == self.training.epochs)

    def open_task(self) -> Task:
        """Make the task, shown as the training says."""
        training = self.training
        return self.task.open(Feed(training.batch_size, training.input_noise, training.augmentation, training.epochs))

    @property
    def steps(self) -> Steps:
        """Time grid of the training."""
        return Steps(self.task.sample_interval_s, self.training.substeps, self.training.order)

    @property
    def fine_steps(self) -> Steps:
        """Time grid of the converged accuracy."""
        return self.steps.at_least_per_ns(self.training.fine_steps_per_ns)


def _task_of(data: Any, info: ValidationInfo) -> TaskSettings | None:
    """Make the task; None where that does not work: its own field then says why."""
    if isinstance(data, TaskSettings):
        return data
    kind = data.get("kind", "sequential_digits") if isinstance(data, Mapping) else None
    if not isinstance(data, Mapping) or not isinstance(kind, str) or not TASKS.knows(kind):
        return None
    try:
        task: TaskSettings = TASKS.find(kind).model_validate(dict(data) | {"kind": kind}, context=info.context)
    except (ConfigError, ValidationError):
        return None
    return task


def _fitted(data: Mapping[str, Any], task: TaskSettings) -> dict[str, Any]:
    """Put a task with what follows from it into the data of a run.

    Raises:
        MisfitError: The task's data are wrong.
    """
    try:
        task = task.resolved()
    except ConfigError as error:
        raise MisfitError(error.what, seen=error.seen, allowed=error.allowed, todo=error.todo) from error
    network, wanted = data.get("network", {}), {"inputs": task.inputs, "outputs": task.outputs}
    if isinstance(network, NetworkSettings):
        missing = {name: count for name, count in wanted.items() if name not in network.model_fields_set}
        network = network.model_copy(update=missing) if missing else network
    elif isinstance(network, Mapping):
        network = {**network, **{name: count for name, count in wanted.items() if name not in network}}
    return {**data, "task": task, "network": network}
