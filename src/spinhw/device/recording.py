"""The folder of a recording: one file for each batch, numbered in the order in which they were measured."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from spinhw.device.batch import MeasuredBatch
from spinhw.device.batch_file import device_of, read_attributes, read_batch
from spinhw.device.description import Description
from spinhw.errors import ConfigError

FOLDER = "recording"  # Within a run folder.
PROFILE = "device.yaml"  # A device profile that replays the recording beside it.
SET_ASIDE = "set-aside"  # Batches that a run had not saved when it was killed, and measured again.


def batch_path(folder: Path, number: int) -> Path:
    """Name the file of a batch."""
    return folder / f"{number:06d}.nc"


def batch_count(folder: Path) -> int:
    """Count the batches of a recording.

    Raises:
        ConfigError: One in between is missing.
    """
    numbers = sorted(int(path.stem) for path in folder.glob("[0-9]*.nc"))
    missing = sorted(set(range(len(numbers))) - set(numbers))
    if missing:
        raise ConfigError(
            f"{folder}: batch {missing[0]} of the recording is missing",
            seen=f"{len(numbers)} batches up to number {numbers[-1]}",
            todo=f"restore {batch_path(folder, missing[0]).name} from a copy",
        )
    return len(numbers)


class Recording:
    """A recording to be read.

    Args:
        folder: Its folder, or the run folder that it is in.

    Raises:
        ConfigError: There is no recording.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder / FOLDER if (folder / FOLDER).is_dir() else folder
        self.count = batch_count(self.folder)
        if not self.count:
            raise ConfigError(
                f"{folder}: there is no recording here",
                seen="no batches" if self.folder.is_dir() else "no such folder",
                todo="name the folder of a run that was recorded (recording: observed)",
            )
        self._about: dict[int, dict[str, Any]] = {}
        self._last: tuple[int, MeasuredBatch] | None = None

    def batch(self, number: int) -> MeasuredBatch:
        """Read a batch, counted from 0."""
        if self._last is None or self._last[0] != number:  # Programmed with it, then run: wanted twice.
            self._last = number, read_batch(batch_path(self.folder, number))
        return self._last[1]

    def attributes(self, number: int) -> dict[str, Any]:
        """Read what the file of a batch says about it."""
        if number not in self._about:
            self._about[number] = read_attributes(batch_path(self.folder, number))
        return self._about[number]

    def device(self, number: int) -> Description:
        """Read which device measured a batch."""
        return device_of(self.attributes(number))

    def of_members(self, members: Sequence[int]) -> list[int]:
        """List the batches of the chips with these numbers, side by side; of a bench all its batches.

        Raises:
            ConfigError: There are none.
        """
        ids = {number: self.device(number).device_ids for number in range(self.count)}
        if len(set(ids.values())) == 1 and self.device(0).kind != "simulated":
            return list(ids)  # A bench is one chip whatever number it is given.
        found = [number for number, names in ids.items() if _are(names, members)]
        if found:
            return found
        raise ConfigError(
            f"{self.folder}: the recording has no batch of member {', '.join(map(str, members))}",
            allowed="; ".join(sorted({", ".join(names) for names in ids.values()})),
            todo="replay it with the seeds that it was recorded with",
        )


def _are(names: Sequence[str], members: Sequence[int]) -> bool:
    """Whether simulated chips have these numbers: member 3 is called "ID-3"."""
    pairs = zip(names, members, strict=False)
    return len(names) == len(members) and all(name.endswith(f"-{number}") for name, number in pairs)
