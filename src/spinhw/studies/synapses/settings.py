"""What the study of resonators as synapses varies, as written in one YAML file."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from spinhw.config import Settings
from spinhw.config.sorts import SYNAPSE_GRID
from spinhw.studies.settings import MethodSettings, Overrides, Share
from spinhw.units import spell_quantity

Spacing = Annotated[float, Field(gt=0.0)]
Bits = Annotated[int, Field(ge=2, le=24)]


class ResonatorChipSettings(Settings):
    """What the resonators of chips of one kind are like, beside what their profile says."""

    spacing: Spacing = Field(default=16.0, description="From tone to tone, in half-linewidths; above 0.")
    frequency_spread: Share = Field(default=0.0, description="Relative standard deviation of the resonances, 0 to 1.")
    programming_error: Share = Field(
        default=0.0, description="Standard deviation of a fixed offset, over the largest weight, 0 to 1."
    )
    repeatability: Share = Field(
        default=0.0, description="Standard deviation at each programming, over the largest weight, 0 to 1."
    )
    bits: Bits = Field(default=10, description="Resolution of a tuning over its whole span, 2 to 24.")
    dead: Share = Field(default=0.0, description="Share of resonators that do nothing, 0 to 1.")

    @property
    def of_network(self) -> tuple[str, ...]:
        """What designs a network for them, as KEY=VALUE."""
        return (f"network.synapses.spacing={self.spacing!r} half-linewidths",)

    def of_device(self, half_linewidth_hz: float) -> tuple[str, ...]:
        """What makes such chips of a profile, as KEY=VALUE."""
        synapses = "device.chip.synapses"
        return (
            f"{synapses}.rf.spacing={spell_quantity(self.spacing * half_linewidth_hz, 'Hz')}",
            f"{synapses}.rf.frequency_spread={self.frequency_spread!r}",
            f"{synapses}.programming_error={self.programming_error!r}",
            f"{synapses}.repeatability={self.repeatability!r}",
            f"{synapses}.bits={self.bits!r}",
            f"{synapses}.dead_fraction={self.dead!r}",
        )


class SweepSettings(Settings):
    """One axis at a time: what each quantity of the chips is varied to, all others as they are."""

    spacing: tuple[Spacing, ...] = Field(min_length=2, description="Spacings in half-linewidths, at least two.")
    frequency_spread: tuple[Share, ...] = Field(default=(), description="Spreads of the resonances.")
    programming_error: tuple[Share, ...] = Field(default=(), description="Fixed errors, over the largest weight.")
    repeatability: tuple[Share, ...] = Field(default=(), description="Errors at each programming, likewise.")
    bits: tuple[Bits, ...] = Field(default=(), description="Resolutions in bits.")
    dead: tuple[Share, ...] = Field(default=(), description="Shares of dead resonators.")


class SynapseGridSettings(Settings):
    """All runs of the study rf_synapses: one network for each seed, each on a chip of its own."""

    sorts = (SYNAPSE_GRID,)

    seeds: tuple[Annotated[int, Field(ge=0)], ...] = Field(
        default=tuple(range(10)), min_length=1, description="One network and one chip each, at every point."
    )
    recipe: str = Field(description="Recipe of a network of resonators, trained on the simulator once per spacing.")
    overrides: Overrides = Field(default=(), description="Overrides of every run, as KEY=VALUE.")
    device: str = Field(description="Profile of chips that take tunings, of which `chips` and `sweeps` set the rest.")
    chips: ResonatorChipSettings = Field(description="The chips around which one axis at a time is varied.")
    sweeps: SweepSettings = Field(description="What is varied.")
    ideal: Overrides = Field(
        default=(),
        description="What makes chips ideal but for their crosstalk, as KEY=VALUE: there networks that were trained "
        "with and without the crosstalk in their model are compared.",
    )
    loop: Overrides = Field(description="Overrides of every run that starts from the trained networks.")
    methods: dict[str, MethodSettings] = Field(min_length=1, description="Methods by name.")
    deployed: str = Field(description="Name of the method that deploys networks as they were trained.")
    default: str = Field(description="Name of the method whose accuracy tells which spacing is needed.")
    truth: str = Field(description="Name of the method that knows the truth.")

    @model_validator(mode="after")
    def _methods_are_there(self) -> Self:
        named = dict.fromkeys((self.deployed, self.default, self.truth))
        missing = [name for name in named if name not in self.methods]
        if missing:
            raise ValueError(f"there is no method {', '.join(missing)} among {', '.join(self.methods)}")
        return self
