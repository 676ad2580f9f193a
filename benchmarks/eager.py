"""The same network as one would write it in eager PyTorch after the paper: a loop over steps, and in it over layers.

Written with care, so that the comparison is fair: constants folded once, one matrix product for each layer and step,
the closed form of the logistic step with a single exponential, nothing recorded but what the read-out needs.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Constants:
    """What is the same for all neurons, and the steps; the drive is kept between 0 and 4 gamma, around 2 gamma."""

    tau_s: float
    cutoff_hz: float
    gain: float
    drive_rate_per_s: float
    step_s: float
    substeps: int
    order: int


def run(
    w_ext: Sequence[Tensor], w_int: Sequence[Tensor], bias: Sequence[Tensor], inputs: Tensor, c: Constants, last: int
) -> Tensor:
    """Give y of the last layer at the last samples, (member, batch, last, neuron); drives in units of gamma."""
    unit = c.gain * c.drive_rate_per_s * c.tau_s  # 4 gamma sigmoid(sum / gamma) has slope one at its middle
    blocks = [torch.cat(pair, 2).transpose(1, 2) * unit for pair in zip(w_ext, w_int, strict=True)]
    offsets = [b[:, None] * unit for b in bias]
    damping, angle = c.step_s / c.tau_s, 2 * math.pi * c.cutoff_hz * c.step_s
    decay, passed = math.exp(-angle), -math.expm1(-angle) / angle
    if inputs.shape[0] == 1:  # One network needs no axis for members.
        blocks, offsets, inputs = [b[0] for b in blocks], [b[0] for b in offsets], inputs[0]
    xs = [torch.full((*inputs.shape[:-2], block.shape[-1]), 0.5) for block in blocks]
    ys = [torch.zeros_like(x) for x in xs]
    add = torch.addmm if inputs.ndim == 3 else torch.baddbmm

    def drives(outputs: list[Tensor], sample: Tensor) -> list[Tensor]:
        sources = (sample, *outputs[:-1])
        sums = (
            add(offset, torch.cat((source, own), -1), block)
            for offset, block, source, own in zip(offsets, blocks, sources, outputs, strict=True)
        )
        return [4 * torch.sigmoid(each) for each in sums]

    def advanced(x: Tensor, drive: Tensor) -> Tensor:
        z = (drive - 1) * damping
        e = torch.expm1(-z)
        return x / (1 + e - drive * damping * (e / z) * x)

    kept = []
    samples = inputs.shape[-2]
    for step in range(samples * c.substeps):
        sample = inputs[..., step // c.substeps, :]
        now = drives(ys, sample)
        if c.order == 2:
            ahead = [decay * y + passed * (advanced(x, i) - x) for x, y, i in zip(xs, ys, now, strict=True)]
            now = drives([(y + new) / 2 for y, new in zip(ys, ahead, strict=True)], sample)
        following = [advanced(x, i) for x, i in zip(xs, now, strict=True)]
        ys = [decay * y + passed * (new - x) for x, y, new in zip(xs, ys, following, strict=True)]
        xs = following
        if (step + 1) % c.substeps == 0 and (step + 1) // c.substeps > samples - last:
            kept.append(ys[-1])
    found = torch.stack(kept, -2)
    return found if found.ndim == 4 else found[None]
