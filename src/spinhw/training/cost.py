"""What a run will ask of its device, told before it begins."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil

import torch

from spinhw.device import Description, Device, DeviceSettings, MultiplexedSettings, ObservationPlan
from spinhw.device.bank_effort import bank_effort
from spinhw.device.effort import Effort, batch_effort
from spinhw.gradients import knows_truth
from spinhw.gradients.modes import MODES
from spinhw.gradients.shown import plan_of_last_layer, readout_plan
from spinhw.network import SpintronicNetwork
from spinhw.tasks import Task
from spinhw.training.alignment import DIRECTIONS, MEASUREMENTS
from spinhw.training.deploy import device_for
from spinhw.training.model import make_refits
from spinhw.training.settings import RunSettings
from spinhw.training.summary import energy_ledger, looks
from spinhw.training.training_settings import TrainingSettings

# A file of a recording has this much in it besides numbers: names, settings, the device.
_FILE_BYTES = 20_000
# A sample is a float32 and a quality of one byte.
_SAMPLE_BYTES = 5


@dataclass(frozen=True)
class Stage:
    """Batches of one kind.

    Args:
        what: What they are for.
        batches: How many, each counted as a full one.
        images: Images in all of them, each member's counted.
        programmings: How often all parameters are programmed; where weights are measured, how often they are.
        effort: What one batch takes.
        recorded_bytes: What recording one batch takes on the disk, before compression; 0 where nothing is recorded.
    """

    what: str
    batches: int
    images: int
    programmings: int
    effort: Effort
    recorded_bytes: int

    @property
    def shots(self) -> int:
        """Times that a whole batch is played."""
        return self.batches * self.effort.shots

    @property
    def uploads(self) -> int:
        """Times that a batch is loaded into the sources."""
        return self.batches * self.effort.uploads

    @property
    def inferences(self) -> int:
        """Images times how often the network, or the chip that a bank stands for, sees each."""
        return self.images * self.effort.inferences

    @property
    def link_bytes(self) -> int:
        """Bytes to and from the instruments."""
        one = self.effort
        return self.batches * (one.sent_bytes + one.received_bytes) + self.programmings * one.programming_bytes

    @property
    def time_s(self) -> float:
        """How long they take, in seconds."""
        return self.batches * self.effort.time_s + self.programmings * self.effort.programming_s

    @property
    def recording_bytes(self) -> int:
        """What their recording takes on the disk, before compression."""
        return self.batches * self.recorded_bytes


@dataclass(frozen=True)
class Budget:
    """What a whole run asks of its device.

    Args:
        device: Name of the device.
        stages: Batches by kind.
        energy_j: What the chip takes in all shots, rests included, in joules; estimated from the run's constants.
        spent_j: What a bank takes that stands for the chip, in joules, estimated alike; 0 where the chip itself plays.
        takes: What is programmed, a line for each kind of parameter, with unit and limit.
        remarks: What of a bench stays idle, and what is computed instead of measured, a line each.
    """

    device: str
    stages: tuple[Stage, ...]
    energy_j: float
    spent_j: float = 0.0
    takes: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()

    @property
    def time_s(self) -> float:
        """How long all batches take, in seconds."""
        return sum(stage.time_s for stage in self.stages)

    @property
    def recording_bytes(self) -> int:
        """What the recording takes on the disk, before compression."""
        return sum(stage.recording_bytes for stage in self.stages)


def budget(settings: RunSettings) -> Budget | None:
    """Add up what a run will ask of its device; None for a run without one. Nothing is connected to or changed.

    Args:
        settings: The run.

    Raises:
        ConfigError: The device does not fit the run.
    """
    if settings.device is None:
        return None
    device = device_for(settings, settings.device)
    about = device.describe()
    stages = tuple(stage for stage in _stages(settings, settings.device, device, settings.open_task()) if stage.batches)
    energy_j = sum(_energy_j(settings, stage) for stage in stages)
    spent_j = sum(_spent_j(settings, stage) for stage in stages)
    return Budget(device.name, stages, energy_j, spent_j, tuple(about.takes()), tuple(about.remarks()))


def _stages(settings: RunSettings, profile: DeviceSettings, opened: Device, task: Task) -> Iterator[Stage]:
    training, network, device = settings.training, settings.network, opened.describe()
    readout, size = readout_plan(device, network), training.batch_size
    in_turn = len(training.seeds) if device.members == 1 else 1
    epochs = training.epochs - training.loop_start

    def stage(
        what: str,
        times: int,
        images: int,
        plan: ObservationPlan,
        averages: int,
        reprogrammed: bool,
        samples: int = settings.task.samples,
    ) -> Stage:
        """Batches that show every member so many images, so many times."""
        batches = times * in_turn * ceil(images / size)
        if settings.records == "all":
            plan = plan.completed(device.neurons, device.channels)
        shape = (min(size, images), samples)
        interval_s = settings.task.sample_interval_s
        if isinstance(profile, MultiplexedSettings):
            effort = bank_effort(profile, network, interval_s, shape, averages)
        else:
            effort = batch_effort(profile, network, interval_s, shape, plan, averages)
        recorded = 0 if settings.records == "none" else _recorded_bytes(device, shape, plan)
        programmings = ceil(batches / effort.measured_every) if reprogrammed else times * in_turn
        return Stage(what, batches, times * images * len(training.seeds), programmings, effort, recorded)

    shown, held_out = task.sequences, task.held_out_sequences(settings.final_part)
    if epochs:
        every, plan = ObservationPlan.split(device.neurons, device.channels), readout
        if MODES[training.gradient or "output"].measured == "neurons":
            plan = every
        elif not readout.neurons and (training.drift is not None or make_refits(settings, opened) is not None):
            plan = ObservationPlan(every.repeats[:1])  # Refit and watch look at some neurons in each batch, in turn.
        solved = plan_of_last_layer(device, network) if training.solves else None
        by_gradient = epochs - (solved is not None)
        yield stage("training", by_gradient, shown, plan, training.loop.averages, True)
        if solved is not None:
            called = "training, read-out" if by_gradient else "training"
            yield stage(called, 1, shown, solved, training.loop.averages, True)
        others = by_gradient * _perturbations(settings, device)
        if others:
            yield stage("perturbations", others, shown, readout, training.loop.averages, True)
        compared = _compared(training, task.batches)
        if compared:
            each = 1 if knows_truth(opened) else MEASUREMENTS * DIRECTIONS
            yield stage("alignment", compared * each, min(size, shown), readout, training.loop.averages, True)
        looks_there = looks(settings, training.epochs) - looks(settings, training.loop_start)
        if looks_there:
            samples = settings.task.samples_of("validation")
            yield stage("evaluation", looks_there, task.held_out_sequences("validation"), readout, 1, False, samples)
    yield stage("closing", 1, held_out, readout, 1, False, settings.task.samples_of(settings.final_part))
    for part in settings.task.further_parts:
        samples = settings.task.samples_of(part)
        yield stage(f"closing, {part}", 1, task.held_out_sequences(part), readout, 1, False, samples)


def _compared(training: TrainingSettings, batches: int) -> int:
    """Count the batches in the loop whose gradient is compared with the device's own, every so many steps."""
    every = training.loop.align_every
    if every is None:
        return 0
    first, last = training.loop_start * batches, (training.epochs - training.solves) * batches
    return -(-last // every) - -(-first // every)


def _perturbations(settings: RunSettings, device: Description) -> int:
    """Count the further measurements that a gradient without a model takes for each batch."""
    training = settings.training
    if training.gradient == "spsa":
        return 2 * training.loop.directions
    if training.gradient != "finite_difference":
        return 0
    network = SpintronicNetwork(settings.network, settings.steps, training.seeds)
    masks = network.masks()
    named = {name: value for name, value in network.member_values().items() if name in device.parameters}
    return 2 * sum(
        int(masks[name].any(0).sum()) if name in masks else value[0].numel() for name, value in named.items()
    )


def _recorded_bytes(device: Description, shape: tuple[int, int], plan: ObservationPlan) -> int:
    images, samples = shape
    parameters = sum(_size(one.shape) for one in device.parameters.values())
    each = {"power": samples, "filtered": samples, "power0": 1, "drive_applied": samples}
    neurons = sum(each[name] for name in device.observables if name in each) * len(plan.neurons)
    numbers = 4 * (images * samples * device.inputs + 2 * parameters)
    outputs = device.outputs * len(device.answer.times(torch.arange(samples)))
    return _FILE_BYTES + device.members * (numbers + _SAMPLE_BYTES * images * (neurons + outputs))


def _size(shape: tuple[int, ...]) -> int:
    return shape[0] * (shape[1] if len(shape) > 1 else 1)


def _energy_j(settings: RunSettings, stage: Stage) -> float:
    """Estimate what the chip takes in a stage: power times duration, with the rest of the bench where it is longer."""
    rest_s = max(settings.energy.rest_s, stage.effort.rest_s)
    energy = settings.energy.model_copy(update={"rest_s": rest_s})
    return stage.inferences * energy_ledger(settings.model_copy(update={"energy": energy})).with_rest_j


def _spent_j(settings: RunSettings, stage: Stage) -> float:
    """Estimate what a bank takes in a stage whose oscillators stand for a network: they are on while anything plays."""
    one = stage.effort
    return stage.batches * one.bank_oscillators * settings.energy.neuron_power_w * one.played_s
