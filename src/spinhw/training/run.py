"""Whole runs: train, go on."""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import torch

from spinhw.device import Device
from spinhw.errors import ConfigError, DeviceError
from spinhw.rollout.choice import engine_lacks
from spinhw.tasks import Task
from spinhw.training.checkpoint import load_checkpoint
from spinhw.training.deploy import device_for, refuse_misfit
from spinhw.training.device_loop import open_loop
from spinhw.training.drift_watch import refuse_model
from spinhw.training.drives import drive_statistics
from spinhw.training.examples import record_examples
from spinhw.training.handed_over import with_data, with_task
from spinhw.training.interrupt import Interrupt, Interrupted
from spinhw.training.learner import Learner
from spinhw.training.load import load_settings
from spinhw.training.loggers import Listeners
from spinhw.training.loop import train_until
from spinhw.training.measure import measure_on_device, measure_simulated
from spinhw.training.plateau import on_plateau
from spinhw.training.predictions import record_predictions
from spinhw.training.progress import SILENT, Progress
from spinhw.training.provenance import recorded_provenance
from spinhw.training.reach import reach_device
from spinhw.training.record import recorder_of
from spinhw.training.refusals import longer_run, refuse_other_settings
from spinhw.training.results import RunResults
from spinhw.training.run_folder import RunFolder, default_folder
from spinhw.training.run_lock import run_lock
from spinhw.training.settings import RunSettings
from spinhw.training.start import start_from
from spinhw.training.summary import energy_facts, energy_ledger, headline, inference_facts, with_spent
from spinhw.training.surrogate import known_chains
from spinhw.training.trainee import EnsembleTrainee, save
from spinhw.training.versions import changed_versions, versions

_log = logging.getLogger(__name__)


def train(
    run: RunSettings | str | Path,
    folder: str | Path | None = None,
    progress: Progress = SILENT,
    note: str = "",
    task: Any = None,
) -> RunResults:
    """Train a run into a new folder and measure what came out.

    Args:
        run: Its settings, a YAML file, or the name of a shipped recipe such as "digits"; `load_settings` reads the last
            two, with changes.
        folder: Must not exist yet; None for a new one under ``runs``, named after recipe or task and the time.
        progress: Told what happens.
        note: Written down in ``provenance.json``, in place of ``run.note``.
        task: In place of the run's own: series of `spinhw.tasks.series_of`, a map-style dataset of torch, a `Task`, or
            settings of one; `with_task` says more.

    Raises:
        ConfigError: The folder exists, the disk is full, the device does not fit, the engine is not to be had, the run
            to start from is another kind of run, or training diverged.
        DeviceError: The device does not answer, said before anything is trained; or it failed later: the networks are
            saved, and `resume` goes on.
        CalibrationError: The device has drifted, and `training.drift` says to stop; `resume` goes on.
        Interrupted: The user asked to stop, once or twice; `resume` goes on.
    """
    if not isinstance(run, RunSettings):
        settings = load_settings(Path(run), task=task)
    else:
        settings = run if task is None else with_task(run, task)
    if folder is None:
        folder = default_folder(Path(settings.task.kind if isinstance(run, RunSettings) else run))
    refuse_misfit(settings)
    known = known_chains(settings)
    refuse_model(settings, known)
    refuse_engine(settings)
    reach_device(settings)
    with threads(settings.training.threads), Interrupt() as interrupt:
        learner = Learner(settings, known)
        start_from(learner, settings)
        made = RunFolder.create(Path(folder), settings)
        try:
            made.write_task(settings.task.facts())
            save(learner, made)
        except (ConfigError, KeyboardInterrupt):
            made.discard()
            raise
        with run_lock(made.path), recorded_provenance(made, settings, settings.run, note):
            return _go_on(settings, learner, made, progress, interrupt)


