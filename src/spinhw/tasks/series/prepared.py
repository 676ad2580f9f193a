"""Data that are ready to be shown: read, divided, scaled. Kept for those who ask again."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spinhw.errors import ConfigError
from spinhw.tasks.series.packages import file_of, is_packaged
from spinhw.tasks.series.reading import read_series
from spinhw.tasks.series.scaling import ChannelScaling, extremes, fitted, standardised, unscaled
from spinhw.tasks.series.scaling_settings import NoScaling
from spinhw.tasks.series.series import Series, as_in
from spinhw.tasks.series.settings import SeriesSettings, ShapeSettings
from spinhw.tasks.series.splits import PARTS, PartName, Pieces, divided
from spinhw.tasks.series.twins import look_for_twins

# Data of so many tasks are kept at a time; a run has one, and asks for it again and again.
_KEPT = 2


@dataclass(frozen=True, eq=False)
class Prepared:
    """Data of a task, divided and with their scaling.

    Args:
        settings: As they were asked for.
        parts: Pieces by part.
        inputs: ChannelScaling of the inputs.
        targets: ChannelScaling of the values to be answered; changes nothing for classes.
        shape: What follows for the network.
    """

    settings: SeriesSettings
    parts: dict[PartName, Pieces]
    inputs: ChannelScaling
    targets: ChannelScaling
    shape: ShapeSettings

    @property
    def fingerprints(self) -> list[str]:
        """A text for each file, or for each series handed over, that only equal data share."""
        series = [self.parts["train"].series, self.parts.get("test", self.parts["train"]).series]
        return [one.fingerprint for one in dict.fromkeys(series)]

    @property
    def size_bytes(self) -> int:
        """Memory that the sequences take; networks that are trained side by side share it."""
        series = dict.fromkeys(pieces.series for pieces in self.parts.values())
        return sum(one.samples.nbytes + one.targets.nbytes + one.starts.nbytes for one in series)

    def facts(self) -> dict[str, Any]:
        """Return what a run folder states of the data."""
        series, settings = self.parts["train"].series, self.settings
        of = "classes" if series.of_classes else "values"
        return {
            "file": settings.file,
            "test_file": _test_name(settings),
            "fingerprints": self.fingerprints,
            "answers": series.answers,
            "channels": list(series.channels),
            of: [one if isinstance(one, str | int | float | bool) else str(one) for one in series.outputs],
            "spacing": series.spacing,
            "parts": {part: _facts_of(self.parts[part]) for part in PARTS if part in self.parts},
            "split": settings.split.model_dump(mode="json", by_alias=True),
            "window": settings.window.model_dump(mode="json", by_alias=True),
            "input_scaling": self.inputs.facts(series.channels),
            "target_scaling": None if series.of_classes else self.targets.facts(series.outputs),
            "input_range": list(self.shape.input_range),
            "size_bytes": self.size_bytes,
        }


def _facts_of(pieces: Pieces) -> dict[str, Any]:
    series, lengths = pieces.series, pieces.lengths
    found: dict[str, Any] = {
        "sequences": len(pieces),
        "samples": int(lengths.sum()),
        "shortest": int(lengths.min()),
        "longest": int(lengths.max()),
        "left_over_samples": pieces.left_over,
    }
    if series.of_classes:
        counts = Counter(pieces.labels().tolist())
        found["by_class"] = {str(name): counts[number] for number, name in enumerate(series.outputs)}
    if series.groups is not None:
        found["groups"] = [str(one) for one in np.unique(series.groups[pieces.sequences])]
    return found


_kept: dict[Any, Prepared] = {}


def prepare(settings: SeriesSettings) -> Prepared:
    """Read, divide and scale the data of a task, or return them where that was just done.

    Raises:
        ConfigError: They are wrong, or not there; says where.
    """
    key = _key(settings)
    if key not in _kept:
        for old in list(_kept)[: len(_kept) - _KEPT + 1]:
            del _kept[old]
        _kept[key] = _prepared(settings)
    return _kept[key]


def _key(settings: SeriesSettings) -> Any:
    """Return what the data of a task depend on: settings, and state of the files; or series that were handed over."""
    labels = None if settings.labels is None else Path(settings.labels)
    files = [path for path in (*_files(settings), labels) if path is not None]
    return settings.canonical(without={"shape", "sample_interval_s"}), settings.given, tuple(map(_state, files))


def _test_name(settings: SeriesSettings) -> str | None:
    """Return how the file of the test part is named: a data set of a package has one of its own."""
    if settings.test_file is None and settings.split.test is None and settings.file and is_packaged(settings.file):
        return settings.file
    return settings.test_file


def _files(settings: SeriesSettings) -> tuple[Path | None, Path | None]:
    """Return where the data lie, and those of the test part; None for what is handed over or split off."""
    test, key = _test_name(settings), "task.file" if settings.test_file is None else "task.test_file"
    return (
        None if settings.file is None else file_of(settings.file, "TRAIN", "task.file"),
        None if test is None else file_of(test, "TEST", key),
    )


def _state(path: Path) -> Any:
    """Return what tells a file, or the files of a folder, from what it was before."""
    if path.is_dir():
        return tuple(_state(one) for one in sorted(path.rglob("*")) if one.is_file())
    if not path.exists():
        return str(path)
    about = path.stat()
    return str(path.absolute()), about.st_mtime_ns, about.st_size


def _prepared(settings: SeriesSettings) -> Prepared:
    series, test = _both(settings)
    parts = divided(series, test, settings)
    if settings.split.kind != "time":
        look_for_twins(parts)
    train = parts["train"]
    inputs = fitted(settings.scaling, series.samples, train.covered(), series.channels)
    targets, ahead = unscaled(len(series.outputs)), _inputs_ahead(series, train.horizon)
    if ahead and settings.scale_targets:
        targets = inputs
    elif not series.of_classes and settings.scale_targets:
        chosen = train.covered(train.horizon) if series.per_step else _mark(train.sequences, len(series))
        targets = standardised(series.targets, chosen, series.outputs)
    ends = [
        inputs.apply(np.stack(extremes(one.series.samples, one.covered())).astype(np.float32)) for one in parts.values()
    ]
    shape = ShapeSettings(
        inputs=len(series.channels),
        outputs=len(series.outputs),
        samples=max(pieces.longest for pieces in parts.values()),
        shortest=min(int(pieces.lengths.min()) for pieces in parts.values()),
        mean_samples=float(parts.get("test", parts.get("validation", train)).lengths.mean()),
        classes=tuple(map(str, series.outputs)) if series.of_classes else None,
        forecasts=ahead and (settings.scale_targets or isinstance(settings.scaling, NoScaling)),
        input_range=(float(np.min(ends)), float(np.max(ends))),
    )
    return Prepared(settings, parts, inputs, targets, shape)


def _inputs_ahead(series: Series, horizon: int) -> bool:
    """Tell whether the values to be answered are those of the inputs, ahead."""
    alike = series.answers == "values_per_step" and series.targets.shape == series.samples.shape
    return horizon > 0 and alike and bool(np.array_equal(series.targets, series.samples))


def _mark(chosen: NDArray[np.int64], count: int) -> NDArray[np.bool_]:
    marks = np.zeros(count, bool)
    marks[chosen] = True
    return marks


def _both(settings: SeriesSettings) -> tuple[Series, Series | None]:
    """Return what is trained on and split, and the test part where there is one of its own."""
    (series, test), (file, test_file) = settings.given, _files(settings)
    if series is None:
        if file is None:
            raise ConfigError(
                "task.file: nothing says which series these are",
                seen="null",
                allowed="a file, or arrays that are handed over in Python",
                todo="name the file, or hand over what the run was begun with: task=series_of(inputs, targets)",
            )
        series = read_series(file, settings)
    if test is None and test_file is not None:
        test = read_series(test_file, settings, "task.test_file")
    if test is None:
        return series, None
    if test.spacing is not None and series.spacing is not None and abs(test.spacing / series.spacing - 1) > 0.01:
        raise ConfigError(
            f"{test.origin.file}: other times between samples than in {series.origin.file}",
            seen=f"{test.spacing:g}",
            allowed=f"{series.spacing:g}",
            todo="ask for one grid with task.resample",
        )
    return series, as_in(test, series)
