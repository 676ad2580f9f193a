"""From settings to a session. Each kind of device knows how to open itself."""

import math
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from pydantic import TypeAdapter, ValidationError

from spinhw.config import Settings
from spinhw.device.banks import OscillatorBank, SynapseBank
from spinhw.device.base import Device
from spinhw.device.kinds import AnyDevice, DeviceSettings
from spinhw.device.network_chains import NetworkChains
from spinhw.device.profiles import is_bench, load_device, settings_for
from spinhw.device.told import refuse_other_synapses
from spinhw.errors import ConfigError
from spinhw.network import Answer, NetworkSettings, SpintronicNetwork
from spinhw.network.checks import shown, whole_number
from spinhw.rollout.kept import ordinary_tensors

_DEVICE = TypeAdapter[DeviceSettings](AnyDevice)

# A device profile as people name it: the profile itself, the name of a shipped one, its file, or what a file would say.
Profile = DeviceSettings | str | Path | Mapping[str, Any]
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
        profile: Of the device: the name of a shipped one such as "imperfect-chip", a YAML file, the profile itself, or
            a mapping of its keys.
        network: The network as designed, or the network that shall run on the device.
        sample_interval_s: Time for which each input sample is held, in seconds; None for that of the network that is
            given, or 1 ns where only its design is.
        members: How many chips side by side, or their numbers: member 3 is the chip "ID-3" whoever stands beside it.
            A bench is one chip, whatever number it is given. None for one chip for each network that is given.
        dtype: Floating-point type of a simulated chip.
        answer: Which samples of a sequence a hardware read-out answers with; None as the network says.

    Raises:
        ConfigError: An argument is something else, or the profile is wrong; says which and what.
    """
    _check_network(network, profile)
    _check_kinds(dtype, answer)
    settings, interval_s = _read(profile), _interval_s(network, sample_interval_s)
    chips = _chips(settings, network, members)
    design = _design(network)
    refuse_other_synapses(settings, design)
    with ordinary_tensors():
        return settings.open(design, interval_s, chips, dtype, answer or network.answer)


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

    Raises:
        ConfigError: As for `open_device`.
    """
    _check_network(network, profile)
    _check_kinds(dtype, None)
    settings, interval_s = _read(profile), _interval_s(network, sample_interval_s)
    count = None if oscillators is None else whole_number("oscillators", oscillators, 1)
    with ordinary_tensors():
        return settings.open_bank(_design(network), interval_s, count, _chips(settings, network, members), dtype)


def open_synapses(profile: Profile, resonators: int = 8, member: int = 0) -> SynapseBank:
    """Make a bank of RF resonators in one chain; use it in a `with` statement.

    Args:
        profile: As for `open_device`.
        resonators: How many, at least 1; a bench has those that are wired.
        member: Number of the chip, for a simulated device.

    Raises:
        ConfigError: As for `open_device`.
    """
    settings = _read(profile)
    count, number = whole_number("resonators", resonators, 1), whole_number("member", member, 0)
    with ordinary_tensors():
        return settings.open_synapses(count, number)


def open_chains(profile: Profile, network: SpintronicNetwork, member: int | None = None) -> NetworkChains:
    """Make a bank for each chain of a chip, to measure its resonators as an experiment; use each in a `with` statement.

    On a simulated chip they are the very resonators that the network feels there. Those of a bench share its
    instruments: use one at a time, and put `with chains:` around all of it to stay connected.

    Args:
        profile: As for `open_device`; of a device that takes tunings.
        network: A single network of resonators: its masks say which there are.
        member: Number of the chip, for a simulated device; None for the network's seed.

    Raises:
        ConfigError: As for `open_device`; or the device takes weights, or the network is an ensemble or has other
            resonators.
    """
    settings = _read(profile)
    _check_network(network, profile)
    if not isinstance(network, SpintronicNetwork) or not isinstance(network.seed, int):
        raise ConfigError(
            "network: the chains of one network are measured at a time",
            seen=shown(network),
            allowed="a SpintronicNetwork with one seed, whose masks say which resonators there are",
            todo="write SpintronicNetwork(settings, seed=0)",
        )
    if settings.ladder is None:
        raise ConfigError(
            f"{settings.id}: the device takes weights, and has no chains of resonators to measure",
            seen=f"a device of kind {settings.kind}",
            allowed="a device that takes tunings, such as rf-chip",
            todo="name another device, or calibrate this one with another plan",
        )
    refuse_other_synapses(settings, network.settings)
    with ordinary_tensors():
        return settings.open_chains(network, network.seed if member is None else whole_number("member", member, 0))


