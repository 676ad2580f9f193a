"""What a search tries out, and one trial of it: a run with the values that were suggested."""

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from spinhw.config import Settings
from spinhw.tasks import TaskSettings
from spinhw.training import RunSettings, load_settings
from spinhw.training.measures import headline_of
from spinhw.tuning.space import RangeSettings, SpaceSettings

Values = Mapping[str, float | int | str]


class Searched(Protocol):
    """What a search varies: anything that is written as settings and has a score."""

    def task(self, space: SpaceSettings) -> TaskSettings:
        """Return the task that trials are judged by: its headline is the score, its data those of a search."""

    def settings(self, space: SpaceSettings, values: Values) -> Settings:
        """Return the settings of a trial.

        Raises:
            ConfigError: A key or a value does not fit.
        """

    def score(self, space: SpaceSettings, settings: Any) -> float:
        """Try settings out, which `settings` returned. The score of what diverged is the worst there is."""


class SearchedRecipe:
    """The networks of a recipe, trained anew for each trial.

    Args:
        config: The recipe.
        overrides: Overrides of every trial.
    """

    def __init__(self, config: Path, overrides: Sequence[str] = ()) -> None:
        self._config, self._overrides = config, overrides

    def task(self, space: SpaceSettings) -> TaskSettings:
        return self.settings(space, {}).task

    def settings(self, space: SpaceSettings, values: Values) -> RunSettings:
        return trial_settings(self._config, space, self._overrides, values)

    def score(self, space: SpaceSettings, settings: RunSettings) -> float:
        return trial_score(settings)


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
    return choosing_settings(config, (*overrides, *space.overrides, *written(space, values)), space.seeds)


def choosing_settings(config: Path, overrides: Sequence[str], seeds: Sequence[int]) -> RunSettings:
    """Give the run by which hyper-parameters are chosen: never on the test part, and on the simulator.

    Raises:
        ConfigError: The config is wrong, or its task has no validation part.
    """
    fixed = ("device=null", f"training.seeds={list(seeds)}")
    choosing = load_settings(config, (*overrides, *fixed)).task.for_choosing
    held = tuple(f"task.{each}" for each in choosing) or ("training.final_part=validation",)
    return load_settings(config, (*overrides, *held, *fixed))


def trial_score(settings: RunSettings) -> float:
    """Train a trial and give its converged headline, the mean over seeds, on the validation part.

    Where training diverged, or a read-out that is solved is beyond the limit of the weights, it is the worst there is:
    0 where more is better, infinity where less is.
    """
    from spinhw.training import Diverged, train
    from spinhw.training.readout import ReadoutLimitError

    measure = headline_of(settings.task)
    with tempfile.TemporaryDirectory(prefix="spinhw-trial-") as folder:
        try:
            summary = train(settings, Path(folder) / "run").summary
        except (Diverged, ReadoutLimitError):
            return measure.worst
    score: float = summary[f"{measure.name}_converged"]["mean"]
    return score
