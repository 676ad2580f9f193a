"""Tables out of CSV and Parquet: columns by name, and where each row stands."""

import csv
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spinhw.errors import ConfigError
from spinhw.tasks.series.series import missing

_DELIMITERS = ",;\t"
_TRUTHS = {"true": True, "false": False}
_DATE = re.compile(r"\d{4}-\d\d-\d\d")  # numpy would read a plain number as a year, too.


@dataclass(frozen=True, eq=False)
class Table:
    """Columns of a file.

    Args:
        file: Its name.
        columns: Each (row,), by name: texts as written, or numbers, or sequences.
        rows: Where each row stands in the file.
        word: What a row is called there.
    """

    file: str
    columns: dict[str, NDArray[Any]]
    rows: NDArray[np.int64]
    word: str

    def __len__(self) -> int:
        return len(self.rows)

    def place(self, row: int) -> str:
        """Say where a row stands."""
        return f"{self.file}: {self.word} {self.rows[row]}"

    def numbers(self, name: str, gaps: bool = False) -> NDArray[np.float64]:
        """Return a column as numbers.

        Args:
            name: The column.
            gaps: Whether empty cells become NaN.

        Raises:
            ConfigError: A cell is none; names it.
        """
        column = self.columns[name]
        if column.dtype.kind in "iufb":
            return column.astype(np.float64)
        with suppress(ValueError, TypeError):
            return column.astype(np.float64)
        found = np.empty(len(column))
        for row, cell in enumerate(column.tolist()):
            try:
                found[row] = np.nan if gaps and cell in ("", None) else float(cell)
            except (ValueError, TypeError) as error:
                place = f"{self.place(row)}, column {name}"
                if cell in ("", None):
                    raise missing(place, "nothing") from error
                decimal = isinstance(cell, str) and cell.replace(",", "", 1).lstrip("-").isdigit()
                raise ConfigError(
                    f"{place}: this is no number",
                    seen=cell,
                    allowed="numbers, with a decimal point",
                    todo="write a point for the comma" if decimal else "mend that cell, or name other columns",
                ) from error
        return found

    def labels(self, name: str) -> NDArray[Any]:
        """Return a column of labels: whole numbers, other numbers, or true and false where all are such; else texts.

        Raises:
            ConfigError: A cell is empty; names it.
        """
        column = self.columns[name]
        if column.dtype.kind in "iub":
            return column
        cells = column.tolist()
        for row, cell in enumerate(cells):
            if cell in ("", None) or cell != cell or str(cell).lower() == "nan":
                raise missing(f"{self.place(row)}, column {name}", cell or "nothing")
        if column.dtype.kind == "f" or not all(isinstance(cell, str) for cell in cells):
            return column
        if all(cell.lower() in _TRUTHS for cell in cells):
            return np.array([_TRUTHS[cell.lower()] for cell in cells])
        for kind in (np.int64, np.float64):
            with suppress(ValueError, OverflowError):
                found = column.astype(str).astype(kind)
                if np.isfinite(found).all():
                    return found
        return column

    def times(self, name: str) -> NDArray[Any]:
        """Return a column of times: numbers, or dates.

        Raises:
            ConfigError: A cell is neither; names it.
        """
        column = self.columns[name]
        if column.dtype.kind in "iufM":
            return column
        with suppress(ValueError, TypeError):
            return column.astype(np.float64)
        cells = column.tolist()
        if all(isinstance(cell, str) and _DATE.match(cell) for cell in cells):
            with suppress(ValueError):
                return column.astype(str).astype("datetime64[us]")
        return self.numbers(name)


def read_csv(path: Path, shown: str) -> Table:
    """Read a CSV with names in its first line; fields are parted by commas, semicolons or tabs.

    Raises:
        ConfigError: It has no such line, or rows of other lengths; says where.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return _table(file, shown)
    except UnicodeDecodeError as error:
        raise ConfigError(
            f"{shown}: this file is not written in UTF-8", seen=error.reason, todo="save it as CSV in UTF-8"
        ) from error
    except csv.Error as error:
        raise ConfigError(f"{shown}: this is no CSV", seen=error, todo="look into the file") from error


def _table(file: Any, shown: str) -> Table:
    first = file.readline()
    delimiter = max(_DELIMITERS, key=first.count) if first.strip() else ","
    names = [one.strip() for one in next(csv.reader([first], delimiter=delimiter), [])]
    _refuse_names(names, shown)
    rows, lines = _rows(csv.reader(file, delimiter=delimiter), len(names), shown)
    if not rows:
        raise ConfigError(f"{shown}: there are no rows below the names", allowed="one and more", todo="look into it")
    columns = {name: _texts(cells) for name, cells in zip(names, zip(*rows, strict=True), strict=True)}
    return Table(shown, columns, np.array(lines, np.int64), "line")


def _rows(reader: Any, width: int, shown: str) -> tuple[list[list[str]], list[int]]:
    rows, lines = [], []
    for row in reader:
        if not any(cell.strip() for cell in row):
            continue  # Editors leave empty lines at the end.
        line = reader.line_num + 1
        if len(row) != width:
            raise ConfigError(
                f"{shown}: line {line}: other columns than the first line has names",
                seen=f"{len(row)} cells",
                allowed=str(width),
                todo="mend that line",
            )
        rows.append(row)
        lines.append(line)
    return rows, lines


def _texts(cells: tuple[str, ...]) -> NDArray[Any]:
    column = np.empty(len(cells), object)
    column[:] = [cell.strip() for cell in cells]
    return column


def _refuse_names(names: list[str], shown: str) -> None:
    if not names:
        raise ConfigError(f"{shown}: the file is empty", allowed="a line with names, then rows", todo="look into it")
    numbers = [name for name in names if _is_number(name)]
    if numbers and len(numbers) == len(names):
        raise ConfigError(
            f"{shown}: line 1 holds numbers, and no names of columns",
            seen=", ".join(names[:4]),
            allowed="a name for each column",
            todo="write a line with names above it",
        )
    twice = next((name for number, name in enumerate(names) if name in names[:number]), None)
    if twice is not None:
        raise ConfigError(
            f"{shown}: line 1 names two columns alike", seen=twice or "no name", todo="give each a name of its own"
        )


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def read_parquet(path: Path, shown: str) -> Table:
    """Read a Parquet file; rows are counted from 0.

    Raises:
        ConfigError: It is none, or pyarrow is not installed.
    """
    try:
        import pyarrow
        import pyarrow.parquet as parquet
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"{shown}: Parquet needs another package",
            seen="pyarrow is not installed",
            todo='pip install "spinhw[parquet]"',
        ) from error
    try:
        table = parquet.read_table(path)
    except (pyarrow.ArrowInvalid, OSError) as error:
        raise ConfigError(f"{shown}: this is no Parquet file", seen=error, todo="look into the file") from error
    columns = dict(_of_arrow(table))
    return Table(shown, columns, np.arange(table.num_rows), "row")


def _of_arrow(table: Any) -> Iterator[tuple[str, NDArray[Any]]]:
    for name, column in zip(table.column_names, table.columns, strict=True):
        repeated = hasattr(column.type, "index_type")  # Categories of pandas.
        yield name, (column.cast(column.type.value_type) if repeated else column).to_numpy()
