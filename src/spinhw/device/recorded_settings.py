"""The profile of a recording."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

from pydantic import Field

from spinhw.config import build
from spinhw.device.kinds import DeviceSettings
from spinhw.errors import ConfigError

if TYPE_CHECKING:
    import torch

    from spinhw.device.base import Device
    from spinhw.network import Answer, NetworkSettings
    from spinhw.physics import Ladder


class RecordedSettings(DeviceSettings):
    """A recording in place of the device that it was made with."""

    kind: Literal["recorded"] = Field(description="'recorded': replays a recording.")
    folder: str = Field(
        min_length=1, description="Folder of the recording, or of the run that made it; seen from this file's folder."
    )

    @property
    def id(self) -> str:
        """Name for people."""
        return self.folder

    @property
    def ladder(self) -> "Ladder | None":
        """The resonators of the device that was recorded; None for one that takes weights."""
        from spinhw.device.recording import Recording

        return Recording(Path(self.folder)).device(0).ladder

    @classmethod
    def read(cls, data: Mapping[str, Any], path: Path, overrides: Sequence[str] = ()) -> Self:
        """Write out the folder in full, so that the settings can be read from anywhere."""
        found = build(cls, data, str(path), overrides)
        return found.model_copy(update={"folder": str((path.parent / found.folder).resolve())})

    def open(
        self,
        network: "NetworkSettings",
        sample_interval_s: float,
        members: int | Sequence[int],
        dtype: "torch.dtype",
        answer: "Answer",
    ) -> "Device":
        """Open the recording as the device that it was made with."""
        from spinhw.device.recorded import open_recorded

        return open_recorded(self, network, sample_interval_s, members, answer)

    def _lacks(self, what: str) -> ConfigError:
        return ConfigError(
            f"{self.folder}: a recording cannot be opened as {what}",
            allowed="a network device",
            todo="use the device that was recorded",
        )
