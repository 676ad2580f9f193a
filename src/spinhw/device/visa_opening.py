"""From a bench file to a device or a bank; what the instruments cannot do is refused here, before any is connected."""

from collections.abc import Callable, Sequence

import torch

from spinhw.conversion import Conversion
from spinhw.device.description import Description
from spinhw.device.limits import Limit
from spinhw.device.rounds import inputs_of
from spinhw.device.segments import Segments, samples_per_input
from spinhw.device.shapes import parameters_of
from spinhw.device.visa_bank import VisaOscillatorBank
from spinhw.device.visa_bench import VisaBench
from spinhw.device.visa_device import VisaDevice
from spinhw.device.visa_part import ChipPart, too_little
from spinhw.errors import ConfigError, LimitError
from spinhw.instruments import Station, StationSettings, WaveformSource
from spinhw.instruments.build import Connect
from spinhw.instruments.channels import DigitizerInput, TuningOutputs, VoltageOutput
from spinhw.instruments.references import split_path, split_reference
from spinhw.instruments.wires import open_wire
from spinhw.instruments.wiring import ChipWiring, OscillatorWiring
from spinhw.network import Answer, NetworkSettings


def open_visa_device(
    settings: StationSettings,
    network: NetworkSettings,
    sample_interval_s: float,
    members: int | Sequence[int] = 1,
    connect: Connect = open_wire,
    answer: Answer | None = None,
) -> VisaDevice:
    """Make a device out of a bench with a chip; see `open_device`.

    Args:
        settings: The bench.
        network: The network as designed.
        sample_interval_s: Time for which each input sample is held, in seconds.
        members: One, whatever its number.
        connect: Opens a wire; replaced in tests and rehearsals.
        answer: Which samples of a sequence a hardware read-out answers with; None as the network says.

    Raises:
        ConfigError: The wiring, the network or the time bases do not fit; names the key.
    """
    wiring = settings.wiring
    if not isinstance(wiring, ChipWiring):
        todo = "name a bench with a chip; oscillators play a network one after another (docs/multiplexed.md)"
        raise misfit(settings, "kind", "a whole network needs a chip", wiring and wiring.kind, "chip", todo)
    _refuse_members(settings, members)
    refuse_network(settings, wiring, network)
    part, held = ChipPart.of(wiring, network), _held(settings, sample_interval_s)
    wires = part.wires()
    bench = VisaBench(Station(settings, settings.id, connect=connect), wiring)
    _refuse_rates(settings, bench, wires["input"], held)
    conversion = _conversion(settings, network)
    hardware = network.readout == "hardware"
    # A read-out in software needs y.
    computed = {"filtered"} if wiring.observed == "power" and not hardware else set()
    observables = ({"power", "power0"} if wiring.observed == "power" else {"filtered"}) | computed
    description = Description(
        kind=settings.kind,
        device_ids=(settings.id,),
        neurons=network.topology().neurons,
        sample_interval_s=sample_interval_s,
        readout_interval_s=sample_interval_s,
        inputs=network.inputs,
        outputs=network.outputs if hardware else 0,
        answer=answer or network.answer,
        channels=inputs_of(wires["neuron"]),
        observables=frozenset(observables | ({"outputs"} if hardware else set())),
        computed=frozenset(computed),
        parameters=parameters_of(network, conversion, "weight" if wiring.resonators is None else "tuning"),
        software_parameters=frozenset({"b_out"} if hardware else {"w_out", "b_out"}),
        limits={"input": _voltages(settings, wires["input"]), **_synapses(settings, wiring, conversion)},
        wires=wires,
        idle=part.idle(),
        ladder=None if wiring.resonators is None else wiring.resonators.ladder(),
    )
    return VisaDevice(bench, part, held, description, conversion, network.cutoff_hz if computed else None)


