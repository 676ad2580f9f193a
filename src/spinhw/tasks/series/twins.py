"""Sequences that are in two parts at once: what is measured on these is what was learned by heart."""

import warnings
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from spinhw.errors import ConfigError, SpinhwWarning
from spinhw.tasks.series.series import Series
from spinhw.tasks.series.splits import PARTS, PartName, Pieces

_WORDS: dict[PartName, str] = {"train": "training", "validation": "validation", "test": "test"}
# Sequences by a number that only equal ones are likely to share: part, series, and number of the sequence in it.
_Seen = dict[int, tuple[PartName, Series, int]]


def look_for_twins(parts: dict[PartName, Pieces]) -> None:
    """Look for sequences of held-out parts that, sample for sample, stand in a part before it too.

    Windows of a series that is divided by time are not looked at: a periodic signal comes back to itself.

    Raises:
        ConfigError: A test part of its own is nothing but sequences that the other parts have.

    Warns:
        SpinhwWarning: Some are there twice; names how many, and the first.
    """
    seen: _Seen = {}
    for part in PARTS:
        if part not in parts:
            continue
        series, every = parts[part].series, np.unique(parts[part].sequences)
        found = [] if part == "train" else list(_twins(series, every, seen))
        if found:
            number, (other, there, twin) = found[0]
            _tell(
                f"{series.whole(number)}: this sequence of the {part} part stands in the {_WORDS[other]} part too, "
                f"sample for sample, as {there.whole(twin)}",
                f"{len(found)} of the {len(every)} sequences of the {part} part",
                refused=len(found) == len(every) and series is not there,
            )
        for number, samples in _cut(series, every):
            seen.setdefault(hash(samples.tobytes()), (part, series, number))


def _tell(what: str, how_many: str, refused: bool) -> None:
    if refused:
        raise ConfigError(
            what,
            seen=f"{how_many} are such",
            allowed="sequences that nothing was trained on",
            todo="look whether the test file is a copy of the other, or leave it out to split a test part off",
        )
    warnings.warn(
        f"{what}; {how_many} are such, and what is measured on them says nothing of new ones: take them out of one of "
        "the two",
        SpinhwWarning,
        stacklevel=2,
    )


def _twins(series: Series, every: NDArray[np.int64], seen: _Seen) -> Iterator[tuple[int, tuple[PartName, Series, int]]]:
    for number, samples in _cut(series, every):
        known = seen.get(hash(samples.tobytes()))
        if known is not None and np.array_equal(samples, _samples(known[1], known[2])):
            yield number, known


def _cut(series: Series, every: NDArray[np.int64]) -> Iterator[tuple[int, NDArray[np.float32]]]:
    return ((number, _samples(series, number)) for number in every.tolist())


def _samples(series: Series, number: int) -> NDArray[np.float32]:
    return series.samples[series.starts[number] : series.starts[number + 1]]
