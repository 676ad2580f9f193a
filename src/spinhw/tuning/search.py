"""A search for hyper-parameters with Optuna, as the paper did it (Plouet et al. 2024, section III)."""

import csv
import io
import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spinhw.atomic import put_in_place, unfinished, write_atomically
from spinhw.config import Settings, build
from spinhw.config.migration import migrate
from spinhw.errors import ConfigError
from spinhw.streams import numpy_stream
from spinhw.training import load_settings
from spinhw.training.measures import Measure, headline_of
from spinhw.training.summary import changed_keys
from spinhw.tuning.space import RangeSettings, SpaceSettings
from spinhw.tuning.trial import Searched, SearchedRecipe, written

# Under this name the database keeps what a search is.
_SEARCH = "spinhw_search"


@dataclass(frozen=True)
class Tried:
    """A finished trial.

    Args:
        number: Its number in the search, from 0.
        values: What was tried, by key.
        score: Mean converged headline on the validation part.
    """

    number: int
    values: dict[str, float | int | str]
    score: float


class Search:
    """A search whose trials lie in a database, so that several processes or machines can share it.

    Args:
        searched: What is varied: a recipe, or anything else that has settings and a score.
        space: What is varied.
        storage: File of the database, or its URL, such as sqlite:///trials.db; it is made where it is missing.
        name: Name of the search in the database; those with the same name go on together. A search that was
            interrupted tries what it would have tried, unless several processes share it.

    Raises:
        ConfigError: Optuna is not installed, the database does not answer, another search of this name is in it, or a
            value of the space does not fit: both ends of every axis are tried out before anything is trained.
    """

    def __init__(self, searched: Path | Searched, space: SpaceSettings, storage: str | Path, name: str) -> None:
        self._searched: Searched = SearchedRecipe(searched) if isinstance(searched, Path) else searched
        self._space, self._name = space, name
        for values in _corners(space):
            self._searched.settings(space, values)
        task = self._searched.task(space)
        self.measure, self._data = headline_of(task), task.fingerprints
        self._optuna, self._storage = _optuna(), storage
        self._study = self._open(storage, name)
        self._refuse_another(name)

    def run(self, trials: int, tell: Callable[[Tried], None]) -> None:
        """Try until the search has this many finished trials, those of others and of earlier runs included.

        Args:
            trials: How many there shall be.
            tell: Called after every trial of this process.
        """
        while len(self.tried()) < trials:
            with _database(self._storage):
                self._study.sampler = self._sampler()
                trial = self._study.ask()
                values = {key: self._suggest(trial, key) for key in self._space.axes}
            try:
                score = self._searched.score(self._space, self._searched.settings(self._space, values))
            except BaseException:
                with suppress(Exception):  # It was never finished, whoever knows of it.
                    self._study.tell(trial, state=self._optuna.trial.TrialState.FAIL)
                raise
            with _database(self._storage):
                self._study.tell(trial, score)
            tell(Tried(trial.number, values, score))

    def tried(self) -> list[Tried]:
        """Give every finished trial, in order."""
        with _database(self._storage):
            finished = self._study.get_trials(states=(self._optuna.trial.TrialState.COMPLETE,))
            return [Tried(each.number, dict(each.params), float(each.value)) for each in finished]

    def best(self) -> Tried:
        """Give the best of all finished trials."""
        every = self.tried()
        return every[self.measure.best([each.score for each in every])]

    def best_overrides(self) -> list[str]:
        """Give the best values as overrides, KEY=VALUE."""
        return written(self._space, self.best().values)

    def _suggest(self, trial: Any, key: str) -> float | int | str:
        axis = self._space.axes[key]
        if not isinstance(axis, RangeSettings):
            return str(trial.suggest_categorical(key, list(axis.values)))
        if axis.whole:
            return int(trial.suggest_int(key, round(axis.lowest), round(axis.highest), log=axis.log))
        return float(trial.suggest_float(key, axis.lowest, axis.highest, log=axis.log))

    def _in_file(self, path: Path) -> Any:
        if not path.exists():
            self._make(path)
        return self._connected(path)

    def _make(self, path: Path) -> None:
        """Make the tables in a file of another name: half of them would be a database that never works."""
        half = unfinished(path)
        try:
            self._connected(half).engine.dispose()
            put_in_place(half, path)
        finally:
            half.unlink(missing_ok=True)

    def _connected(self, path: Path) -> Any:
        # As part of a URL, marks in the name of the file would mean something.
        def connect() -> sqlite3.Connection:
            return sqlite3.connect(path, check_same_thread=False)

        return self._optuna.storages.RDBStorage("sqlite:///trials.db", engine_kwargs={"creator": connect})

    def _refuse_another(self, name: str) -> None:
        """Write down what the search is, or compare it with what is written there: scores of another do not count."""
        settings = self._searched.settings(self._space, {})
        here: dict[str, Any] = {
            "recipe": _plain(settings),
            "space": self._space.model_dump(mode="json", by_alias=True, exclude={"overrides"}),
        }
        if self._data:
            here["data"] = self._data
        with _database(self._storage):
            there = self._study.user_attrs.get(_SEARCH)
            if there is None and not self._study.trials:
                self._study.set_user_attr(_SEARCH, here)
                return
        changed = (
            ["what it varied is not known"] if there is None else changed_keys(_as_now(there, type(settings)), here)
        )
        if changed:
            raise ConfigError(
                f"{name}: there is another search in this place already",
                seen=", ".join(changed),
                allowed="the same recipe, space and overrides",
                todo="name another folder with --out, or another database with --storage",
            )

    def _open(self, place: str | Path, name: str) -> Any:
        direction = "maximize" if self.measure.higher_is_better else "minimize"
        with _database(place):
            storage = place if isinstance(place, str) else self._in_file(place)
            return self._optuna.create_study(storage=storage, study_name=name, direction=direction, load_if_exists=True)

    def _sampler(self) -> Any:
        """Make the sampler of the next trial, by how many there are: one that was interrupted is tried once more."""
        states = self._optuna.trial.TrialState
        count = len(self._study.get_trials(deepcopy=False, states=(states.COMPLETE,)))
        others = len(self._study.get_trials(deepcopy=False, states=(states.RUNNING,)))
        # Processes that share a search begin at different times and must not try the same.
        key = ("tune", self._name, count) if not others else ("tune", self._name, count, others, os.getpid())
        seed = int(numpy_stream(*key).integers(2**31))
        return self._optuna.samplers.TPESampler(seed=seed, multivariate=True, constant_liar=True)


