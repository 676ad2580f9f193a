"""Ramps, by seed."""

import torch

from spinhw.streams import torch_stream
from spinhw.tasks import Batch, Classes, Task


class SlopeTask(Task):
    batches, sequences = 2, 20

    def __init__(self, settings, feed):
        self.settings, self.feed = settings, feed

    def held_out_sequences(self, part):
        return 20

    def train(self, seeds, epoch, batch):
        return self._made(seeds, 10, "train", epoch, batch)

    def held_out(self, seeds, part):
        yield self._made(seeds, 20, part)

    def _made(self, seeds, count, *key):
        inputs, labels = [], []
        for seed in seeds:
            stream = torch_stream("slope", seed, *key)
            rising = torch.randint(2, (count,), generator=stream)
            noise = self.settings.noise * torch.randn(count, 8, generator=stream)
            inputs.append((2 * rising[:, None] - 1) * torch.linspace(-1, 1, 8) + noise)
            labels.append(rising)
        return Batch(torch.stack(inputs)[..., None], Classes(torch.stack(labels)))  # (member, batch, time, input)
