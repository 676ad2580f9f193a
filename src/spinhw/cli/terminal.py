"""The terminal that all commands write to."""

import logging

from rich.console import Console
from rich.logging import RichHandler


def make_console() -> Console:
    """Make the console, and let warnings of the library appear on it."""
    console = Console(highlight=False, emoji=False)
    handler = RichHandler(console=console, show_path=False, show_time=False)
    logging.basicConfig(level=logging.WARNING, handlers=[handler], format="%(message)s")
    return console
