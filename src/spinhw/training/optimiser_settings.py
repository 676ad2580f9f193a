"""The optimiser of a run, and how its learning rate falls."""

from typing import Annotated, Literal

from pydantic import Field

from spinhw.config import Settings

Rate = Annotated[float, Field(gt=0.0)]


class OptimiserSettings(Settings):
    """Adam: its learning rate, what it does with a gradient, and an average of the weights that it passes."""

    learning_rate: Rate | tuple[Rate, ...] = Field(
        default=0.14,
        description="Adam's learning rate at the start: one for all, or a list with one for each seed; above 0.",
    )
    schedule: Literal["paper", "cosine"] = Field(
        default="paper",
        description="'paper' divides the learning rate by 1 + t / decay; 'cosine' lets it fall to zero at the end.",
    )
    schedule_per: Literal["epoch", "step"] = Field(
        default="epoch",
        description="Whether the learning rate falls from 'epoch' to epoch, or at each 'step'; times in a schedule are "
        "counted in these.",
    )
    decay: float = Field(
        default=20.0, gt=0.0, description="Epochs, or steps, after which 'paper' has halved the rate; above 0."
    )
    warm_up: int = Field(
        default=0,
        ge=0,
        description="Epochs, or steps, over which 'cosine' first raises the rate from zero; 0 or above.",
    )
    gradient_clip: float | None = Field(
        default=1.0, gt=0.0, description="Largest gradient element in size; null for no clipping."
    )
    gradient_norm: float | None = Field(
        default=None, gt=0.0, description="Largest norm of the gradient of a network; null for no clipping."
    )
    average_decay: float | None = Field(
        default=None,
        gt=0.0,
        lt=1.0,
        description="Decay per step of a running average of the weights, used instead of them; null for off.",
    )
