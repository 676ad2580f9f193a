"""Tasks whose trials are drawn: the flip-flop and the decision tasks, for training and for measuring."""

import torch
from torch import Tensor

from spinhw.streams import torch_stream
from spinhw.tasks.base import Batch, Feed, Part, Values
from spinhw.tasks.decision_settings import DecisionSettings
from spinhw.tasks.decisions import draw_decisions
from spinhw.tasks.drawn import DrawnTask
from spinhw.tasks.flipflop import draw_trials, holding
from spinhw.tasks.flipflop_settings import FlipFlopSettings
from spinhw.tasks.objective import Metric
from spinhw.tasks.score import score
from spinhw.tasks.trial_settings import HOLD_STEPS, HOLD_TRIALS, TESTED, TrialSettings
from spinhw.tasks.trials import Trials

# Measures of `Score` in the order in which they are told, and whether more is better.
_MEASURES = {"final": True, "bits_right": True, "settled": True, "signs": True, "mse": False, "distance": False}


def draw(task: TrialSettings, count: int, generator: torch.Generator) -> Trials:
    """Draw trials of a task."""
    if isinstance(task, DecisionSettings):
        return draw_decisions(task, count, generator)
    if isinstance(task, FlipFlopSettings):
        return draw_trials(task, count, generator)
    raise TypeError(f"nobody knows how to draw trials of {type(task).__name__}")


def measuring_trials(task: TrialSettings, count: int, what: str) -> Trials:
    """Draw trials that no network was trained on; the same ones for every network.

    Args:
        task: The task.
        count: How many.
        what: What for: "held out" (to choose the best network), "final" (to report), ...
    """
    return draw(task, count, torch_stream("flip-flop measuring", what))


def held_out_trials(task: TrialSettings) -> Trials:
    """Draw the trials by which the best network is chosen: long ones where it is to learn long holds."""
    return measuring_trials(_long(task), task.held_out, "held out")


class TrialTask(DrawnTask):
    """Trials of any number of seeds.

    Args:
        settings: The task.
        feed: How sequences are shown.
    """

    def __init__(self, settings: TrialSettings, feed: Feed) -> None:
        super().__init__(settings.sequences, settings.fresh, "flip-flop order", feed)
        self._settings = settings

    def held_out_sequences(self, part: Part) -> int:
        return {"validation": self._settings.held_out, "test": TESTED, "held": HOLD_TRIALS}[part]

    def metrics(self, answers: Tensor, batch: Batch) -> list[Metric]:
        scores = [score(one, trials) for one, trials in zip(answers, _of_members(batch), strict=True)]
        return [Metric(name, [getattr(one, name) for one in scores], more) for name, more in _MEASURES.items()]

    def _training(self, count: int, seed: int, *when: int) -> Batch:
        shown = self._settings
        if when:  # From the middle of the training on every other batch is long.
            epoch, batch = when
            shown = _long(shown) if 2 * epoch >= self._feed.epochs and batch % 2 == 1 else shown
        return _as_batch(draw(shown, count, torch_stream("flip-flop sequences", seed, *when)))

    def _measuring(self, part: Part) -> Batch:
        settings = self._settings
        if part == "validation":
            return _as_batch(held_out_trials(settings))
        if part == "held" and isinstance(settings, FlipFlopSettings):
            return _as_batch(measuring_trials(holding(settings, HOLD_STEPS), HOLD_TRIALS, "hold 0"))
        return _as_batch(measuring_trials(settings, TESTED, "final"))


def _long(task: TrialSettings) -> TrialSettings:
    if not isinstance(task, FlipFlopSettings) or task.long_steps is None:
        return task
    return task.model_copy(update={"steps": task.long_steps})


def _as_batch(trials: Trials) -> Batch:
    """Put an axis of one member in front."""
    weight = None if trials.weights is None else trials.weights[None]
    return Batch(trials.inputs[None], Values(trials.targets[None]), weight=weight)


def _of_members(batch: Batch) -> list[Trials]:
    if not isinstance(batch.target, Values):
        raise TypeError("trials are answered with values")
    weights = [None] * len(batch.inputs) if batch.weight is None else list(batch.weight)
    return [Trials(*parts) for parts in zip(batch.inputs, batch.target.values, weights, strict=True)]
