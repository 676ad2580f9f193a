"""A network of spintronic oscillators (or its software peer) as a torch module: settings, parameters, forward."""

import math
from collections.abc import Sequence
from typing import Annotated, Literal, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from spinhw.config import Settings
from spinhw.rollout import Engine, Neurons, Rollout, Sparsity, Steps, Weights, rollout
from spinhw.streams import torch_stream
from spinhw.topology import Topology, draw_masks
from spinhw.units import NonNegativeFrequencyHz, RatePerS, TimeS

# One sample each nanosecond, as in the paper, integrated by two midpoint steps.
PAPER_STEPS = Steps(1e-9)

Density = Annotated[float, Field(ge=0.0, le=1.0)]


class NoSaturation(Settings):
    """An unbounded drive: for the paper's own protocol only, no device survives it."""

    kind: Literal["none"] = Field(default="none", description="Unbounded drive.")


class SigmoidSaturation(Settings):
    """A smooth bound of the drive with slope one at the bias."""

    kind: Literal["sigmoid"] = Field(default="sigmoid", description="Smoothly bounded drive.")
    lowest_over_gamma: float = Field(
        default=0.0, lt=2.0, description="Lowest drive in units of gamma; below the bias of 2."
    )
    highest_over_gamma: float = Field(
        default=4.0, gt=2.0, description="Highest drive in units of gamma; above the bias of 2."
    )


class NetworkSettings(Settings):
    """A network as designed: sizes, densities, nominal neuron and read-out."""

    kind: Literal["spintronic", "ctrnn"] = Field(
        default="spintronic", description="'spintronic' (oscillators) or 'ctrnn' (the software peer, tanh neurons)."
    )
    inputs: int = Field(default=1, ge=1, description="Input channels.")
    layers: tuple[Annotated[int, Field(ge=1, le=4096)], ...] = Field(
        default=(32, 32, 32), min_length=1, description="Neurons of each layer, first layer first; each 1 to 4096."
    )
    outputs: int = Field(default=10, ge=1, description="Output channels (classes).")
    density_input: Density = Field(default=0.5, description="Share of input synapses that exist, 0 to 1.")
    density_inter: Density = Field(default=0.5, description="Share of synapses between layers that exist, 0 to 1.")
    density_intra: Density = Field(default=0.5, description="Share of synapses within a layer that exist, 0 to 1.")
    tau_s: TimeS = Field(default=5e-9, description="Relaxation time 1/gamma of a neuron; 1 fs to 1 s.")
    sigma: float = Field(default=1.0, gt=0.0, description="Drive efficiency of the nominal neuron, dimensionless.")
    q: float = Field(default=0.0, ge=0.0, description="Non-linear damping Q, dimensionless, 0 or above.")
    cutoff_hz: NonNegativeFrequencyHz = Field(
        default=44e6, description="Corner of the high-pass behind each neuron; 0 or above."
    )
    gain: float = Field(default=0.5, gt=0.0, description="Gain S between layers, dimensionless.")
    drive_rate_per_s: RatePerS = Field(
        default=1e9, description="Drive of a unit synaptic sum at S = 1; above zero, at most 1e18 1/s."
    )
    saturation: Annotated[NoSaturation | SigmoidSaturation, Field(discriminator="kind")] = Field(
        default=SigmoidSaturation(), description="Bound of the drive."
    )
    initial_state: Literal["rest", "half"] = Field(
        default="rest",
        description="State before the first sample: 'rest' (as on a bench) or 'half' (x = 1/2, the paper).",
    )
    readout: Literal["hardware", "software"] = Field(
        default="hardware",
        description="Where the dense read-out is made; synapses of a software one are not hardware synapses.",
    )
    readout_samples: int = Field(
        default=1, ge=1, description="Samples at the end over which the read-out averages, at least 1."
    )
    out_gain: float = Field(default=7.0, gt=0.0, description="Gain of the read-out in front of the soft-max.")
    weight_limit: float | None = Field(
        default=4.0, gt=0.0, description="Largest weight and bias in size; null for none."
    )
    weight_scale: float = Field(
        default=1.0, gt=0.0, description="Initial weights are uniform within +- this / sqrt(fan-in)."
    )

    @model_validator(mode="after")
    def _software_neurons_have_no_drive_limit(self) -> Self:
        if self.kind == "ctrnn" and self.saturation.kind != "none":
            raise ValueError("kind 'ctrnn' is pure software and has no saturation; write 'saturation: {kind: none}'")
        return self

    def topology(self) -> Topology:
        """Layers and densities."""
        return Topology(
            self.inputs, self.layers, self.outputs, self.density_input, self.density_inter, self.density_intra
        )

    def neurons(self, dtype: torch.dtype | None = None) -> Neurons:
        """Nominal neurons, (1, neuron)."""
        limits = self.saturation
        bounds = (
            (limits.lowest_over_gamma, limits.highest_over_gamma) if isinstance(limits, SigmoidSaturation) else None
        )
        return Neurons.nominal(
            self.topology().neurons,
            tau_s=self.tau_s,
            sigma=self.sigma,
            q=self.q,
            cutoff_hz=self.cutoff_hz,
            gain=self.gain,
            drive_over_gamma=bounds,
            dtype=dtype,
        )


