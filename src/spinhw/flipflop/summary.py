"""What came out of a run, as plain data."""

from dataclasses import asdict
from typing import Any

from spinhw.flipflop.robustness import long_hold
from spinhw.flipflop.scoring import measure
from spinhw.flipflop.settings import FlipFlopRun
from spinhw.network import RecurrentNetwork
from spinhw.tasks.flipflop_settings import FlipFlopSettings
from spinhw.tasks.trial_settings import HOLD_STEPS, TESTED
from spinhw.tasks.trial_task import measuring_trials
from spinhw.training.software_ensemble import Ensemble, each
from spinhw.training.statistics import over_seeds
from spinhw.training.versions import versions

_HOLD_TRIALS = 256
# Below this share of trials that end with every bit right, a network has not learned the task.
LEARNED = 0.9


def summarise(settings: FlipFlopRun, ensemble: Ensemble) -> dict[str, Any]:
    """Give what ``summary.json`` holds: scores of the best networks on fresh trials."""
    members = ensemble.members
    trials = measuring_trials(settings.task, TESTED, "final")
    networks = [one.best_network() for one in members]
    scores = [asdict(one) for one in each(lambda one: measure(one, trials), networks, ensemble.threads)]
    network = settings.network
    return {
        "task": settings.task.kind,
        "network": network.kind,
        "units": network.units,
        "seeds": list(settings.training.seeds),
        "epochs": settings.training.epochs,
        "steps": ensemble.steps,
        "fresh_trials": TESTED,
        **{name: over_seeds([one[name] for one in scores]) for name in scores[0]},
        **_held(settings, networks, ensemble.threads),
        "best_step": [one.best_step for one in members],
        "learned": [one["bits_right"] >= LEARNED for one in scores],
        "wall_s": ensemble.wall_s,
        "versions": versions(),
    }


def _held(settings: FlipFlopRun, networks: list[RecurrentNetwork], threads: int | None) -> dict[str, Any]:
    """Measure how many trials hold every bit for long, where there are bits to hold."""
    task = settings.task
    if not isinstance(task, FlipFlopSettings):
        return {}
    holds = each(lambda one: long_hold(one, task, _HOLD_TRIALS), networks, threads)
    return {"hold_steps": HOLD_STEPS, "held": over_seeds([one.held for one in holds])}
