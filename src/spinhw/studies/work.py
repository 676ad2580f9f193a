"""The work at one point: train its networks, measure them, and go on where that was left."""

import json
import os
import time
import warnings
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from spinhw import __version__
from spinhw.atomic import make_folder, write_atomically
from spinhw.errors import ConfigError, SpinhwError, SpinhwWarning
from spinhw.rollout.cpu.workspace import workspace
from spinhw.studies.outcome import Outcome, PowerTrace, mean_weights
from spinhw.studies.point import Point
from spinhw.studies.store import RUN
from spinhw.training import Diverged, Interrupted, RunResults, RunSettings, load_settings, resume, train
from spinhw.training.checkpoint import load_checkpoint
from spinhw.training.learner import Learner
from spinhw.training.measures import headline_of
from spinhw.training.run_folder import RunFolder
from spinhw.watchdog import stop_without


@dataclass(frozen=True)
class Done:
    """What a worker hands back: an outcome, or why there is none.

    Args:
        key: Of the point.
        outcome: What came out; None where the point failed.
        failure: What was wrong, in words.
    """

    key: str
    outcome: Outcome | None = None
    failure: str = ""


def work(point: Point, folder: Path, owner: int) -> Done:
    """Train and measure a point, in whatever process this is; an error meant for people becomes a value.

    Args:
        point: The point.
        folder: Of the point alone; what an earlier attempt left there is taken up.
        owner: Process id of the command that wants it; the work stops when that ends.
    """
    try:
        with warnings.catch_warnings(), stop_without(owner):
            # Of steps that are long for a drive: every point is measured at fine steps too, and those are its figures.
            warnings.simplefilter("ignore", SpinhwWarning)
            return Done(point.key, train_point(point, folder))
    except Interrupted as error:
        if os.getpid() == owner:  # In no process of its own: it is the whole study that shall stop.
            raise KeyboardInterrupt from error
        return Done(point.key, failure=str(error))
    except SpinhwError as error:
        return Done(point.key, failure=str(error))
    finally:
        workspace.clear()  # joblib takes a worker that keeps its memory for a leaking one, and starts another.


def train_point(point: Point, folder: Path) -> Outcome:
    """Train and measure the networks of a point; one that diverges is left out, the others begin anew without it.

    Networks of an ensemble do not touch each other, so that the others come out as they would have anyway.

    Raises:
        ConfigError: The disk is full, or a run in the folder is damaged.
        Interrupted: The user asked to stop; the run is saved.
    """
    make_folder(folder)
    begun_s = time.process_time()
    lost = _Lost(folder / "diverged.json")
    wanted = point.settings.training.seeds
    while True:
        left = [seed for seed in wanted if seed not in lost.seeds]
        if not left:
            return _outcome(wanted, None, point.traced, begun_s)
        try:
            return _outcome(wanted, _train(point, left, folder), point.traced, begun_s)
        except Diverged as error:
            lost.add(error.seeds)


class _Lost:
    """Seeds whose training diverged, remembered on disk."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.seeds = self._read() if path.is_file() else []

    def _read(self) -> list[int]:
        with suppress(ValueError, RecursionError):
            found = json.loads(self._path.read_text(encoding="utf-8"))
            if isinstance(found, list) and all(type(one) is int for one in found):
                return found
        raise ConfigError(
            f"{self._path}: this list of seeds is damaged",
            allowed="such as [3, 5]",
            todo="restore the file from a copy; or remove it, and the point is trained again",
        )

    def add(self, seeds: Sequence[int]) -> None:
        self.seeds = sorted({*self.seeds, *seeds})
        write_atomically(self._path, json.dumps(self.seeds).encode())


def _train(point: Point, seeds: Sequence[int], folder: Path) -> RunResults:
    everyone = len(seeds) == len(point.settings.training.seeds)
    settings = _started(point.settings if everyone else _with_seeds(point, seeds), point, folder)
    name = RUN if everyone else "run-of-" + "-".join(map(str, seeds))
    run = folder / name
    if RunFolder(run).checkpoint.is_file():
        return resume(run, settings)
    shorter = None if point.shorter is None else RunFolder(folder.parent / point.shorter.key / name)
    if shorter is not None and shorter.summary_file.is_file():
        return resume(shorter.path, settings, new_folder=_fresh(run))
    return train(settings, _fresh(run))


def _with_seeds(point: Point, seeds: Sequence[int]) -> RunSettings:
    return load_settings(Path(point.recipe), (*point.overrides, f"training.seeds={list(seeds)}"))


def _started(settings: RunSettings, point: Point, folder: Path) -> RunSettings:
    """Say where the networks lie that a point starts from: beside it."""
    if point.start is None:
        return settings
    start = str(folder.parent / point.start.key / RUN)
    return settings.model_copy(update={"training": settings.training.model_copy(update={"start": start})})


def _fresh(run: Path) -> Path:
    """Clear away a run folder that was killed before its first checkpoint."""
    RunFolder(run).discard()
    return run


def _outcome(seeds: Sequence[int], results: RunResults | None, traced: bool, begun_s: float) -> Outcome:
    if results is None:
        nothing: list[float | None] = [None] * len(seeds)
        return Outcome(list(seeds), nothing, nothing, nothing, 0.0, __version__)
    trained, summary = results.settings.training.seeds, results.summary
    learner = Learner(results.settings)
    learner.restore(*load_checkpoint(RunFolder(results.folder).checkpoint))
    weights = mean_weights(learner.evaluated.values(), learner.evaluated.masks())

    def of_all(values: Sequence[float]) -> list[float | None]:
        by_seed = dict(zip(trained, values, strict=True))
        return [by_seed.get(seed) for seed in seeds]

    called = headline_of(results.settings.task).name
    on_device = summary.get(f"{called}_on_device")
    return Outcome(
        list(seeds),
        of_all(summary[called]["per_seed"]),
        of_all(summary[f"{called}_converged"]["per_seed"]),
        of_all(weights),
        summary["wall_s"],
        __version__,
        _trace(results) if traced else None,
        None if on_device is None else of_all(on_device["per_seed"]),
        results.metrics[-1].get("inferences_on_device", 0) if results.metrics else 0,
        time.process_time() - begun_s,
        summary["epochs"],
        summary.get("on_plateau"),
        sum(summary.get("device", {}).get("verified", {}).get("readings", ())),
    )


def _trace(results: RunResults) -> PowerTrace:
    """Take the neuron of each layer whose power varies most from image to image: the most telling one."""
    state, ends = results.examples.state, np.cumsum(results.examples.layers)  # (image, time + 1, neuron)
    layers = np.split(state, ends[:-1], axis=2)
    chosen = [power[:, :, power.std(axis=0).mean(axis=0).argmax()] for power in layers]
    return PowerTrace(results.examples.labels.tolist(), np.stack(chosen).astype(float).round(5).tolist())