def _read(profile: Profile) -> DeviceSettings:
    if isinstance(profile, Settings):
        with suppress(ValidationError):  # Settings of the same form, such as those of a bench alone, are taken too.
            return _DEVICE.validate_python(profile)
    if isinstance(profile, str | Path):
        return load_device(profile)
    if isinstance(profile, Mapping):
        plain = dict(profile)
        return settings_for(plain, "profile").read(plain, Path("profile"))
    raise ConfigError(
        "profile: this is no device profile",
        seen=shown(profile),
        allowed="the name of a shipped profile, the path of a YAML file, a profile, or a mapping of its keys",
        todo='write for instance open_device("imperfect-chip", network)',
    )


def _check_network(network: object, profile: object) -> None:
    if isinstance(network, NetworkSettings | SpintronicNetwork):
        return
    swapped = isinstance(profile, NetworkSettings | SpintronicNetwork)
    named = isinstance(network, str | Path)
    raise ConfigError(
        "network: this is no network",
        seen=shown(network),
        allowed="a SpintronicNetwork, or NetworkSettings",
        todo="swap the first two arguments: the profile comes before the network"
        if swapped
        else f"write NetworkSettings.of({str(network)!r}) if that is a recipe"
        if named
        else 'write for instance NetworkSettings.of("digits")',
    )


def _check_kinds(dtype: object, answer: object) -> None:
    if not isinstance(dtype, torch.dtype) or not dtype.is_floating_point:
        raise ConfigError(
            "dtype: this is no floating-point type of torch",
            seen=shown(dtype),
            allowed="torch.float32 or torch.float64",
            todo="write dtype=torch.float32, or leave it out",
        )
    if not isinstance(answer, Answer | None):
        raise ConfigError(
            "answer: this does not say which samples answer",
            seen=shown(answer),
            allowed="an Answer, or None",
            todo="leave it out, or write Answer(last=1)",
        )


def _design(network: NetworkSettings | SpintronicNetwork) -> NetworkSettings:
    return network.settings if isinstance(network, SpintronicNetwork) else network


def _interval_s(network: NetworkSettings | SpintronicNetwork, asked_s: float | None) -> float:
    if asked_s is None:
        return network.steps.sample_interval_s if isinstance(network, SpintronicNetwork) else _INTERVAL_S
    number = isinstance(asked_s, int | float) and not isinstance(asked_s, bool)
    if not number or not 0 < asked_s < math.inf:
        raise ConfigError(
            "sample_interval_s: this is no time",
            seen=shown(asked_s),
            allowed="a finite number of seconds above zero, or None",
            todo="write for instance sample_interval_s=1e-9",
        )
    return float(asked_s)


def _chips(
    settings: DeviceSettings, network: NetworkSettings | SpintronicNetwork, asked: int | Sequence[int] | None
) -> int | list[int]:
    """Count the chips that networks ask for: one for each, but a bench is one, on which they run one after another."""
    if asked is None:
        if isinstance(network, NetworkSettings) or not network.ensemble or is_bench(settings):
            return 1
        return len(network.b_out)
    if isinstance(asked, Sequence) and not isinstance(asked, str | bytes) and len(asked) > 0:
        numbers = [whole_number(f"members[{place}]", one, 0) for place, one in enumerate(asked)]
        if len(set(numbers)) < len(numbers):
            raise ConfigError(
                "members: a chip stands there twice", seen=shown(asked), allowed="each number once", todo="drop one"
            )
        return numbers
    return whole_number("members", asked, 1)
