"""The errors that a user may see, by who must act. Every message has four parts."""

import re
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from unicodedata import category

# Where a line to type begins in what to do next. It comes last, alone or after a colon.
_TYPED = re.compile(r"(?:^|(?<=: ))(?:spinhw|pip) ")
# Control characters, those that turn the direction of writing, halves of a character, and ends of lines.
_STEERING = {"Cc", "Cf", "Cs", "Zl", "Zp"}


class SpinhwError(Exception):
    """Base of all errors meant for people.

    Args:
        what: What is wrong, as a short clause, starting with the file and key or the instrument where there is one.
        seen: The value that was seen.
        allowed: What would have been accepted.
        todo: What to do next. A line to type comes last, alone or after a colon: "go on with: spinhw train ...".
    """

    exit_code = 2

    def __init__(self, what: str, *, seen: object = None, allowed: str = "", todo: str = "") -> None:
        self.what, self.seen, self.allowed, self.todo = what, seen, allowed, todo
        super().__init__(self.one_line())

    def one_line(self) -> str:
        """Render the four parts as one line; one to type stands in it word for word, with nothing behind it."""
        parts = [self.what]
        if self.seen is not None:
            parts.append(f"seen: {self.seen}")
        if self.allowed:
            parts.append(f"allowed: {self.allowed}")
        typed = _TYPED.search(self.todo)
        say, command = (self.todo, "") if typed is None else (self.todo[: typed.start()], self.todo[typed.start() :])
        if say:
            parts.append(f"next: {say}")
        line = "; ".join(part.rstrip(".") for part in " ".join(" | ".join(parts).split()).split(" | "))
        if not command:
            return visible(line + ".")
        return visible(f"{line} {command}" if say else f"{line}; next: {command}")


def visible(text: str) -> str:
    """Write out control characters, as Python does: an instrument's reply or a name must not steer the terminal."""
    return text if text.isprintable() else "".join(one if one.isprintable() else _written_out(one) for one in text)


def _written_out(one: str) -> str:
    """Write one character out, unless it is a space of another width or a character that no font has."""
    return one.encode("unicode_escape").decode() if category(one) in _STEERING else one


class ConfigError(SpinhwError):
    """Bad input: a file, a key, a value or a command-line option. The user edits it."""


def together(errors: Sequence[ConfigError]) -> ConfigError:
    """Return one error for several, each on a line of its own."""
    if len(errors) == 1:
        return errors[0]
    joined = ConfigError(f"{len(errors)} things are wrong")
    joined.args = ("\n".join(str(error) for error in errors),)
    return joined


class MisfitError(ValueError):
    """Several keys of a file do not fit together. Settings models raise it; who knows the file makes a `ConfigError`.

    Args:
        what: What is wrong.
        seen: The value that was seen.
        allowed: What would have been accepted.
        todo: What to do next.
    """

    def __init__(self, what: str, *, seen: object, allowed: str, todo: str) -> None:
        self.seen, self.allowed, self.todo = seen, allowed, todo
        super().__init__(what)


class LimitError(SpinhwError):
    """A value beyond a limit of the device, refused before anything was sent. The user lowers it."""

    exit_code = 3


class DeviceError(SpinhwError):
    """The device or an instrument failed or gave what it should not. The user goes to the bench."""

    exit_code = 3
    may_pass = True  # Whether the same thing tried again may go well.


class OccupiedError(DeviceError):
    """A bench is not as it may be used: something is on that is not ours, or wired otherwise. Nothing was changed."""

    may_pass = False


class CalibrationError(SpinhwError):
    """A calibration could not be made or does not belong to this device. The user measures again."""

    exit_code = 3


class SpinhwWarning(UserWarning):
    """A doubt about a result that somebody should look into; said once for each cause in a process."""


def some_of(names: Sequence[object], most: int, between: str = ", ") -> str:
    """Write out the first of many names, and say how many more there are.

    Args:
        names: All of them, the most telling first.
        most: So many are named, at least 1.
        between: Stands between two of them.
    """
    more = len(names) - most
    return between.join(map(str, names[:most])) + (f" and {more} more" if more > 0 else "")


def nearest(name: str, known: Iterable[str]) -> str:
    """Say which known name is meant by a misspelt one, or list those there are."""
    names = sorted(known)
    return did_you_mean(name, names) or f"choose one of {', '.join(names)}"


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Say which known name is meant by a misspelt one; nothing where none is near, for messages that list them."""
    close = get_close_matches(name, sorted(known), n=1, cutoff=0.6)
    return f"did you mean {close[0]!r}?" if close else ""
