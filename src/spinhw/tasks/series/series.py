"""Sequences as they were read: numbers, what is to be answered, and where each came from."""

import hashlib
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spinhw.errors import ConfigError, did_you_mean, some_of
from spinhw.tasks.series.settings import AnswerKind

# Samples that are looked at in one go: a few MB in between, however long the series are.
_AT_ONCE = 1 << 18
# What messages list of many names.
_NAMED = 8


@dataclass(frozen=True, eq=False)
class Origin:
    """Where sequences came from, for messages.

    Args:
        file: Name of the file, or of what was handed over.
        word: What a place is called there: "row", "line", "sequence".
        rows: Place of each sequence, or of each sample where `by_sample`; None where they are counted from 0.
        by_sample: Whether each sample has a place of its own.
        names: Names of the sequences, in place of their number; None for none.
    """

    file: str
    word: str = "sequence"
    rows: NDArray[np.int64] | None = None
    by_sample: bool = False
    names: tuple[str, ...] | None = None

    def place(self, sequence: int, sample: int, within: int) -> str:
        """Say where a sample stands.

        Args:
            sequence: Number of the sequence.
            sample: Number of the sample among all.
            within: Number of the sample in its sequence.
        """
        if self.by_sample and self.rows is not None:
            return f"{self.file}: {self.word} {self.rows[sample]}"
        return f"{self.whole(sequence)}, sample {within}"

    def whole(self, sequence: int, first: int = 0) -> str:
        """Say where a sequence stands; `first` is the number of its first sample among all."""
        if self.names is not None:
            return f"{self.file}: {self.names[sequence]}"
        if self.rows is None:
            return f"{self.file}: {self.word} {sequence}"
        return f"{self.file}: {self.word} {self.rows[first if self.by_sample else sequence]}"


