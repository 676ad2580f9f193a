"""What a finished run hands to reports and figures."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spinhw.energy import EnergyLedger
from spinhw.training.examples import Examples
from spinhw.training.predictions import Predictions
from spinhw.training.settings import RunSettings


@dataclass(frozen=True)
class RunResults:
    """A finished run.

    Args:
        folder: Its run folder.
        settings: The run.
        summary: What ``summary.json`` holds.
        metrics: Lines of ``metrics.jsonl``, one per epoch.
        examples: What the first network does on one image of each class, at the fine steps.
        energy: Account of one inference.
        predictions: What the first network answers, at the fine steps.
    """

    folder: Path
    settings: RunSettings
    summary: dict[str, Any]
    metrics: list[dict[str, Any]]
    examples: Examples
    energy: EnergyLedger
    predictions: Predictions
