"""The echo-state network: random tanh units that are not trained, and a linear read-out that is.

    x(n) = (1 - a) x(n-1) + a tanh(W_in u(n) + b + W x(n-1)),    x before the first sample = 0
    y(n) = W_out [x(n); u(n)] + b_out

H. Jaeger, The "echo state" approach to analysing and training recurrent neural networks, GMD report 148 (2001);
M. Lukosevicius, A practical guide to applying echo state networks, LNCS 7700, 659 (2012), eq. 2, 3 and 7.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

from spinhw.baselines.baseline import Baseline, arithmetic_j, headline, opened
from spinhw.baselines.columns import lengths_of
from spinhw.baselines.model import Ground, ModelSettings
from spinhw.baselines.readout import LinearReadout, solved
from spinhw.baselines.rows import Shown
from spinhw.streams import torch_stream
from spinhw.tasks import Batch, Part
from spinhw.training import Progress


class EchoSettings(ModelSettings):
    """An echo-state network."""

    units: int | None = Field(
        default=None, ge=1, le=8192, description="Units, 1 to 8192; null for as many as the network has neurons."
    )
    spectral_radius: float = Field(
        default=0.9, gt=0.0, le=10.0, description="Largest eigenvalue of W in size; above 0, at most 10."
    )
    input_scale: float = Field(
        default=1.0,
        gt=0.0,
        description="W_in is uniform within +- this, for inputs of mean 0 and deviation 1; above 0.",
    )
    bias_scale: float = Field(default=0.2, ge=0.0, description="b is uniform within +- this; 0 or above.")
    leak: float = Field(default=0.5, gt=0.0, le=1.0, description="a, above 0, at most 1.")
    density: float = Field(
        default=0.1, gt=0.0, le=1.0, description="Share of the units that each unit hears, at least one; above 0, to 1."
    )
    pooled: Literal["last", "mean"] = Field(
        default="mean",
        description="What the one answer to a sequence is made of: the states at the 'last' sample, or their 'mean'.",
    )
    ridge: float | None = Field(
        default=None,
        gt=0.0,
        description="What a weight of the read-out costs, as training.ridge; null: by generalised cross-validation.",
    )

    def measured(self, ground: Ground, seeds: Sequence[int], part: Part, progress: Progress) -> Baseline:
        task, units = ground.task, self.units or ground.units
        shown, values = opened(task, part, seeds), []
        for done, seed in enumerate(seeds, 1):
            model = _fitted(self, units, Shown.of(shown, seed, task.outputs), seed)
            values.append(headline(shown, seed, part, model.answers))
            progress.on_evaluation("echo-state networks", done, len(seeds))
        inner, readout = int((model.reservoir.w != 0).sum()) + units * task.inputs, (units + task.inputs) * task.outputs
        about = (
            f"{units} leaky tanh units, spectral radius {self.spectral_radius:.3g}, input scale {self.input_scale:.3g},"
            f" leak {self.leak:.3g}; {readout + task.outputs} of the weights are fitted, by ridge regression"
        )
        energy_j = arithmetic_j(ground.energy, task, inner, readout)
        return Baseline("esn", values, inner + units + readout + task.outputs, energy_j, about)


@dataclass(frozen=True, eq=False)
class Reservoir:
    """What is drawn, and not trained. All is float64.

    Args:
        w_in: (unit, channel).
        bias: (unit,).
        w: (unit, source).
        leak: a.
    """

    w_in: Tensor
    bias: Tensor
    w: Tensor
    leak: float

    def states(self, inputs: Tensor, start: Tensor | None = None) -> Tensor:
        """Return x after each sample, (sequence, time, unit).

        Args:
            inputs: u, (sequence, time, channel).
            start: x before the first sample, (sequence, unit); None for 0.
        """
        driven = inputs @ self.w_in.T + self.bias
        x, found = torch.zeros_like(driven[:, 0]) if start is None else start, torch.empty_like(driven)
        for sample in range(driven.shape[1]):
            x = torch.lerp(x, torch.tanh(driven[:, sample] + x @ self.w.T), self.leak)
            found[:, sample] = x
        return found


def draw_reservoir(settings: EchoSettings, units: int, channels: int, seed: int) -> Reservoir:
    """Draw a reservoir; every unit hears equally many others."""
    generator = torch_stream("echo-state network", seed)

    def uniform(*shape: int) -> Tensor:
        return torch.rand(*shape, generator=generator, dtype=torch.float64) * 2 - 1

    w_in, bias, w = uniform(units, channels), uniform(units), uniform(units, units)
    heard = torch.rand(units, units, generator=generator).argsort(1)[:, : max(1, round(settings.density * units))]
    w = w * torch.zeros_like(w).scatter_(1, heard, 1.0)
    radius = float(torch.linalg.eigvals(w).abs().max())
    return Reservoir(
        settings.input_scale * w_in, settings.bias_scale * bias, w * settings.spectral_radius / radius, settings.leak
    )


@dataclass(frozen=True, eq=False)
class EchoModel:
    """An echo-state network with its read-out.

    Args:
        reservoir: What was drawn.
        mean: Of each input channel in the training part, (channel,).
        spread: Standard deviation, 1 where a channel is always the same, (channel,).
        pooled: What the one answer to a sequence is made of.
        readout: Of what `shown` returns; None before it is solved.
    """

    reservoir: Reservoir
    mean: Tensor
    spread: Tensor
    pooled: Literal["last", "mean"]
    readout: LinearReadout | None = None

    def shown(self, batch: Batch) -> Tensor:
        """Return what the read-out sees of a batch of one member, (sequence, answer, unit and channel)."""
        inputs = (batch.inputs[0].double() - self.mean) / self.spread
        seen = torch.cat([self.reservoir.states(inputs), inputs], dim=2)
        if batch.target.per_step:
            return seen
        lengths = lengths_of(batch)
        if self.pooled == "last":
            return seen.gather(1, (lengths - 1)[:, None, None].expand(-1, 1, seen.shape[2]))
        there = (torch.arange(seen.shape[1]) < lengths[:, None])[..., None]
        return (seen * there).sum(1, keepdim=True) / lengths[:, None, None]

    def answers(self, batch: Batch) -> Tensor:
        """Return the answers to a batch of one member, (1, batch, answer, output)."""
        if self.readout is None:
            raise ValueError("the read-out has not been solved")
        return self.readout.of(self.shown(batch))[None].float()


def _fitted(settings: EchoSettings, units: int, shown: Shown, seed: int) -> EchoModel:
    batch = shown.batch
    channels = batch.inputs.shape[3]
    there = torch.arange(batch.inputs.shape[2]) < lengths_of(batch)[:, None]
    samples = batch.inputs[0][there].double()  # (sample, channel)
    spread = samples.std(0, correction=0)
    model = EchoModel(
        draw_reservoir(settings, units, channels, seed),
        samples.mean(0),
        torch.where(spread > 0, spread, 1.0),
        settings.pooled,
    )
    return replace(model, readout=solved(shown, model.shown, settings.ridge))
