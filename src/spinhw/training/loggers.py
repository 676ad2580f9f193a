"""Loggers of other packages: told of what the progress bar is told of, and unable to stop or change a run."""

import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any, Protocol

from spinhw.config import Settings
from spinhw.registry import Registry
from spinhw.training.progress import Progress

_log = logging.getLogger(__name__)

LOGGERS = Registry("spinhw.loggers", "logger", base="spinhw.training.loggers:LoggerSettings")


class Logger(Protocol):
    """Told what a run does."""

    def on(self, event: Mapping[str, Any]) -> None:
        """Take an event, plain data for JSON. What it is stands under ``event``.

        - ``batch``: ``epoch`` from 0, ``batch`` from 1, ``epochs``, ``batches``, ``loss``, ``accuracy`` (or None).
        - ``epoch``: the line of ``metrics.jsonl``.
        - ``evaluation``: ``what``, ``done``, ``total``.
        - ``summary``: what ``summary.json`` holds, once the run is done.
        """


class LoggerSettings(Settings, ABC):
    """A logger as written in YAML, under ``loggers``. Packages add theirs to the entry points ``spinhw.loggers``."""

    kind: str

    @abstractmethod
    def open(self, folder: Path) -> Logger:
        """Make the logger.

        Args:
            folder: The run folder; ``config.yaml`` is there already.
        """


class Listeners:
    """Hands on what a run does to its progress bar and to its loggers. It follows `Progress`.

    A logger that fails is named once in the log and told nothing more.

    Args:
        progress: What the caller looks on with.
        settings: The loggers of the run.
        folder: The run folder.
    """

    def __init__(self, progress: Progress, settings: Sequence[LoggerSettings], folder: Path) -> None:
        self._progress = progress
        self._loggers: list[tuple[str, Logger]] = []
        for one in settings:
            self._guarded(one.kind, lambda one=one: self._loggers.append((one.kind, one.open(folder))))  # type: ignore[misc]

    def on_batch(self, epoch: int, batch: int, total: tuple[int, int], loss: float, accuracy: float | None) -> None:
        """Pass a batch on."""
        self._progress.on_batch(epoch, batch, total, loss, accuracy)
        counted = {"epoch": epoch, "batch": batch, "epochs": total[0], "batches": total[1]}
        self._tell("batch", counted | {"loss": loss, "accuracy": accuracy})

    def on_epoch(self, row: Mapping[str, Any]) -> None:
        """Pass an epoch on."""
        self._progress.on_epoch(row)
        self._tell("epoch", row)

    def on_evaluation(self, what: str, done: int, total: int) -> None:
        """Pass a part of an evaluation on."""
        self._progress.on_evaluation(what, done, total)
        self._tell("evaluation", {"what": what, "done": done, "total": total})

    def on_summary(self, summary: Mapping[str, Any]) -> None:
        """Tell the loggers what came out."""
        self._tell("summary", summary)

    def _tell(self, what: str, facts: Mapping[str, Any]) -> None:
        for entry in list(self._loggers):
            kind, logger = entry
            # Each has an event of its own: what it does to it, nobody else sees.
            event = {"event": what, **deepcopy(dict(facts))}
            if not self._guarded(kind, lambda logger=logger, event=event: logger.on(event)):  # type: ignore[misc]
                self._loggers.remove(entry)

    def _guarded(self, kind: str, work: Callable[[], Any]) -> bool:
        """Do something of a logger's; return whether it went well."""
        try:
            work()
        except Exception as error:  # other people's code may raise anything
            _log.warning("the logger %r failed and is left out from here on: %s: %s", kind, type(error).__name__, error)
            return False
        return True
