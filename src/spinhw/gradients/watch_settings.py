"""How the neurons of a device are watched while a network trains on it."""

from typing import Literal

from pydantic import Field

from spinhw.config import Settings

# A chart of fewer sequences has too few of them for its statistics.
LEAST_SEQUENCES = 12


class WatchSettings(Settings):
    """Whether the neurons are still those of the first batches, by a control chart; takes no further shots."""

    every: int = Field(
        default=10,
        ge=1,
        description="Batches in the loop from one look to the next, at least 1; rounds where channels take turns.",
    )
    images: int = Field(
        default=120,
        ge=LEAST_SEQUENCES,
        description=f"Sequences of a batch that a look is at, at least {LEAST_SEQUENCES}; fewer cost and show less.",
    )
    learn: int = Field(
        default=8,
        ge=4,
        description="Looks, one at each of the first batches in the loop, that show how the device is when nothing has "
        "changed, at least 4: half of them fit the model, half tell what it still misses by, and how that scatters.",
    )
    false_alarms_per_1000: float = Field(
        default=0.5, gt=0.0, le=100.0, description="False alarms of the whole device in 1000 looks, above 0 to 100."
    )
    action: Literal["log", "refit", "stop"] = Field(
        default="refit",
        description="On alarm: 'log' it; 'refit' the neurons that have changed, at once, which needs an online refit; "
        "or 'stop' with the run saved and the device safe. Resumed it takes the device as it then is.",
    )
