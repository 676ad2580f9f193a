"""Series from arrays, as they are handed over in Python."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spinhw.errors import ConfigError
from spinhw.tasks.series.series import Origin, Series, checked, class_numbers, missing
from spinhw.tasks.series.settings import AnswerKind
from spinhw.tasks.series.times import evenly


def series_of(
    inputs: Any,
    targets: Any,
    *,
    answers: AnswerKind | None = None,
    lengths: Any = None,
    groups: Any = None,
    times: Any = None,
    channels: Sequence[str] | None = None,
    names: Sequence[str] | None = None,
    resample: float | None = None,
    name: str = "arrays",
) -> Series:
    """Make series of arrays, as `spinhw.train` takes them.

    Args:
        inputs: (sequence, time), (sequence, time, channel), or a list of sequences of any lengths, (time,) or (time,
            channel) each.
        targets: For each sequence a label of any type, (sequence,), or values, (sequence, output); or for each sample,
            (sequence, time) and (sequence, time, output), or lists of such.
        answers: What they are; None for 'class', or 'class_per_step' where there is a label for each sample.
        lengths: Samples of each sequence, (sequence,), in arrays that are filled up to the longest.
        groups: What each sequence is from, (sequence,), for splits by group.
        times: Of the samples, (time,) or as `inputs`; evenly spaced, or to be resampled.
        channels: Names of the input channels; None for their numbers.
        names: Names of the values to be answered; None for their numbers.
        resample: Spacing of an even grid to interpolate onto, in the unit of the times; None for none.
        name: What messages call them.

    Raises:
        ConfigError: They do not fit together, or a number is missing; says where.
    """
    pieces = _sequences(inputs, lengths, name)
    starts = np.cumsum([0, *map(len, pieces)], dtype=np.int64)
    kind = answers or _guessed(targets, pieces)
    samples = _joined(inputs, pieces)
    labels, outputs = _targets(targets, kind, starts, lengths, names, name)
    if groups is not None and len(groups) != len(pieces):
        raise misfit(name, "groups", len(groups), f"{len(pieces)}, one for each sequence")
    shown = tuple(channels) if channels is not None else tuple(map(str, range(samples.shape[1])))
    if len(shown) != samples.shape[1]:
        raise misfit(name, "names of channels", len(shown), f"{samples.shape[1]}, one for each")
    held = None if groups is None else np.asarray(groups)
    made = Series(samples, starts, kind, labels, shown, outputs, Origin(name), held)
    every = None if times is None else _times(times, pieces, name)
    return checked(evenly(checked(made) if resample is not None else made, every, resample))


def series_of_dataset(dataset: Any, answers: AnswerKind = "class") -> Series:
    """Make series of a map-style dataset of torch, whose items are pairs of a sequence and its target.

    Args:
        dataset: With a length; each item a pair of (time,) or (time, channel), and a label or values.
        answers: What the targets are.

    Raises:
        ConfigError: It is none, or its items do not fit together.
    """
    if not hasattr(dataset, "__getitem__") or not hasattr(dataset, "__len__"):
        raise ConfigError(
            "task: this is nothing to train on",
            seen=type(dataset).__name__,
            allowed="series_of(...), a map-style Dataset of torch, a Task, or settings of one",
            todo="make series of arrays with spinhw.tasks.series_of(inputs, targets)",
        )
    inputs, targets = [], []
    for number in range(len(dataset)):
        item = dataset[number]
        if not isinstance(item, Sequence) or len(item) != 2:
            raise ConfigError(
                f"{type(dataset).__name__}[{number}]: this item is no pair",
                seen=type(item).__name__,
                allowed="a sequence and its target",
                todo="return (inputs, target) from __getitem__",
            )
        inputs.append(np.asarray(item[0]))
        targets.append(np.asarray(item[1]))
    if answers == "class":
        return series_of(inputs, [one.item() for one in targets], answers=answers, name=type(dataset).__name__)
    return series_of(inputs, targets, answers=answers, name=type(dataset).__name__)


def _sequences(inputs: Any, lengths: Any, name: str) -> list[NDArray[Any]] | NDArray[Any]:
    """Return inputs by sequence, (time, channel) each; as one array where they are equally long."""
    whole = _whole(inputs)
    if whole is not None and whole.ndim not in (2, 3):
        raise misfit(name, "axes of inputs", whole.ndim, "2 or 3: (sequence, time) or (sequence, time, channel)")
    if whole is not None and not _is_number(whole.dtype):
        raise misfit(name, "type of inputs", whole.dtype, "numbers")
    if whole is not None:
        whole = whole[..., None] if whole.ndim == 2 else whole
        if lengths is None:
            return whole
        ends = np.asarray(lengths)
        wrong = np.flatnonzero((ends < 1) | (ends > whole.shape[1])) if ends.shape == (len(whole),) else None
        if wrong is None:
            raise misfit(name, "shape of lengths", ends.shape, f"({len(whole)},), one for each sequence")
        if wrong.size:
            raise misfit(name, f"length of sequence {wrong[0]}", ends[wrong[0]], f"1 to {whole.shape[1]}")
        return [one[:end] for one, end in zip(whole, ends.tolist(), strict=True)]
    pieces = [_column(np.asarray(one)) for one in inputs]
    for number, one in enumerate(pieces):
        if one.ndim != 2 or one.shape[1] != pieces[0].shape[1] or not _is_number(one.dtype):
            raise ConfigError(
                f"{name}: sequence {number}: other channels than in sequence 0, or no numbers",
                seen=f"shape {one.shape}, {one.dtype}",
                allowed=f"(time, {pieces[0].shape[-1]})",
                todo="look into it",
            )
    return pieces


def _whole(inputs: Any) -> NDArray[Any] | None:
    """Return inputs as one array; None where they are a list of sequences."""
    return None if isinstance(inputs, list | tuple) else np.asarray(inputs)


def _is_number(kind: Any) -> bool:
    return bool(np.issubdtype(kind, np.number) or kind == np.bool_)


def _column(one: NDArray[Any]) -> NDArray[Any]:
    return one[:, None] if one.ndim == 1 else one


def _joined(inputs: Any, pieces: Any) -> NDArray[np.float32]:
    """Put sequences one behind the other, without a copy where they already are."""
    if isinstance(pieces, np.ndarray):
        return np.ascontiguousarray(pieces.reshape(-1, pieces.shape[-1]), dtype=np.float32)
    if not pieces:
        return np.empty((0, 1), np.float32)
    return np.concatenate([np.asarray(one, np.float32) for one in pieces])


def _guessed(targets: Any, pieces: Any) -> AnswerKind:
    first = np.asarray(targets[0]) if len(targets) else np.empty(())
    return "class_per_step" if first.ndim == 1 and len(first) == len(pieces[0]) and len(first) > 1 else "class"


def _targets(
    targets: Any, kind: AnswerKind, starts: NDArray[np.int64], lengths: Any, names: Sequence[str] | None, name: str
) -> tuple[NDArray[Any], tuple[Any, ...]]:
    sequences, per_step = len(starts) - 1, kind.endswith("per_step")
    if len(targets) != sequences:
        raise misfit(name, "targets", len(targets), f"{sequences}, one for each sequence")
    flat = _of_samples(targets, starts, lengths, name) if per_step else _plain(targets)
    if kind.startswith("class"):
        if flat.ndim != 1:
            raise misfit(name, "shape of the labels", flat.shape, "one label for each " + _each(per_step))
        _refuse_no_label(flat, name, per_step)
        return class_numbers(flat)
    if not _is_number(flat.dtype):
        raise misfit(name, "type of the values to be answered", flat.dtype, "numbers")
    values = _column(flat).astype(np.float32, copy=False)
    if values.ndim != 2:
        raise misfit(name, "shape of the values", flat.shape, f"(output,) for each {_each(per_step)}")
    shown = tuple(names) if names is not None else tuple(map(str, range(values.shape[1])))
    if len(shown) != values.shape[1]:
        raise misfit(name, "names of values", len(shown), f"{values.shape[1]}, one for each")
    return values, shown


def _each(per_step: bool) -> str:
    return "sample" if per_step else "sequence"


def _plain(targets: Any) -> NDArray[Any]:
    """Return targets as an array that keeps the types of labels."""
    if isinstance(targets, np.ndarray) or hasattr(targets, "numpy"):
        return np.asarray(targets)
    kinds = {type(one) for one in targets}
    if len(kinds) > 1 and not kinds <= {int, float}:
        mixed = np.empty(len(targets), object)
        mixed[:] = list(targets)
        return mixed
    return np.asarray(targets)


def _of_samples(targets: Any, starts: NDArray[np.int64], lengths: Any, name: str) -> NDArray[Any]:
    whole = _whole(targets)
    if whole is not None and lengths is None and whole.ndim >= 2 and whole.shape[0] * whole.shape[1] == starts[-1]:
        return whole.reshape(-1, *whole.shape[2:])
    found = []
    for number, (one, length) in enumerate(zip(targets, np.diff(starts).tolist(), strict=True)):
        part = np.asarray(one)
        part = part[:length] if lengths is not None else part
        if len(part) != length:
            raise misfit(name, f"targets of sequence {number}", len(part), f"{length}, one for each sample")
        found.append(part)
    return np.concatenate(found)


def _refuse_no_label(labels: NDArray[Any], name: str, per_step: bool) -> None:
    if labels.dtype.kind == "f":
        wrong = np.flatnonzero(~np.isfinite(labels))
    elif labels.dtype.kind in "OU":
        wrong = np.array([place for place, one in enumerate(labels.tolist()) if one is None or one == "" or one != one])
    else:
        return
    if wrong.size:
        word = _each(per_step)
        raise missing(f"{name}: label of {word} {wrong[0]}", labels[wrong[0]])


def _times(times: Any, pieces: Any, name: str) -> list[NDArray[Any]]:
    """Return the times of each sequence."""
    whole = _whole(times)
    every = [whole] * len(pieces) if whole is not None and whole.ndim == 1 else [np.asarray(one) for one in times]
    if len(every) != len(pieces):
        raise misfit(name, "times", len(every), f"{len(pieces)}, one row for each sequence")
    found = [one[: len(piece)] for one, piece in zip(every, pieces, strict=True)]
    for number, (one, piece) in enumerate(zip(found, pieces, strict=True)):
        if len(one) != len(piece):
            raise misfit(name, f"times of sequence {number}", len(one), f"{len(piece)}, one for each sample")
        if one.dtype.kind not in "iufM":
            raise misfit(name, "type of the times", one.dtype, "numbers or dates")
    return found


def misfit(name: str, what: str, seen: object, allowed: str) -> ConfigError:
    """Make the error for arrays that do not fit together."""
    return ConfigError(f"{name}: the {what} does not fit", seen=seen, allowed=allowed, todo="bring them together")
