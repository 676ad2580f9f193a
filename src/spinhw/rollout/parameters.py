"""What a rollout needs to know: weights and neurons. Tensors in SI, the member axis in front."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Self

import torch
from torch import Tensor

from spinhw.physics import BIAS_OVER_GAMMA, LOGISTIC, Rate, Saturation


@dataclass(frozen=True, eq=False)
class Neurons:
    """Parameters of every neuron, each a tensor that broadcasts to (member, neuron).

    Engines remember what they worked out for an object as long as no number of it changes: make it once.

    Args:
        gamma: Damping rate 1/tau in 1/s.
        sigma: Drive efficiency, dimensionless (deviation of this device from the nominal one).
        q: Non-linear damping Q, dimensionless.
        cutoff_hz: Corner of the high-pass behind the neuron in Hz.
        gain: S, the dimensionless gain in front of the neuron.
        bias_drive: Drive without input in 1/s: 2 gamma of the *nominal* device, a programmed number.
        bounds: Saturation of the drive; None for an unbounded one.
        rate: dx/dt, the same for all neurons.
    """

    gamma: Tensor
    sigma: Tensor
    q: Tensor
    cutoff_hz: Tensor
    gain: Tensor
    bias_drive: Tensor
    bounds: Saturation | None = None
    rate: Rate = LOGISTIC

    @classmethod
    def nominal(
        cls,
        neurons: int,
        *,
        tau_s: float,
        sigma: float = 1.0,
        q: float = 0.0,
        cutoff_hz: float = 0.0,
        gain: float = 1.0,
        drive_over_gamma: tuple[float, float] | None = None,
        rate: Rate = LOGISTIC,
        dtype: torch.dtype | None = None,
    ) -> Self:
        """Make identical neurons.

        Args:
            neurons: Number of neurons.
            tau_s: Relaxation time in seconds.
            sigma: Drive efficiency.
            q: Non-linear damping.
            cutoff_hz: High-pass corner in Hz.
            gain: S.
            drive_over_gamma: Lowest and highest drive in units of gamma; None for an unbounded drive.
            rate: dx/dt.
            dtype: Floating-point type.
        """
        full = torch.ones(1, neurons, dtype=dtype)
        gamma = full / tau_s
        bounds = None if drive_over_gamma is None else Saturation(*(gamma * bound for bound in drive_over_gamma))
        return cls(gamma, full * sigma, full * q, full * cutoff_hz, full * gain, gamma * BIAS_OVER_GAMMA, bounds, rate)

    def mapped(self, change: Callable[[Any], Any]) -> Self:
        """Return the same neurons with every tensor changed, those of the bounds too."""
        names = (item.name for item in fields(self) if item.name not in ("bounds", "rate"))
        tensors: dict[str, Any] = {name: change(getattr(self, name)) for name in names}
        bounds = self.bounds and Saturation(change(self.bounds.lowest), change(self.bounds.highest))
        return replace(self, **tensors, bounds=bounds)

    def tensors(self) -> list[Tensor]:
        """Return every tensor, those of the bounds last."""
        bounds = [] if self.bounds is None else [self.bounds.lowest, self.bounds.highest]
        return [self.gamma, self.sigma, self.q, self.cutoff_hz, self.gain, self.bias_drive, *bounds]

    def of_member(self, member: int) -> Self:
        """Give the neurons of one member, (1, neuron); what all members share stays."""
        return self.of_members([member])

    def of_members(self, members: Sequence[int]) -> Self:
        """Give the neurons of some members, (member, neuron); what all members share stays."""
        return self.mapped(lambda one: one if len(one) == 1 else one[list(members)])

    def to(self, *args: torch.device | torch.dtype) -> Self:
        """Move or convert every tensor, as `torch.Tensor.to` does."""
        return self.mapped(lambda one: one.to(*args))


@dataclass(frozen=True, eq=False)
class Sparsity:
    """Which synapses exist, so that a sparse engine need not look. Make it once: engines remember it.

    Args:
        recurrent: (member or 1, neuron, neuron), boolean, source last: between all neurons.
        inputs: (member or 1, neuron, input), boolean.
    """

    recurrent: Tensor
    inputs: Tensor

    @classmethod
    def of(cls, ext: Sequence[Tensor], own: Sequence[Tensor]) -> Self:
        """Make it from the masks of each layer, each (member or 1, neuron, source)."""
        sizes = [mask.shape[-1] for mask in own]
        rows = []
        for layer, size in enumerate(sizes):
            blocks = [own[layer].new_zeros(len(own[layer]), size, source) for source in sizes]
            blocks[layer] = own[layer]
            if layer > 0:
                blocks[layer - 1] = ext[layer]
            rows.append(torch.cat(blocks, dim=-1))
        return cls(torch.cat(rows, dim=-2), torch.nn.functional.pad(ext[0], (0, 0, 0, sum(sizes[1:]))))

    @classmethod
    def dense(cls, sizes: tuple[int, ...], inputs: int) -> Self:
        """Make that of fully connected layers."""
        sources = (inputs, *sizes[:-1])
        ext = [torch.ones(1, size, source, dtype=torch.bool) for size, source in zip(sizes, sources, strict=True)]
        return cls.of(ext, [torch.ones(1, size, size, dtype=torch.bool) for size in sizes])

    @classmethod
    def uncoupled(cls, neurons: int) -> Self:
        """Make that of neurons that see nothing."""
        return cls(torch.zeros(1, neurons, neurons, dtype=torch.bool), torch.zeros(1, neurons, 0, dtype=torch.bool))


@dataclass(frozen=True)
class Weights:
    """Synaptic weights and trainable biases by layer, dimensionless; absent synapses are zero.

    Args:
        w_ext: For each layer (member, neuron, source): from the input (layer 0) or from the layer before.
        w_int: For each layer (member, neuron, neuron): within the layer.
        bias: For each layer (member, neuron).
        sparsity: Which synapses exist; None where all may.
    """

    w_ext: tuple[Tensor, ...]
    w_int: tuple[Tensor, ...]
    bias: tuple[Tensor, ...]
    sparsity: Sparsity | None = None

    @property
    def layers(self) -> tuple[int, ...]:
        """Neurons of each layer."""
        return tuple(bias.shape[-1] for bias in self.bias)

    @property
    def members(self) -> int:
        """Number of networks side by side."""
        return self.bias[0].shape[0]


@dataclass(frozen=True)
class Extras:
    """What may disturb a rollout: explicit noise, and an additive defect between the power and the high-pass.

    Args:
        noise: Standard normal numbers (member, batch, steps, neuron, 2) for the thermal noise; None for none.
        diffusion_per_s: D of each neuron in 1/s, (member, neuron); goes with noise.
        defect: Added to x before the high-pass, at every step node, (member, batch, steps + 1, neuron).
    """

    noise: Tensor | None = None
    diffusion_per_s: Tensor | None = None
    defect: Tensor | None = None


@dataclass(frozen=True)
class Rollout:
    """What a rollout gives.

    Args:
        power0: x (or the state of a CTRNN neuron) before the first sample, (member, batch, neuron).
        power: x at the END of each sample interval, (member, batch, time, neuron).
        filtered: y, what leaves the neuron (after the high-pass; tanh x for a CTRNN), at the same times and shape.
        drive: Mean drive I over each sample interval in 1/s, the same shape; None unless asked for.
    """

    power0: Tensor
    power: Tensor
    filtered: Tensor
    drive: Tensor | None = None
