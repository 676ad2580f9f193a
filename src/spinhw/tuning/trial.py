"""One trial of a search: a run with the values that were suggested."""

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from spinhw.training import RunSettings, load_settings
from spinhw.training.measures import headline_of
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
    """Give the run of a trial: never on the test part.

    Raises:
        ConfigError: The config or a key of the space is wrong.
    """
    asked = (*overrides, *space.overrides, *written(space, values))
    fixed = ("device=null", f"training.seeds={list(space.seeds)}")
    choosing = load_settings(config, (*asked, *fixed)).task.for_choosing
    held = tuple(f"task.{each}" for each in choosing) or ("training.final_part=validation",)
    return load_settings(config, (*asked, *held, *fixed))


def trial_score(settings: RunSettings) -> float:
    """Train a trial and give its converged headline, the mean over seeds, on the validation part.

    Where training diverged it is the worst there is: 0 where more is better, infinity where less is.
    """
    from spinhw.training import Diverged, train

    measure = headline_of(settings.task)
    with tempfile.TemporaryDirectory(prefix="spinhw-trial-") as folder:
        try:
            summary = train(settings, Path(folder) / "run").summary
        except Diverged:
            return measure.worst
    score: float = summary[f"{measure.name}_converged"]["mean"]
    return score
