"""What the measures of tasks are called, and which of them are shares."""

from collections.abc import Mapping
from typing import Any

SHARES = {
    "accuracy": "accuracy",
    "final": "trials that end within 1/2",
    "bits_right": "trials that end with the right signs",
    "settled": "settled within 1/2",
    "signs": "right signs",
    "held": "trials that hold for 1000 steps more",
}


def measure_of(summary: Mapping[str, Any]) -> tuple[str, str]:
    """Return the key of a run's headline in its summary, and what it is called."""
    name = summary.get("measure", "accuracy")
    return name, SHARES.get(name, name)