def open_visa_bank(
    settings: StationSettings,
    network: NetworkSettings,
    sample_interval_s: float,
    oscillators: int | None = None,
    members: int | Sequence[int] = 1,
    connect: Connect = open_wire,
) -> VisaOscillatorBank:
    """Make a bank out of a bench with oscillators; see `open_bank`.

    Args:
        settings: The bench.
        network: Gives the nominal oscillator.
        sample_interval_s: Time for which each sample of a drive is held, in seconds.
        oscillators: How many the caller expects; None takes those that are wired.
        members: One, whatever its number.
        connect: Opens a wire; replaced in tests and rehearsals.

    Raises:
        ConfigError: The wiring or the time bases do not fit; names the key.
    """
    wiring = settings.wiring
    if not isinstance(wiring, OscillatorWiring):
        raise misfit(settings, "kind", "a bank needs oscillators", wiring and wiring.kind, "oscillators")
    _refuse_members(settings, members)
    if oscillators not in (None, len(wiring.drives)):
        seen, todo = f"{oscillators} asked for", "ask for all of them"
        raise misfit(settings, "drives", "the bench has another number of oscillators", seen, len(wiring.drives), todo)
    held = _held(settings, sample_interval_s)
    bench = VisaBench(Station(settings, settings.id, connect=connect), wiring)
    _refuse_rates(settings, bench, wiring.drives, held)
    conversion = _conversion(settings, network)
    volts, supply = _voltages(settings, wiring.drives), wiring.supply_current_a or 0.0
    amperes = [end * wiring.transconductance_s + supply for end in (volts.lowest, volts.highest)]
    description = Description(
        kind=settings.kind,
        device_ids=(settings.id,),
        neurons=len(wiring.drives),
        sample_interval_s=sample_interval_s,
        readout_interval_s=sample_interval_s,
        channels=inputs_of(wiring.powers),
        observables=frozenset({"power", "power0", "drive_applied"} | ({"filtered"} if wiring.filtered else set())),
        limits={"drive": Limit(*amperes)},
        power_ranges=_ranges(settings, wiring.powers),
        latency_s=wiring.timing.latency_s,
        least_rest_s=wiring.timing.rest_s,
    )
    bias = float(network.neurons(torch.float64).bias_drive[0, 0])
    return VisaOscillatorBank(bench, wiring, held, conversion.drive.to_si(bias), description, conversion)


def misfit(
    settings: StationSettings, key: str, what: str, seen: object, allowed: object, todo: str = ""
) -> ConfigError:
    """Say what is wrong with a key of the wiring."""
    return ConfigError(f"{settings.id}: wiring.{key}: {what}", seen=seen, allowed=str(allowed), todo=todo)


def _refuse_members(settings: StationSettings, members: int | Sequence[int]) -> None:
    count = members if isinstance(members, int) else len(members)
    if count != 1:
        raise ConfigError(
            f"{settings.id}: a bench is one chip",
            seen=f"{count} members",
            allowed="1",
            todo="measure one network after another",
        )


def refuse_network(settings: StationSettings, wiring: ChipWiring, network: NetworkSettings) -> None:
    """Refuse a network that does not fit on the chip of a bench.

    Raises:
        ConfigError: Names the key.
    """
    found = too_little(wiring, network)
    if found is not None:
        raise misfit(settings, found.key, found.what, found.seen, found.allowed, found.todo)
    if network.kind != "spintronic" or network.initial_state != "rest":
        raise ConfigError(
            f"{settings.id}: a bench cannot run this network",
            seen=f"kind {network.kind}, initial_state {network.initial_state}",
            allowed="kind spintronic, initial_state rest",
            todo="change these keys under 'network' of the run",
        )


def _held(settings: StationSettings, sample_interval_s: float) -> int:
    wiring = settings.wiring
    rate_hz = wiring.timing.source_rate_hz if isinstance(wiring, ChipWiring | OscillatorWiring) else 0.0
    held = samples_per_input(sample_interval_s, rate_hz)
    if held is None:
        allowed = f"a whole multiple of {1 / sample_interval_s:.9g} Hz, one sample or more for each input"
        raise misfit(settings, "timing.source_rate", "inputs do not fall on its samples", f"{rate_hz:.9g} Hz", allowed)
    return held


