"""A kind of device: a network that behaves as designed, with noise at its read-out."""

from typing import Literal

from pydantic import Field

from spinhw.device import DeviceSettings


class TwinSettings(DeviceSettings):
    """A chip as designed."""

    kind: Literal["twin"] = Field(description="A chip as designed.")
    id: str = Field(default="twin", description="Name for people.")
    noise: float = Field(default=0.0, ge=0.0, description="Standard deviation of the read-out, 0 or above.")

    def open(self, network, sample_interval_s, members, dtype, answer):
        from foreign_lab.twin import TwinDevice

        numbers = list(range(members)) if isinstance(members, int) else list(members)
        return TwinDevice(self, network, sample_interval_s, numbers)
