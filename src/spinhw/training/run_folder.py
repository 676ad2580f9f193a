"""The folder of a run: resolved config, metrics by epoch, checkpoint, summary, instruments, figures."""

import json
import logging
import re
import shutil
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from itertools import chain, count
from pathlib import Path
from typing import Any

from spinhw.atomic import UNFINISHED, append_line, not_written, write_atomically
from spinhw.config import Settings, SettingsT, build, read_yaml
from spinhw.errors import ConfigError
from spinhw.shell import typed
from spinhw.training.loggers import LOGGERS
from spinhw.training.settings import RunSettings

_log = logging.getLogger(__name__)


_TRAIN = "spinhw train"


# At the end of the name of a run folder.
_TIME = re.compile(r"-\d{8}-\d{6}(-\d+)?$")


def default_folder(config: Path) -> Path:
    """Name a new run folder after config and time: ``runs/digits-20250131-235959``, with ``-2`` where that exists.

    The config of a run folder has the name of its run.
    """
    run = _TIME.sub("", config.resolve().parent.name) if config.name == "config.yaml" else ""
    first = Path("runs") / f"{run or config.stem}-{datetime.now():%Y%m%d-%H%M%S}"
    others = (first.with_name(f"{first.name}-{number}") for number in count(2))
    return next(path for path in chain([first], others) if not path.exists())


def exists_already(path: Path) -> ConfigError:
    """Make the error for a new run folder whose path is taken."""
    return ConfigError(f"{path}: this exists already", todo="choose another folder, or go on with --resume")