class SpintronicNetwork(nn.Module):
    """A network with trainable weights and biases, usable in anybody's training loop.

    Parameters by name: ``w_ext.L`` (neuron, source), ``w_int.L`` (neuron, neuron), ``bias.L`` (neuron), for layers L
    = 0, 1, ..., then ``w_out`` (output, neuron) and ``b_out`` (output). Absent synapses stay zero: a mask multiplies
    the weights.

    Args:
        settings: The network as designed.
        steps: Time grid of the integration; the sample interval is the task's.
        seed: Seed of masks and initial weights. With a sequence of seeds the module holds an ensemble: every
            parameter has the member axis in front, and so do inputs and outputs.
    """

    def __init__(self, settings: NetworkSettings, steps: Steps = PAPER_STEPS, seed: int | Sequence[int] = 0) -> None:
        super().__init__()
        self.settings, self.steps = settings, steps
        self.ensemble = not isinstance(seed, int)
        members = [_draw(settings, one) for one in ([seed] if isinstance(seed, int) else seed)]
        drawn = {name: torch.stack([member[name] for member in members]) for name in members[0]}
        if not self.ensemble:
            drawn = {name: tensor[0] for name, tensor in drawn.items()}
        layers = range(len(settings.layers))
        self.w_ext = nn.ParameterList(drawn[f"w_ext.{layer}"] for layer in layers)
        self.w_int = nn.ParameterList(drawn[f"w_int.{layer}"] for layer in layers)
        self.bias = nn.ParameterList(drawn[f"bias.{layer}"] for layer in layers)
        self.w_out, self.b_out = nn.Parameter(drawn["w_out"]), nn.Parameter(drawn["b_out"])
        self._measured: Neurons | None = None
        self._remembered: tuple[list[tuple[Tensor, int]], Sparsity] | None = None
        self._neurons: Neurons | None = None
        for name in settings.topology().masked_shapes():
            self.register_buffer(_mask_name(name), drawn[_mask_name(name)])

    def mask(self, name: str) -> Tensor:
        """Give the boolean mask of a weight matrix, such as ``w_int.0``, shaped as the parameter."""
        return self.get_buffer(_mask_name(name))

    def masks(self) -> dict[str, Tensor]:
        """Give every mask by parameter name."""
        return {name: self.mask(name) for name in self.settings.topology().masked_shapes()}

    def values(self) -> dict[str, Tensor]:
        """Give every parameter by name as it acts, absent synapses zero; gradients flow through."""
        named = dict(self.named_parameters())
        return named | {name: named[name] * mask for name, mask in self.masks().items()}

    def weights(self) -> Weights:
        """Give synapses and biases for a rollout, always with the member axis in front."""
        values = {name: value if self.ensemble else value[None] for name, value in self.values().items()}

        def by_layer(kind: str) -> tuple[Tensor, ...]:
            return tuple(values[f"{kind}.{layer}"] for layer in range(len(self.settings.layers)))

        return Weights(by_layer("w_ext"), by_layer("w_int"), by_layer("bias"), self._sparsity())

    def _sparsity(self) -> Sparsity:
        """The masks as one object, made again only when one of them has changed or was put in another's place."""
        if torch.compiler.is_compiling():  # A graph has no use for what was remembered.
            return self._joined(list(self.masks().values()))
        # noqa below: torch's counter of in-place changes has no public name.
        present = [(mask, mask._version) for mask in self.masks().values()]  # noqa: SLF001
        if self._remembered is None or not _same_tensors(self._remembered[0], present):
            self._remembered = present, self._joined([mask for mask, _ in present])
        return self._remembered[1]

    def _joined(self, masks: list[Tensor]) -> Sparsity:
        by_member = [mask if self.ensemble else mask[None] for mask in masks]
        layers = len(self.settings.layers)
        return Sparsity.of(by_member[:layers], by_member[layers:])

    def neurons(self) -> Neurons:
        """Neurons in this module's type and place: nominal ones, (1, neuron), or those of `use_neurons`.

        The same object while nothing changes.
        """
        like, known = self.w_out, self._neurons
        if known is None or known.gamma.dtype != like.dtype or known.gamma.device != like.device:
            source = self.settings.neurons(torch.float64) if self._measured is None else self._measured
            known = source.to(like.device).to(like.dtype)
            if torch.compiler.is_compiling():
                return known
            self._neurons = known
        return known

    def use_neurons(self, neurons: Neurons | None) -> None:
        """Take other neurons than the nominal ones, such as those of a calibrated device; None goes back to them.

        They are no part of the state dict.

        Args:
            neurons: (1, neuron), or (member, neuron) for an ensemble.
        """
        self._measured, self._neurons = neurons, None

    @property
    def calibrated(self) -> bool:
        """Whether `use_neurons` has put others in the place of the nominal neurons."""
        return self._measured is not None

    def run(
        self,
        inputs: Tensor,
        steps: Steps | None = None,
        *,
        record_drive: bool = False,
        record_last: int | None = None,
        engine: Engine = "auto",
    ) -> Rollout:
        """Integrate the network; the result has the member axis in front, for an ensemble or not.

        Args:
            inputs: (batch, time, input), for an ensemble (member, batch, time, input).
            steps: Another time grid than the module's own.
            record_drive: Whether to return the drive.
            record_last: How many samples at the end to return; None for all.
            engine: Engine of the rollout.
        """
        return rollout(
            self.weights(),
            self.neurons(),
            inputs if self.ensemble else inputs[None],
            steps or self.steps,
            cell=self.settings.kind,
            drive_rate_per_s=self.settings.drive_rate_per_s,
            initial=self.settings.initial_state,
            record_drive=record_drive,
            record_last=record_last,
            engine=engine,
        )

    def read_out(self, filtered: Tensor) -> Tensor:
        """Turn the outputs y of all neurons, (member, batch, time, neuron), into logits, (member, batch, output).

        logits = out_gain W_out y + b_out, with y of the last layer averaged over the last `readout_samples` samples.
        """
        last = filtered[:, :, -self.settings.readout_samples :, -self.settings.layers[-1] :].mean(2)
        w_out, b_out = (self.w_out, self.b_out) if self.ensemble else (self.w_out[None], self.b_out[None])
        return self.settings.out_gain * last @ w_out.transpose(1, 2) + b_out[:, None]

    def forward(self, inputs: Tensor) -> Tensor:
        """Give the logits (batch, output), for an ensemble (member, batch, output), of inputs as for `run`."""
        logits = self.read_out(self.run(inputs, record_last=self.settings.readout_samples).filtered)
        return logits if self.ensemble else logits[0]

    @torch.no_grad()
    def limit_weights_(self) -> None:
        """Project every weight and bias onto the limit of the hardware; call it after each optimiser step."""
        limit = self.settings.weight_limit
        if limit is not None:
            for parameter in self.parameters():
                parameter.clamp_(-limit, limit)

    @property
    def neuron_count(self) -> int:
        """Number of neurons of one network."""
        return self.settings.topology().neurons

    @property
    def synapse_count(self) -> int:
        """Number of hardware synapses of one network, counted from the masks."""
        per_member = sum(int(mask.sum()) for mask in self.masks().values()) // (len(self.w_out) if self.ensemble else 1)
        return per_member + (
            self.settings.layers[-1] * self.settings.outputs if self.settings.readout == "hardware" else 0
        )