def _refuse_rates(settings: StationSettings, bench: VisaBench, outputs: Sequence[str], held: int) -> None:
    """Refuse rates and records that the instruments cannot do even for a batch of one sample."""
    timing, wiring = bench.timing, bench.wiring
    interval_s = held / timing.source_rate_hz
    if timing.digitizer_rate_hz * interval_s < 1 - 1e-6:
        least = f"at least {1 / interval_s:.6g} Hz, one sample for each input"
        seen = f"{timing.digitizer_rate_hz:.6g} Hz"
        raise misfit(settings, "timing.digitizer_rate", "inputs would be missed", seen, least)
    gate = wiring.gate if isinstance(wiring, ChipWiring) else None
    for reference in (*outputs, *([gate] if gate else [])):
        name, channel = split_reference(reference)
        low, high = bench.station.get(name, WaveformSource).rates_hz()
        if not low <= timing.source_rate_hz <= high:
            seen, allowed = f"{timing.source_rate_hz:.6g} Hz", f"{low:.6g} to {high:.6g} Hz"
            raise misfit(settings, "timing.source_rate", f"{name} cannot do this", seen, allowed)
    smallest = Segments(1, 1, held, timing.rest_s, timing.source_rate_hz)
    _as_config(settings, "timing.digitizer_rate", lambda: bench.readout.check_records(smallest))


def _as_config(settings: StationSettings, key: str, check: Callable[[], None]) -> None:
    try:
        check()
    except LimitError as error:
        raise misfit(settings, key, error.what, error.seen, error.allowed, error.todo) from error


def _conversion(settings: StationSettings, network: NetworkSettings) -> Conversion:
    return settings.conversion.conversion(1 / (network.tau_s * network.sigma))


def _voltages(settings: StationSettings, references: Sequence[str]) -> Limit:
    """Return the range that all these outputs of sources allow."""
    found = []
    for reference in references:
        name, channel = split_reference(reference)
        limits = settings.instruments[name].channels[channel]  # type: ignore[index]
        if isinstance(limits, VoltageOutput):
            found.append(limits)
    return Limit(max(one.lowest_v for one in found), min(one.highest_v for one in found))


def _ranges(settings: StationSettings, paths: Sequence[str]) -> tuple[Limit, ...]:
    """Return the range of the digitizer input of each path, in volts."""
    found = []
    for path in paths:
        name, channel = split_reference(split_path(path)[0])
        limits = settings.instruments[name].channels[channel]  # type: ignore[index]
        if isinstance(limits, DigitizerInput):
            found.append(Limit(limits.lowest_v, limits.highest_v))
    return tuple(found)


def _synapses(settings: StationSettings, wiring: ChipWiring, conversion: Conversion) -> dict[str, Limit]:
    """Return what the controller may put out for synapses and biases; a tuning is within +-1 besides."""
    board = board_limits(settings, wiring.synapses)
    if wiring.resonators is None or not board:
        return board
    span, volts = Limit.of_model_range(conversion.of_parameter("tuning"), -1.0, 1.0), board["weight"]
    tuning = Limit(max(span.lowest, volts.lowest), min(span.highest, volts.highest))
    return {"tuning": tuning, "bias": board["bias"]}


def board_limits(settings: StationSettings, board: str) -> dict[str, Limit]:
    """Return what a synapse controller may put out, for weights and for biases."""
    name, channel = split_reference(board)
    limits = settings.instruments[name].channels[channel]  # type: ignore[index]
    if not isinstance(limits, TuningOutputs):
        return {}
    limit = Limit(limits.lowest_v, limits.highest_v)
    return {"weight": limit, "bias": limit}
