"""From the profile of a simulated device to a chip, its oscillators or its synapses."""

from collections.abc import Sequence

import torch

from spinhw.chip import (
    Chip,
    ChipSettings,
    ChipSynapses,
    ConverterSettings,
    Identity,
    OscillatorArray,
    ResonatorChain,
)
from spinhw.conversion import Conversion, Scaling
from spinhw.device.description import Description, Parameter
from spinhw.device.limits import Limit
from spinhw.device.network_chains import NetworkChain, NetworkChains, resonators_that_exist
from spinhw.device.shapes import parameters_of
from spinhw.device.simulated import SimulatedDevice, SimulatedOscillatorBank, SimulatedSynapseBank
from spinhw.device.simulated_settings import SimulatedSettings
from spinhw.network import Answer, NetworkSettings, SpintronicNetwork
from spinhw.rollout import Neurons


def open_simulated_device(
    settings: SimulatedSettings,
    network: NetworkSettings,
    sample_interval_s: float,
    members: int | Sequence[int],
    dtype: torch.dtype,
    answer: Answer,
) -> SimulatedDevice:
    """Make a chip for each member; see `open_device`."""
    identities = _identities(settings, members)
    chip = Chip(settings.chip, network, identities, sample_interval_s, dtype, answer)
    conversion = _conversion(settings, network)
    return SimulatedDevice(
        chip, _describe_network(settings, network, sample_interval_s, identities, conversion, answer), conversion
    )


def open_simulated_bank(
    settings: SimulatedSettings,
    network: NetworkSettings,
    sample_interval_s: float,
    oscillators: int | None,
    members: int | Sequence[int],
    dtype: torch.dtype,
) -> SimulatedOscillatorBank:
    """Make the oscillators of the same chips, uncoupled; see `open_bank`."""
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


def open_simulated_synapses(settings: SimulatedSettings, resonators: int, member: int) -> SimulatedSynapseBank:
    """Make a chain of resonators of one chip; see `open_synapses`."""
    [identity] = _identities(settings, [member])
    return _bank_of(settings, ResonatorChain(settings.chip, identity, resonators), identity.name)


def open_simulated_chains(settings: SimulatedSettings, network: SpintronicNetwork, member: int) -> NetworkChains:
    """Make the chains of a chip for a network, the very resonators that the network feels; see `open_chains`."""
    [identity] = _identities(settings, [member])
    synapses, found = ChipSynapses(settings.chip, [identity]), []
    for name, exists in resonators_that_exist(network).items():
        hidden = synapses.resonators(name, (exists.shape[0], exists.shape[1]))
        for destination, row in enumerate(exists):
            sources = row.nonzero()[:, 0]
            if not len(sources):
                continue
            place = (name, destination)
            chain = ResonatorChain(settings.chip, identity, hidden.at((0, destination, sources)), place)
            bank = _bank_of(settings, chain, f"{identity.name} {name}-{destination:02d}")
            found.append(NetworkChain(name, destination, tuple(sources.tolist()), bank))
    return NetworkChains(found, identity.name)


def _bank_of(settings: SimulatedSettings, chain: ResonatorChain, name: str) -> SimulatedSynapseBank:
    """Put a chain behind the seam of a bank."""
    synapses = settings.chip.synapses
    # A synapse bank has no oscillators: any threshold does.
    conversion = settings.conversion.conversion(1e9)
    description = Description(
        kind=settings.kind,
        device_ids=(name,),
        neurons=chain.chain.count,
        sample_interval_s=0.0,
        readout_interval_s=0.0,
        observables=frozenset({"voltage"}),
        capabilities=frozenset({"replay"}),
        parameters={"tuning": Parameter((chain.chain.count,), "tuning", conversion.of_parameter("tuning").unit)},
        limits={"tuning": Limit.of_model_range(conversion.weight, -1.0, 1.0)},
        seed=settings.seed,
        ladder=synapses.rf.ladder(synapses.limit or 1.0),
    )
    return SimulatedSynapseBank(chain, description, conversion)


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
        # Behind chains the filter belongs to a destination: y of a neuron is on no wire.
        computed=frozenset() if settings.ladder is None else frozenset({"filtered"}),
        capabilities=frozenset({"replay", "oracle"}),
        parameters=parameters_of(network, conversion, "weight" if settings.ladder is None else "tuning"),
        software_parameters=frozenset({"b_out"} if hardware else {"w_out", "b_out"}),
        limits=_chip_limits(settings.chip, conversion),
        loop_delay_s=settings.chip.loop_delay_s,
        seed=settings.seed,
        ladder=settings.ladder,
    )


def _chip_limits(chip: ChipSettings, conversion: Conversion) -> dict[str, Limit]:
    limits = _limits({"input": (chip.input_dac, conversion.input), "bias": (chip.bias_dac, conversion.bias)})
    limit = chip.synapses.limit
    if chip.synapses.takes == "tunings":
        return limits | {"tuning": Limit.of_model_range(conversion.weight, -1.0, 1.0)}
    return limits if limit is None else limits | {"weight": Limit.of_model_range(conversion.weight, -limit, limit)}


def _limits(converters: dict[str, tuple[ConverterSettings, Scaling]]) -> dict[str, Limit]:
    ranges = {name: (converter.limits, line) for name, (converter, line) in converters.items()}
    return {name: Limit.of_model_range(line, *ends) for name, (ends, line) in ranges.items() if ends is not None}
