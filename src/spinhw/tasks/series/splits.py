"""Which sequences, and which samples of a long series, are trained on and which are held out."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from spinhw.errors import ConfigError
from spinhw.streams import numpy_stream
from spinhw.tasks.series.series import Series
from spinhw.tasks.series.settings import SeriesSettings
from spinhw.tasks.series.split_settings import WindowSettings

PartName = Literal["train", "validation", "test"]
PARTS: tuple[PartName, ...] = ("train", "validation", "test")
# Without a test file a fifth is tested on, as most data sets are published.
_TESTED = 0.2
_Numbers = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Pieces:
    """Sequences, or windows of them, that belong to one part.

    Args:
        series: Where the samples are.
        first: First sample of each piece, (piece,).
        lengths: Samples of each that are played, (piece,).
        sequences: Number of the sequence that each lies in, (piece,).
        horizon: Samples by which what is to be answered lies ahead.
        left_over: Samples at the ends of series that fill no window.
    """

    series: Series
    first: _Numbers
    lengths: _Numbers
    sequences: _Numbers
    horizon: int = 0
    left_over: int = 0

    def __len__(self) -> int:
        return len(self.first)

    @property
    def longest(self) -> int:
        """Samples of the longest piece."""
        return int(self.lengths.max())

    @property
    def equal(self) -> bool:
        """Whether all pieces are equally long."""
        return bool((self.lengths == self.lengths[0]).all())

    def covered(self, ahead: int = 0) -> NDArray[np.bool_]:
        """Mark the samples of the series that lie in a piece, moved ahead by so many samples."""
        edges = np.zeros(len(self.series.samples) + 1, np.int32)
        np.add.at(edges, self.first + ahead, 1)
        np.add.at(edges, self.first + ahead + self.lengths, -1)
        np.cumsum(edges, out=edges)
        covered: NDArray[np.bool_] = edges[:-1] > 0
        return covered

    def labels(self) -> NDArray[np.int64]:
        """Return the class numbers that are to be answered."""
        targets = self.series.targets
        return targets[self.covered(self.horizon)] if self.series.per_step else targets[self.sequences]


def divided(series: Series, test: Series | None, settings: SeriesSettings) -> dict[PartName, Pieces]:
    """Divide series into parts; those that the settings do not ask for are left out.

    Args:
        series: All of them, or, with a test part of their own, the others.
        test: The test part; None to take it out of `series`.
        settings: How.

    Raises:
        ConfigError: There are too few sequences, or one is too short; or a class is held out that is not trained.
    """
    shares = (settings.split.validation, 0.0 if test is not None else _test_share(settings))
    if settings.split.kind == "time":
        ranges = _by_time(series, *shares, settings.window.reach)
    else:
        chosen = (
            _by_group(series, settings, *shares)
            if settings.split.kind == "group"
            else _drawn(series, settings, *shares)
        )
        ranges = {part: (one, series.starts[one], series.starts[one + 1]) for part, one in chosen.items() if len(one)}
    found = {part: windows(series, *where, settings.window) for part, where in ranges.items()}
    if test is not None:
        every = np.arange(len(test))
        found["test"] = windows(test, every, test.starts[:-1], test.starts[1:], settings.window)
    if series.of_classes:
        _refuse_untrained(found)
    return found


def _test_share(settings: SeriesSettings) -> float:
    return _TESTED if settings.split.test is None else settings.split.test


def _drawn(series: Series, settings: SeriesSettings, validation: float, test: float) -> dict[PartName, _Numbers]:
    """Draw the sequences of each part; of each class alike, where a sequence has one."""
    if len(series) == 1 and validation + test > 0:
        raise ConfigError(
            f"{series.origin.file}: this is one series, which cannot be divided by fraction",
            seen="1 sequence",
            allowed="split.kind: time, with window.samples",
            todo="write these, or name the column that tells sequences apart under task.columns.sequence",
        )
    strata = [np.arange(len(series))]
    if series.answers == "class":
        strata = [np.flatnonzero(series.targets == number) for number in range(len(series.outputs))]
    parts: dict[PartName, list[_Numbers]] = {part: [] for part in PARTS}
    for number, members in enumerate(strata):
        order = numpy_stream("series split", settings.split.seed, number).permutation(members)
        tested = _count(test, len(order))
        if test and tested >= len(order):
            raise _too_rare(series, number, int(members[0]))
        checked = min(round(validation * (len(order) - tested)), len(order) - tested - 1)
        places = (slice(tested + checked, None), slice(tested, tested + checked), slice(tested))
        for part, place in zip(PARTS, places, strict=True):
            parts[part].append(np.sort(order[place]))
    found = {part: np.concatenate(several) for part, several in parts.items()}
    if validation and not len(found["validation"]):
        raise _too_few(series, "sequences", len(series), "validation", validation)
    return found


def _count(share: float, count: int) -> int:
    return max(1, round(share * count)) if share else 0


def _too_rare(series: Series, number: int, sequence: int) -> ConfigError:
    if series.answers != "class":
        return _too_few(series, "sequences", len(series), "test", 0.0)
    return ConfigError(
        f"{series.whole(sequence)}: a label that occurs once cannot be both trained and tested",
        seen=series.outputs[number],
        allowed="two sequences and more of each class",
        todo="mend the label, take the sequence out, or give a test file",
    )


def _too_few(series: Series, what: str, seen: int, part: str, share: float) -> ConfigError:
    return ConfigError(
        f"task.split.{part}: {series.origin.file} has too few {what} for this part",
        seen=f"{seen} {what}" + (f", share {share:g}" if share else ""),
        allowed="one of them and more in every part",
        todo=f"raise the share, or write {part}: 0",
    )


def _by_group(series: Series, settings: SeriesSettings, validation: float, test: float) -> dict[PartName, _Numbers]:
    """Draw groups, whole."""
    if series.groups is None:
        raise ConfigError(
            "task.columns.group: split.kind is 'group', and nothing says the groups",
            seen="null",
            allowed="a column, or groups handed over in Python",
            todo="name it, or split by fraction",
        )
    names, numbers = np.unique(series.groups, return_inverse=True)
    order = numpy_stream("series split", settings.split.seed).permutation(len(names))
    tested = _count(test, len(names))
    checked = _count(validation, len(names) - tested)
    if tested + checked >= len(names):
        raise _too_few(series, "groups", len(names), "validation" if validation else "test", validation or test)
    chosen: dict[PartName, _Numbers] = {
        "test": order[:tested],
        "validation": order[tested : tested + checked],
        "train": order[tested + checked :],
    }
    return {part: np.flatnonzero(np.isin(numbers, one)) for part, one in chosen.items()}


def _by_time(
    series: Series, validation: float, test: float, reach: int
) -> dict[PartName, tuple[_Numbers, _Numbers, _Numbers]]:
    """Cut every series in three: training, then validation, then test; these two begin so many samples earlier.

    That is never before the series: the training part is longer, or fills no window.
    """
    lengths = series.lengths
    tested = np.rint(test * lengths).astype(np.int64)
    checked = np.rint(validation * (lengths - tested)).astype(np.int64)
    every, ends = np.arange(len(series)), series.starts[1:]
    found: dict[PartName, tuple[_Numbers, _Numbers, _Numbers]] = {
        "train": (every, series.starts[:-1], ends - tested - checked)
    }
    if validation:
        found["validation"] = (every, ends - tested - checked - reach, ends - tested)
    if test:
        found["test"] = (every, ends - tested - reach, ends)
    return found


def windows(series: Series, sequences: _Numbers, begins: _Numbers, ends: _Numbers, settings: WindowSettings) -> Pieces:
    """Cut stretches of series into windows; what they answer, a horizon ahead, lies within the stretch too.

    Args:
        series: The series.
        sequences: Number of each stretch's sequence.
        begins: First sample of each stretch.
        ends: Sample behind its last one.
        settings: Of the windows.

    Raises:
        ConfigError: A stretch is too short for a window, or a window for its washout.
    """
    room = ends - begins - settings.horizon
    least = settings.samples or settings.washout + 1
    short = np.flatnonzero(room < least)
    if short.size:
        one = int(short[0])
        raise ConfigError(
            f"{series.whole(int(sequences[one]))}: too short for task.window",
            seen=f"{ends[one] - begins[one]} samples in a part",
            allowed=f"{least + settings.horizon} and more: {least} in a window, and a horizon of {settings.horizon}",
            todo="lower task.window.samples, washout or horizon, or take the sequence out",
        )
    if settings.samples is None:
        return Pieces(series, begins, room, sequences, settings.horizon)
    if settings.washout >= settings.samples:
        raise ConfigError(
            "task.window.washout: nothing of a window is left to answer",
            seen=f"washout {settings.washout} of {settings.samples} samples",
            allowed=f"below {settings.samples}",
            todo="lower it, or raise window.samples",
        )
    stride = settings.stride or settings.samples
    counts = (room - settings.samples) // stride + 1
    number = np.arange(counts.sum()) - np.repeat(counts.cumsum() - counts, counts)
    left_over = int((room - settings.samples - (counts - 1) * stride).sum())
    return Pieces(
        series,
        np.repeat(begins, counts) + stride * number,
        np.full(len(number), settings.samples, np.int64),
        np.repeat(sequences, counts),
        settings.horizon,
        left_over,
    )


def _refuse_untrained(parts: dict[PartName, Pieces]) -> None:
    trained = np.unique(parts["train"].labels())
    for part, pieces in parts.items():
        unknown = np.setdiff1d(pieces.labels(), trained)
        if unknown.size:
            names = pieces.series.outputs
            raise ConfigError(
                f"{pieces.series.origin.file}: a class of the {part} part is none of the training part",
                seen=names[int(unknown[0])],
                allowed=", ".join(str(names[int(one)]) for one in trained[:8]),
                todo="choose another split.seed, or other shares, or take that class out",
            )
