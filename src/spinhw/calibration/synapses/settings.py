"""Plans for a chain of resonators: which points are measured."""

from typing import Annotated, Literal

from pydantic import Field

from spinhw.config import Settings
from spinhw.config.sorts import PLAN

Readings = Annotated[int, Field(ge=1, le=100_000)]


class _Experiment(Settings):
    readings: Readings = Field(default=1, description="Readings of each point, one after another; at least 1.")


class NoTone(_Experiment):
    """The chain without any tone. Yields noise and offset of the voltmeter."""

    kind: Literal["no_tone"] = Field(description="'no_tone': the RF source is off.")
    readings: Readings = Field(default=64, description="Readings, at least 1.")


class DetuningSweep(_Experiment):
    """A tone swept over each resonance at several tunings. Yields resonance, linewidth, weight scale and tuning."""

    kind: Literal["detuning_sweep"] = Field(description="'detuning_sweep': a tone over each resonance, at each tuning.")
    levels: int = Field(default=9, ge=1, le=1000, description="Tunings of all resonators, 1 to 1000.")
    range: float = Field(default=1.0, gt=0.0, le=1.0, description="Largest tuning, above 0, up to 1.")
    tones: int = Field(default=25, ge=8, le=10_000, description="Tones around each resonance, 8 to 10 000.")
    reach: float = Field(default=6.0, gt=1.0, description="How far from it, in half linewidths as designed; above 1.")


class CrosstalkExperiment(_Experiment):
    """Each resonator tuned up and down by itself, at the tones of all. Yields the crosstalk matrix, and the wiring."""

    kind: Literal["crosstalk"] = Field(description="'crosstalk': what the tuning of one does at the tones of all.")
    readings: Readings = Field(default=2, description="Readings of each point, at least 1.")
    depth: float = Field(default=0.25, gt=0.0, le=1.0, description="Tuning up and down, above 0, up to 1.")


class Programming(_Experiment):
    """Random weights programmed again and again in changing order. Yields precision and repeatability."""

    kind: Literal["programming"] = Field(description="'programming': random tunings, each programmed several times.")
    readings: Readings = Field(default=2, description="Readings of each point, at least 1.")
    targets: int = Field(default=8, ge=2, le=1000, description="Sets of tunings, 2 to 1000.")
    repeats: int = Field(default=8, ge=2, le=1000, description="Times that each is programmed, 2 to 1000.")
    range: float = Field(default=0.5, gt=0.0, le=1.0, description="Largest tuning, above 0, up to 1.")


SynapseExperiment = Annotated[
    NoTone | DetuningSweep | CrosstalkExperiment | Programming,
    Field(discriminator="kind"),
]


class SynapsePlanSettings(Settings):
    """A plan for a bank of synapses. A detuning sweep at two tunings or more tells resonance, linewidth, weight, span.

    Never fitted: the conversions of output and power (a weight is a voltage over a power), a symmetric part of the
    line, which the model of a synapse does not have, and a curvature of resonance against tuning.
    """

    sorts = (PLAN,)

    kind: Literal["synapses"] = Field(description="'synapses': for a bank of synapses.")
    name: str = Field(min_length=1, description="Name of the plan.")
    power: float = Field(default=1.0, gt=0.0, description="Power of the tones, in units of an oscillator's at x = 1.")
    experiments: tuple[SynapseExperiment, ...] = Field(min_length=1, description="What is measured, in this order.")
