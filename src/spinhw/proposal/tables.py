"""What is what in a table, by what its columns are called and hold."""

import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spinhw.errors import ConfigError
from spinhw.proposal.asked import COLUMNS, Inferred, Said
from spinhw.proposal.look import AHEAD, ANSWERS, Contents, answers_of, listed
from spinhw.tasks.series.named_arrays import cuts, refuse_unknown
from spinhw.tasks.series.table import Table

# Names under which a column is what nobody said it is; any capitals.
USUAL = {
    "target": ("label", "labels", "class", "target", "targets"),
    "sequence": ("sequence", "sequence_id", "seq", "series", "series_id", "recording", "trial", "id"),
    "time": ("t", "time", "times", "timestamp", "date", "datetime", "t_s", "time_s"),
    "group": ("group", "groups", "person", "subject", "speaker", "participant", "patient"),
}
# So many numbered columns are the samples of a row.
_NUMBERED = 8
_NUMBER = re.compile(r"(.*?)_?(\d+(?:\.\d+)?)")


def look_at_table(table: Table, asked: Said) -> Contents:
    """Say what is what in a table.

    Raises:
        ConfigError: A column is not there, or nothing says which one is to be answered.
    """
    refuse_unknown(asked, COLUMNS, "--", table.columns, table.file)
    target, inferred = _target(table, asked)
    numbered = _numbered(table, asked, target)
    numbered = numbered if len(numbered) >= _NUMBERED else []
    by_name = asked.sequence or asked.time or _usual(table, asked, target, "sequence")
    if asked.layout == "sequences" or (asked.layout is None and not by_name and numbered):
        return _of_rows(table, asked, target, numbered, inferred)
    if asked.layout is None and _holds_lists(table, asked.inputs or _rest(table, target, {})):
        return _of_rows(table, asked, target, [], inferred)
    return _of_samples(table, asked, target, inferred)


def _target(table: Table, asked: Said) -> tuple[tuple[str, ...], list[Inferred]]:
    if asked.target:
        return asked.target, []
    found = _usual(table, asked, (), "target")
    if found is None:
        raise ConfigError(
            f"--target: nothing says which column of {table.file} is to be answered",
            seen=listed(list(table.columns)) if len(table.columns) > 20 else ", ".join(table.columns),
            allowed="one of these",
            todo="add --target NAME",
        )
    return (found,), [Inferred("target", f"the column {found}, by its name", "--target")]


def _usual(table: Table, asked: Said, target: tuple[str, ...], key: str) -> str | None:
    """Return the one column that is called as such columns are, unless it was named for something else."""
    taken = {*target, *asked.inputs, asked.sequence, asked.time, asked.group}
    found = [name for name in table.columns if name.lower() in USUAL[key] and name not in taken]
    return found[0] if len(found) == 1 else None


def _numbered(table: Table, asked: Said, target: tuple[str, ...]) -> list[str]:
    """Return the columns whose names are numbers, or one word and numbers, which are most of them."""
    families: dict[str, list[str]] = {}
    for name in table.columns:
        found = _NUMBER.fullmatch(name)
        if found and name not in target and name != asked.group:
            families.setdefault(found[1], []).append(name)
    return max(families.values(), key=len, default=[])


def _holds_lists(table: Table, names: tuple[str, ...]) -> bool:
    return bool(names) and all(isinstance(table.columns[name][0], np.ndarray) for name in names)


def _rest(table: Table, target: tuple[str, ...], named: dict[str, str]) -> tuple[str, ...]:
    """Return the columns that nothing else is named for, and that hold a number anywhere, or a list."""
    left = [name for name in table.columns if name not in (*target, *named.values())]
    return tuple(name for name in left if _any_number(table.columns[name]))


def _any_number(column: NDArray[Any]) -> bool:
    return column.dtype.kind in "iufb" or any(_is_number(cell) for cell in column.tolist())


def _is_number(cell: Any) -> bool:
    if isinstance(cell, np.ndarray):
        return True
    try:
        float(cell)
    except (TypeError, ValueError):
        return False
    return True


def _left_out(table: Table, used: set[str | None]) -> list[Inferred]:
    names = [name for name in table.columns if name not in used]
    return [Inferred("left out", listed(names), "--inputs")] if names else []


