"""Writes down every batch that a device measures."""

from collections.abc import Mapping
from pathlib import Path

from spinhw.atomic import not_written, write_atomically
from spinhw.device.batch import MeasuredBatch
from spinhw.device.batch_file import to_netcdf
from spinhw.device.recording import PROFILE, SET_ASIDE, batch_count, batch_path
from spinhw.errors import ConfigError

_PROFILE = b"""# Replays the recording in this folder: spinhw train CONFIG --device THIS_FILE
kind: recorded
folder: .
"""


class Recorder:
    """Keeps batches as one NetCDF file each: a batch is there whole or not at all, however the process ends.

    A recording goes on after `rewind`; without it the recorder begins anew. Batches of an earlier process that come
    after that place were measured and never became part of the run's checkpoint: they are moved aside, not deleted.

    Args:
        folder: Made with the first batch.
        observes_all: Whether neurons that were not asked for are observed too, in further repeats where it takes them.
        facts: Of the recording as a whole, such as who made it; attributes of every file.
    """

    def __init__(self, folder: Path, observes_all: bool = False, facts: Mapping[str, str] | None = None) -> None:
        self.folder, self._observes_all, self._facts = folder, observes_all, dict(facts or {})
        self._count, self._is_settled = 0, False

    @property
    def observes_all(self) -> bool:
        """Whether neurons that were not asked for are observed too."""
        return self._observes_all

    @property
    def count(self) -> int:
        """Number of batches kept so far."""
        return self._count

    def rewind(self, count: int) -> None:
        """Go on after the first so many batches; those behind are moved aside when the next one comes.

        Raises:
            ConfigError: There are fewer.
        """
        there = batch_count(self.folder)
        if count > there:
            raise ConfigError(
                f"{self.folder}: batches of the recording are missing",
                seen=f"{there} batches",
                allowed=f"{count}, which the checkpoint knows of",
                todo="restore the folder from a copy, or train into another folder",
            )
        self._count, self._is_settled = count, False

    def keep(self, batch: MeasuredBatch) -> None:
        """Write a batch.

        Raises:
            ConfigError: The disk is full, or the folder cannot be written.
        """
        if not self._is_settled:
            self._settle()
        facts = self._facts | {"recording": "all" if self._observes_all else "observed"}
        write_atomically(batch_path(self.folder, self._count), to_netcdf(batch, facts))
        self._count += 1

    def _settle(self) -> None:
        """Make the folder, and move aside what comes after the place where the recording goes on."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            for number in reversed(range(self._count, batch_count(self.folder))):  # A crash here leaves no gap.
                self._set_aside(batch_path(self.folder, number))
        except OSError as error:
            raise not_written(self.folder, error) from error
        write_atomically(self.folder / PROFILE, _PROFILE)
        self._is_settled = True

    def _set_aside(self, path: Path) -> None:
        aside = self.folder / SET_ASIDE
        aside.mkdir(exist_ok=True)
        before = len(list(aside.glob(f"{path.stem}-*.nc")))
        path.rename(aside / f"{path.stem}-{before}.nc")
