"""Whole flip-flop runs: train, go on, measure."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from spinhw.atomic import not_written
from spinhw.config import find_recipe, load, shipped
from spinhw.errors import ConfigError
from spinhw.flipflop.drawing import measuring_trials
from spinhw.flipflop.learner import AnyNetwork, measure
from spinhw.flipflop.loop import Ensemble, each, train
from spinhw.flipflop.oscillators import OscillatorNetwork
from spinhw.flipflop.robustness import HOLD_STEPS, long_hold
from spinhw.flipflop.settings import FlipFlopRun, RecurrentSettings
from spinhw.flipflop.task import FlipFlopSettings
from spinhw.flipflop.trials import Trials
from spinhw.flipflop.weights import save_network
from spinhw.train import SILENT, Interrupted, Progress, RunFolder
from spinhw.train.checkpoint import load_checkpoint
from spinhw.train.interrupt import Interrupt
from spinhw.train.run import refuse_other_settings
from spinhw.train.run_lock import run_lock
from spinhw.train.statistics import over_seeds
from spinhw.train.versions import versions

COMMAND = "spinhw flipflop train"
PRESETS = ("quick", "published", "best", "oscillators", "perceptual", "context", "match", "parametric")

# Fresh trials that a run is judged on.
FRESH_TRIALS = 1024
_HOLD_TRIALS = 256
# Below this share of trials that end with every bit right, a network has not learned the task.
LEARNED = 0.9


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


def load_flipflop(config: str | Path, overrides: Sequence[str] = ()) -> FlipFlopRun:
    """Read a run from YAML.

    Args:
        config: A file, ``examples/NAME`` among the shipped ones, or one of `PRESETS`.
        overrides: Such as ["training.epochs=5"].

    Raises:
        ConfigError: One line for each thing that is wrong.
    """
    path = Path(config)
    if str(config) in PRESETS and not path.exists():
        path = shipped("examples") / "flipflop" / f"{config}.yaml"
    return load(FlipFlopRun, find_recipe(path), overrides)


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
        ensemble = Ensemble(settings)
        made = RunFolder.create(folder, settings, COMMAND)
        try:
            ensemble.save(made)
        except (ConfigError, KeyboardInterrupt):
            made.discard()
            raise
        with run_lock(made.path):
            return _go_on(ensemble, made, progress, interrupt)


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
        ensemble = Ensemble(recorded)
        ensemble.restore(*load_checkpoint(opened.checkpoint))
        opened.forget_metrics_after(ensemble.epoch)
        return _go_on(ensemble, opened, progress, interrupt)


def network_files(folder: RunFolder) -> list[Path]:
    """List the networks of a finished run, by seed."""
    return sorted((folder.path / "networks").glob("seed-*.safetensors"), key=lambda path: int(path.stem[5:]))


def _go_on(ensemble: Ensemble, folder: RunFolder, progress: Progress, interrupt: Interrupt) -> FlipFlopResults:
    try:
        train(ensemble, folder, progress, interrupt)
        summary = _summary(ensemble)
    except KeyboardInterrupt as error:  # The second Ctrl-C.
        raise Interrupted(
            "stopped at once; the last checkpoint is kept", todo=f"go on from it with: {folder.resume_command}"
        ) from error
    _save_networks(ensemble, folder)
    folder.write_summary(summary)
    return FlipFlopResults(folder.path, ensemble.settings, summary, folder.metrics())


def _summary(ensemble: Ensemble) -> dict[str, Any]:
    settings, members = ensemble.settings, ensemble.members
    trials = measuring_trials(settings.task, FRESH_TRIALS, "final")
    networks = [one.best_network() for one in members]
    scores = [asdict(one) for one in each(lambda one: measure(one, trials), networks, ensemble.threads)]
    network = settings.network
    software = isinstance(network, RecurrentSettings)
    return {
        "task": settings.task.kind,
        "network": network.kind,
        "units": network.units if isinstance(network, RecurrentSettings) else sum(network.layers),
        "seeds": list(settings.training.seeds),
        "epochs": settings.training.epochs,
        "steps": ensemble.step,
        "fresh_trials": FRESH_TRIALS,
        **{name: over_seeds([one[name] for one in scores]) for name in scores[0]},
        **_held(settings, networks, ensemble.threads),
        **({} if software else _of_oscillators(networks, trials)),
        "best_step": [one.best_step for one in members],
        "learned": [one["bits_right"] >= LEARNED for one in scores],
        "wall_s": ensemble.wall_s,
        "versions": versions(),
    }


def _held(settings: FlipFlopRun, networks: list[AnyNetwork], threads: int | None) -> dict[str, Any]:
    """Measure how many trials hold every bit for long, where there are bits to hold."""
    task = settings.task
    if not isinstance(task, FlipFlopSettings):
        return {}
    holds = each(lambda one: long_hold(one, task, _HOLD_TRIALS), networks, threads)
    return {"hold_steps": HOLD_STEPS, "held": over_seeds([one.held for one in holds])}


def _of_oscillators(networks: list[AnyNetwork], trials: Trials) -> dict[str, Any]:
    """Measure once more with fine steps, and account for the energy."""
    oscillators = [one for one in networks if isinstance(one, OscillatorNetwork)]
    scores = [asdict(measure(one, trials, fine=True)) for one in oscillators]
    return {
        "converged": {name: over_seeds([one[name] for one in scores]) for name in scores[0]},
        "energy_per_step_j": oscillators[0].energy_per_step_j(),
        "forgetting_steps": oscillators[0].forgetting_steps,
    }


def _save_networks(ensemble: Ensemble, folder: RunFolder) -> None:
    networks = folder.path / "networks"
    try:
        networks.mkdir(exist_ok=True)
    except OSError as error:
        raise not_written(networks, error) from error
    for member in ensemble.members:
        about = {"seed": member.seed, "step": member.best_step}
        save_network(networks / f"seed-{member.seed}.safetensors", member.best_network(), about)
