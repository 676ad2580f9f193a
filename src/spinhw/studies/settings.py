"""What the studies vary, as written in one YAML file: the grid."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from spinhw.config import Settings
from spinhw.config.sorts import GRID
from spinhw.units import TimeS

Share = Annotated[float, Field(ge=0.0, le=1.0)]
Rate = Annotated[float, Field(gt=0.0)]
Overrides = tuple[str, ...]


class MethodSettings(Settings):
    """One way to come to terms with a chip."""

    label: str = Field(description="For tables and pictures.")
    overrides: Overrides = Field(description="What makes it, as KEY=VALUE, after those of the loop.")
    turn: int = Field(
        default=1, ge=1, description="Methods of the first turn are run on all chips before those of the second, ..."
    )


class ProtocolSettings(Settings):
    """One way to train, and what its sweeps vary besides the sample interval."""

    spintronic: str = Field(description="Recipe of the spintronic network, such as examples/digits.yaml.")
    ctrnn: str = Field(description="Recipe of its software peer.")
    sweep: Overrides = Field(default=(), description="Overrides of every run of a sweep, as KEY=VALUE.")
    taus_s: tuple[TimeS, ...] = Field(min_length=1, description="Relaxation times of figure 3a.")
    learning_rates: tuple[Rate, ...] = Field(min_length=1, description="Learning rates of figure 3b.")
    rule_rates: tuple[Rate, ...] = Field(
        default=(), description="Learning rates of the learning-rate rule; none where it is not tested."
    )
    no_tests: dict[str, str] = Field(
        default_factory=dict,
        description="Studies whose claims hold by construction under this protocol, each with the reason.",
    )


class GridPlateauSettings(Settings):
    """Every point is trained on to its own plateau, and measured there again.

    Training ends when the share of right answers in training has risen by less than `rise` from one quarter of the
    recipe's epochs to the next.
    """

    rise: float = Field(default=0.005, gt=0.0, lt=1.0, description="Rise that counts as none; above 0, below 1.")
    most: int = Field(default=3, ge=2, description="Times the recipe's epochs that training may take, 2 or above.")


class GridSettings(Settings):
    """All points of all studies; `spinhw study` trains one ensemble of networks, one for each seed, at each of them."""

    sorts = (GRID,)

    seeds: tuple[Annotated[int, Field(ge=0)], ...] = Field(
        default=tuple(range(10)), min_length=1, description="One network each, at every point."
    )
    protocols: dict[str, ProtocolSettings] = Field(min_length=1, description="Protocols by name.")
    overrides: Overrides = Field(default=(), description="Overrides of every run, as KEY=VALUE.")
    plateau: GridPlateauSettings | None = Field(
        default=None, description="Measures each point at its plateau too; null for the recipe's epochs alone."
    )
    sample_intervals_s: tuple[TimeS, ...] = Field(
        min_length=1, description="Times between two input points, of figures 2b, 3a, 3b and 3c."
    )
    rule_intervals_s: tuple[TimeS, ...] = Field(
        default=(), description="Those of the learning-rate rule, each one of sample_intervals."
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
        others = [each for each in self.rule_intervals_s if each not in self.sample_intervals_s]
        if others:
            raise ValueError("rule_intervals must all be among sample_intervals: their substeps stand there")
        return self
