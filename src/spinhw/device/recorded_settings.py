"""The profile of a recording."""

from pathlib import Path
from typing import Literal

from pydantic import Field

from spinhw.config import Settings


class RecordedSettings(Settings):
    """A recording in place of the device that it was made with."""

    kind: Literal["recorded"] = Field(description="'recorded': replays a recording.")
    folder: str = Field(
        min_length=1, description="Folder of the recording, or of the run that made it; seen from this file's folder."
    )

    @property
    def id(self) -> str:
        """Name for people."""
        return self.folder

    def at_home(self, folder: Path) -> "RecordedSettings":
        """Write out the folder in full, so that the settings can be read from anywhere."""
        return self.model_copy(update={"folder": str((folder / self.folder).resolve())})
