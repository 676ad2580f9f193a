"""The terminal that all commands write to."""

import io
import logging
import signal
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console


def make_console() -> "Console":
    """Make the console, and let warnings of the library appear on it."""
    # A command that is refused writes one plain line, and does not wait until this has been imported.
    from rich.logging import RichHandler

    from spinhw.report.console import PlainConsole, VisibleFormatter

    console = PlainConsole()
    handler = RichHandler(console=console, show_path=False, show_time=False)
    handler.setFormatter(VisibleFormatter("%(message)s"))
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    return console


def plain_console() -> "Console":
    """Make a console that colours nothing by guessing and breaks no line, with plain warnings on standard error."""
    from spinhw.report.console import PlainConsole, VisibleFormatter

    handler = logging.StreamHandler()
    handler.setFormatter(VisibleFormatter("%(message)s"))
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    return PlainConsole(soft_wrap=True)


def tell_files(console: "Console", numbers: Path, picture: Path | None) -> None:
    """Print where the numbers of a command lie, and its picture; None where there is none."""
    console.print(f"numbers:    {numbers}", markup=False, soft_wrap=True)
    if picture is not None:
        console.print(f"picture:    {picture}", markup=False, soft_wrap=True)


def replace_what_streams_lack() -> None:
    """Let a question mark stand for a character that the code page of a pipe or file does not have."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")


def deaf_from_here() -> None:
    """Ignore what asks to stop from here on, for the process ends by itself."""
    if threading.current_thread() is threading.main_thread():
        for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK"):
            if hasattr(signal, name):
                signal.signal(getattr(signal, name), signal.SIG_IGN)
