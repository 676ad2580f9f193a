"""The console of the commands: what users, files and instruments say reaches the terminal as text, never as orders."""

import logging
from typing import Any

from rich.console import Console
from rich.text import Text

from spinhw.errors import visible


class PlainConsole(Console):
    """A console that colours nothing by guessing, and on which control characters are seen instead of obeyed.

    Args:
        soft_wrap: Whether long lines are left to the terminal.
    """

    def __init__(self, soft_wrap: bool = False) -> None:
        super().__init__(highlight=False, emoji=False, soft_wrap=soft_wrap)

    def render_str(self, text: str, **how: Any) -> Text:
        """Render a text, of a line or of a cell, with its control characters written out."""
        return super().render_str("\n".join(visible(line) for line in text.split("\n")), **how)


class VisibleFormatter(logging.Formatter):
    """Writes out the control characters of what is logged."""

    def format(self, record: logging.LogRecord) -> str:
        """Format a record; lines stay lines."""
        return "\n".join(visible(line) for line in super().format(record).split("\n"))
