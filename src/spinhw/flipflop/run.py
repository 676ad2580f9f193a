"""Whole flip-flop runs: train, go on, measure."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from spinhw.atomic import make_folder
from spinhw.errors import ConfigError
from spinhw.flipflop.load import COMMAND
from spinhw.flipflop.scoring import measure
from spinhw.flipflop.settings import FlipFlopRun
from spinhw.flipflop.summary import summarise
from spinhw.flipflop.weights import save_network
from spinhw.network import RecurrentNetwork
from spinhw.tasks.trial_task import held_out_trials
from spinhw.training import SILENT, Interrupted, Progress, RunFolder
from spinhw.training.checkpoint import load_checkpoint
from spinhw.training.interrupt import Interrupt
from spinhw.training.loop import train_until
from spinhw.training.refusals import refuse_other_settings
from spinhw.training.run_lock import run_lock
from spinhw.training.software_ensemble import Ensemble
from spinhw.training.software_member import SoftwareTraining


@dataclass(frozen=True)
class FlipFlopResults:
    """What a run gives back.

    Args:
        folder: Its folder.
        settings: The run.
        summary: What ``summary.json`` holds.
        metrics: Lines of ``metrics.jsonl``, one per epoch.
    """

    folder: Path
    settings: FlipFlopRun
    summary: dict[str, Any]
    metrics: list[dict[str, Any]]


def train_flipflop(settings: FlipFlopRun, folder: Path, progress: Progress = SILENT) -> FlipFlopResults:
    """Train a run into a new folder and measure the best networks on fresh trials.

    Args:
        settings: The run.
        folder: Must not exist yet.
        progress: Told what happens.

    Raises:
        ConfigError: The folder exists, the disk is full, or training diverged.
        Interrupted: The user asked to stop, once or twice; `resume_flipflop` goes on.
    """
    with Interrupt() as interrupt:
        ensemble = ensemble_of(settings)
        made = RunFolder.create(folder, settings, COMMAND)
        try:
            ensemble.save(made)
        except (ConfigError, KeyboardInterrupt):
            made.discard()
            raise
        with run_lock(made.path):
            return _go_on(settings, ensemble, made, progress, interrupt)


def resume_flipflop(folder: Path, settings: FlipFlopRun | None = None, progress: Progress = SILENT) -> FlipFlopResults:
    """Go on with an interrupted run, bit for bit as if it had not been interrupted.

    Args:
        folder: Its run folder.
        settings: What the caller believes the run to be; refused if it is not. None takes the folder's word.
        progress: Told what happens.

    Raises:
        ConfigError: It is no run folder, another process is at work in it, the settings differ, or the checkpoint is
            missing or damaged.
        Interrupted: The user asked to stop again.
    """
    opened = RunFolder.open(folder, COMMAND)
    recorded = opened.settings_as(FlipFlopRun)
    refuse_other_settings(opened, recorded, settings or recorded)
    with run_lock(opened.path), Interrupt() as interrupt:
        ensemble = ensemble_of(recorded)
        ensemble.restore(*load_checkpoint(opened.checkpoint))
        opened.forget_metrics_after(ensemble.epoch)
        return _go_on(recorded, ensemble, opened, progress, interrupt)


def ensemble_of(settings: FlipFlopRun) -> Ensemble:
    """Make the networks of a run, which are looked at on held-out trials: the best of all looks is kept."""
    training, held_out = settings.training, held_out_trials(settings.task)
    return Ensemble(
        settings.network,
        SoftwareTraining(training.optimiser, training.epochs, look=lambda one: asdict(measure(one, held_out))),
        training.seeds,
        settings.open_task(),
        look_every=training.evaluate_every,
        told={"mse": "mse", "settled": "settled", "bits_right": "accuracy"},
        threads=training.threads,
    )


def _go_on(
    settings: FlipFlopRun, ensemble: Ensemble, folder: RunFolder, progress: Progress, interrupt: Interrupt
) -> FlipFlopResults:
    try:
        train_until(ensemble.epochs, ensemble, folder, progress, interrupt)
        summary = summarise(settings, ensemble)
    except KeyboardInterrupt as error:  # The second Ctrl-C.
        raise Interrupted(
            "stopped at once; the last checkpoint is kept", todo=f"go on from it with: {folder.resume_command}"
        ) from error
    _save_networks(ensemble, folder)
    folder.write_summary(summary)
    return FlipFlopResults(folder.path, settings, summary, folder.metrics())


def _save_networks(ensemble: Ensemble, folder: RunFolder) -> None:
    networks = folder.path / "networks"
    for member in ensemble.members:
        about: dict[str, Any] = {"seed": member.seed, "step": member.best_step}
        _save(networks / f"seed-{member.seed}.safetensors", member.best_network(), about)


def _save(path: Path, network: RecurrentNetwork, about: dict[str, Any]) -> None:
    make_folder(path.parent)
    save_network(path, network, about)
