"""The terminal that all commands write to."""

import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console


def make_console() -> "Console":
    """Make the console, and let warnings of the library appear on it."""
    # A command that is refused writes one plain line, and does not wait until this has been imported.
    from rich.console import Console
    from rich.logging import RichHandler

    console = Console(highlight=False, emoji=False)
    handler = RichHandler(console=console, show_path=False, show_time=False)
    logging.basicConfig(level=logging.WARNING, handlers=[handler], format="%(message)s")
    return console


def plain_console() -> "Console":
    """Make a console that colours nothing by guessing and breaks no line, with plain warnings on standard error."""
    from rich.console import Console

    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    return Console(highlight=False, emoji=False, soft_wrap=True)
