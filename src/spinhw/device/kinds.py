"""The kinds of devices there are, and what the settings of each have in common: they know how to open themselves."""

from abc import ABC
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

from spinhw.config import ByKind, Settings, build
from spinhw.errors import ConfigError
from spinhw.registry import Registry

if TYPE_CHECKING:
    import torch

    from spinhw.device.banks import OscillatorBank, SynapseBank
    from spinhw.device.base import Device
    from spinhw.device.network_chains import NetworkChains
    from spinhw.network import Answer, NetworkSettings, SpintronicNetwork
    from spinhw.physics import Ladder

Seam = Literal["network", "oscillators", "synapses"]

DEVICES = Registry(
    "spinhw.devices",
    "kind of device",
    {
        "simulated": "spinhw.device.simulated_settings:SimulatedSettings",
        "visa": "spinhw.device.visa_settings:VisaSettings",
        "bench": "spinhw.device.visa_settings:VisaSettings",
        "multiplexed": "spinhw.device.multiplexed_settings:MultiplexedSettings",
        "recorded": "spinhw.device.recorded_settings:RecordedSettings",
    },
    base="spinhw.device.kinds:DeviceSettings",
)


class DeviceSettings(Settings, ABC):
    """A device profile. Other packages add their kinds to the entry points ``spinhw.devices``.

    A kind overrides what can be opened: a whole network (`open`), a bank of oscillators, a bank of synapses.
    """

    kind: str
    # What can be opened: `spinhw check` looks at each.
    seams: ClassVar[tuple[Seam, ...]] = ("network",)

    if TYPE_CHECKING:

        @property
        def id(self) -> str:
            """Name for people and files; a field or a property of every kind."""

    @classmethod
    def read(cls, data: Mapping[str, Any], path: Path, overrides: Sequence[str] = ()) -> Self:
        """Make settings of a profile. A kind that names other files looks for them beside the profile.

        Args:
            data: What the file says.
            path: The file.
            overrides: Such as ["channels=4"].

        Raises:
            ConfigError: Names file and key of everything that is wrong.
        """
        return build(cls, data, str(path), overrides)

    @property
    def on_bench(self) -> bool:
        """Whether something that can be damaged stands behind it: one chip, nothing switched on unasked."""
        return False

    @property
    def ladder(self) -> "Ladder | None":
        """The resonators of a device that takes tunings, as designed; None for one that takes weights."""
        return None

    def open(
        self,
        network: "NetworkSettings",
        sample_interval_s: float,
        members: int | Sequence[int],
        dtype: "torch.dtype",
        answer: "Answer",
    ) -> "Device":
        """Make a device that runs a network, not connected yet; see `open_device`."""
        raise self._lacks("a device for a whole network")

    def open_bank(
        self,
        network: "NetworkSettings",
        sample_interval_s: float,
        oscillators: int | None,
        members: int | Sequence[int],
        dtype: "torch.dtype",
    ) -> "OscillatorBank":
        """Make a bank of uncoupled oscillators, not connected yet; see `spinhw.device.open_bank`."""
        raise self._lacks("a bank of oscillators")

    def open_synapses(self, resonators: int, member: int) -> "SynapseBank":
        """Make a bank of RF resonators, not connected yet; see `spinhw.device.open_synapses`."""
        raise self._lacks("a bank of synapses")

    def open_chains(self, network: "SpintronicNetwork", member: int) -> "NetworkChains":
        """Make a bank for each chain of a network, none connected yet; see `spinhw.device.open_chains`."""
        raise ConfigError(
            f"{self.id}: the chains of a whole chip cannot be measured one by one through this device",
            seen=f"a device of kind {self.kind}",
            allowed="a simulated chip such as rf-chip, or a bench with wiring.chains such as rf-bench-virtual",
            todo="wire one chain at a time and calibrate it with --plan synapses",
        )

    def _lacks(self, what: str) -> ConfigError:
        """Say that a device of this kind cannot be opened as something, such as "a bank of oscillators"."""
        return ConfigError(f"{self.id}: devices of kind {self.kind} are not {what}", todo="use another device")


AnyDevice = Annotated[DeviceSettings, ByKind(DEVICES)]
