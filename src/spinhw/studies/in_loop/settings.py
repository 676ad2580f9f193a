"""What the studies of chips in the loop vary, as written in one YAML file."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from spinhw.config import Settings
from spinhw.config.sorts import LOOP_GRID
from spinhw.studies.settings import MethodSettings, Overrides, Share

Count = Annotated[int, Field(ge=1)]


class LoopMethodSettings(MethodSettings):
    """One way to come to terms with a chip, and where it is tried."""

    cells: Literal["all", "worst"] = Field(
        default="all", description="Where it is tried: in all cells, or only in the worst one."
    )


class AveragingSettings(Settings):
    """Averages of each shot against more batches: every point takes the same number of shots."""

    method: str = Field(description="Name of the method that trains.")
    averages: tuple[Count, ...] = Field(min_length=1, description="Shots over which each batch is averaged.")
    epochs: Count = Field(description="Epochs in the loop with one shot for each batch; n shots leave an n-th of them.")
    noises: tuple[Share, ...] = Field(min_length=1, description="Read-out noise of one shot, in units of full power.")

    @model_validator(mode="after")
    def _whole_epochs(self) -> Self:
        broken = [str(n) for n in self.averages if self.epochs % n]
        if broken:
            raise ValueError(f"epochs is {self.epochs}, which {', '.join(broken)} averages do not divide")
        return self


class LoopGridSettings(Settings):
    """All runs of the studies of chips in the loop: one network for each seed, each on a chip of its own."""

    sorts = (LOOP_GRID,)

    seeds: tuple[Annotated[int, Field(ge=0)], ...] = Field(
        default=tuple(range(10)), min_length=1, description="One network and one chip each, in every cell."
    )
    recipe: str = Field(description="Recipe that is trained on the simulator once; every run starts from that.")
    device: str = Field(description="Device profile whose imperfections the cells set.")
    ideal: str = Field(default="ideal", description="Device profile without any.")
    overrides: Overrides = Field(default=(), description="Overrides of every run, as KEY=VALUE.")
    loop: Overrides = Field(description="Overrides of every run that starts from the trained networks.")
    mismatches: tuple[Share, ...] = Field(min_length=1, description="Spread of gamma, sigma and Q.")
    noises: tuple[Share, ...] = Field(min_length=1, description="Read-out noise, in units of full power.")
    synapse_errors: tuple[Share, ...] = Field(min_length=1, description="Spread of the synapses' scales.")
    methods: dict[str, LoopMethodSettings] = Field(min_length=1, description="Methods by name.")
    deployed: str = Field(description="Name of the method that only deploys.")
    default: str = Field(description="Name of the method that is claimed to be as good as the truth.")
    truth: str = Field(description="Name of the method that knows the truth.")
    averaging: AveragingSettings = Field(description="The study of averages.")

    @model_validator(mode="after")
    def _methods_are_there(self) -> Self:
        named = (self.deployed, self.default, self.truth, self.averaging.method)
        missing = [name for name in dict.fromkeys(named) if name not in self.methods]
        if missing:
            raise ValueError(f"there is no method {', '.join(missing)} among {', '.join(self.methods)}")
        return self
