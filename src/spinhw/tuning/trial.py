"""One trial of a search: a run with the values that were suggested."""

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from spinhw.training import RunSettings, load_settings
from spinhw.tuning.space import RangeSettings, SpaceSettings

Values = Mapping[str, float | int | str]


def written(space: SpaceSettings, values: Values) -> list[str]:
    """Write suggested values as overrides, KEY=VALUE, with the unit of each key."""
    lines = []
    for key, value in values.items():
        axis = space.axes[key]
        unit = f" {axis.unit}" if isinstance(axis, RangeSettings) and axis.unit else ""
        lines.append(f"{key}={value if isinstance(value, str | int) else f'{value:.6g}'}{unit}")
    return lines


def trial_settings(config: Path, space: SpaceSettings, overrides: Sequence[str], values: Values) -> RunSettings:
    """Give the run of a trial: never on test images.

    Raises:
        ConfigError: The config or a key of the space is wrong.
    """
    fixed = ("task.held_out=validation", "device=null", f"training.seeds={list(space.seeds)}")
    return load_settings(config, (*overrides, *space.overrides, *written(space, values), *fixed))


def trial_score(settings: RunSettings) -> float:
    """Train a trial and give the mean converged accuracy on validation images, 0 to 1; 0 where training diverged."""
    from spinhw.training import Diverged, train

    with tempfile.TemporaryDirectory(prefix="spinhw-trial-") as folder:
        try:
            summary = train(settings, Path(folder) / "run").summary
        except Diverged:
            return 0.0
    score: float = summary["accuracy_converged"]["mean"]
    return score
