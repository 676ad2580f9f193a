"""From settings to a session: the one place where a kind of device becomes an object."""

from collections.abc import Sequence
from pathlib import Path

import torch

from spinhw.chip import Chip, ChipSettings, ConverterSettings, Identity, OscillatorArray, ResonatorChain
from spinhw.conversion import Conversion, Scaling
from spinhw.device.banks import OscillatorBank, SynapseBank
from spinhw.device.base import Device
from spinhw.device.description import Description
from spinhw.device.limits import Limit
from spinhw.device.multiplex.build import multiplexed, played_samples
from spinhw.device.recorded import open_recorded
from spinhw.device.recorded_settings import RecordedSettings
from spinhw.device.settings import DeviceSettings, MultiplexedSettings, SimulatedSettings, is_bench, load_device
from spinhw.device.shapes import parameter_shapes
from spinhw.device.simulated import SimulatedDevice, SimulatedOscillatorBank, SimulatedSynapseBank
from spinhw.device.visa_opening import open_visa_bank, open_visa_device, open_visa_synapses
from spinhw.errors import ConfigError
from spinhw.instruments import StationSettings
from spinhw.network import Answer, NetworkSettings, SpintronicNetwork
from spinhw.physics import Ladder
from spinhw.rollout import Neurons

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
    return _open(settings, _design(network), interval_s, chips, dtype, answer or network.answer)


def _open(
    settings: DeviceSettings,
    network: NetworkSettings,
    sample_interval_s: float,
    members: int | Sequence[int],
    dtype: torch.dtype,
    answer: Answer,
) -> Device:
    if isinstance(settings, RecordedSettings):
        return open_recorded(settings, network, sample_interval_s, members, answer)
    if isinstance(settings, MultiplexedSettings):
        return _open_multiplexed(settings, network, sample_interval_s, members, dtype, answer)
    if isinstance(settings, StationSettings):
        return open_visa_device(settings, network, sample_interval_s, members, answer=answer)
    identities = _identities(settings, members)
    chip = Chip(settings.chip, network, identities, sample_interval_s, dtype, answer)
    conversion = _conversion(settings, network)
    return SimulatedDevice(
        chip, _describe_network(settings, network, sample_interval_s, identities, conversion, answer), conversion
    )


def _open_multiplexed(
    settings: MultiplexedSettings,
    network: NetworkSettings,
    sample_interval_s: float,
    members: int | Sequence[int],
    dtype: torch.dtype,
    answer: Answer,
) -> Device:
    under = _read(settings.bank)
    played_s = sample_interval_s / played_samples(settings, network, sample_interval_s)
    # Of a bench every oscillator is opened that is wired, and those that are not used are left at their bias.
    wanted = settings.oscillators if isinstance(under, SimulatedSettings) else None
    bank = _open_bank(under, network, played_s, wanted, members, dtype)
    return multiplexed(settings, bank, network, sample_interval_s, answer)


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
    return _open_bank(settings, _design(network), interval_s, oscillators, chips, dtype)


def _open_bank(
    settings: DeviceSettings,
    network: NetworkSettings,
    sample_interval_s: float,
    oscillators: int | None,
    members: int | Sequence[int],
    dtype: torch.dtype,
) -> OscillatorBank:
    if isinstance(settings, RecordedSettings):
        raise _no_bank(settings, "oscillators")
    if isinstance(settings, MultiplexedSettings):
        raise ConfigError(
            f"{settings.id}: a multiplexed device is no bank", todo="name the bank that stands under 'bank' in it"
        )
    if isinstance(settings, StationSettings):
        return open_visa_bank(settings, network, sample_interval_s, oscillators, members)
    identities, nominal = _identities(settings, members), network.neurons(torch.float64)
    count = oscillators or nominal.gamma.shape[1]
    array = OscillatorArray(settings.chip, _alike(network, count), identities, sample_interval_s, dtype)
    conversion = _conversion(settings, network)
    over_gamma = Scaling(1 / (network.tau_s * conversion.drive_per_ampere), "A")
    codes = settings.chip.power_readout.adc.limits
    description = Description(
        kind=settings.kind,
        device_ids=tuple(identity.name for identity in identities),
        neurons=count,
        sample_interval_s=sample_interval_s,
        readout_interval_s=sample_interval_s,
        channels=settings.channels,
        observables=frozenset({"power", "power0", "filtered", "drive_applied"}),
        capabilities=frozenset({"replay"}),
        limits=_limits({"drive": (settings.chip.drive_dac, over_gamma)}),
        seed=settings.seed,
        power_ranges=() if codes is None else (Limit.of_model_range(conversion.power, *codes),) * count,
    )
    return SimulatedOscillatorBank(array, description, conversion)


