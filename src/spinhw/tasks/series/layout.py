"""From the rows of a table to series."""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spinhw.errors import ConfigError, nearest
from spinhw.tasks.series.arrays import misfit, series_of
from spinhw.tasks.series.named_arrays import cuts, not_there, refuse_unknown
from spinhw.tasks.series.series import Origin, Series, checked, class_numbers, missing
from spinhw.tasks.series.settings import ColumnSettings, SeriesSettings
from spinhw.tasks.series.table import Table
from spinhw.tasks.series.times import evenly


def series_of_table(table: Table, settings: SeriesSettings) -> Series:
    """Make series of a table, as the settings say what is what.

    Raises:
        ConfigError: A column is not there, or what is in it does not do; says where.
    """
    columns = settings.columns
    keys = ("inputs", "target", "sequence", "channel", "time", "group", "lengths")
    refuse_unknown(columns, keys, "task.columns.", table.columns, table.file)
    if columns.target is None:
        raise ConfigError(
            f"task.columns.target: nothing says which column of {table.file} is to be answered",
            seen=", ".join(list(table.columns)[:20]),
            allowed="one of these",
            todo="write columns: {target: NAME}",
        )
    if settings.answers_with.startswith("class") and len(columns.target) != 1:
        raise ConfigError(
            "task.columns.target: a class is told by one column",
            seen=", ".join(columns.target),
            allowed="one name",
            todo="name one, or write answers: values",
        )
    if settings.layout == "sequences":
        return _of_rows(table, settings, columns.target)
    return _of_samples(table, settings, columns.target)


def _inputs(table: Table, columns: ColumnSettings, targets: tuple[str, ...]) -> tuple[str, ...]:
    if columns.inputs is not None:
        return columns.inputs
    other = {*targets, columns.sequence, columns.channel, columns.time, columns.group, columns.lengths}
    found = tuple(name for name in table.columns if name not in other)
    if not found:
        raise ConfigError(
            f"task.columns.inputs: no column of {table.file} is left for the inputs",
            seen=", ".join(table.columns),
            todo="name them: an input may be the target too",
        )
    return found


def _of_samples(table: Table, settings: SeriesSettings, target: tuple[str, ...]) -> Series:
    columns, kind = settings.columns, settings.answers_with
    names = _inputs(table, columns, target)
    samples = np.empty((len(table), len(names)), np.float32)
    for channel, name in enumerate(names):
        samples[:, channel] = _no_gaps(table, name)
    ids = np.zeros(len(table), np.int8) if columns.sequence is None else table.columns[columns.sequence]
    starts = cuts(ids, table.place)
    targets, outputs = _targets_of_samples(table, settings, target, starts)
    origin = Origin(table.file, table.word, table.rows, by_sample=True)
    groups = None if columns.group is None else _firsts(table, columns.group, starts)
    series = checked(Series(samples, starts, kind, targets, names, outputs, origin, groups))
    times = None
    if columns.time is not None:
        ticks = table.times(columns.time)
        times = [ticks[first:last] for first, last in zip(starts[:-1], starts[1:], strict=True)]
    return evenly(series, times, settings.resample)


def _targets_of_samples(
    table: Table, settings: SeriesSettings, names: tuple[str, ...], starts: NDArray[np.int64]
) -> tuple[NDArray[Any], tuple[Any, ...]]:
    kind = settings.answers_with
    if kind == "class":
        return class_numbers(_firsts(table, names[0], starts))
    if kind == "class_per_step":
        return class_numbers(table.labels(names[0]))
    if kind == "values":
        return _first_values(table, names, starts), names
    return np.stack([_no_gaps(table, name) for name in names], axis=-1).astype(np.float32), names


