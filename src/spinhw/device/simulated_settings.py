"""The profile of a simulated device."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from spinhw.chip import ChipSettings
from spinhw.conversion import ConversionSettings
from spinhw.device.kinds import DeviceSettings, Seam

if TYPE_CHECKING:
    import torch

    from spinhw.device.banks import OscillatorBank, SynapseBank
    from spinhw.device.base import Device
    from spinhw.device.network_chains import NetworkChains
    from spinhw.network import Answer, NetworkSettings, SpintronicNetwork
    from spinhw.physics import Ladder


class SimulatedSettings(DeviceSettings):
    """A simulated device. Everything hidden follows from id, seed and member number."""

    seams: ClassVar[tuple[Seam, ...]] = ("network", "oscillators", "synapses")

    kind: Literal["simulated"] = Field(description="'simulated': a chip that exists only in the computer.")
    id: str = Field(
        default="chip",
        pattern=r"^[A-Za-z0-9._-]+$",
        description="Device id: letters, digits, '.', '_', '-'. Members are called ID-0, ID-1, ...",
    )
    seed: int = Field(default=0, ge=0, description="Seed of the hidden parameters and of the noise, 0 or above.")
    channels: int | None = Field(
        default=None, ge=1, description="Neurons that can be observed at a time, at least 1; null for all."
    )
    chip: ChipSettings = Field(default=ChipSettings(), description="Imperfections.")
    conversion: ConversionSettings = Field(
        default=ConversionSettings(), description="What model units mean in volts and amperes."
    )

    @property
    def ladder(self) -> "Ladder | None":
        """The resonators of a chip that takes tunings; None for one that takes weights."""
        synapses = self.chip.synapses
        if synapses.takes == "weights" or synapses.limit is None:
            return None
        return synapses.rf.ladder(synapses.limit)

    def open(
        self,
        network: "NetworkSettings",
        sample_interval_s: float,
        members: int | Sequence[int],
        dtype: "torch.dtype",
        answer: "Answer",
    ) -> "Device":
        """Make a simulated chip for each member."""
        from spinhw.device.simulated_opening import open_simulated_device

        return open_simulated_device(self, network, sample_interval_s, members, dtype, answer)

    def open_bank(
        self,
        network: "NetworkSettings",
        sample_interval_s: float,
        oscillators: int | None,
        members: int | Sequence[int],
        dtype: "torch.dtype",
    ) -> "OscillatorBank":
        """Make the oscillators of the same chips, uncoupled."""
        from spinhw.device.simulated_opening import open_simulated_bank

        return open_simulated_bank(self, network, sample_interval_s, oscillators, members, dtype)

    def open_synapses(self, resonators: int, member: int) -> "SynapseBank":
        """Make a chain of resonators of one chip."""
        from spinhw.device.simulated_opening import open_simulated_synapses

        return open_simulated_synapses(self, resonators, member)

    def open_chains(self, network: "SpintronicNetwork", member: int) -> "NetworkChains":
        """Make a bank for each chain of a chip that takes tunings."""
        from spinhw.device.simulated_opening import open_simulated_chains

        return open_simulated_chains(self, network, member)