@dataclass(frozen=True, eq=False)
class Series:
    """Sequences of any lengths, one behind the other, and what is to be answered to them.

    Args:
        samples: (sample, channel), of all sequences.
        starts: First sample of each sequence, and behind the last one; (sequence + 1,).
        answers: What is answered: as in the settings.
        targets: Class numbers, (sequence,) or (sample,); or values, (sequence, output) or (sample, output).
        channels: Names of the input channels.
        outputs: Classes, of any type; or names of the values.
        origin: Where they came from.
        groups: What each sequence is from, (sequence,); None for nothing.
        spacing: Of the samples, in the unit of their times; None where these are not known.
    """

    samples: NDArray[np.float32]
    starts: NDArray[np.int64]
    answers: AnswerKind
    targets: NDArray[Any]
    channels: tuple[str, ...]
    outputs: tuple[Any, ...]
    origin: Origin
    groups: NDArray[Any] | None = None
    spacing: float | None = None

    def __len__(self) -> int:
        return len(self.starts) - 1

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Samples of each sequence, (sequence,)."""
        return np.diff(self.starts)

    @property
    def per_step(self) -> bool:
        """Whether each sample has its answer."""
        return self.answers.endswith("per_step")

    @property
    def of_classes(self) -> bool:
        """Whether the answers are classes."""
        return self.answers.startswith("class")

    @cached_property
    def fingerprint(self) -> str:
        """A text that only equal series share."""
        digest = hashlib.sha256()
        for part in (self.samples, self.starts, self.targets):
            digest.update(np.ascontiguousarray(part).data.cast("B"))
        digest.update(repr((self.channels, self.outputs, self.answers)).encode())
        return "sha256:" + digest.hexdigest()

    def place(self, sample: int) -> str:
        """Say where a sample stands, by its number among all."""
        sequence = int(np.searchsorted(self.starts, sample, side="right")) - 1
        return self.origin.place(sequence, sample, sample - int(self.starts[sequence]))

    def whole(self, sequence: int) -> str:
        """Say where a sequence stands."""
        return self.origin.whole(sequence, int(self.starts[sequence]))


def checked(series: Series) -> Series:
    """Return series that are sound.

    Raises:
        ConfigError: There are none, one is empty, or a number is missing; says where.
    """
    origin = series.origin
    if len(series) == 0:
        raise ConfigError(f"{origin.file}: there are no sequences", allowed="one and more", todo="look into the file")
    empty = np.flatnonzero(series.lengths < 1)
    if empty.size:
        raise ConfigError(
            f"{series.whole(int(empty[0]))}: this sequence is empty",
            seen="no samples",
            allowed="one sample and more",
            todo="take it out",
        )
    _refuse_missing(series, series.samples, series.channels, by_sample=True)
    if not series.of_classes:
        _refuse_missing(series, series.targets, series.outputs, by_sample=series.per_step)
    if series.of_classes and len(series.outputs) < 2:
        raise ConfigError(
            f"{origin.file}: there is one class only",
            seen=some_of(series.outputs, _NAMED),
            allowed="two and more",
            todo="name another target column, or take values as the answer",
        )
    return series


def _refuse_missing(series: Series, numbers: NDArray[Any], names: tuple[Any, ...], by_sample: bool) -> None:
    for first in range(0, len(numbers), _AT_ONCE):
        wrong = ~np.isfinite(numbers[first : first + _AT_ONCE])
        if wrong.any():
            row, column = (int(index) for index in np.argwhere(wrong)[0])
            place = series.place(first + row) if by_sample else series.whole(first + row)
            raise missing(f"{place}, column {names[column]}", float(numbers[first + row, column]))


def missing(place: str, seen: object) -> ConfigError:
    """Make the error for a number that is none, at a place."""
    return ConfigError(
        f"{place}: a value is missing or no number",
        seen=seen,
        allowed="finite numbers",
        todo="fill it in, or take the sequence out: nothing is guessed",
    )


def class_numbers(labels: NDArray[Any]) -> tuple[NDArray[np.int64], tuple[Any, ...]]:
    """Number labels of any type: their numbers, and the classes in order, as plain Python values.

    Args:
        labels: Texts, whole or other numbers, or true and false.
    """
    plain = labels.tolist()
    present = set(plain)
    try:
        classes = sorted(present)
    except TypeError:  # Of several types.
        classes = sorted(present, key=str)
    return _numbered(plain, classes), tuple(classes)


def _numbered(labels: list[Any], classes: list[Any] | tuple[Any, ...]) -> NDArray[np.int64]:
    numbers = {label: number for number, label in enumerate(classes)}
    return np.fromiter((numbers[label] for label in labels), np.int64, len(labels))


def as_in(test: Series, series: Series) -> Series:
    """Return a test part whose classes have the numbers that they have in training.

    Raises:
        ConfigError: It has other channels, classes or outputs.
    """
    pairs = [("channels", test.channels, series.channels)]
    if not series.of_classes:
        pairs.append(("values to be answered", test.outputs, series.outputs))
    for what, there, here in pairs:
        if there != here:
            raise ConfigError(
                f"{test.origin.file}: other {what} than in {series.origin.file}",
                seen=some_of(there, _NAMED),
                allowed=some_of(here, _NAMED),
                todo="name the columns of both under task.columns, in the same order",
            )
    if not series.of_classes:
        return test
    texts = {str(one): one for one in series.outputs}
    meant = [one if one in series.outputs else texts.get(str(one), one) for one in test.outputs]
    for number, one in enumerate(meant):
        if one not in series.outputs:
            place = int(np.flatnonzero(test.targets == number)[0])
            raise ConfigError(
                f"{test.place(place) if test.per_step else test.whole(place)}: there is no such class in "
                f"{series.origin.file}",
                seen=one,
                allowed=some_of(series.outputs, _NAMED),
                todo=did_you_mean(str(one), texts) or "take it out, or train with that class too",
            )
    return replace(test, targets=_numbered(meant, series.outputs)[test.targets], outputs=series.outputs)
