"""What came out of a run, as plain data."""

from dataclasses import asdict
from typing import Any

from spinhw.flipflop.device_loop import FlipFlopLoop
from spinhw.flipflop.drawing import measuring_trials
from spinhw.flipflop.learner import AnyNetwork, measure
from spinhw.flipflop.loop import Ensemble, each
from spinhw.flipflop.oscillators import OscillatorNetwork
from spinhw.flipflop.robustness import HOLD_STEPS, holding, long_hold
from spinhw.flipflop.settings import FlipFlopRun
from spinhw.network.recurrent_settings import RecurrentSettings
from spinhw.tasks.flipflop_settings import FlipFlopSettings
from spinhw.tasks.trials import Trials
from spinhw.training.statistics import over_seeds
from spinhw.training.versions import versions

# Fresh trials that a run is judged on.
FRESH_TRIALS = 1024
_HOLD_TRIALS = 256
# Below this share of trials that end with every bit right, a network has not learned the task.
LEARNED = 0.9


def summarise(ensemble: Ensemble) -> dict[str, Any]:
    """Give what ``summary.json`` holds: scores of the best networks on fresh trials, and on their devices."""
    settings, members = ensemble.settings, ensemble.members
    trials = measuring_trials(settings.task, FRESH_TRIALS, "final")
    networks = [one.trained_network() for one in members]
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
        **_on_devices(ensemble, trials),
        "best_step": [one.simulated_step for one in members],
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


def _on_devices(ensemble: Ensemble, trials: Trials) -> dict[str, Any]:
    """Measure the networks on their devices, as they came from the simulator and as they are after the loop."""
    loops = [one.loop for one in ensemble.members if one.loop is not None]
    if not loops:
        return {}
    stages = {"before": [one.trained_network() for one in ensemble.members]}
    if ensemble.settings.training.loop_epochs:
        stages["after"] = [one.best_network() for one in ensemble.members]
    found = {
        stage: [_on_device(loop, one, trials, ensemble.settings) for loop, one in zip(loops, networks, strict=True)]
        for stage, networks in stages.items()
    }
    last = found[list(stages)[-1]]
    return {
        "on_device": {
            "devices": [loop.device.name for loop in loops],
            "inferences": [loop.inferences for loop in loops],
            **{
                stage: {name: over_seeds([one[name] for one in each]) for name in each[0]}
                for stage, each in found.items()
            },
            "learned": [one["bits_right"] >= LEARNED for one in last],
        }
    }


def _on_device(loop: FlipFlopLoop, network: AnyNetwork, trials: Trials, settings: FlipFlopRun) -> dict[str, float]:
    if not isinstance(network, OscillatorNetwork):
        raise RuntimeError("only oscillators run on a device")
    found = asdict(loop.measure(trials, network))
    if isinstance(settings.task, FlipFlopSettings):
        longer = measuring_trials(holding(settings.task, HOLD_STEPS), _HOLD_TRIALS, "hold 0")
        found["held"] = loop.measure(longer, network).final
    return found
