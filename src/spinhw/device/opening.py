"""From settings to a session. Each kind of device knows how to open itself."""

from collections.abc import Sequence

import torch
from pydantic import TypeAdapter

from spinhw.device.banks import OscillatorBank, SynapseBank
from spinhw.device.base import Device
from spinhw.device.kinds import AnyDevice, DeviceSettings
from spinhw.network import Answer, NetworkSettings

_DEVICE = TypeAdapter[DeviceSettings](AnyDevice)


def open_device(
    settings: DeviceSettings,
    network: NetworkSettings,
    sample_interval_s: float,
    members: int | Sequence[int] = 1,
    dtype: torch.dtype = torch.float32,
    answer: Answer | None = None,
) -> Device:
    """Make a device that runs a network; use it in a `with` statement, which connects and leaves it safe.

    Args:
        settings: A device profile, as `load_device` reads it.
        network: The network as designed.
        sample_interval_s: Time for which each input sample is held, in seconds.
        members: How many chips side by side, or their numbers: member 3 is the chip "ID-3" whoever stands beside it.
            A bench is one chip, whatever number it is given.
        dtype: Floating-point type of a simulated chip.
        answer: Which samples of a sequence a hardware read-out answers with; None as the network says: one answer at
            the end.
    """
    return _DEVICE.validate_python(settings).open(network, sample_interval_s, members, dtype, answer or network.answer)


def open_bank(
    settings: DeviceSettings,
    network: NetworkSettings,
    sample_interval_s: float,
    oscillators: int | None = None,
    members: int | Sequence[int] = 1,
    dtype: torch.dtype = torch.float32,
) -> OscillatorBank:
    """Make a bank of uncoupled oscillators; use it in a `with` statement.

    Args:
        settings: A device profile.
        network: Gives the nominal oscillator.
        sample_interval_s: Time for which each sample of a drive is held, in seconds.
        oscillators: How many; by default the network's neurons, which are then the very oscillators of `open_device`.
        members: As for `open_device`.
        dtype: As for `open_device`.
    """
    return _DEVICE.validate_python(settings).open_bank(network, sample_interval_s, oscillators, members, dtype)


def open_synapses(settings: DeviceSettings, resonators: int = 8, member: int = 0) -> SynapseBank:
    """Make a bank of RF resonators in one chain; use it in a `with` statement.

    Args:
        settings: A device profile.
        resonators: How many, at least 1; a bench has those that are wired.
        member: Number of the chip, for a simulated device.
    """
    return _DEVICE.validate_python(settings).open_synapses(resonators, member)
