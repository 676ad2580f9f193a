"""What the studies vary, as written in one YAML file: the grid."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from spinhw.config import Settings
from spinhw.config.sorts import GRID
from spinhw.units import TimeS

Share = Annotated[float, Field(ge=0.0, le=1.0)]
Rate = Annotated[float, Field(gt=0.0)]
Overrides = tuple[str, ...]


class ProtocolSettings(Settings):
    """One way to train, and what its sweeps vary besides the sample interval."""

    spintronic: str = Field(description="Recipe of the spintronic network, such as examples/digits.yaml.")
    ctrnn: str = Field(description="Recipe of its software peer.")
    sweep: Overrides = Field(default=(), description="Overrides of every run of a sweep, as KEY=VALUE.")
    taus_s: tuple[TimeS, ...] = Field(min_length=1, description="Relaxation times of figure 3a.")
    learning_rates: tuple[Rate, ...] = Field(min_length=1, description="Learning rates of figure 3b.")


class GridSettings(Settings):
    """All points of all studies; `spinhw study` trains one ensemble of networks, one for each seed, at each of them."""

    sorts = (GRID,)

    seeds: tuple[Annotated[int, Field(ge=0)], ...] = Field(
        default=tuple(range(10)), min_length=1, description="One network each, at every point."
    )
    protocols: dict[str, ProtocolSettings] = Field(min_length=1, description="Protocols by name.")
    overrides: Overrides = Field(default=(), description="Overrides of every run, as KEY=VALUE.")
    sample_intervals_s: tuple[TimeS, ...] = Field(
        min_length=1, description="Times between two input points, of figures 2b, 3a, 3b and 3c."
    )
    substeps: tuple[Annotated[int, Field(ge=1)], ...] = Field(
        description="Integration steps for each sample while training, one for each sample interval."
    )
    densities_intra: tuple[Share, ...] = Field(
        min_length=1, description="Densities within a layer, all others 1 (figure 4)."
    )
    densities_inter: tuple[Share, ...] = Field(
        min_length=1, description="Densities between layers and of the input, all others 1 (figure 4)."
    )
    densities_all: tuple[Share, ...] = Field(min_length=1, description="Densities of all at once (figure 4).")
    traced_intervals_s: tuple[TimeS, ...] = Field(
        default=(), description="Sample intervals at which a neuron's power is drawn (figure 2c to e)."
    )

    @model_validator(mode="after")
    def _one_number_of_substeps_per_interval(self) -> Self:
        if len(self.substeps) != len(self.sample_intervals_s):
            raise ValueError(
                f"substeps lists {len(self.substeps)} numbers for {len(self.sample_intervals_s)} sample_intervals; "
                "give one for each"
            )
        return self
