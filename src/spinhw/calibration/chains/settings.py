"""Plans for the chains of a whole chip: which points of each chain are measured."""

from typing import Literal

from pydantic import Field

from spinhw.config import Settings
from spinhw.config.sorts import PLAN
from spinhw.units import DurationS


class ChainPlanSettings(Settings):
    """A plan for all chains of a chip that takes tunings: each chain is programmed at several levels and swept.

    All resonators of a chain have the same tuning at a level, and a tone goes through the windows of all of them, which
    follow the tuning as designed. From level to level the tones are shifted by a part of their distance, so that they
    are as dense as all levels together make them.
    """

    sorts = (PLAN,)

    kind: Literal["chains"] = Field(description="'chains': for the chains of a whole chip.")
    name: str = Field(min_length=1, description="Name of the plan.")
    power: float = Field(default=1.0, gt=0.0, description="Power of the tones, in units of an oscillator's at x = 1.")
    levels: int = Field(
        default=9,
        ge=3,
        le=1000,
        description="Tunings of all resonators of a chain, 3 to 1000: two tell no scatter of programmings.",
    )
    range: float = Field(default=0.75, gt=0.0, le=1.0, description="Largest tuning, above 0, up to 1.")
    tones: int = Field(default=13, ge=3, le=10_000, description="Tones around each resonance at a level, 3 to 10 000.")
    reach: float = Field(
        default=10.0,
        gt=1.0,
        description="How far from each resonance tones are played, in half linewidths as designed; above 1. Resonances "
        "that are off by more are not found.",
    )
    readings: int = Field(default=1, ge=1, le=1000, description="Readings of each point, one after another; 1 to 1000.")
    dark: int = Field(default=16, ge=0, le=10_000, description="Points of each chain without a tone, 0 to 10 000.")
    reading_s: DurationS = Field(default=0.05, description="What a reading takes, for what is said of the time.")
    programming_s: DurationS = Field(default=0.05, description="What a programming takes, likewise.")