def _same_tensors(old: list[tuple[Tensor, int]], new: list[tuple[Tensor, int]]) -> bool:
    """Tell whether these are the very same tensors, each with its counter of changes as it was."""
    pairs = zip(old, new, strict=True)
    return all(before is now and was == counter for (before, was), (now, counter) in pairs)


def _mask_name(name: str) -> str:
    return "mask_" + name.replace(".", "_")


def _draw(settings: NetworkSettings, seed: int) -> dict[str, Tensor]:
    """Draw masks and initial values of one network: uniform within +-weight_scale / sqrt(fan-in), biases zero."""
    topology = settings.topology()
    masks = draw_masks(topology, torch_stream("masks", seed))
    generator = torch_stream("initial weights", seed)
    shapes = topology.masked_shapes() | {"w_out": (settings.outputs, settings.layers[-1])}
    drawn = {name: _uniform(shape, settings.weight_scale, generator) for name, shape in shapes.items()}
    drawn |= {f"bias.{layer}": torch.zeros(size) for layer, size in enumerate(settings.layers)}
    drawn["b_out"] = torch.zeros(settings.outputs)
    return {name: tensor * masks.get(name, 1.0) for name, tensor in drawn.items()} | {
        _mask_name(name): mask for name, mask in masks.items()
    }


def _uniform(shape: tuple[int, int], scale: float, generator: torch.Generator) -> Tensor:
    bound = scale / math.sqrt(shape[1])
    return (torch.rand(shape, generator=generator) * 2 - 1) * bound
