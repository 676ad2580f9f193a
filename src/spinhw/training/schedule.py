"""Learning rates over the epochs."""

import math

from spinhw.training.settings import TrainingSettings


def learning_rates(training: TrainingSettings, epoch: float) -> list[float]:
    """Return the learning rate of every seed in an epoch (the first is 0), or between two where it falls step by step.

    'paper': rate / (1 + epoch / decay), as published. 'cosine': rate (1 + cos(pi epoch / epochs)) / 2. Epochs in the
    loop with a device may have a rate of their own, rate / (1 + epoch / decay) from the first of them on.
    """
    start, own = training.loop_start, training.loop_learning_rate
    if own is not None and epoch >= start:
        return [own / (1 + (epoch - start) / training.loop_learning_rate_decay)] * len(training.seeds)
    rates = training.learning_rate
    initial = rates if isinstance(rates, tuple) else (rates,) * len(training.seeds)
    if training.schedule == "paper":
        factor = 1 / (1 + epoch / training.learning_rate_decay)
    else:
        factor = (1 + math.cos(math.pi * epoch / (training.epochs if own is None else start))) / 2
    return [rate * factor for rate in initial]
