"""What a run is: task, network, training, device and energy, as written in one YAML file."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import Field, ValidationError, ValidationInfo, model_validator

from spinhw.config import ByKind, Settings
from spinhw.config.sorts import ANY_RECIPE, RECIPE
from spinhw.device import AnyDevice, RecordedSettings, is_bench
from spinhw.energy import EnergySettings
from spinhw.errors import ConfigError, MisfitError
from spinhw.network import EVERY_STEP, Answer, NetworkSettings, tuned_shapes
from spinhw.rollout import Steps
from spinhw.tasks import TASKS, Feed, Part, Task, TaskSettings
from spinhw.training.experiment import ExperimentSettings
from spinhw.training.loggers import LOGGERS, LoggerSettings
from spinhw.training.model_settings import CalibrationUse, or_a_name
from spinhw.training.training_settings import TrainingSettings


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
        default=None, description="Calibrated oscillators and resonators to train with; null for nominal ones."
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
    def _a_read_out_that_is_solved_for_has_weights(self) -> Self:
        if self.training.solves and "w_out" in tuned_shapes(self.network) and self.network.synapses.kind != "weights":
            raise MisfitError(
                "training solves for the weights of the read-out, and network.synapses makes them resonators",
                seen="network.readout: hardware",
                allowed="a read-out of weights",
                todo="write network.readout: software, or train the read-out by its gradient",
            )
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
        return EVERY_STEP if self.task.per_step else self.network.answer

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
