"""From settings to a session. Each kind of device knows how to open itself."""

from collections.abc import Sequence
from pathlib import Path

import torch
from pydantic import TypeAdapter

from spinhw.device.banks import OscillatorBank, SynapseBank
from spinhw.device.base import Device
from spinhw.device.kinds import AnyDevice, DeviceSettings
from spinhw.device.profiles import is_bench, load_device
from spinhw.network import Answer, NetworkSettings, SpintronicNetwork

_DEVICE = TypeAdapter[DeviceSettings](AnyDevice)

# A device profile as people name it: the profile itself, the name of a shipped one, or its file.
Profile = DeviceSettings | str | Path
# Time for which an input sample is held where nothing says otherwise: 1 ns, as in the paper.
_INTERVAL_S = 1e-9


def open_device(
    profile: Profile,
    network: NetworkSettings | SpintronicNetwork,
    sample_interval_s: float | None = None,
    members: int | Sequence[int] | None = None,
    dtype: torch.dtype = torch.float32,
    answer: Answer | None = None,
) -> Device:
    """Make a device that runs a network; use it in a `with` statement, which connects and leaves it safe.

    Args:
        profile: Of the device: the name of a shipped one such as "imperfect-chip", a YAML file, or the profile itself.
        network: The network as designed, or the network that shall run on the device.
        sample_interval_s: Time for which each input sample is held, in seconds; None for that of the network that is
            given, or 1 ns where only its design is.
        members: How many chips side by side, or their numbers: member 3 is the chip "ID-3" whoever stands beside it.
            A bench is one chip, whatever number it is given. None for one chip for each network that is given.
        dtype: Floating-point type of a simulated chip.
        answer: Which samples of a sequence a hardware read-out answers with; None as the network says.
    """
    settings, interval_s = _read(profile), _interval_s(network, sample_interval_s)
    chips = _chips(settings, network) if members is None else members
    return settings.open(_design(network), interval_s, chips, dtype, answer or network.answer)


def open_bank(
    profile: Profile,
    network: NetworkSettings | SpintronicNetwork,
    sample_interval_s: float | None = None,
    oscillators: int | None = None,
    members: int | Sequence[int] | None = None,
    dtype: torch.dtype = torch.float32,
) -> OscillatorBank:
    """Make a bank of uncoupled oscillators; use it in a `with` statement.

    Args:
        profile: As for `open_device`.
        network: Gives the nominal oscillator.
        sample_interval_s: Time for which each sample of a drive is held, in seconds; None as for `open_device`.
        oscillators: How many; by default the network's neurons, which are then the very oscillators of `open_device`.
        members: As for `open_device`.
        dtype: As for `open_device`.
    """
    settings, interval_s = _read(profile), _interval_s(network, sample_interval_s)
    chips = _chips(settings, network) if members is None else members
    return settings.open_bank(_design(network), interval_s, oscillators, chips, dtype)


def open_synapses(profile: Profile, resonators: int = 8, member: int = 0) -> SynapseBank:
    """Make a bank of RF resonators in one chain; use it in a `with` statement.

    Args:
        profile: As for `open_device`.
        resonators: How many, at least 1; a bench has those that are wired.
        member: Number of the chip, for a simulated device.
    """
    return _read(profile).open_synapses(resonators, member)


def _read(profile: Profile) -> DeviceSettings:
    return _DEVICE.validate_python(load_device(profile) if isinstance(profile, str | Path) else profile)


def _design(network: NetworkSettings | SpintronicNetwork) -> NetworkSettings:
    return network.settings if isinstance(network, SpintronicNetwork) else network


def _interval_s(network: NetworkSettings | SpintronicNetwork, asked_s: float | None) -> float:
    if asked_s is not None:
        return asked_s
    return network.steps.sample_interval_s if isinstance(network, SpintronicNetwork) else _INTERVAL_S


def _chips(settings: DeviceSettings, network: NetworkSettings | SpintronicNetwork) -> int:
    """Count the chips that networks ask for: one for each, but a bench is one, on which they run one after another."""
    if isinstance(network, NetworkSettings) or not network.ensemble or is_bench(settings):
        return 1
    return len(network.w_out)
