"""What came out at each point, kept as a table: ``points.csv``, one line for each point as it is done.

Run folders may be thrown away, or lie on another machine: with the table a study goes on from what is done.
"""

import csv
import io
import json
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from spinhw.atomic import append_line, make_folder, write_atomically
from spinhw.errors import ConfigError
from spinhw.studies.outcome import Outcome, PowerTrace
from spinhw.studies.point import Point

_log = logging.getLogger(__name__)

# One number, or none, for each seed.
_LISTS = ("seeds", "score", "score_converged", "score_on_device", "mean_weight")
_SINGLE = ("epochs", "on_plateau", "inferences", "wall_s", "cpu_s", "version", "readings")
COLUMNS = ("point", *_LISTS, *_SINGLE, "command")
_OPTIONAL = {"readings": "0"}  # What tables may lack, and what stands for it.
_NONE, _APART = "-", " "
RUN = "run"  # Folder of the run within that of its point.


class PointStore:
    """Outcomes on disk: a line of ``FOLDER/points.csv`` each, and a file of ``FOLDER/traces`` where a point is traced.

    The run of a point lies in ``FOLDER/points/KEY/run``.

    Args:
        folder: Of the studies.
    """

    def __init__(self, folder: Path) -> None:
        self._folder, self._file = folder, folder / "points.csv"
        self._known: dict[str, Outcome] = {}
        self._size = 0  # Of the table when it was last read or written: it only grows.

    def place(self, point: Point) -> Path:
        """Give the folder of a point's run."""
        return self._folder / "points" / point.key

    def has_run(self, point: Point) -> bool:
        """Tell whether the networks of a point are there, which others may start from."""
        return (self.place(point) / RUN).is_dir()

    def outcome(self, point: Point) -> Outcome | None:
        """Read the outcome of a point; None where there is none yet, or not the waveforms that are wanted.

        Raises:
            ConfigError: The table or a trace is damaged.
        """
        self._catch_up()
        found = self._known.get(point.key)
        lacks = (
            found is not None and point.traced and found.trace is None and any(one is not None for one in found.score)
        )
        return None if lacks else found

    def outcomes(self, points: Iterable[Point]) -> dict[str, Outcome]:
        """Read the outcomes that there are, by key of the point."""
        return {point.key: found for point in points if (found := self.outcome(point)) is not None}

    def save(self, point: Point, outcome: Outcome) -> None:
        """Keep the outcome of a point: the last line of a point counts.

        Raises:
            ConfigError: The disk is full.
        """
        make_folder(self._folder)
        self._catch_up()  # What a crash cut short is cut off before something is put behind it.
        if outcome.trace is not None:
            make_folder(self._trace(point.key).parent)
            write_atomically(self._trace(point.key), json.dumps(asdict(outcome.trace)).encode())
        if not self._file.is_file():
            append_line(self._file, ",".join(COLUMNS))
        self._bring_up_to_date()
        append_line(self._file, _line(point, outcome))

    def _trace(self, key: str) -> Path:
        return self._folder / "traces" / f"{key}.json"

    def _bring_up_to_date(self) -> None:
        """Put in the columns that the table lacks, so that all of its lines have the same."""
        lines = self._file.read_text(encoding="utf-8").splitlines()
        columns = _columns(lines[0])
        if columns != COLUMNS:
            rows = [dict(zip(columns, next(csv.reader([line])), strict=True)) for line in lines[1:] if line.strip()]
            new = [
                ",".join(COLUMNS),
                *(_joined([row.get(name, _OPTIONAL.get(name)) for name in COLUMNS]) for row in rows),
            ]
            write_atomically(self._file, "".join(f"{line}\n" for line in new).encode())

    def _catch_up(self) -> None:
        """Read the table again where somebody has written to it."""
        if not self._file.is_file():
            self._known, self._size = {}, 0
        elif self._file.stat().st_size != self._size:
            self._known = self._read()
            self._size = self._file.stat().st_size

    def _read(self) -> dict[str, Outcome]:
        lines = self._file.read_bytes().split(b"\n")
        if lines[-1]:  # A crash cuts a line short; its point is measured again.
            _log.warning("%s: line %d is cut short; it is left out", self._file, len(lines))
            write_atomically(self._file, b"".join(line + b"\n" for line in lines[:-1]))
        found: dict[str, Outcome] = {}
        columns = _columns(lines[0].decode("utf-8", errors="replace"))
        for number, line in enumerate(lines[:-1], 1):
            if number > 1 and line.strip():
                key, outcome = self._outcome(line, number, columns)
                found[key] = outcome
        return found

    def _outcome(self, line: bytes, number: int, columns: Sequence[str]) -> tuple[str, Outcome]:
        try:
            cells = next(csv.reader([line.decode("utf-8")], strict=True))
            row = _OPTIONAL | dict(zip(columns, cells, strict=True))
            trace = self._trace(row["point"])
            return row["point"], _from_row(row, _load_trace(trace) if trace.is_file() else None)
        except (LookupError, ValueError, csv.Error, StopIteration) as error:
            raise ConfigError(
                f"{self._file}: line {number} is damaged",
                seen=error,
                allowed=f"the columns {', '.join(COLUMNS)}",
                todo="restore the file from a copy; or take the line out, and its point is measured again from its run",
            ) from error


