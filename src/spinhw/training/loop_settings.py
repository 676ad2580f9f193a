"""Training with a device in the loop, and the refits of its model."""

from typing import Literal

from pydantic import Field

from spinhw.config import Moved, Settings
from spinhw.training.optimiser_settings import Rate


class LoopSettings(Settings):
    """The epochs that have the device in the loop: which, what is measured in them, how its gradient is taken."""

    epochs: int | None = Field(
        default=None,
        ge=0,
        description="The last so many epochs have the device in the loop, those before train on the model alone; 0 or "
        "above; null for all.",
    )
    learning_rate: Rate | None = Field(
        default=None,
        description="Learning rate at the start of the epochs in the loop, divided by 1 + t / decay there; Adam then "
        "starts anew, and the optimiser's schedule covers the epochs before. Null: that schedule covers all epochs.",
    )
    decay: float = Field(
        default=6.0,
        gt=0.0,
        description="Time in the loop after which its learning rate has halved, in epochs, or in steps where "
        "optimiser.schedule_per says so; above 0.",
    )
    averages: int = Field(default=1, ge=1, description="Shots over which each batch on the device is averaged.")
    mask_after: int | None = Field(
        default=3,
        ge=1,
        description="Batches in a row after which a channel that is bad in all of them is masked: its samples are not "
        "used any more, the model stands in for it; null for never.",
    )
    perturbation: float = Field(
        default=0.05,
        gt=0.0,
        description="By how much 'spsa', 'finite_difference' and comparisons with a bench's own gradient move a "
        "weight, a bias, or the tuning of a resonator in units of weight, to either side; above 0.",
    )
    directions: int = Field(default=1, ge=1, description="Random directions of 'spsa' for each batch, at least 1.")
    observer_gain: float = Field(
        default=0.3,
        ge=0.0,
        le=1.0,
        description="Share of the way to the measurement by which 'observer' moves its state after each sample, 0 to "
        "1.",
    )
    oracle_steps_per_ns: int | None = Field(
        default=None,
        ge=1,
        le=1000,
        description="Integration steps per nanosecond of the gradient of 'oracle', 1 to 1000; null for as many as the "
        "chip takes itself, which costs as many times more.",
    )
    align_every: int | None = Field(
        default=None,
        ge=1,
        description="Batches in the loop between looks at how far the gradient points the device's own way; each takes "
        "further shots, on a bench many; null for none.",
    )


class RefitSettings(Settings):
    """Whether the model's oscillators and synapses are fitted to batches just measured, before their gradient."""

    moved = {"images": Moved("sequences")}
    when: Literal["online", "never"] | None = Field(
        default=None,
        description="'online' or 'never'. Null: online where the device observes the power of its neurons.",
    )
    sequences: int = Field(
        default=6,
        ge=1,
        description="Sequences of a batch that an online refit looks at, at least 1.",
    )
    every: int = Field(
        default=64,
        ge=1,
        description="Batches from one that an online refit looks at to the next, at least 1; the first three are all "
        "looked at, then the gaps double up to this. A look takes as long as several training steps.",
    )
    synapse_error: float = Field(
        default=0.1,
        ge=0.0,
        le=1.0,
        description="Relative error that a synapse is expected to have beyond what is read back, 0 to 1: an online "
        "refit finds it too; of a resonator that was not measured, by how many half-linewidths it is off. 0 trusts "
        "what is read back.",
    )