def resume(
    folder: str | Path,
    settings: RunSettings | None = None,
    progress: Progress = SILENT,
    note: str = "",
    new_folder: str | Path | None = None,
    task: Any = None,
) -> RunResults:
    """Go on with an interrupted run, bit for bit as if it had not been interrupted.

    A run that had finished is measured again.

    Args:
        folder: Its run folder.
        settings: What the caller believes the run to be; refused if it is not, but for ``run``, which may say of this
            session what it likes. None takes the folder's word.
        progress: Told what happens.
        note: As for `train`.
        new_folder: Must not exist yet: the run goes on there, and what is in `folder` stays as it is. None to go on in
            `folder`. In a new folder a run on the simulator may go on for more epochs, as `settings` say, to the same
            bits as if it had had them from the start.
        task: What `train` was given, where a task was handed over to it.

    With other versions of spinhw or of what computes than the run was begun with, the bits may differ; the log says so.

    Raises:
        ConfigError: It is no run folder, another process is at work in it, the settings differ, the engine is not to
            be had, or the checkpoint is missing or damaged.
        Interrupted: The user asked to stop again.
    """
    opened = RunFolder.open(Path(folder))
    recorded = with_data(opened, opened.settings(), task)
    refuse_other_settings(opened, recorded, settings or recorded, longer=new_folder is not None)
    refuse_engine(recorded)
    said = (settings or recorded).run
    if new_folder is not None:
        recorded = longer_run(recorded, settings or recorded)
        with run_lock(opened.path):
            opened = opened.copy_to(Path(new_folder), recorded)
    with run_lock(opened.path), recorded_provenance(opened, recorded, said, note):
        return _resume(recorded, opened, progress)


def _resume(recorded: RunSettings, opened: RunFolder, progress: Progress) -> RunResults:
    tensors, facts = load_checkpoint(opened.checkpoint)
    _warn_of_versions(opened, facts.get("versions"))
    with threads(recorded.training.threads or facts["threads"]), Interrupt() as interrupt:
        learner = Learner(recorded)
        learner.restore(tensors, facts)
        reach_device(recorded, learner.epoch)
        opened.forget_metrics_after(learner.epoch)
        return _go_on(recorded, learner, opened, progress, interrupt)


def refuse_engine(settings: RunSettings) -> None:
    """Check that the engine which the run names can train here: networks are trained in float32 on the CPU.

    Raises:
        ConfigError: Says what it lacks.
    """
    engine = settings.training.engine
    lacking = engine_lacks(engine, torch.zeros(1), settings.network.rate.open())
    if lacking:
        raise ConfigError(
            f"training.engine: {engine!r} cannot be used here, it lacks {lacking}",
            allowed="auto, reference, or an engine that is there",
            todo="write 'engine: auto', or install what is missing",
        )


def _go_on(
    settings: RunSettings, learner: Learner, folder: RunFolder, progress: Progress, interrupt: Interrupt
) -> RunResults:
    progress = Listeners(progress, settings.loggers, folder.path)
    try:
        task = settings.open_task()
        trainee = EnsembleTrainee(learner, task, settings)
        train_until(settings.training.loop_start, trainee, folder, progress, interrupt)
        kept = "the trained networks are saved", f"measure again with: {folder.resume_command}"
        with _device_in_use(settings, learner, folder) as device:
            train_until(settings.training.epochs, trainee, folder, progress, interrupt)
            tick = partial(measuring_tick, kept, progress, interrupt)
            summary = _summary(_as_trained(settings, learner), learner, task, device, tick)
            if settings.training.plateau is not None:
                summary["on_plateau"] = on_plateau(settings.training.plateau, folder.metrics())
        folder.write_instruments(summary.pop("instruments", {}))
        folder.write_summary(summary)
        progress.on_summary(summary)
        recorded = record_examples(learner.evaluated, settings, task, settings.fine_steps)
        predictions = record_predictions(learner.evaluated, settings, task, settings.fine_steps)
    except KeyboardInterrupt as error:  # The second Ctrl-C.
        raise Interrupted(
            "stopped at once; the last checkpoint is kept", todo=f"go on from it with: {folder.resume_command}"
        ) from error
    except DeviceError as error:
        save(learner, folder)  # The batch that failed has changed nothing: it is measured again.
        raise DeviceError(
            error.what,
            seen=error.seen,
            allowed=error.allowed,
            todo=f"see to it, then go on with: {folder.resume_command}",
        ) from error
    account = energy_ledger(settings)
    return RunResults(folder.path, settings, summary, folder.metrics(), recorded, account, predictions)


