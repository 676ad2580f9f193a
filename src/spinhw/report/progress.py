"""Progress of a run in a terminal: a bar with loss, figure and time left; plain lines where there is no terminal."""

import math
import time
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from spinhw.training.measures import Measure, measure_named

# Headlines that are told on the way.
_TOLD = ("accuracy", "final", "nrmse")
# Without a terminal a line now and then is enough: a log should not fill up.
_SECONDS_BETWEEN_LINES = 30.0


class TerminalProgress:
    """Shows what a run does; use it as a context. It follows `spinhw.training.Progress`.

    Args:
        console: Where to write.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bar = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[news]}", markup=False),
            TimeElapsedColumn(),
            TimeRemainingColumn(elapsed_when_finished=False),
            console=console,
            disable=not console.is_terminal,
        )
        self._tasks: dict[str, Any] = {}
        self._last_line_s = time.monotonic()
        self._figure = ""

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def on_batch(self, epoch: int, batch: int, total: tuple[int, int], loss: float, accuracy: float | None) -> None:
        """Move the bar on by a batch."""
        told = "" if math.isnan(loss) else f"  loss {loss:.3f}"
        news = f"epoch {epoch + 1}/{total[0]}{told}{self._figure}"
        self._show("training", epoch * total[1] + batch, total[0] * total[1], news)

    def on_epoch(self, row: Mapping[str, Any]) -> None:
        """Remember the figure that was measured last: on the validation part, or in training."""
        for name in _TOLD:
            measure = measure_named(name)
            for key, where in ((f"train_{name}", f"train {measure.called}"), (name, measure.called)):
                self._remember(measure, row.get(key), where)
            self._remember(measure, row.get(f"{name}_on_device"), f"{measure.called} on the device")

    def _remember(self, measure: Measure, seen: Sequence[float] | None, what: str) -> None:
        if seen is not None:
            self._figure = f"  {what} {measure.text(sum(seen) / len(seen), 1)}"

    def on_evaluation(self, what: str, done: int, total: int) -> None:
        """Move the bar of an evaluation on."""
        self._show(what, done, total, "")

    def _show(self, what: str, done: int, total: int, news: str) -> None:
        if what not in self._tasks:
            self._tasks[what] = self._bar.add_task(what, total=total, news=news)
        self._bar.update(self._tasks[what], completed=done, news=news)
        late = time.monotonic() - self._last_line_s > _SECONDS_BETWEEN_LINES
        if not self._console.is_terminal and (late or done == total):
            self._last_line_s = time.monotonic()
            self._console.print(f"{what}: {done}/{total}  {news}".rstrip(), highlight=False, markup=False)