def open_synapses(profile: Profile, resonators: int = 8, member: int = 0) -> SynapseBank:
    """Make a bank of RF resonators in one chain; use it in a `with` statement.

    Args:
        profile: As for `open_device`.
        resonators: How many, at least 1; a bench has those that are wired.
        member: Number of the chip, for a simulated device.
    """
    settings = _read(profile)
    if isinstance(settings, RecordedSettings):
        raise _no_bank(settings, "synapses")
    if isinstance(settings, MultiplexedSettings):
        raise ConfigError(f"{settings.id}: a multiplexed device is no bank of synapses")
    if isinstance(settings, StationSettings):
        return open_visa_synapses(settings)
    [identity] = _identities(settings, [member])
    synapses = settings.chip.synapses
    chain, rf = ResonatorChain(settings.chip, identity, resonators), synapses.rf
    # A synapse bank has no oscillators: any threshold does.
    conversion = settings.conversion.conversion(1e9)
    description = Description(
        kind=settings.kind,
        device_ids=(identity.name,),
        neurons=resonators,
        sample_interval_s=0.0,
        readout_interval_s=0.0,
        observables=frozenset({"voltage"}),
        capabilities=frozenset({"replay"}),
        limits={"tuning": Limit.of_model_range(conversion.weight, -1.0, 1.0)},
        seed=settings.seed,
        ladder=Ladder(rf.frequency_hz, rf.spacing_hz, rf.half_linewidth_hz, rf.tuning_span_hz, synapses.limit or 1.0),
    )
    return SimulatedSynapseBank(chain, description, conversion)


def _read(profile: Profile) -> DeviceSettings:
    return load_device(profile) if isinstance(profile, str | Path) else profile


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


def _no_bank(settings: RecordedSettings, what: str) -> ConfigError:
    return ConfigError(
        f"{settings.folder}: a recording cannot be opened as a bank of {what}",
        allowed="a network device",
        todo="use the device that was recorded",
    )


def _identities(settings: SimulatedSettings, members: int | Sequence[int]) -> list[Identity]:
    numbers = range(members) if isinstance(members, int) else members
    if not numbers or len(set(numbers)) != len(numbers):
        raise ValueError(f"a device needs members, each once, not {members!r}")
    return [Identity(f"{settings.id}-{number}", settings.seed) for number in numbers]


def _conversion(settings: SimulatedSettings, network: NetworkSettings) -> Conversion:
    return settings.conversion.conversion(1 / (network.tau_s * network.sigma))


def _alike(network: NetworkSettings, count: int) -> Neurons:
    return network.model_copy(update={"layers": (count,)}).neurons(torch.float64)


def _describe_network(
    settings: SimulatedSettings,
    network: NetworkSettings,
    sample_interval_s: float,
    identities: Sequence[Identity],
    conversion: Conversion,
    answer: Answer,
) -> Description:
    hardware = network.readout == "hardware"
    observables = {"power", "power0", "filtered"} | ({"outputs"} if hardware else set())
    return Description(
        kind=settings.kind,
        device_ids=tuple(identity.name for identity in identities),
        neurons=network.topology().neurons,
        sample_interval_s=sample_interval_s,
        readout_interval_s=sample_interval_s,
        inputs=network.inputs,
        outputs=network.outputs if hardware else 0,
        answer=answer,
        channels=settings.channels,
        observables=frozenset(observables),
        capabilities=frozenset({"replay", "oracle"}),
        parameter_shapes=parameter_shapes(network),
        software_parameters=frozenset({"b_out"} if hardware else {"w_out", "b_out"}),
        limits=_chip_limits(settings.chip, conversion),
        loop_delay_s=settings.chip.loop_delay_s,
        seed=settings.seed,
    )


def _chip_limits(chip: ChipSettings, conversion: Conversion) -> dict[str, Limit]:
    limits = _limits({"input": (chip.input_dac, conversion.input), "bias": (chip.bias_dac, conversion.bias)})
    limit = chip.synapses.limit
    return limits if limit is None else limits | {"weight": Limit.of_model_range(conversion.weight, -limit, limit)}


def _limits(converters: dict[str, tuple[ConverterSettings, Scaling]]) -> dict[str, Limit]:
    ranges = {name: (converter.limits, line) for name, (converter, line) in converters.items()}
    return {name: Limit.of_model_range(line, *ends) for name, (ends, line) in ranges.items() if ends is not None}
