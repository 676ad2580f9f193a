"""What `spinhw study` says in a terminal: the plan, the progress, the claims."""

from collections.abc import Sequence
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table


class StudyBar:
    """A bar that moves by the time each point was expected to take; use it as a context.

    Args:
        console: Where to write.
        points: How many points are to be done.
        total_s: Processor time expected for all of them, in seconds.
        workers: How many points are trained at a time.
    """

    def __init__(self, console: Console, points: int, total_s: float, workers: int) -> None:
        self._console, self._points, self._total_s, self._workers = console, points, total_s, workers
        self._done, self._done_s, self._took_s = 0, 0.0, 0.0
        self._bar = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TextColumn("{task.fields[news]}", markup=False),
            TimeElapsedColumn(),
            console=console,
            disable=not console.is_terminal,
        )
        self._task = self._bar.add_task("points", total=max(total_s, 1e-9), news=f"0/{points}")

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def advance(self, what: str, predicted_s: float, took_s: float) -> None:
        """A point is done.

        Args:
            what: What it was, and what came out.
            predicted_s: Time that was expected for it, in seconds.
            took_s: Time that it took, in seconds.
        """
        self._done, self._done_s = self._done + 1, self._done_s + predicted_s
        self._took_s += took_s
        news = f"{self._done}/{self._points}  {what}  {self._left()}"
        self._bar.update(self._task, completed=self._done_s, news=news)
        if not self._console.is_terminal:
            self._console.print(news, highlight=False, markup=False, soft_wrap=True)

    def _left(self) -> str:
        """Say how long it will still take, by how the forecast has held so far."""
        left_s, held = (self._total_s - self._done_s) / self._workers, self._took_s / max(self._done_s, 1e-9)
        return f"about {show_time(left_s * held)} left" if self._done < self._points else ""


def show_time(seconds: float) -> str:
    """Write a time for people."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def print_grid(console: Console, rows: Sequence[tuple[str, str, int, int]]) -> None:
    """Print the plan: a line for each study, with protocols, points and networks."""
    table = Table("study", "protocols", "points", "networks", box=None, pad_edge=False, header_style="bold")
    for name, protocols, points, networks in rows:
        table.add_row(escape(name), escape(protocols), str(points), str(networks))
    console.print(table)


def print_claims(console: Console, rows: Sequence[tuple[str, str, str, str]]) -> None:
    """Print claims, a paragraph each: verdict, study and protocol, what the paper says, what was measured."""
    for verdict, where, says, measured in rows:
        console.print(f"[bold]{verdict:>10}[/]  {escape(where)}: {escape(says)}", soft_wrap=True)
        console.print(f"{'':>10}  measured: {escape(measured)}", soft_wrap=True)
