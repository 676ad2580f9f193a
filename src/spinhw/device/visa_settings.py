"""The profile of a bench."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from spinhw.config import build
from spinhw.device.kinds import DeviceSettings
from spinhw.instruments import StationSettings
from spinhw.instruments.settings import at_home
from spinhw.instruments.wiring import ChipWiring

if TYPE_CHECKING:
    import torch

    from spinhw.device.banks import OscillatorBank, SynapseBank
    from spinhw.device.base import Device
    from spinhw.device.network_chains import NetworkChains
    from spinhw.network import Answer, NetworkSettings, SpintronicNetwork
    from spinhw.physics import Ladder


class VisaSettings(StationSettings, DeviceSettings):
    """A bench."""

    @classmethod
    def read(cls, data: Mapping[str, Any], path: Path, overrides: Sequence[str] = ()) -> Self:
        """Look at drivers, templates and limits at once, while the file can still be named."""
        from spinhw.instruments.build import build_instruments
        from spinhw.instruments.traffic import Traffic

        settings = build(cls, data, str(path), overrides)
        build_instruments(settings, str(path), Traffic())
        return at_home(settings, path.parent)

    @property
    def ladder(self) -> "Ladder | None":
        """The resonators of a chip whose controller tunes them; None for one that is told weights."""
        wiring = self.wiring
        if not isinstance(wiring, ChipWiring) or wiring.resonators is None:
            return None
        return wiring.resonators.ladder()

    def open(
        self,
        network: "NetworkSettings",
        sample_interval_s: float,
        members: int | Sequence[int],
        dtype: "torch.dtype",
        answer: "Answer",
    ) -> "Device":
        """Make a device out of a bench with a chip."""
        from spinhw.device.visa_opening import open_visa_device

        return open_visa_device(self, network, sample_interval_s, members, answer=answer)

    def open_bank(
        self,
        network: "NetworkSettings",
        sample_interval_s: float,
        oscillators: int | None,
        members: int | Sequence[int],
        dtype: "torch.dtype",
    ) -> "OscillatorBank":
        """Make a bank out of a bench with oscillators."""
        from spinhw.device.visa_opening import open_visa_bank

        return open_visa_bank(self, network, sample_interval_s, oscillators, members)

    def open_synapses(self, resonators: int, member: int) -> "SynapseBank":
        """Make a bank out of a bench with resonators, all that are wired."""
        from spinhw.device.visa_chains import open_visa_synapses

        return open_visa_synapses(self)

    def open_chains(self, network: "SpintronicNetwork", member: int) -> "NetworkChains":
        """Make a bank for each chain of a chip whose chains are wired to be measured."""
        from spinhw.device.visa_chains import open_visa_chains

        return open_visa_chains(self, network)
