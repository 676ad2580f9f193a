"""A comparison from search to table: every model with the same number of trials, and one look at the final part."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from spinhw import __version__
from spinhw.baselines.contenders import GUESS, NAMES, NETWORK, Contender, contender
from spinhw.baselines.kept import KeptBaselines
from spinhw.baselines.outcome import summed_up
from spinhw.baselines.source import Source
from spinhw.baselines.spaces import space_of
from spinhw.errors import ConfigError, nearest
from spinhw.training import SILENT, Progress
from spinhw.training.measures import headline_of
from spinhw.training.run import threads
from spinhw.training.run_lock import run_lock
from spinhw.tuning import Search, SpaceSettings, Tried


def compare(
    source: Source,
    folder: Path,
    *,
    models: Sequence[str] = NAMES,
    trials: int = 20,
    spaces: Mapping[str, Path] | None = None,
    changes: Mapping[str, Sequence[str]] | None = None,
    progress: Progress = SILENT,
) -> dict[str, Any]:
    """Search the settings of every model, train it, and measure it once on the final part.

    What is finished is kept in the folder, trial by trial and model by model: the same comparison goes on from there.

    Args:
        source: The run or recipe that they are compared with.
        folder: Where everything goes; made where it is missing.
        models: Which, of "linear", "esn", "gru", "ctrnn", and "spintronic" to search the recipe's own network too.
        trials: Of each search; 0 takes the settings as they are.
        spaces: Files of what is varied, by model, in place of the shipped ones.
        changes: Of the settings of a model, as KEY=VALUE, by model: such as {"esn": ["density=0.2"]}.
        progress: Told what happens.

    Returns:
        What ``baselines.json`` holds: ``models`` by name, ``looks`` at each final part, and what was compared.

    Raises:
        ConfigError: There is no such model, a space does not fit, another comparison lies in the folder, or a training
            diverged.
        Interrupted: The user asked to stop; what is finished is kept.
    """
    searched = _ordered(models, source)
    if not searched:
        raise ConfigError("--models: none is named", seen="nothing", allowed=", ".join(NAMES), todo="name some")
    files, own = spaces or {}, changes or {}
    _ordered([*files, *own], source, "--space, --set")
    found = {name: space_of(name, files.get(name), source) for name in searched if trials}
    every = {name: contender(name, source, own.get(name, ())) for name in dict.fromkeys((NETWORK, GUESS, *searched))}
    kept = KeptBaselines(folder, source.plainly)
    with run_lock(folder), threads(source.settings.training.threads):
        kept.write()  # From here on the place is that of this comparison.
        # Whatever is wrong with a space shows before anything takes time.
        searches = {name: _search(every[name], source, space, folder) for name, space in found.items()}
        entries: dict[str, dict[str, Any]] = {}
        for name, one in every.items():
            told = _Told(progress, name)
            tried = _tried(searches[name], trials, told) if name in searches else []
            entries[name] = _measured(one, source, kept, found.get(name), tried, told)
        outcome = summed_up(entries, source, headline_of(source.settings.task))
        kept.write(outcome)
    return {**outcome, "looks": kept.looks()}


def _ordered(models: Sequence[str], source: Source, argument: str = "--models") -> list[str]:
    """Check names of models, and put them in order."""
    known = (*NAMES, NETWORK)
    for name in models:
        if name not in known:
            raise ConfigError(
                f"{argument}: there is no model {name!r}",
                seen=name,
                allowed=", ".join(known),
                todo=nearest(name, known),
            )
    if NETWORK in models and source.run is not None:
        raise ConfigError(
            f"{argument}: {NETWORK} is the run itself, and stands in the table anyway",
            seen=NETWORK,
            allowed=", ".join(NAMES),
            todo="leave it out, or name a recipe in place of the run to search that",
        )
    return [name for name in (NETWORK, *NAMES) if name in models]


def _search(one: Contender, source: Source, space: SpaceSettings, folder: Path) -> Search:
    both = sorted(set(space.seeds) & set(source.seeds))
    if both:
        raise ConfigError(
            f"the space of {one.name}: seeds that are reported must not choose anything",
            seen=f"seeds {', '.join(map(str, both))} in both",
            allowed="other seeds, such as 100 to 103",
            todo="change seeds in the space, or name others with --seed",
        )
    searched = one.searched
    if searched is None:
        raise TypeError(f"{one.name} is not searched")
    source.choosing(space.seeds)  # Says whether there is a validation part.
    return Search(searched, space, folder / "trials.db", one.name)


def _tried(search: Search, trials: int, told: "_Told") -> list[Tried]:
    """Let a search have its trials; of one that had more before, the first so many count."""
    told.on_evaluation("trials", min(len(search.tried()), trials), trials)
    search.run(trials, lambda one: told.on_evaluation("trials", len(search.tried()), trials))
    return search.tried()[:trials]


def _measured(
    one: Contender,
    source: Source,
    kept: KeptBaselines,
    space: SpaceSettings | None,
    tried: Sequence[Tried],
    told: "_Told",
) -> dict[str, Any]:
    """Return what was measured, or measure it: once for each choice."""
    measure = headline_of(source.settings.task)
    best = tried[measure.best([each.score for each in tried])] if tried else None
    settings = one.chosen(space, {} if best is None else best.values)
    key = one.key(settings, source)
    entry = kept.find(key)
    if entry is None:
        found = one.measured(settings, kept.file.parent / f"{one.name}-{key[:8]}", told)
        entry = {
            "model": one.name,
            "part": source.part,
            "seeds": list(source.seeds),
            **found.facts(),
            **one.facts(settings),
            "settings": None if settings is None else settings.model_dump(mode="json", by_alias=True),
            "version": __version__,
        }
        kept.keep(key, entry)
    return entry | {
        "chosen": {} if best is None else best.values,
        "validated": None if best is None else _finite(best.score),
        "tried": [{"score": _finite(each.score), **each.values} for each in tried],
    }


def _finite(score: float) -> float | None:
    """Leave out the score of what has diverged, where that is an infinite error: JSON has no such number."""
    return score if math.isfinite(score) else None


class _Told:
    """Progress with the name of the model in front."""

    def __init__(self, progress: Progress, name: str) -> None:
        self._progress, self._name = progress, name

    def on_batch(self, epoch: int, batch: int, total: tuple[int, int], loss: float, accuracy: float | None) -> None:
        self._progress.on_evaluation(f"{self._name}: training", epoch * total[1] + batch, total[0] * total[1])

    def on_epoch(self, row: Mapping[str, Any]) -> None:
        """Do nothing."""

    def on_evaluation(self, what: str, done: int, total: int) -> None:
        self._progress.on_evaluation(f"{self._name}: {what}", done, total)
