"""Figures of merit as files: all of it as JSON, a line for each seed and figure as CSV."""

import csv
import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from spinhw.atomic import make_folder, write_atomically


def write_merit(found: Mapping[str, Any], path: Path) -> None:
    """Write what `measure_merit` found as JSON, and beside it as CSV.

    Args:
        found: What was found.
        path: The JSON file; the other has the same name but for its end.

    Raises:
        ConfigError: They cannot be written.
    """
    make_folder(path.parent)
    write_atomically(path, (json.dumps(found, indent=2, allow_nan=False) + "\n").encode())
    table = io.StringIO()
    lines = csv.writer(table, lineterminator="\n")
    lines.writerow(["seed", "figure", "value", "threshold"])
    for name, figure in found["figures"].items():
        for seed, value in zip(found["seeds"], figure["per_seed"], strict=True):
            lines.writerow([seed, name, repr(value), figure.get("threshold", "")])
    write_atomically(path.with_suffix(".csv"), table.getvalue().encode())
