"""The command that searches for hyper-parameters."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from spinhw.atomic import write_atomically
from spinhw.cli.drawing import drawing
from spinhw.cli.terminal import make_console
from spinhw.config import find_example, find_recipe, load
from spinhw.errors import ConfigError
from spinhw.shell import typed
from spinhw.training import Interrupted
from spinhw.tuning import RangeSettings, Search, SearchedRecipe, SpaceSettings, Tried, save_best, trials_csv

if TYPE_CHECKING:
    from rich.console import Console


def tune_config(
    config: Path, space: Path | None, trials: int, out: Path | None, storage: str | None, overrides: Sequence[str]
) -> None:
    """Search, and leave the trials, a picture and the best recipe in a folder.

    Raises:
        ConfigError: Optuna is not installed, or something is wrong with the config, the space or the database.
        Interrupted: The user asked to stop; finished trials are kept.
    """
    recipe = find_recipe(config)
    folder = out or Path("runs") / f"tune-{recipe.stem}-{datetime.now():%Y%m%d-%H%M%S}"
    settings = load(SpaceSettings, find_example(space or Path("examples") / "tuning" / "paper.yaml"))
    _make(folder)
    search = Search(SearchedRecipe(recipe, overrides), settings, storage or folder / "trials.db", recipe.stem)
    console = make_console()
    console.print(
        f"{trials} trials of {len(settings.seeds)} networks each over {', '.join(settings.axes)}, judged by "
        f"{search.measure.called} on the validation part; into {folder}",
        markup=False,
        soft_wrap=True,
    )
    try:
        search.run(trials, lambda tried: _tell(console, tried, trials, search))
    except (KeyboardInterrupt, Interrupted) as error:
        raise Interrupted(
            "the search was interrupted; finished trials are kept",
            todo=f"give the same command again with --out {typed(folder)} to go on",
        ) from error
    _leave(console, recipe, settings, search, overrides, folder)


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"--out {folder}: the folder cannot be made", seen=error, todo="name another") from error


def _tell(console: "Console", tried: Tried, trials: int, search: Search) -> None:
    every, measure, best = search.tried(), search.measure, search.best()
    shown = {key: value if isinstance(value, str) else f"{value:.4g}" for key, value in tried.values.items()}
    values = ", ".join(f"{key}={value}" for key, value in shown.items())
    console.print(
        f"{len(every)}/{trials}  {measure.text(tried.score)}  (best {measure.text(best.score)})  {values}",
        markup=False,
        soft_wrap=True,
    )


def _leave(
    console: "Console", recipe: Path, space: SpaceSettings, search: Search, overrides: Sequence[str], folder: Path
) -> None:
    every = search.tried()
    write_atomically(folder / "trials.csv", trials_csv(every, search.measure).encode())
    save_best(recipe, search, overrides, folder / "best.yaml")
    best = " ".join(f"--set {typed(line)}" for line in search.best_overrides())
    score = search.measure.text(search.best().score)
    console.print(f"best of {len(every)}: {score}, with {best}", markup=False, soft_wrap=True)
    command = f"spinhw train {typed(folder / 'best.yaml')}"
    console.print(f"train it on the reported seeds with: {command}", markup=False, soft_wrap=True)
    picture = folder / "search.png"
    with drawing(picture, f"the trials are safe in {folder / 'trials.csv'}", "give the same command again"):
        import numpy as np

        from spinhw.plots.search import plot_search

        values = {key: [each.values[key] for each in every] for key in space.axes}
        logs = {key: isinstance(axis, RangeSettings) and axis.log for key, axis in space.axes.items()}
        plot_search(np.array([each.score for each in every]), values, logs, picture, search.measure)
