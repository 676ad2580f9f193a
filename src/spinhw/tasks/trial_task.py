"""Tasks whose trials are drawn: the flip-flop and the decision tasks, for training and for measuring."""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from spinhw.streams import torch_stream
from spinhw.tasks.base import Batch, Feed, Part, Task, Values
from spinhw.tasks.decision_settings import DecisionSettings
from spinhw.tasks.decisions import draw_decisions
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


class TrialTask(Task):
    """Trials of any number of seeds; held-out ones are the same for all of them.

    Args:
        settings: The task.
        feed: How sequences are shown.
    """

    def __init__(self, settings: TrialSettings, feed: Feed) -> None:
        self._settings, self._feed = settings, feed
        self._kept: dict[int, Trials] = {}  # Every sequence of a seed, where they are the same in each epoch.

    @property
    def batches(self) -> int:
        return -(-self.sequences // self._feed.batch_size)

    @property
    def sequences(self) -> int:
        return self._settings.sequences

    def held_out_sequences(self, part: Part) -> int:
        return {"validation": self._settings.held_out, "test": TESTED, "held": HOLD_TRIALS}[part]

    def train(self, seeds: Sequence[int], epoch: int, batch: int) -> Batch:
        return _stacked([self._shown(seed, epoch, batch) for seed in seeds])

    def held_out(self, seeds: Sequence[int], part: Part) -> Iterator[Batch]:
        size = self._feed.batch_size
        every = self._every(part)
        for start in range(0, len(every), size):
            yield _stacked([every.chosen(slice(start, start + size))] * len(seeds))

    def _every(self, part: Part) -> Trials:
        settings = self._settings
        if part == "validation":
            return held_out_trials(settings)
        if part == "held" and isinstance(settings, FlipFlopSettings):
            return measuring_trials(holding(settings, HOLD_STEPS), HOLD_TRIALS, "hold 0")
        return measuring_trials(settings, TESTED, "final")

    def metrics(self, answers: Tensor, batch: Batch) -> list[Metric]:
        scores = [score(one, trials) for one, trials in zip(answers, _of_members(batch), strict=True)]
        return [Metric(name, [getattr(one, name) for one in scores], more) for name, more in _MEASURES.items()]

    def _shown(self, seed: int, epoch: int, batch: int) -> Trials:
        """Draw a batch of one seed; the last of an epoch may be smaller."""
        settings, first = self._settings, batch * self._feed.batch_size
        count = min(self._feed.batch_size, settings.sequences - first)
        if settings.fresh:
            # From the middle of the training on, every other batch.
            is_long = 2 * epoch >= self._feed.epochs and batch % 2 == 1
            shown = _long(settings) if is_long else settings
            return draw(shown, count, torch_stream("flip-flop sequences", seed, epoch, batch))
        if seed not in self._kept:
            self._kept[seed] = draw(settings, settings.sequences, torch_stream("flip-flop sequences", seed))
        order = torch.randperm(settings.sequences, generator=torch_stream("flip-flop order", seed, epoch))
        return self._kept[seed].chosen(order[first : first + count])


def _long(task: TrialSettings) -> TrialSettings:
    if not isinstance(task, FlipFlopSettings) or task.long_steps is None:
        return task
    return task.model_copy(update={"steps": task.long_steps})


def _stacked(trials: Sequence[Trials]) -> Batch:
    """Put the trials of members side by side."""
    weights = [one.weights for one in trials if one.weights is not None]
    return Batch(
        torch.stack([one.inputs for one in trials]),
        Values(torch.stack([one.targets for one in trials])),
        weight=torch.stack(weights) if weights else None,
    )


def _of_members(batch: Batch) -> list[Trials]:
    if not isinstance(batch.target, Values):
        raise TypeError("trials are answered with values")
    weights = [None] * len(batch.inputs) if batch.weight is None else list(batch.weight)
    return [Trials(*parts) for parts in zip(batch.inputs, batch.target.values, weights, strict=True)]
