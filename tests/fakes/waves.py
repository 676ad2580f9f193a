"""A task of another package that asks for any kind of answer, about sequences of any length and whatever follows them.

Sines of three frequencies, of which a network tells the frequency ("class"), whether they rise ("class_per_step"),
frequency and sign ("values"), or how they go on ("values_per_step").
"""

import math
from pathlib import Path
from typing import ClassVar, Literal

import torch
from pydantic import Field

from fakes.packages import install
from spinhw.streams import torch_stream
from spinhw.tasks import Batch, Classes, Feed, Task, TaskSettings, Values
from spinhw.units import TimeS

FREQUENCIES = (0.05, 0.1, 0.2)
AFTER = {"quiet": 0.0, "loud": 3.0, "beyond": 1e4, "nothing": math.nan}


def install_waves(folder: Path) -> str:
    """Make the task known; return the folder that has to stand on the path."""
    install(folder, "waves-lab", {"spinhw.tasks": {"waves": "fakes.waves:WavesSettings"}})
    return str(folder)


class WavesSettings(TaskSettings):
    """Sines."""

    kind: Literal["waves"] = Field(default="waves", description="Sines.")
    sample_interval_s: TimeS = Field(default=1e-9, description="Time for which each sample is held.")
    ask: Literal["class", "class_per_step", "values", "values_per_step"] = Field(default="class", description="What.")
    unequal: bool = Field(default=False, description="Whether lengths differ.")
    after: Literal["quiet", "loud", "beyond", "nothing"] = Field(default="quiet", description="What follows.")
    washout: int = Field(default=0, description="Samples that do not count.")
    ahead: int = Field(default=1, description="Samples by which values of each step run ahead.")
    longest: int = Field(default=16, description="Samples of the longest sequence.")
    sequences: int = Field(default=12, description="Of a part.")

    inputs: ClassVar[int] = 1
    input_range: ClassVar[tuple[float, float]] = (-1.5, 1.5)
    parts: ClassVar[tuple[str, ...]] = ("validation", "test")

    @property
    def samples(self):
        return self.longest

    @property
    def answers(self):
        return "always" if self.ask.endswith("per_step") else "once"

    @property
    def headline(self):
        return "accuracy" if self.ask.startswith("class") else "nrmse"

    @property
    def outputs(self):
        return {"class": 3, "class_per_step": 2, "values": 2, "values_per_step": 1}[self.ask]

    @property
    def shortest(self):
        return self.samples // 2 if self.unequal else self.samples

    @property
    def mean_samples(self):
        return 0.75 * self.samples if self.unequal else float(self.samples)

    @property
    def forecast_samples(self):
        return self.ahead if self.ask == "values_per_step" else None

    def open(self, feed: Feed):
        return WavesTask(self, feed)


class WavesTask(Task):
    batches = 2

    def __init__(self, settings, feed):
        self.settings, self.feed = settings, feed

    @property
    def sequences(self):
        return 2 * self.settings.sequences

    def held_out_sequences(self, part):
        return self.settings.sequences

    def train(self, seeds, epoch, batch):
        return self._made(seeds, "train", epoch, batch)

    def held_out(self, seeds, part):
        whole, half = self._made(seeds, part), self.settings.sequences // 2
        for chosen in (slice(0, half), slice(half, None)):
            yield self._cut(whole, chosen)

    def _made(self, seeds, *key):
        asked = self.settings
        shape = (asked.sequences, asked.samples + asked.ahead)
        waves, kinds, signs, lengths = [], [], [], []
        for seed in seeds:
            stream = torch_stream("waves", seed, *key)
            kind = torch.arange(asked.sequences) % 3
            sign = 2.0 * torch.randint(2, (asked.sequences,), generator=stream) - 1
            phase = torch.rand(asked.sequences, 1, generator=stream)
            at = torch.tensor(FREQUENCIES)[kind, None] * torch.arange(shape[1]) + phase
            waves.append(sign[:, None] * torch.sin(2 * math.pi * at) + 0.05 * torch.randn(shape, generator=stream))
            kinds.append(kind)
            signs.append(sign)
            lengths.append(torch.randint(asked.shortest, asked.samples + 1, kind.shape, generator=stream))
        series, kind, sign, ends = (torch.stack(one) for one in (waves, kinds, signs, lengths))
        inputs, ahead = series[..., : asked.samples, None], series[..., asked.ahead :, None]
        if asked.unequal:
            after = torch.arange(asked.samples) >= ends[..., None]
            inputs, ahead = (one.masked_fill(after[..., None], AFTER[asked.after]) for one in (inputs, ahead))
        target = {
            "class": lambda: Classes(kind),
            "class_per_step": lambda: Classes((ahead > inputs)[..., 0].long()),
            "values": lambda: Values(torch.stack([torch.tensor(FREQUENCIES)[kind] * 10 - 1, sign], -1)),
            "values_per_step": lambda: Values(ahead),
        }[asked.ask]()
        return Batch(inputs, target, ends if asked.unequal else None, washout=asked.washout)

    def _cut(self, whole, chosen):
        """Cut some sequences out, with a time axis of their own where they are of unequal lengths."""
        from spinhw.tasks import chosen as those

        some = those(whole, chosen)
        if some.lengths is None:
            return some
        time = slice(0, int(some.lengths.max()))
        target = some.target
        if target.per_step:
            target = (
                Classes(target.labels[:, :, time]) if isinstance(target, Classes) else Values(target.values[:, :, time])
            )
        return Batch(some.inputs[:, :, time], target, some.lengths, washout=some.washout)
