"""Where a run comes from: who started what, where, on which sample, with which code, and checksums of what it used."""

import hashlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from spinhw.device import MultiplexedSettings
from spinhw.errors import ConfigError
from spinhw.training.experiment import ExperimentSettings
from spinhw.training.interrupt import Interrupted
from spinhw.training.run_folder import RunFolder
from spinhw.training.settings import RunSettings
from spinhw.training.versions import versions

# Longer than git takes for any sensible folder; without its answer a run goes on as well.
_GIT_S = 3.0


def circumstances(said: ExperimentSettings, note: str = "") -> dict[str, Any]:
    """Tell who does what, where and with which code, as plain data.

    Args:
        said: What the settings say of sample and operator.
        note: In place of the note of the settings, where it is not empty.
    """
    return {
        "started": _now(),
        **said.model_dump(mode="json", by_alias=True),
        **({"note": note} if note else {}),
        "command": list(sys.argv),
        "folder": str(Path.cwd()),
        "host": socket.gethostname(),
        "versions": versions(),
        "git": git_state(Path.cwd()),
    }


@contextmanager
def recorded_provenance(
    folder: RunFolder, settings: RunSettings, said: ExperimentSettings, note: str
) -> Iterator[None]:
    """Write ``provenance.json`` of a run: at once what is known, and when the context ends the rest.

    A session is added each time that the run goes on; one that was killed lacks its end.

    Args:
        folder: The run's.
        settings: Of the run.
        said: What is said of this session.
        note: In place of its note, where it is not empty.

    Raises:
        ConfigError: The file cannot be written.
    """
    begun = time.monotonic()
    session = circumstances(said, note)
    found = folder.provenance()
    whole = {
        "seeds": list(settings.training.seeds),
        "sessions": [*found.get("sessions", ()), session],
        "checksums": found.get("checksums", {}) | used_files(settings),
    }
    folder.write_provenance(whole)
    outcome = "finished"
    try:
        yield
    except (Interrupted, KeyboardInterrupt):
        outcome = "interrupted"
        raise
    except BaseException as error:
        outcome = f"failed: {type(error).__name__}"
        raise
    finally:
        session |= {"ended": _now(), "duration_s": time.monotonic() - begun, "outcome": outcome}
        whole["checksums"]["recording"] = checksums(sorted(folder.recording.glob("[0-9]*.nc")), folder.path)
        with suppress(*(() if outcome == "finished" else (ConfigError,))):  # What stopped the run says more.
            folder.write_provenance(whole)


def used_files(settings: RunSettings) -> dict[str, dict[str, str]]:
    """Return checksums of what a run starts from: its calibration records, and the networks of another run."""
    records = [] if settings.calibration is None else settings.calibration.records
    if isinstance(settings.device, MultiplexedSettings) and settings.device.record is not None:
        records.append(settings.device.record)
    start = settings.training.start
    networks = [] if start is None else [RunFolder(Path(start)).checkpoint]
    return {
        "calibration": checksums([file for record in records for file in _files(Path(record))]),
        "start": checksums(networks),
    }


def checksums(files: Sequence[Path], home: Path | None = None) -> dict[str, str]:
    """Return the SHA-256 of files by name, seen from a folder; those that are not there are left out."""
    found = {}
    for path in files:
        with suppress(OSError), path.open("rb") as file:
            name = path if home is None else path.relative_to(home)
            found[name.as_posix()] = hashlib.file_digest(file, "sha256").hexdigest()
    return found


def git_state(folder: Path) -> dict[str, Any] | None:
    """Tell the commit of the repository that a folder is in, and whether tracked files differ from it.

    None where there is no repository, no commit or no git; nothing that git does stops a run.
    """
    commit = _git(folder, "rev-parse", "HEAD")
    if not commit:
        return None
    changes = _git(folder, "status", "--porcelain", "--untracked-files=no")
    root = _git(folder, "rev-parse", "--show-toplevel")
    return {"root": root, "commit": commit, "dirty": None if changes is None else bool(changes)}


def _git(folder: Path, *words: str) -> str | None:
    environment: Mapping[str, str] = os.environ | {"GIT_OPTIONAL_LOCKS": "0"}
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *words],
            capture_output=True,
            stdin=subprocess.DEVNULL,
            timeout=_GIT_S,
            env=environment,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.decode(errors="replace").strip() if done.returncode == 0 else None


def _files(record: Path) -> list[Path]:
    return sorted(record.glob("*.yaml")) if record.is_dir() else [record]


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
