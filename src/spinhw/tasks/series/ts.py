"""Files of the form .ts, as aeon and sktime write them: a header, then a line for each sequence."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spinhw.errors import ConfigError
from spinhw.tasks.series.arrays import series_of
from spinhw.tasks.series.series import Origin, Series, missing
from spinhw.tasks.series.settings import SeriesSettings

_SWITCHES = {"true": True, "false": False}


def read_ts(path: Path, shown: str, settings: SeriesSettings) -> Series:
    """Read a .ts file: channels are parted by colons, samples by commas, the label or the value comes last.

    Raises:
        ConfigError: The header disagrees with a row, or a value is missing; says where.
    """
    if settings.answers == "always":
        raise ConfigError(
            f"{shown}: a .ts file has one answer for each sequence",
            seen=f"answers {settings.answers_with}",
            allowed="class, or values",
            todo="write one of these under task.answers",
        )
    header: dict[str, list[str]] = {}
    pieces, targets, lines = [], [], []
    try:
        with path.open(encoding="utf-8-sig") as file:
            numbered = ((number, text.strip()) for number, text in enumerate(file, 1))
            _read_header(numbered, header, shown)
            reader = _Rows(header, shown, settings.answers_with == "class")
            for number, text in numbered:
                if text and not text.startswith(("#", "%")):
                    piece, target = reader.row(number, text)
                    pieces.append(piece)
                    targets.append(target)
                    lines.append(number)
    except UnicodeDecodeError as error:
        raise ConfigError(
            f"{shown}: this file is not written in UTF-8", seen=error.reason, todo="save it so"
        ) from error
    made = series_of(pieces, targets, answers=settings.answers_with, resample=settings.resample, name=shown)
    return replace(made, origin=Origin(shown, "line", np.array(lines, np.int64)))


def _read_header(lines: Iterable[tuple[int, str]], header: dict[str, list[str]], shown: str) -> None:
    """Read up to the line ``@data``."""
    for number, text in lines:
        if not text or text.startswith(("#", "%")):
            continue
        if not text.startswith("@"):
            raise ConfigError(
                f"{shown}: line {number}: data before the line @data", seen=text[:40], todo="look into the file"
            )
        key, *words = text[1:].split()
        if key.lower() == "data":
            return
        header[key.lower()] = words
    raise ConfigError(f"{shown}: there is no line @data", allowed="a .ts file", todo="look into the file")


class _Rows:
    """What the header says, held against every row.

    Args:
        header: Words behind each key, in small letters.
        shown: Name of the file.
        of_classes: Whether labels are wanted, and not values.
    """

    def __init__(self, header: dict[str, list[str]], shown: str, of_classes: bool) -> None:
        self._shown, self._of_classes = shown, of_classes
        if self._switch(header, "timestamps"):
            raise ConfigError(
                f"{shown}: @timeStamps: samples with time stamps are not read",
                seen="true",
                allowed="evenly spaced samples",
                todo="convert the file to NPZ or CSV, where times have a column",
            )
        labelled, targeted = self._switch(header, "classlabel"), self._switch(header, "targetlabel")
        if not (labelled or targeted):
            raise ConfigError(
                f"{shown}: @classLabel: the file has no labels", seen="false", todo="take a file that has some"
            )
        if of_classes != bool(labelled):
            raise ConfigError(
                f"{shown}: the file has {'classes' if labelled else 'values'} to answer",
                seen=f"task.answers {'class' if of_classes else 'values'}",
                todo=f"write answers: {'class' if labelled else 'values'}",
            )
        self._labels = header["classlabel"][1:] if labelled else []
        written = "dimensions" if "dimensions" in header else "dimension"  # Both are found in published files.
        self._channels = self._number(header, written) or (1 if self._switch(header, "univariate") else None)
        equal = self._switch(header, "equallength")
        self._length = self._number(header, "serieslength") if equal is not False else None
        self._equal = bool(equal)

    def row(self, number: int, text: str) -> tuple[NDArray[np.float32], Any]:
        """Return sequence, (time, channel), and target of a line."""
        *channels, target = text.split(":")
        place = f"{self._shown}: line {number}"
        if self._channels is None:
            self._channels = len(channels)
        if len(channels) != self._channels:
            raise self._disagrees(place, "channels", len(channels), self._channels)
        parts = [self._numbers(place, channel, cells.split(",")) for channel, cells in enumerate(channels)]
        lengths = {len(part) for part in parts}
        if len(lengths) > 1:
            raise ConfigError(
                f"{place}: the channels of this sequence are not equally long",
                seen=", ".join(str(len(part)) for part in parts),
                todo="mend that line",
            )
        length = len(parts[0])
        if self._equal and self._length is None:
            self._length = length
        if self._length is not None and length != self._length:
            raise self._disagrees(place, "samples", length, self._length)
        return np.stack(parts, axis=-1), self._target(place, target.strip())

    def _numbers(self, place: str, channel: int, cells: list[str]) -> NDArray[np.float32]:
        try:
            found = np.array(cells, np.float32)
        except ValueError:
            for sample, cell in enumerate(cells):
                where = f"{place}, sample {sample}, channel {channel}"
                if cell.strip() in ("?", "", "NaN"):
                    raise missing(where, cell.strip() or "nothing") from None
                try:
                    float(cell)
                except ValueError:
                    raise ConfigError(f"{where}: this is no number", seen=cell, todo="mend that line") from None
            raise
        if not np.isfinite(found).all():
            sample = int(np.flatnonzero(~np.isfinite(found))[0])
            raise missing(f"{place}, sample {sample}, channel {channel}", cells[sample])
        return found

    def _target(self, place: str, text: str) -> Any:
        if self._of_classes:
            if self._labels and text not in self._labels:
                raise ConfigError(
                    f"{place}: a label that the header does not name",
                    seen=text or "nothing",
                    allowed=", ".join(self._labels),
                    todo="mend that line, or @classLabel",
                )
            return text
        try:
            return [float(text)]
        except ValueError:
            raise missing(f"{place}, target", text) from None

    def _disagrees(self, place: str, what: str, seen: int, said: int | None) -> ConfigError:
        return ConfigError(
            f"{place}: the header disagrees about the {what}",
            seen=seen,
            allowed=f"{said}, as the header says",
            todo="mend that line, or the header",
        )

    def _switch(self, header: dict[str, list[str]], key: str) -> bool | None:
        if key not in header:
            return None
        word = header[key][0].lower() if header[key] else ""
        if word not in _SWITCHES:
            raise ConfigError(f"{self._shown}: @{key}: true or false is needed", seen=word or "nothing", todo="mend it")
        return _SWITCHES[word]

    def _number(self, header: dict[str, list[str]], key: str) -> int | None:
        if key not in header:
            return None
        word = header[key][0] if header[key] else ""
        if not word.isdigit() or int(word) < 1:
            raise ConfigError(
                f"{self._shown}: @{key}: a whole number is needed", seen=word or "nothing", todo="mend it"
            )
        return int(word)
