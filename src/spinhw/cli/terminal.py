"""The terminal that all commands write to."""

import logging
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
