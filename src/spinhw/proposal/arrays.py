"""What is what among the named arrays of NPZ and NetCDF, in a .ts file, and in a folder of WAV."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spinhw.errors import ConfigError
from spinhw.proposal.asked import COLUMNS, Inferred, Said
from spinhw.proposal.look import AHEAD, ANSWERS, Contents, answers_of, listed
from spinhw.tasks.series.named_arrays import cuts, refuse_unknown, usual_inputs, usual_targets

# Two axes with fewer columns than these are samples of several channels, else sequences of one channel.
_CHANNELS = 8


def look_at_arrays(arrays: Mapping[str, NDArray[Any]], file: str, asked: Said) -> Contents:
    """Say what is what among arrays.

    Raises:
        ConfigError: One is not there, or nothing says which one is which.
    """
    refuse_unknown(asked, COLUMNS, "--", arrays, file)
    inputs = asked.inputs or (usual_inputs(arrays, file),)
    target = asked.target or (usual_targets(arrays, file),)
    inferred = [
        Inferred(what, f"the array {listed(names)}, by its name", f"--{key}")
        for what, key, names in (("inputs", "inputs", inputs), ("target", "target", target))
        if not getattr(asked, key)
    ]
    shown, labels = np.asarray(arrays[inputs[0]]), np.asarray(arrays[target[0]])
    layout = asked.layout or _layout(shown, labels, asked)
    if asked.layout is None and shown.ndim < 3:
        what = "a whole sequence" if layout == "sequences" else "one sample"
        other = "samples" if layout == "sequences" else "sequences"
        inferred.append(Inferred("a row", f"{what}: {inputs[0]} has the shape {shown.shape}", f"--layout {other}"))
    columns = {key: getattr(asked, key) for key in ("sequence", "time", "group") if getattr(asked, key) is not None}
    if layout == "sequences":
        lengths = _lengths(arrays, shown)
        per_step = labels.ndim > 1 and labels.shape[1] == shown.shape[1]
        at_once = labels
    else:
        ids = arrays[asked.sequence] if asked.sequence is not None else np.zeros(len(shown), np.int8)
        starts = cuts(ids, lambda row: f"{file}: sample {row}")
        lengths, at_once = np.diff(starts), labels
        per_step = len(labels) == len(shown) and _changes_within(labels, starts)
        if not per_step and len(labels) == len(shown):
            at_once = labels[starts[:-1]]
    flat = at_once.reshape(-1) if per_step and at_once.ndim == 2 else at_once
    kind, why = answers_of(asked, flat, target, per_step)
    if asked.answers is None:
        inferred.append(Inferred("the answer", f"{ANSWERS[kind]} ({why})", "--answers"))
    ahead = kind == "values_per_step" and set(target) <= set(inputs)
    if ahead:
        inferred.append(Inferred("to be foretold", AHEAD, "--set task.window.horizon=N"))
    group = None if asked.group is None else len(np.unique(arrays[asked.group]))
    task = {"layout": layout, "columns": {"inputs": list(inputs), "target": list(target), **columns}, "answers": kind}
    if shown.ndim == 3 and len(inputs) == 1:
        del task["layout"]  # The axes say it.
    return Contents(task, lengths, tuple(inferred), group or 0, ahead)


def _layout(shown: NDArray[Any], labels: NDArray[Any], asked: Said) -> str:
    if shown.ndim == 1 or asked.sequence is not None:
        return "samples"
    return "samples" if shown.ndim == 2 and shown.shape[1] < _CHANNELS else "sequences"


def _lengths(arrays: Mapping[str, NDArray[Any]], shown: NDArray[Any]) -> NDArray[np.int64]:
    if "lengths" in arrays and np.shape(arrays["lengths"]) == (len(shown),):
        return np.asarray(arrays["lengths"]).astype(np.int64)
    return np.full(len(shown), shown.shape[1] if shown.ndim > 1 else 1, np.int64)


def _changes_within(labels: NDArray[Any], starts: NDArray[np.int64]) -> bool:
    """Tell whether a target changes within sequences, or there is one long one."""
    firsts = np.repeat(labels[starts[:-1]], np.diff(starts), axis=0)
    return len(starts) == 2 or bool((labels != firsts).any())


def look_at_ts(path: Path, asked: Said) -> Contents:
    """Say whether a .ts file has classes or values; all else stands in it.

    Raises:
        ConfigError: A column is named, and it has none.
    """
    _refuse_columns(asked, path.name, "a .ts file has no columns: channels, and last the label")
    header: list[str] = []
    sizes = []
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        for line in file:
            text = line.strip()
            if text.startswith("@"):
                header.append(text.lower())
            elif text and not text.startswith(("#", "%")):
                sizes.append(text.partition(":")[0].count(",") + 1)
    values = any(line.split()[:2] == ["@targetlabel", "true"] for line in header)
    kind = asked.answers or ("values" if values else "class")
    inferred = (
        []
        if asked.answers is not None
        else [Inferred("the answer", f"{ANSWERS[kind]} (as its header says)", "--answers")]
    )
    return Contents({"answers": kind}, np.array(sizes or [1], np.int64), tuple(inferred))


def look_at_wavs(path: Path, asked: Said) -> Contents:
    """Say what a folder of WAV is: a class for each file, which is the folder that it lies in.

    Raises:
        ConfigError: A column is named, and there are none.
    """
    _refuse_columns(asked, path.name, "a folder of WAV has no columns: the folders in it are the classes")
    kind = asked.answers or "class"
    inferred = Inferred("the answer", "a class for each file: the folder that it lies in", "--set task.labels=FILE.csv")
    return Contents({"answers": kind}, np.ones(1, np.int64), (inferred,))


def _refuse_columns(asked: Said, file: str, allowed: str) -> None:
    for key in (*COLUMNS, "layout"):
        named = getattr(asked, key)
        if named:
            raise ConfigError(
                f"--{key}: there are no columns in {file}",
                seen=named if isinstance(named, str) else ", ".join(named),
                allowed=allowed,
                todo=f"leave out --{key}",
            )
