"""Learning rates over the epochs."""

import math

from spinhw.train.settings import TrainingSettings


def learning_rates(training: TrainingSettings, epoch: int) -> list[float]:
    """Give the learning rate of every seed in an epoch (the first is 0).

    'paper': rate / (1 + epoch / decay), as published. 'cosine': rate (1 + cos(pi epoch / epochs)) / 2.
    """
    rates = training.learning_rate
    initial = rates if isinstance(rates, tuple) else (rates,) * len(training.seeds)
    if training.schedule == "paper":
        factor = 1 / (1 + epoch / training.learning_rate_decay)
    else:
        factor = (1 + math.cos(math.pi * epoch / training.epochs)) / 2
    return [rate * factor for rate in initial]
