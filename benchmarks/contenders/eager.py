"""The same network as one would write it in eager PyTorch after the paper: a loop over steps, and in it over layers.

Written with care, so that the comparison is fair: constants folded once, one matrix product for each layer and step, an
ensemble as one batched product, the closed form of the logistic step with a single exponential, nothing recorded but
what the read-out needs. Drives are in units of gamma.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from benchmarks.contenders.base import Layers, Prepared, TorchStep
from benchmarks.problem import CUTOFF_HZ, DRIVE_RATE_PER_S, GAIN, TAU_S, Problem

State = tuple[list[Tensor], list[Tensor]]  # x and y by layer, (member, batch, neuron); one network has no member axis
# (blocks, offsets, xs, ys, sample) -> xs, ys at the end of the sample interval
Interval = Callable[[list[Tensor], list[Tensor], list[Tensor], list[Tensor], Tensor], State]
UNIT = GAIN * DRIVE_RATE_PER_S * TAU_S  # 4 gamma sigmoid(sum / gamma) has slope one at its middle


@dataclass(frozen=True)
class Constants:
    """What is the same for all neurons and steps.

    Args:
        substeps: Steps in a sample interval.
        order: 1 for a frozen drive, 2 for a midpoint drive.
        damping: gamma h.
        decay: Of the high-pass, over a step.
        passed: What the high-pass lets through of a change that is spread over the step.
    """

    substeps: int
    order: int
    damping: float
    decay: float
    passed: float

    @classmethod
    def of(cls, problem: Problem) -> "Constants":
        """Fold those of a problem."""
        steps = problem.steps
        angle = 2 * math.pi * CUTOFF_HZ * steps.step_s
        return cls(steps.substeps, steps.order, steps.step_s / TAU_S, math.exp(-angle), -math.expm1(-angle) / angle)


def interval_of(c: Constants) -> Interval:
    """Make the function that takes the steps of one sample interval."""

    def drives(blocks: list[Tensor], offsets: list[Tensor], outputs: list[Tensor], sample: Tensor) -> list[Tensor]:
        add = torch.addmm if sample.ndim == 2 else torch.baddbmm
        sources = (sample, *outputs[:-1])
        sums = (
            add(offset, torch.cat((source, own), -1), block)
            for offset, block, source, own in zip(offsets, blocks, sources, outputs, strict=True)
        )
        return [4 * torch.sigmoid(each) for each in sums]

    def advanced(x: Tensor, drive: Tensor) -> Tensor:
        z = (drive - 1) * c.damping
        e = torch.expm1(-z)
        return x / (1 + e - drive * c.damping * (e / z) * x)

    def filtered(x: Tensor, y: Tensor, new: Tensor) -> Tensor:
        return c.decay * y + c.passed * (new - x)

    def interval(
        blocks: list[Tensor], offsets: list[Tensor], xs: list[Tensor], ys: list[Tensor], sample: Tensor
    ) -> State:
        for _ in range(c.substeps):
            now = drives(blocks, offsets, ys, sample)
            if c.order == 2:
                ahead = [filtered(x, y, advanced(x, i)) for x, y, i in zip(xs, ys, now, strict=True)]
                middle = [(y + new) / 2 for y, new in zip(ys, ahead, strict=True)]
                now = drives(blocks, offsets, middle, sample)
            following = [advanced(x, i) for x, i in zip(xs, now, strict=True)]
            ys = [filtered(x, y, new) for x, y, new in zip(xs, ys, following, strict=True)]
            xs = following
        return xs, ys

    return interval


def folded(w_ext: Layers, w_int: Layers, biases: Layers, single: bool) -> tuple[list[Tensor], list[Tensor]]:
    """Give for each layer one matrix (member, source + own, neuron) and an offset, in units of gamma.

    single: one network needs no axis for members.
    """
    blocks = [torch.cat(pair, 2).transpose(1, 2) * UNIT for pair in zip(w_ext, w_int, strict=True)]
    offsets = [bias[:, None] * UNIT for bias in biases]
    return ([b[0] for b in blocks], [b[0] for b in offsets]) if single else (blocks, offsets)


def start(inputs: Tensor, blocks: list[Tensor]) -> State:
    """Give x = 1/2 and y = 0."""
    xs = [inputs.new_full((*inputs.shape[:-2], block.shape[-1]), 0.5) for block in blocks]
    return xs, [torch.zeros_like(x) for x in xs]


def prepare(problem: Problem) -> Prepared:
    interval, size, single = interval_of(Constants.of(problem)), problem.size, problem.size.members == 1
    inputs = problem.inputs[0] if single else problem.inputs

    def forward(w_ext: Layers, w_int: Layers, biases: Layers) -> Tensor:
        blocks, offsets = folded(w_ext, w_int, biases, single)
        (xs, ys), kept = start(inputs, blocks), []
        for sample in range(size.samples):
            xs, ys = interval(blocks, offsets, xs, ys, inputs[..., sample, :])
            if sample >= size.samples - size.readout:
                kept.append(ys[-1])
        found = torch.stack(kept, -2)
        return found if found.ndim == 4 else found[None]

    return TorchStep.prepared(problem, forward)
