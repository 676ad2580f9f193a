"""What a finished run hands to reports and figures."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spinhw.train.evaluate import Examples


@dataclass(frozen=True)
class Results:
    """A finished run.

    Args:
        folder: Its run folder.
        summary: What ``summary.json`` holds.
        metrics: Lines of ``metrics.jsonl``, one per epoch.
        examples: What the first network does on one image of each class, at the fine steps.
    """

    folder: Path
    summary: dict[str, Any]
    metrics: list[dict[str, Any]]
    examples: Examples