@contextmanager
def _database(storage: str | Path) -> Iterator[None]:
    """Say in one line what is wrong with a database: Optuna lets the errors of every kind through.

    Raises:
        ConfigError: It does not answer, is damaged, or has no room left.
    """
    try:
        yield
    except Exception as error:
        raise ConfigError(
            "--storage: the database of the search cannot be used",
            seen=f"{storage} ({_reason(error)})",
            allowed="a URL such as sqlite:///trials.db, or that of a PostgreSQL or MySQL server",
            todo="check the URL and that the server runs; restore a file that is damaged from a copy, and see that the "
            "disk has room",
        ) from error


def _reason(error: BaseException) -> str:
    """Say what began it: Optuna says of a full disk that a text may be too long, and gives the cause along."""
    while error.__cause__ is not None:
        error = error.__cause__
    return (str(error) or type(error).__name__).splitlines()[0]


def _plain(settings: Settings) -> dict[str, Any]:
    return settings.model_dump(mode="json", by_alias=True, exclude={"run"})


def _as_now(there: dict[str, Any], model: type[Settings]) -> dict[str, Any]:
    """Write what a search began with as it is written now, with the defaults of keys that there were not yet."""
    recipe = deepcopy(there["recipe"])
    migrate(recipe, model)
    return there | {"recipe": _plain(build(model, recipe, "the search"))}


def trials_csv(tried: Sequence[Tried], measure: Measure) -> str:
    """Write one line for each trial, with its score by this measure."""
    text = io.StringIO()
    keys = list(dict.fromkeys(key for each in tried for key in each.values))
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("trial", f"{measure.name}_converged", *keys))
    for each in tried:
        writer.writerow((each.number, round(each.score, 6), *(each.values.get(key, "") for key in keys)))
    return text.getvalue()


def save_best(config: Path, search: Search, overrides: Sequence[str], path: Path) -> None:
    """Write the config with the best values as a recipe, with all its own images and seeds.

    Raises:
        ConfigError: The disk is full.
    """
    write_atomically(path, load_settings(config, (*overrides, *search.best_overrides())).to_yaml().encode())


def _corners(space: SpaceSettings) -> list[dict[str, float | int | str]]:
    """Give values at both ends of every axis, for a check before the first trial."""
    corners: list[dict[str, float | int | str]] = [{}, {}]
    for key, axis in space.axes.items():
        for corner, end in zip(corners, (0, -1), strict=True):
            if not isinstance(axis, RangeSettings):
                corner[key] = axis.values[end]
            else:
                bound = (axis.lowest, axis.highest)[end]
                corner[key] = round(bound) if axis.whole else bound
    return corners


def _optuna() -> Any:
    try:
        import optuna
    except ImportError as error:
        raise ConfigError(
            "a search needs the package optuna, which is not installed", todo='pip install "spinhw[tune]"'
        ) from error
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return optuna
