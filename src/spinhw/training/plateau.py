"""When a training has got as far as it gets: it may end there."""

from collections.abc import Sequence
from typing import Any

from pydantic import Field

from spinhw.config import Settings


class PlateauSettings(Settings):
    """Training ends where the networks no longer get better on the images that they are trained with.

    No held-out image is looked at for it.
    """

    rise: float = Field(
        default=0.005,
        gt=0.0,
        lt=1.0,
        description="Training ends when the share of right answers in training, mean over all networks and the last "
        "`over` epochs, is above that of the `over` epochs before by less than this; where answers are no classes, "
        "when the loss has fallen by less than this share of itself. Above 0, below 1.",
    )
    over: int = Field(default=20, ge=1, description="Epochs of which the mean is taken, at least 1.")
    least: int = Field(default=0, ge=0, description="Epochs that are trained in any case, 0 or above.")


def on_plateau(settings: PlateauSettings, rows: Sequence[dict[str, Any]]) -> bool:
    """Tell whether training has got as far as it gets.

    Args:
        settings: What counts as that.
        rows: Lines of ``metrics.jsonl``, one for each epoch.
    """
    over = settings.over
    if len(rows) < max(settings.least, 2 * over):
        return False
    name = "train_accuracy" if "train_accuracy" in rows[-1] else "loss"
    before, now = _mean(rows[-2 * over : -over], name), _mean(rows[-over:], name)
    return (now - before if name == "train_accuracy" else (before - now) / abs(before)) < settings.rise


def _mean(rows: Sequence[dict[str, Any]], name: str) -> float:
    values = [value for row in rows for value in row[name]]
    return sum(values) / len(values)