def _as_trained(settings: RunSettings, learner: Learner) -> RunSettings:
    """Return the run that this one has become: a plateau may have ended it."""
    if learner.epoch == settings.training.epochs:
        return settings
    return settings.model_copy(update={"training": settings.training.model_copy(update={"epochs": learner.epoch})})


@contextmanager
def _device_in_use(settings: RunSettings, learner: Learner, folder: RunFolder) -> Iterator[Device | None]:
    """Open the device of a run for the rest of it: in the training loop, or for the closing measurement alone."""
    training, keeper = settings.training, recorder_of(settings, folder)
    if settings.device is None:
        yield None
    elif training.loop_start >= training.epochs:
        with device_for(settings, settings.device, keeper) as device:
            folder.write_instruments(device.look_over())
            yield device
    else:
        if 0 < training.loop_start == learner.epoch and learner.batch == 0:
            learner.begin_loop(training.loop.learning_rate is not None)
        with open_loop(settings, learner.network, keeper, learner.known) as loop, learner.in_the_loop(loop):
            folder.write_instruments(loop.device.look_over())
            yield loop.device


def _summary(
    settings: RunSettings, learner: Learner, task: Task, device: Device | None, tick: "partial[None]"
) -> dict[str, Any]:
    network = learner.evaluated
    simulated = measure_simulated(settings, network, task, tick)  # First: it says best what overflows.
    drives = drive_statistics(network, settings, task)
    played, masked = (0, []) if learner.loop is None else (learner.loop.inferences, learner.loop.masked)
    watch = None if learner.loop is None else learner.loop.watch
    on_device = measure_on_device(settings, network, task, device, tick)
    account = with_spent(settings, energy_ledger(settings), None if device is None else device.spent())
    return {
        **headline(settings, task),
        **simulated,
        **on_device,
        **energy_facts(account),
        **inference_facts(settings, task, account, played),
        "masked_channels": masked,
        **({} if learner.readout is None else {"readout": learner.readout.facts(settings.training.ridge)}),
        **({} if watch is None else {"drift_alarms": [asdict(one) for one in watch.alarms]}),
        "drive_over_gamma": drives.quantiles,
        "drive_saturated_share": drives.saturated,
        "wall_s": learner.wall_s,
        "train_wall_s": learner.train_wall_s,
        "versions": versions(),
    }


def measuring_tick(
    kept: tuple[str, str], progress: Progress, interrupt: Interrupt, what: str, done: int, total: int
) -> None:
    """Tell of the progress of a measurement, and end it where the user asked to stop.

    Args:
        kept: What is kept where it ends, and how to measure again.
        progress: Told of it.
        interrupt: Whether the user asked to stop.
        what: What is measured.
        done: How much of it.
        total: Of how much.

    Raises:
        Interrupted: Says how to measure again.
    """
    progress.on_evaluation(what, done, total)
    if interrupt.requested:
        saved, todo = kept
        raise Interrupted(f"interrupted while measuring {what}; {saved}", todo=todo)


def _warn_of_versions(folder: RunFolder, then: Mapping[str, str] | None) -> None:
    changed = "" if then is None else changed_versions(then)
    if changed:
        _log.warning("%s: the last bits may differ from here on, for versions have changed: %s", folder.path, changed)


@contextmanager
def threads(count: int | None) -> Iterator[None]:
    """Let torch use this many threads for a while; None leaves it alone."""
    before = torch.get_num_threads()
    torch.set_num_threads(count or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)
