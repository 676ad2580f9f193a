"""One point of a study: a run of its own, many networks side by side."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from spinhw.shell import typed
from spinhw.training import RunSettings, load_settings

# One thread a run: the cores are shared among points, and the bits do not depend on how many cores there are.
_EVERY_POINT = ("training.threads=1",)


@dataclass(frozen=True)
class Point:
    """A run and where it comes from. Points with equal settings are one and the same, whatever figures they stand in.

    Args:
        recipe: File of the recipe that it varies.
        overrides: What is varied, as KEY=VALUE.
        settings: The whole run that comes out.
        key: A name that only runs with the same settings share.
        traced: Whether a neuron's waveforms are kept for a figure.
        start: The point whose trained networks this one starts from; None for random weights.
        shorter: The same run with fewer epochs: where its folder is there, this one goes on with it, to the same bits.
            None for none.
    """

    recipe: str
    overrides: tuple[str, ...]
    settings: RunSettings = field(repr=False)
    key: str
    traced: bool = field(default=False, compare=False)
    start: "Point | None" = None
    shorter: "Point | None" = field(default=None, compare=False)

    @classmethod
    def vary(cls, recipe: str, overrides: Sequence[str], traced: bool = False, start: "Point | None" = None) -> "Point":
        """Make a point from a recipe and what is changed in it.

        Raises:
            ConfigError: There is no such recipe, or something is wrong with the result.
        """
        every = (*overrides, *_EVERY_POINT)
        settings, key = _loaded(recipe, every)
        # Where the networks lie that it starts from is no part of what it is: folders may be moved.
        return cls(
            recipe, every, settings, key if start is None else _digest(f"{key} after {start.key}"), traced, start
        )

    def longer(self, overrides: Sequence[str]) -> "Point":
        """Make the point that goes on with this one's run for more epochs.

        Args:
            overrides: ``training.epochs`` and ``training.plateau``.

        Raises:
            ConfigError: Something is wrong with the result.
        """
        every = (*self.overrides, *overrides)
        settings, key = _loaded(self.recipe, every)
        return Point(self.recipe, every, settings, key, self.traced, shorter=self)

    @property
    def command(self) -> str:
        """What to type to train this point by itself; OUT is the folder of the study."""
        start = () if self.start is None else (f"training.start=OUT/points/{self.start.key}/run",)
        sets = (f"--set {typed(each)}" for each in (*self.overrides, *start))
        return " ".join(["spinhw train", typed(self.recipe), *sets])


@lru_cache(maxsize=1024)
def _loaded(recipe: str, overrides: tuple[str, ...]) -> tuple[RunSettings, str]:
    """Load a run and name it; the same points stand in several figures."""
    settings = load_settings(Path(recipe), overrides)
    chosen = settings.chosen()
    chosen.pop("run", None)  # What is said of an experiment is no part of it.
    data = settings.task.fingerprints
    if data:  # A file may be written anew under the same name.
        chosen["data"] = data
    return settings, _digest(json.dumps(chosen, sort_keys=True))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