def _first_values(table: Table, names: tuple[str, ...], starts: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return what columns of numbers say of each sequence, (sequence, column), which is the same in all of its rows."""
    values = np.stack([_no_gaps(table, name) for name in names], axis=-1).astype(np.float32)
    for column, name in enumerate(names):
        _refuse_changes(table, values[:, column], name, starts)
    return values[starts[:-1]]


def _firsts(table: Table, name: str, starts: NDArray[np.int64]) -> NDArray[Any]:
    """Return what a column says of each sequence, which is the same in all of its rows."""
    found = table.labels(name)
    _refuse_changes(table, found, name, starts)
    return found[starts[:-1]]


def _refuse_changes(table: Table, values: NDArray[Any], name: str, starts: NDArray[np.int64]) -> None:
    expected = np.repeat(values[starts[:-1]], np.diff(starts))
    wrong = np.flatnonzero(values != expected)
    if wrong.size:
        row = int(wrong[0])
        raise ConfigError(
            f"{table.place(row)}, column {name}: this changes within a sequence",
            seen=f"{values[row]} after {expected[row]}",
            allowed="one for each sequence",
            todo="write answers: class_per_step or values_per_step, or name the column that tells the sequences apart "
            "under task.columns.sequence",
        )


def _no_gaps(table: Table, name: str) -> NDArray[np.float64]:
    """Return a column of numbers without gaps."""
    found = table.numbers(name)
    wrong = np.flatnonzero(~np.isfinite(found))
    if wrong.size:
        raise missing(f"{table.place(int(wrong[0]))}, column {name}", float(found[wrong[0]]))
    return found


def _of_rows(table: Table, settings: SeriesSettings, target: tuple[str, ...]) -> Series:
    """Make a sequence of each row, or of the rows of its channels: a cell is a sample, or, in Parquet, many."""
    columns, kind = settings.columns, settings.answers_with
    names = _inputs(table, columns, target)
    if settings.answers == "always":
        raise ConfigError(
            "task.layout: a row that is a whole sequence holds one answer",
            seen=f"layout sequences, answers {kind}",
            allowed="class, or values",
            todo="write layout: samples, with a row for each sample",
        )
    held = [table.columns[name] for name in names]
    pieces: Any
    if all(column.dtype == object and isinstance(column[0], np.ndarray) for column in held):
        pieces, channels = [_channels(table, row, cells) for row, cells in enumerate(zip(*held, strict=True))], names
    else:
        pieces, channels = _up_to_the_gap(table, names), ("0",)
    starts = np.arange(len(table) + 1)
    if columns.channel is not None and columns.sequence is not None:
        starts = cuts(table.columns[columns.sequence], table.place)
        pieces, channels = _beside(table, pieces, starts, columns.channel)
    made = series_of(
        pieces,
        _firsts(table, target[0], starts) if kind == "class" else _first_values(table, target, starts),
        answers=kind,
        groups=None if columns.group is None else _firsts(table, columns.group, starts),
        channels=channels,
        names=None if kind == "class" else target,
        name=table.file,
    )
    return evenly(
        replace(made, origin=Origin(table.file, table.word, table.rows[starts[:-1]])), None, settings.resample
    )


def _beside(table: Table, rows: Any, starts: NDArray[np.int64], column: str) -> tuple[list[Any], tuple[str, ...]]:
    """Put the rows of each sequence beside each other, by the channel that each of them says.

    Args:
        table: The table.
        rows: Samples of each row, (time,) or (time, 1).
        starts: First row of each sequence, and the row behind the last one.
        column: Says the channels; in what order those of a sequence follow each other is all the same.

    Returns:
        Sequences, (time, channel) each, and the channels, sorted.
    """
    said = table.labels(column).tolist()
    wanted = sorted(set(said[: starts[1]]))
    pieces = []
    for first, last in zip(starts[:-1].tolist(), starts[1:].tolist(), strict=True):
        mine = said[first:last]
        if sorted(mine) != wanted:
            raise ConfigError(
                f"{table.place(first)}, column {column}: these are not the channels of a sequence",
                seen=", ".join(map(str, mine)),
                allowed=f"{', '.join(map(str, wanted))}, each once, as the first sequence has them",
                todo="mend these rows",
            )
        parts = [np.asarray(rows[first + mine.index(one)]) for one in wanted]
        if parts[0].ndim == 2 and parts[0].shape[1] != 1:
            raise misfit(table.file, "inputs of a row that is one channel", parts[0].shape[1], "one column of lists")
        pieces.append(_channels(table, first, tuple(part.reshape(-1) for part in parts)))
    return pieces, tuple(map(str, wanted))


def _channels(table: Table, row: int, cells: tuple[NDArray[Any], ...]) -> NDArray[Any]:
    if len({len(cell) for cell in cells}) > 1:
        raise ConfigError(
            f"{table.place(row)}: the channels of this sequence are not equally long",
            seen=", ".join(str(len(cell)) for cell in cells),
            todo="mend that row",
        )
    return np.stack(cells, axis=-1)


def _up_to_the_gap(table: Table, names: tuple[str, ...]) -> Any:
    """Return the sequences of one channel; empty cells at the end of a row say that it is shorter."""
    values = np.stack([table.numbers(name, gaps=True) for name in names], axis=-1).astype(np.float32)
    there = ~np.isnan(values)
    if there.all():
        return values
    lengths = np.where(there.any(1), values.shape[1] - there[:, ::-1].argmax(1), 0)
    for row, length in enumerate(lengths.tolist()):
        if length == 0 or not there[row, :length].all():
            raise missing(f"{table.place(row)}, column {names[int(there[row].argmin())]}", "nothing")
    return [row[:length] for row, length in zip(values, lengths.tolist(), strict=True)]


def labels_of(table: Table, settings: SeriesSettings) -> dict[str, tuple[Any, Any]]:
    """Return label, or values, and group of each file that a table of labels names.

    Raises:
        ConfigError: A column is not there, or a file is named twice.
    """
    columns, kind = settings.columns, settings.answers_with
    file = columns.sequence or "file"
    targets = columns.target or ("label",)
    for key, name in (("sequence", file), *(("target", one) for one in targets)):
        if name not in table.columns:
            raise not_there(table.file, name, f"task.columns.{key}", table.columns)
    refuse_unknown(columns, ("group",), "task.columns.", table.columns, table.file)
    groups = [None] * len(table) if columns.group is None else table.labels(columns.group).tolist()
    told: list[Any] = (
        table.labels(targets[0]).tolist()
        if kind == "class"
        else list(np.stack([_no_gaps(table, name) for name in targets], axis=-1))
    )
    found: dict[str, tuple[Any, Any]] = {}
    for row, name in enumerate(map(str, table.columns[file].tolist())):
        if name in found:
            raise ConfigError(f"{table.place(row)}: this file is named twice", seen=name, todo="take one line out")
        found[name] = (told[row], groups[row])
    return found


def label_of(labels: dict[str, tuple[Any, Any]], name: str, table: str) -> tuple[Any, Any]:
    """Return label and group of a file.

    Raises:
        ConfigError: The table does not name it.
    """
    if name not in labels:
        raise ConfigError(
            f"{table}: the file {name} has no label",
            allowed="a line for each file of the folder",
            todo=nearest(name, labels) if len(labels) <= 20 else "add a line, or move the file away",
        )
    return labels[name]
