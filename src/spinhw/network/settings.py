"""A network as designed: sizes, densities, nominal neuron and read-out, and the bounds of its drives."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from spinhw.config import ByKind, Settings, build, find_recipe, read_yaml
from spinhw.errors import MisfitError
from spinhw.network.answer import Answer
from spinhw.network.rate_settings import RATES, LogisticSettings, RateSettings
from spinhw.network.synapse_settings import ResonatorSynapses, WeightSynapses
from spinhw.topology import Topology
from spinhw.units import NonNegativeFrequencyHz, RatePerS, TimeS, format_quantity, parse_quantity

if TYPE_CHECKING:
    import torch

    from spinhw.rollout import Neurons

# A number over the relaxation time, such as "4 / tau".
_PER_TAU = re.compile(r"([0-9.]+(?:[eE][+-]?[0-9]+)?)\s*/\s*tau")

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
    rate: Annotated[RateSettings, ByKind(RATES, default="logistic")] = Field(
        default=LogisticSettings(),
        description="What a neuron does: dx/dt. 'logistic' (docs/model.md), or a rate of another package.",
    )
    cutoff_hz: NonNegativeFrequencyHz = Field(
        default=44e6, description="Corner of the high-pass behind each neuron; 0 or above."
    )
    gain: float = Field(default=0.5, gt=0.0, description="Gain S between layers, dimensionless.")
    drive_rate_per_s: RatePerS = Field(
        default=1e9,
        description="Drive of a unit synaptic sum at S = 1; above zero, at most 1e18 1/s. 'K / tau', with a number K, "
        "moves with the relaxation time.",
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
        default=4.0,
        gt=0.0,
        description="Largest weight and bias in size, of resonators w_max; null for none, which resonators refuse.",
    )
    synapses: Annotated[WeightSynapses | ResonatorSynapses, Field(discriminator="kind")] = Field(
        default=WeightSynapses(),
        description="What the weights of the hardware are: 'weights' or 'resonators' (docs/rf-synapses.md).",
    )
    weight_scale: float = Field(
        default=1.0, gt=0.0, description="Initial weights are uniform within +- this / sqrt(fan-in)."
    )
    weight_scale_intra: float | None = Field(
        default=None, gt=0.0, description="The same for synapses within a layer; null for weight_scale."
    )
    initial_intra: Literal["independent", "antisymmetric"] = Field(
        default="independent",
        description="Initial weights within a layer: each drawn for itself, or 'antisymmetric', that from j to i minus "
        "that from i to j, where both exist: what the layer has seen then goes round in it, and is remembered longer.",
    )

    @model_validator(mode="before")
    @classmethod
    def _drive_per_relaxation_time(cls, data: Any) -> Any:
        rate = data.get("drive_rate") if isinstance(data, dict) else None
        found = _PER_TAU.fullmatch(rate.strip()) if isinstance(rate, str) else None
        if found is None:
            return data
        tau = data.get("tau", data.get("tau_s", cls.model_fields["tau_s"].default))
        try:
            tau_s = parse_quantity(tau, "s") if isinstance(tau, str) else float(tau)
            return data | {"drive_rate": format_quantity(float(found[1]) / tau_s, "1/s")}
        except (ValueError, TypeError, ZeroDivisionError):
            return data  # Something is wrong with tau, which is said of it.

    @model_validator(mode="after")
    def _software_neurons_have_no_drive_limit(self) -> Self:
        if self.kind == "ctrnn" and self.saturation.kind != "none":
            raise ValueError("kind 'ctrnn' is pure software and has no saturation; write 'saturation: {kind: none}'")
        return self

    @model_validator(mode="after")
    def _software_neurons_have_no_rate(self) -> Self:
        if self.kind == "ctrnn" and self.rate.kind != "logistic":
            raise MisfitError(
                "network.kind 'ctrnn' is pure software and has no rate to replace",
                seen=f"rate {self.rate.kind}",
                allowed="no rate",
                todo="leave network.rate out, or write kind: spintronic",
            )
        return self

    @model_validator(mode="after")
    def _resonators_fit(self) -> Self:
        if isinstance(self.synapses, ResonatorSynapses):
            self._refuse_resonators_without_a_limit()
            for size, whose in (
                (self.inputs, "the inputs"),
                *((size, f"layer {number}") for number, size in enumerate(self.layers, 1)),
            ):
                self.synapses.refuse_ladder(size, whose)
            for (_, sources), scale in self._initial_scales():
                self.synapses.refuse_initial(sources, scale, self.weight_limit or 1.0)
        return self

    def _refuse_resonators_without_a_limit(self) -> None:
        if self.kind == "ctrnn":
            raise MisfitError(
                "network.synapses are resonators, and network.kind 'ctrnn' is pure software",
                seen="kind: resonators",
                allowed="kind: weights",
                todo="leave network.synapses out, or write network.kind: spintronic",
            )
        if self.weight_limit is None:
            raise MisfitError(
                "network.weight_limit is the largest weight of a resonator, and there is none",
                seen="null",
                allowed="a number above 0",
                todo="write for instance weight_limit: 4.0",
            )

    def _initial_scales(self) -> list[tuple[tuple[int, int], float]]:
        """Shape of every matrix of resonators, and the largest size of its initial weights."""
        intra = self.weight_scale if self.weight_scale_intra is None else self.weight_scale_intra
        return [
            (shape, (intra if name.startswith("w_int") else self.weight_scale) / shape[1] ** 0.5)
            for name, shape in tuned_shapes(self).items()
        ]

    @classmethod
    def of(cls, recipe: str | Path) -> Self:
        """Read the network of a recipe: the name of a shipped one such as "digits", or the YAML file of a run.

        Raises:
            ConfigError: There is no such recipe, or its network is wrong.
        """
        path = find_recipe(Path(recipe))
        return build(cls, read_yaml(path).get("network", {}), f"{path}: network")

    @property
    def answer(self) -> Answer:
        """Return the one answer at the end of a sequence, averaged over the last `readout_samples` samples."""
        return Answer(self.readout_samples)

    def topology(self) -> Topology:
        """Layers and densities."""
        return Topology(
            self.inputs, self.layers, self.outputs, self.density_input, self.density_inter, self.density_intra
        )

    def drive_per_weight(self, sample_interval_s: float) -> float:
        """Return I dt of weights whose mean size is 1, dimensionless (Plouet et al. 2024, eq. 9 and 11).

        I = drive_rate S <|W|> sqrt(N) with the fan-in N = density_inter n + density_intra n of a layer of n neurons;
        the paper's drive_rate is 1/ns.
        """
        size = sum(self.layers) / len(self.layers)
        fan_in = (self.density_inter + self.density_intra) * size
        return self.drive_rate_per_s * self.gain * fan_in**0.5 * sample_interval_s

    def neurons(self, dtype: "torch.dtype | None" = None) -> "Neurons":
        """Nominal neurons, (1, neuron)."""
        from spinhw.rollout import Neurons

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
            rate=self.rate.open(),
            dtype=dtype,
        )


def tuned_shapes(network: NetworkSettings) -> dict[str, tuple[int, int]]:
    """Return the shape (destination, source) of every matrix of hardware synapses, by parameter name."""
    shapes = network.topology().masked_shapes()
    return shapes | ({"w_out": (network.outputs, network.layers[-1])} if network.readout == "hardware" else {})
