"""What is known of a comparison so far: ``baselines.json``, written anew whenever something is finished."""

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from spinhw.atomic import make_folder, write_atomically
from spinhw.config import Settings, build
from spinhw.errors import ConfigError
from spinhw.training import RunSettings
from spinhw.training.summary import changed_keys


class KeptBaselines:
    """Final measurements, each under the key of what was measured: none of them is ever made twice.

    Args:
        folder: Of the comparison.
        source: What is compared, as plain data: "run" and "recipe".

    Raises:
        ConfigError: Another comparison lies there, or its file is damaged.
    """

    def __init__(self, folder: Path, source: Mapping[str, Any]) -> None:
        self.file = folder / "baselines.json"
        self._source = dict(source)
        self._measured: dict[str, dict[str, Any]] = {}
        self._outcome: dict[str, Any] = {}  # Of the comparison that was finished last.
        if self.file.is_file():
            self._read()
        make_folder(folder)

    def find(self, key: str) -> dict[str, Any] | None:
        """Return what was measured under a key; None where nothing was."""
        return self._measured.get(key)

    def keep(self, key: str, entry: Mapping[str, Any]) -> None:
        """Keep a measurement on the disk.

        Raises:
            ConfigError: The disk is full.
        """
        self._measured[key] = dict(entry)
        self.write()

    def write(self, outcome: Mapping[str, Any] | None = None) -> None:
        """Write all of it.

        Args:
            outcome: The comparison as a whole; None while it is not finished, which leaves that of before.

        Raises:
            ConfigError: The disk is full.
        """
        self._outcome = self._outcome if outcome is None else dict(outcome)
        data = {**self._outcome, "looks": self.looks(), **self._source, "measured": self._measured}
        write_atomically(self.file, (json.dumps(data, indent=2, allow_nan=False) + "\n").encode())

    def looks(self) -> dict[str, dict[str, int]]:
        """Count how often each final part was looked at, by part and model."""
        found: dict[str, Counter[str]] = {}
        for entry in self._measured.values():
            found.setdefault(entry["part"], Counter())[entry["model"]] += 1
        return {part: dict(count) for part, count in found.items()}

    def _read(self) -> None:
        try:
            data = json.loads(self.file.read_text(encoding="utf-8"))
            recipe, run = data["recipe"], data["run"]
            self._measured = {key: dict(entry) for key, entry in data["measured"].items()}
            self.looks()
            own = ("looks", "measured", *self._source)
            self._outcome = {key: value for key, value in data.items() if key not in own}
        except (OSError, LookupError, TypeError, ValueError, AttributeError, RecursionError) as error:
            raise ConfigError(
                f"{self.file}: this is damaged",
                seen=error,
                todo="restore it from a copy, or remove it, and everything is measured again",
            ) from error
        known: Settings = build(RunSettings, recipe, "the comparison")
        there = {"recipe": known.model_dump(mode="json", by_alias=True, exclude={"run"}), "run": run}
        there["data"] = data.get("data", [])
        changed = changed_keys(there, self._source)
        if changed:
            raise ConfigError(
                f"{self.file.parent}: there is another comparison in this place already",
                seen=", ".join(changed),
                allowed="the same recipe or run",
                todo="name another folder with --out",
            )
