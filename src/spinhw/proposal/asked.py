"""What a user said of a file, and what was made of the rest; complaints in the words of the user's own options."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from spinhw.errors import ConfigError
from spinhw.tasks.series import is_packaged
from spinhw.tasks.series.settings import AnswerKind

Layout = Literal["samples", "sequences"]
# What names columns, or arrays.
COLUMNS = ("target", "inputs", "sequence", "time", "group")
# How messages of a recipe's keys are said of options: what they call it, and what it is here.
_KEYS = (
    (r"task\.columns\.(inputs|target|sequence|time|group)", r"--\1"),
    (r"task\.columns\b", "the options that name columns"),
    (r"task\.(layout|answers)\b", r"--\1"),
    (r"--set task: unknown key '(\w+)'", r"--set task.\1: unknown key '\1'"),
    (r"task\.test_file", "--test"),
    (r"task\.file: ", "the file of the data: "),
    (r"write columns: \{(\w+): (\w+)\}", r"add --\1 \2"),
    (r"write (layout|answers): (\w+)", r"add --\1 \2"),
    (r"split\.kind: time, with window\.samples", "one series that is cut in time"),
    (r"write these, or name the column", "name the column"),
    (r", as it stands or beside the YAML file", ""),
    (r"(?<![\w. ])task\.(\w[\w.]*)", r"--set task.\1"),
    (r"(?<= )task\.(\w[\w.]*)", r"--set task.\1"),
)


@dataclass(frozen=True)
class Said:
    """What is what in a file, as far as somebody said it.

    Args:
        file: CSV, Parquet, NPZ, NetCDF, .ts, a folder of WAV, or a data set of a package: aeon:NAME.
        target: What is to be answered, by name; empty to guess it.
        inputs: Input channels, by name; empty for all that is nothing else.
        sequence: Which sequence a sample belongs to; None to guess it.
        time: Times; None to guess it.
        group: Whom or what a sequence is from; None to guess it.
        layout: What a row is; None to guess it.
        answers: What is answered; None to guess it.
        test_file: Test part of its own; None to take it out of `file`.
    """

    file: Path
    target: tuple[str, ...] = ()
    inputs: tuple[str, ...] = ()
    sequence: str | None = None
    time: str | None = None
    group: str | None = None
    layout: Layout | None = None
    answers: AnswerKind | None = None
    test_file: Path | None = None

    @property
    def name(self) -> str:
        """What the data are called: their file without its ending, or the data set of a package."""
        data = str(self.file)
        return data.rpartition(":")[2] if is_packaged(data) else self.file.absolute().stem

    @property
    def named(self) -> str:
        """Where they lie, for a recipe: a whole path, or the data set of a package."""
        return str(self.file if is_packaged(str(self.file)) else self.file.absolute())

    @property
    def has_test(self) -> bool:
        """Whether a test part of its own comes with them."""
        return self.test_file is not None or is_packaged(str(self.file))


@dataclass(frozen=True)
class Inferred:
    """Something that nobody said, and that was taken so.

    Args:
        what: It, such as "a row".
        taken: What it was taken for, and why.
        option: What says it otherwise.
    """

    what: str
    taken: str
    option: str = ""


@contextmanager
def in_words_of_options() -> Iterator[None]:
    """Say what is wrong of options of the command, where it is said of a recipe's keys.

    Raises:
        ConfigError: In these words.
    """
    try:
        yield
    except ConfigError as error:
        if "\n" in str(error):  # Several, each a line.
            said = ConfigError(_in_options(error.what))
            said.args = (_in_options(str(error)),)
            raise said from error
        seen = None if error.seen is None else _in_options(str(error.seen))
        raise type(error)(
            _in_options(error.what),
            seen=seen,
            allowed=_in_options(error.allowed),
            todo=_in_options(error.todo),
        ) from error


def _in_options(text: str) -> str:
    for key, option in _KEYS:
        text = re.sub(key, option, text)
    return text
