"""Learning rates over the epochs."""

import math

from spinhw.training.optimiser_settings import OptimiserSettings
from spinhw.training.training_settings import TrainingSettings


def learning_rates(training: TrainingSettings, epoch: int, batch: int, batches: int) -> list[float]:
    """Return the learning rate of every seed for one of the batches of an epoch, both counted from 0.

    Epochs in the loop with a device may have a rate of their own, rate / (1 + t / decay) from the first of them on; the
    optimiser's schedule ends before them then.
    """
    start, own = training.loop_start, training.loop.learning_rate
    if own is None or epoch < start:
        end = training.epochs if own is None else start
        return scheduled_rates(training.optimiser, len(training.seeds), end, epoch, batch, batches)
    time = _time(training.optimiser, epoch - start, batch, batches)
    return [own / (1 + time / training.loop.decay)] * len(training.seeds)


def scheduled_rates(
    optimiser: OptimiserSettings, members: int, epochs: int, epoch: int, batch: int, batches: int
) -> list[float]:
    """Return the learning rate of every network by the schedule of an optimiser.

    With t in epochs, or in steps where `schedule_per` says so: 'paper', rate / (1 + t / decay), as published; 'cosine',
    rate (1 + cos(pi t / end)) / 2, after a straight rise over the first `warm_up`.

    Args:
        optimiser: Rate and schedule.
        members: Number of networks.
        epochs: At the end of which 'cosine' has fallen to zero.
        epoch: From 0.
        batch: Of the epoch, from 0.
        batches: In an epoch.
    """
    rates = optimiser.learning_rate
    initial = rates if isinstance(rates, tuple) else (rates,) * members
    time, warm_up = _time(optimiser, epoch, batch, batches), optimiser.warm_up
    if optimiser.schedule == "paper":
        factor = 1 / (1 + time / optimiser.decay)
    elif time < warm_up:
        factor = (time + 1) / warm_up
    else:
        whole = max(_time(optimiser, epochs, 0, batches) - warm_up, 1)
        factor = (1 + math.cos(math.pi * (time - warm_up) / whole)) / 2
    return [rate * factor for rate in initial]


def _time(optimiser: OptimiserSettings, epoch: int, batch: int, batches: int) -> int:
    """Return the time in a schedule: epochs, or steps."""
    return epoch if optimiser.schedule_per == "epoch" else epoch * batches + batch