class RunFolder:
    """Paths and files of a run. `create` or `open` one.

    Args:
        path: The folder.
        command: What trains such runs, such as ``spinhw train``.
    """

    def __init__(self, path: Path, command: str = _TRAIN) -> None:
        self.path, self.command = path, command
        self.config = path / "config.yaml"
        self.metrics_file = path / "metrics.jsonl"
        self.checkpoint = path / "checkpoint.safetensors"
        self.summary_file = path / "summary.json"
        self.evaluations_file = path / "evaluations.jsonl"
        self.instruments_file = path / "instruments.json"
        self.provenance_file = path / "provenance.json"
        self.task_file = path / "task.json"
        self.figures = path / "figures"
        self.recording = path / "recording"

    @property
    def resume_command(self) -> str:
        """What to type to go on with this run, whatever options it was started with."""
        return f"{self.command} {typed(self.config)} --resume {typed(self.path)}"

    @classmethod
    def create(cls, path: Path, settings: Settings, command: str = _TRAIN) -> "RunFolder":
        """Make a new folder that holds the config, complete.

        Raises:
            ConfigError: The path exists (nothing in it is touched), or cannot be written.
        """
        folder = cls(path, command)
        try:
            path.mkdir(parents=True)
        except FileExistsError as error:
            raise exists_already(path) from error
        except OSError as error:
            raise not_written(path, error) from error
        try:
            write_atomically(folder.config, settings.to_yaml().encode())
        except ConfigError:
            folder.discard()
            raise
        return folder

    def copy_to(self, path: Path, settings: Settings) -> "RunFolder":
        """Make a new folder with what a run needs to go on: config, metrics, checkpoint, provenance and recording.

        Args:
            path: Of the new folder.
            settings: The config in it.

        Raises:
            ConfigError: The path exists (nothing in it is touched), or cannot be written.
        """
        copy = RunFolder.create(path, settings, self.command)
        try:
            if self.recording.is_dir():
                shutil.copytree(self.recording, copy.recording)
            # Without the last it is no run yet.
            for name in ("metrics_file", "provenance_file", "task_file", "checkpoint"):
                if getattr(self, name).is_file():
                    shutil.copyfile(getattr(self, name), getattr(copy, name))
        except OSError as error:
            raise not_written(path, error) from error
        return copy

    def discard(self) -> None:
        """Remove a folder that was just made, unless there is more in it than what every run begins with."""
        with suppress(OSError):
            begun = (self.config, self.metrics_file, self.provenance_file, self.task_file, self.checkpoint)
            for path in (*begun, *self.path.glob(UNFINISHED)):
                path.unlink(missing_ok=True)
            self.path.rmdir()

    @classmethod
    def open(cls, path: Path, command: str = _TRAIN) -> "RunFolder":
        """Take up a folder that `create` made.

        Raises:
            ConfigError: It is no run folder.
        """
        folder = cls(path, command)
        if not folder.config.is_file():
            inside = f"no {folder.config.name} in it" if path.is_dir() else "a file"
            seen = inside if path.exists() else "no such folder"
            raise ConfigError(
                f"{path}: this is not a run folder", seen=seen, todo=f"name a folder that `{command}` made"
            )
        return folder

    def settings(self) -> RunSettings:
        """Read the config that the run was started with, but for loggers whose package is not there any more."""
        data = read_yaml(self.config)
        named = data.get("loggers") or []
        kinds = [one.get("kind") if isinstance(one, Mapping) else None for one in named]
        gone = [str(kind) for kind in kinds if isinstance(kind, str) and not LOGGERS.knows(kind)]
        if gone:
            _log.warning("%s: nothing installed here knows the loggers %s: left out", self.path, ", ".join(gone))
            data["loggers"] = [one for one, kind in zip(named, kinds, strict=True) if kind not in gone]
        return build(RunSettings, data, str(self.config))

    def settings_as(self, model: type[SettingsT]) -> SettingsT:
        """Read the config that a run with settings of another kind was started with."""
        return build(model, read_yaml(self.config), str(self.config))

    def append_metrics(self, row: Mapping[str, Any]) -> None:
        """Add the line of one epoch."""
        append_line(self.metrics_file, json.dumps(row, allow_nan=False))

    def metrics(self) -> list[dict[str, Any]]:
        """Read the lines of all epochs; the last one is left out where it was cut short, as a crash does.

        Raises:
            ConfigError: Another line is none of an epoch: the file is damaged.
        """
        data = self.metrics_file.read_bytes() if self.metrics_file.exists() else b""
        lines = data.split(b"\n")
        rows = [_row(line) for line in lines if line.strip()]
        if rows and rows[-1] is None and lines[-1]:
            _log.warning("%s: line %d is cut short; it is left out", self.metrics_file, len(lines))
            rows.pop()
        for place, row in enumerate(rows, 1):
            if row is None:
                raise ConfigError(
                    f"{self.metrics_file}: line {place} is damaged",
                    allowed="a line of JSON with its epoch",
                    todo="restore the file from a copy, or take that line out",
                )
        return [row for row in rows if row is not None]

    def forget_metrics_after(self, epochs: int) -> None:
        """Drop the lines that a checkpoint after this many epochs does not know of."""
        kept = [row for row in self.metrics() if row["epoch"] <= epochs]
        write_atomically(self.metrics_file, "".join(json.dumps(row, allow_nan=False) + "\n" for row in kept).encode())

    def write_summary(self, summary: Mapping[str, Any]) -> None:
        """Write what came out."""
        _write_json(self.summary_file, summary)

    def write_instruments(self, snapshot: Mapping[str, Any]) -> None:
        """Write who answered on a bench and with which settings; nothing where there was no bench."""
        if snapshot:
            _write_json(self.instruments_file, snapshot)

    def write_provenance(self, facts: Mapping[str, Any]) -> None:
        """Write where the run comes from."""
        _write_json(self.provenance_file, facts)

    def write_task(self, facts: Mapping[str, Any]) -> None:
        """Write what the run's data are; nothing of tasks that are drawn."""
        if facts:
            _write_json(self.task_file, facts)

    def task_facts(self) -> dict[str, Any]:
        """Read what the run's data are; nothing of tasks that are drawn.

        Raises:
            ConfigError: The file is broken.
        """
        if not self.task_file.is_file():
            return {}
        try:
            found = json.loads(self.task_file.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise ConfigError(f"{self.task_file}: this is broken", seen=error, todo="restore it from a copy") from error
        return found if isinstance(found, dict) else {}

    def provenance(self) -> dict[str, Any]:
        """Read where the run comes from; nothing of a run that did not write it, or whose file is broken."""
        try:
            found = json.loads(self.provenance_file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    def summary(self) -> dict[str, Any]:
        """Read what came out.

        Raises:
            ConfigError: The run has not finished, or the file is broken.
        """
        try:
            data: Any = json.loads(self.summary_file.read_text(encoding="utf-8"))
        except FileNotFoundError as error:
            raise ConfigError(
                f"{self.path}: this run has not finished", todo=f"finish it with: {self.resume_command}"
            ) from error
        except ValueError as error:
            raise ConfigError(
                f"{self.summary_file}: this is broken", seen=error, todo="write it anew with --resume"
            ) from error
        except OSError as error:
            raise ConfigError(f"{self.summary_file}: this cannot be read", seen=error, todo="see to it") from error
        if not isinstance(data, dict):
            raise ConfigError(
                f"{self.summary_file}: this is broken", seen=type(data).__name__, todo="write it anew with --resume"
            )
        return data


def _row(line: bytes) -> dict[str, Any] | None:
    """Read a line of metrics; None where it is none."""
    with suppress(ValueError, RecursionError):
        row = json.loads(line)
        if isinstance(row, dict) and type(row.get("epoch")) is int:
            return row
    return None


def _write_json(path: Path, data: Mapping[str, Any]) -> None:
    write_atomically(path, (json.dumps(data, indent=2, allow_nan=False) + "\n").encode())
