"""How a run tells what it does. The loop knows no terminal."""

from collections.abc import Callable, Mapping
from typing import Any, Protocol

Tick = Callable[[int, int], None]  # Told how many parts are done and how many there are; may raise to stop.
NamedTick = Callable[[str, int, int], None]  # The same, with what is done in front.


class Progress(Protocol):
    """Looks on from the side; must not raise and must not change anything."""

    def on_batch(self, epoch: int, batch: int, total: tuple[int, int], loss: float, accuracy: float | None) -> None:
        """A training batch is done.

        Args:
            epoch: Epoch that runs, from 0.
            batch: Batches of it that are done, from 1.
            total: Epochs of the run, and batches of an epoch.
            loss: Mean over members of the epoch so far.
            accuracy: The same, 0 to 1, on training sequences as they were shown; None where answers are no classes.
        """

    def on_epoch(self, row: Mapping[str, Any]) -> None:
        """An epoch is done; `row` is its line of ``metrics.jsonl``."""

    def on_evaluation(self, what: str, done: int, total: int) -> None:
        """A part of an evaluation is done.

        Args:
            what: What is evaluated, in words.
            done: Parts done.
            total: Parts there are.
        """


class _Silent:
    """Progress for nobody."""

    def on_batch(self, epoch: int, batch: int, total: tuple[int, int], loss: float, accuracy: float | None) -> None:
        """Do nothing."""

    def on_epoch(self, row: Mapping[str, Any]) -> None:
        """Do nothing."""

    def on_evaluation(self, what: str, done: int, total: int) -> None:
        """Do nothing."""


SILENT: Progress = _Silent()
