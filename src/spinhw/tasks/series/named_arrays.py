"""Series from the named arrays of a file: NPZ and NetCDF."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spinhw.errors import ConfigError, nearest, some_of
from spinhw.tasks.series.arrays import misfit, series_of
from spinhw.tasks.series.series import Series
from spinhw.tasks.series.settings import AnswerKind, SeriesSettings

_INPUTS = ("inputs", "x", "X", "data", "x_train", "X_train")
_TARGETS = ("targets", "target", "labels", "y", "Y", "y_train")
_NAMED = 20  # Columns that a message names.


def series_of_arrays(arrays: Mapping[str, NDArray[Any]], settings: SeriesSettings, file: str) -> Series:
    """Make series of the named arrays of a file.

    Args:
        arrays: By name.
        settings: Which is what.
        file: For messages.

    Raises:
        ConfigError: One is not there, or they do not fit together.
    """
    columns, kind = settings.columns, settings.answers_with
    if columns.channel is not None:
        raise ConfigError(
            f"task.columns.channel: {file} holds arrays, whose channels have names or an axis of their own",
            seen=columns.channel,
            todo="leave it out, and name arrays of several channels under columns.inputs",
        )
    inputs = [_named(arrays, one, "inputs", file) for one in columns.inputs or [usual_inputs(arrays, file)]]
    targets = [_named(arrays, one, "target", file) for one in columns.target or [usual_targets(arrays, file)]]
    rest = {
        key: None if (name := getattr(columns, key)) is None else _named(arrays, name, key, file)
        for key in ("time", "group", "lengths", "sequence")
    }
    if rest["lengths"] is None and columns.lengths is None:
        rest["lengths"] = arrays.get("lengths")
    several = len(inputs) > 1 or inputs[0].ndim == 3
    names = columns.inputs if len(inputs) > 1 else None
    one = np.stack(inputs, axis=-1) if len(inputs) > 1 else inputs[0]
    if _by_sample(one, several, settings, file):
        one, targets, rest = _cut_by_sequence(one, targets, rest, kind, file)
    target: Any = targets[0] if len(targets) == 1 else _stacked_targets(targets)
    return series_of(
        one,
        target,
        answers=kind,
        lengths=rest["lengths"],
        groups=rest["group"],
        times=rest["time"],
        channels=names,
        names=columns.target if len(targets) > 1 and not kind.startswith("class") else None,
        resample=settings.resample,
        name=file,
    )


def _by_sample(inputs: NDArray[Any], several: bool, settings: SeriesSettings, file: str) -> bool:
    """Tell whether the first axis is samples of series one behind the other; else it is sequences."""
    if settings.layout is not None:
        return settings.layout == "samples"
    if inputs.ndim == 1 or settings.columns.sequence is not None or (several and inputs.ndim == 2):
        return True
    if inputs.ndim == 2 and settings.answers == "always" and settings.columns.lengths is None:
        raise ConfigError(
            f"{file}: inputs of two axes may be sequences of one channel, or samples of several channels",
            seen=f"shape {inputs.shape}",
            allowed="task.layout: sequences, or samples",
            todo="write which",
        )
    return False


def _cut_by_sequence(
    inputs: NDArray[Any], targets: list[NDArray[Any]], rest: dict[str, Any], kind: AnswerKind, file: str
) -> tuple[Any, list[Any], dict[str, Any]]:
    """Cut samples into sequences where their ids change; one long series where there are none."""
    if inputs.ndim > 2:
        raise misfit(file, "axes of inputs", inputs.ndim, "1 or 2 in layout 'samples'")
    ids = np.zeros(len(inputs), np.int8) if rest["sequence"] is None else rest["sequence"]
    for key, one in (("sequence", ids), ("time", rest["time"]), *(("target", each) for each in targets)):
        if one is not None and len(one) != len(inputs) and (key != "target" or kind.endswith("per_step")):
            raise misfit(file, f"rows of {key}", len(one), f"{len(inputs)}, one for each sample")
    starts = cuts(ids, lambda row: f"{file}: sample {row}")
    pieces = [inputs[first:last] for first, last in zip(starts[:-1], starts[1:], strict=True)]

    def cut(values: Any) -> Any:
        return [values[first:last] for first, last in zip(starts[:-1], starts[1:], strict=True)]

    def firsts(values: Any) -> Any:
        return values if values is None or len(values) != len(inputs) else values[starts[:-1]]

    cut_targets = [cut(one) if kind.endswith("per_step") else firsts(one) for one in targets]
    times = None if rest["time"] is None else cut(rest["time"])
    return pieces, cut_targets, rest | {"time": times, "group": firsts(rest["group"]), "lengths": None}


def cuts(ids: NDArray[Any], place: Any) -> NDArray[np.int64]:
    """Return the first row of each sequence and the row behind the last one.

    Args:
        ids: Which sequence each row belongs to.
        place: Says where a row stands.

    Raises:
        ConfigError: A sequence goes on after another one began.
    """
    changes = np.flatnonzero(ids[1:] != ids[:-1]) + 1
    starts = np.concatenate(([0], changes, [len(ids)])).astype(np.int64)
    seen: set[Any] = set()
    for first in starts[:-1].tolist():
        one = ids[first].item() if hasattr(ids[first], "item") else ids[first]
        if one in seen:
            raise ConfigError(
                f"{place(first)}: a sequence goes on after another one began",
                seen=one,
                allowed="the samples of a sequence one behind the other",
                todo="sort the file by sequence",
            )
        seen.add(one)
    return starts


def _stacked_targets(targets: list[Any]) -> Any:
    if isinstance(targets[0], list):
        return [np.stack(parts, axis=-1) for parts in zip(*targets, strict=True)]
    return np.stack(targets, axis=-1)


def _named(arrays: Mapping[str, NDArray[Any]], name: str, key: str, file: str) -> NDArray[Any]:
    if name not in arrays:
        raise not_there(file, name, f"task.columns.{key}", arrays)
    return np.asarray(arrays[name])


def not_there(file: str, name: str, key: str, known: Iterable[str]) -> ConfigError:
    """Make the error for a column that is not there."""
    names = [str(one) for one in known]
    return ConfigError(
        f"{key}: there is no such column in {file}",
        seen=name,
        allowed=some_of(names, _NAMED),
        todo=nearest(name, names) if len(names) <= _NAMED else "write one of them",
    )


def refuse_unknown(asked: Any, keys: Iterable[str], prefix: str, known: Collection[str], file: str) -> None:
    """Check that all columns, or arrays, that somebody named are there.

    Args:
        asked: Has an attribute for each key: a name, several, or None.
        keys: Which of them name columns.
        prefix: Before the key, as the user wrote it: "task.columns." or "--".
        known: Columns that are there.
        file: Where.

    Raises:
        ConfigError: One is not.
    """
    for key in keys:
        named = getattr(asked, key)
        for name in (named,) if isinstance(named, str) else named or ():
            if name not in known:
                raise not_there(file, name, f"{prefix}{key}", known)


def usual_inputs(arrays: Mapping[str, NDArray[Any]], file: str) -> str:
    """Return the array that is called as inputs are.

    Raises:
        ConfigError: There is none.
    """
    return _usual(arrays, _INPUTS, "inputs", file)


def usual_targets(arrays: Mapping[str, NDArray[Any]], file: str) -> str:
    """Return the array that is called as targets are.

    Raises:
        ConfigError: There is none.
    """
    return _usual(arrays, _TARGETS, "target", file)


def _usual(arrays: Mapping[str, NDArray[Any]], usual: Sequence[str], key: str, file: str) -> str:
    found = next((name for name in usual if name in arrays), None)
    if found is None:
        raise ConfigError(
            f"task.columns.{key}: nothing says which array of {file} that is",
            seen=", ".join(arrays),
            allowed="one of these",
            todo=f"write columns: {{{key}: NAME}}",
        )
    return found