def _columns(head: str) -> tuple[str, ...]:
    """Return the columns that a table has by its first line."""
    before = tuple(name for name in COLUMNS if name not in _OPTIONAL)
    return before if head == ",".join(before) else COLUMNS


def _line(point: Point, outcome: Outcome) -> str:
    lists = [_APART.join(map(_written, getattr(outcome, name) or ())) for name in _LISTS]
    single = [_written(getattr(outcome, name)) for name in _SINGLE]
    return _joined((point.key, *lists, *single, point.command))


def _joined(cells: Sequence[str | None]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="").writerow(cells)
    return text.getvalue()


def _written(value: Any) -> str:
    return _NONE if value is None else value if isinstance(value, str) else json.dumps(value, allow_nan=False)


def _from_row(row: Mapping[str, str], trace: PowerTrace | None) -> Outcome:
    """Make an outcome of a line.

    Raises:
        ValueError: It is none.
    """
    values: dict[str, Any] = {name: _numbers(row[name]) for name in _LISTS}
    values |= {name: _value(row[name]) for name in _SINGLE if name != "version"}
    values["score_on_device"] = values["score_on_device"] or None
    found = Outcome(**values, version=row["version"], trace=trace)
    _refuse_gaps(found)
    return found


def _numbers(cell: str) -> list[Any]:
    return [_value(one) for one in cell.split(_APART)] if cell else []


def _value(cell: str) -> Any:
    return None if cell == _NONE else json.loads(cell)


def _load_trace(path: Path) -> PowerTrace:
    try:
        found = PowerTrace(**json.loads(path.read_text(encoding="utf-8")))
        rows = [row for layer in found.power for row in layer]
        if not all(len(row) == len(rows[0]) and all(map(_is_number, row)) for row in rows):
            raise ValueError("rows of other lengths, or what is no number")
        if any(len(layer) != len(found.labels) for layer in found.power) or not all(map(_is_number, found.labels)):
            raise ValueError("not one label for each row")
    except (OSError, LookupError, TypeError, ValueError, RecursionError) as error:
        raise ConfigError(
            f"{path}: these waveforms are damaged",
            seen=error,
            todo="restore the file from a copy; or remove it, and they are recorded again from the run",
        ) from error
    return found


def _refuse_gaps(found: Outcome) -> None:
    """Refuse lists that are not of one number, or None, for each seed."""
    on_device = found.seeds if found.score_on_device is None else found.score_on_device
    lists: Sequence[Sequence[Any]] = (found.score, found.score_converged, found.mean_weight, on_device)
    if not all(len(values) == len(found.seeds) and all(map(_is_number_or_none, values)) for values in lists):
        raise ValueError(f"not {len(found.seeds)} numbers, one for each seed")
    single = (found.wall_s, found.inferences, found.readings, found.cpu_s or 0.0, found.epochs or 0)
    if not all(map(_is_number, (*found.seeds, *single))) or found.on_plateau not in (None, True, False):
        raise ValueError("what must be a number is none")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_number_or_none(value: Any) -> bool:
    return value is None or _is_number(value)