def _group(table: Table, asked: Said, target: tuple[str, ...], inferred: list[Inferred]) -> str | None:
    found = asked.group or _usual(table, asked, target, "group")
    if found is not None and asked.group is None:
        inferred.append(Inferred("groups", f"the column {found}, by its name: whole ones are held out", "--group"))
    return found


def _of_rows(
    table: Table, asked: Said, target: tuple[str, ...], numbered: list[str], inferred: list[Inferred]
) -> Contents:
    if asked.layout is None:
        said = f"a whole sequence: {len(numbered)} numbered columns" if numbered else "a whole sequence, of lists"
        inferred.append(Inferred("a row", said, "--layout samples"))
    group = _group(table, asked, target, inferred)
    named = {} if group is None else {"group": group}
    names = asked.inputs or tuple(numbered) or _rest(table, target, named)
    labels = [table.labels(name) for name in target]
    kind, why = answers_of(asked, labels[0], target, per_step=False)
    inferred += _told(asked, kind, why)
    inferred += [] if asked.inputs else _left_out(table, {*names, *target, group})
    task = {
        "layout": "sequences",
        "columns": {"inputs": list(names), "target": list(target), **named},
        "answers": kind,
    }
    lengths = np.full(len(table), len(names), np.int64)
    if _holds_lists(table, names):
        lengths = np.array([len(cell) for cell in table.columns[names[0]]], np.int64)
    return Contents(task, lengths, tuple(inferred), _groups(table, group))


def _groups(table: Table, group: str | None) -> int:
    return 0 if group is None else len(set(table.labels(group).tolist()))


def _told(asked: Said, kind: str, why: str) -> list[Inferred]:
    return [] if asked.answers is not None else [Inferred("the answer", f"{ANSWERS[kind]} ({why})", "--answers")]


def _of_samples(table: Table, asked: Said, target: tuple[str, ...], inferred: list[Inferred]) -> Contents:
    if asked.layout is None:
        inferred.append(Inferred("a row", "one sample", "--layout sequences"))
    named: dict[str, str] = {}
    for key, said in (("sequence", "tells sequences apart"), ("time", "has the times")):
        found = getattr(asked, key) or _usual(table, asked, target, key)
        if found is not None:
            named[key] = found
            if getattr(asked, key) is None:
                inferred.append(Inferred(key, f"the column {found} {said}, by its name", f"--{key}"))
    group = _group(table, asked, target, inferred)
    named |= {} if group is None else {"group": group}
    if "sequence" not in named:
        inferred.append(Inferred("sequences", "none are told apart: all rows are one long series", "--sequence"))
    rest = _rest(table, target, named)
    names = asked.inputs or rest or target
    ids = table.columns[named["sequence"]] if "sequence" in named else np.zeros(len(table), np.int8)
    starts = cuts(ids, table.place)
    per_step = _changes_within(table, target, starts)
    labels = table.labels(target[0])
    kind, why = answers_of(asked, labels if per_step else labels[starts[:-1]], target, per_step)
    inferred += _told(asked, kind, why)
    ahead = kind == "values_per_step" and set(target) <= set(names)
    names = target if set(names) == set(target) else names  # In one order, so that they are known for the same.
    if ahead:
        inferred.append(Inferred("to be foretold", AHEAD, "--set task.window.horizon=N"))
    elif kind == "values_per_step":
        said = f"{listed(names)}, sample by sample; {listed(target)} is not shown"
        inferred.append(Inferred("from", said, f"--inputs {','.join(target)}"))
    inferred += [] if asked.inputs else _left_out(table, {*names, *target, *named.values()})
    task = {
        "layout": "samples",
        "columns": {"inputs": list(names), "target": list(target), **named},
        "answers": kind,
    }
    return Contents(task, np.diff(starts), tuple(inferred), _groups(table, group), ahead)


def _changes_within(table: Table, target: tuple[str, ...], starts: NDArray[np.int64]) -> bool:
    """Tell whether a target changes within most sequences; where it does in a few, something is wrong with those."""
    if len(starts) == 2:
        return True
    changing = np.zeros(len(starts) - 1, bool)
    for name in target:
        labels = table.labels(name)
        differs = np.asarray(labels != np.repeat(labels[starts[:-1]], np.diff(starts)))
        changing |= np.logical_or.reduceat(differs, starts[:-1])
    return bool(2 * changing.sum() > len(changing))
