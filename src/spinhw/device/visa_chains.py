"""Chains of resonators on a bench: a single one, or those of a whole chip, measured one by one."""

import numpy as np

from spinhw.device.description import Description, Parameter
from spinhw.device.limits import Limit
from spinhw.device.network_chains import NetworkChain, NetworkChains, resonators_that_exist
from spinhw.device.visa_connection import Connection
from spinhw.device.visa_opening import board_limits, misfit, refuse_network
from spinhw.device.visa_part import ChipPart
from spinhw.device.visa_synapses import VisaSynapseBank, WiredChain
from spinhw.errors import ConfigError
from spinhw.instruments import Station, StationSettings
from spinhw.instruments.build import Connect
from spinhw.instruments.channels import RFOutput
from spinhw.instruments.references import split_reference
from spinhw.instruments.wires import open_wire
from spinhw.instruments.wiring import ChainWiring, ChipWiring, ResonatorWiring
from spinhw.network import SpintronicNetwork
from spinhw.physics import Ladder


def open_visa_synapses(settings: StationSettings, connect: Connect = open_wire) -> VisaSynapseBank:
    """Make a bank of synapses out of a bench with resonators; see `open_synapses`.

    Args:
        settings: The bench.
        connect: Opens a wire; replaced in tests and rehearsals.

    Raises:
        ConfigError: The wiring does not fit; names the key.
    """
    wiring = settings.wiring
    if not isinstance(wiring, ResonatorWiring):
        raise misfit(settings, "kind", "a bank of synapses needs resonators", wiring and wiring.kind, "resonators")
    places = np.arange(wiring.resonators)
    chain = WiredChain(wiring.tuning, wiring.tone, wiring.meter, places, wiring.resonators)
    connection = Connection(Station(settings, settings.id, connect=connect))
    return _bank_of(settings, connection, chain, settings.id, wiring.ladder())


def open_visa_chains(
    settings: StationSettings, network: SpintronicNetwork, connect: Connect = open_wire
) -> NetworkChains:
    """Make a bank for each chain of a chip; see `spinhw.device.open_chains`.

    Sources and supplies of the chip stay off: the tone takes the place of its neurons.

    Args:
        settings: The bench.
        network: Its masks say which resonators there are.
        connect: Opens a wire; replaced in tests and rehearsals.

    Raises:
        ConfigError: The chains are not wired, or the network does not fit; names the key.
    """
    wiring = settings.wiring
    if not isinstance(wiring, ChipWiring) or wiring.chains is None or wiring.resonators is None:
        raise ConfigError(
            f"{settings.id}: wiring.chains: nothing is wired that measures the chains one by one",
            seen="no chains",
            allowed="an RF source in place of the neurons, and the path from each chain to a voltmeter",
            todo="wire them and write {tone: ..., meters: {w_ext.0: [...], ...}} there (docs/calibration.md); or wire "
            "one chain at a time and calibrate it with --plan synapses",
        )
    refuse_network(settings, wiring, network.settings)
    part, exists = ChipPart.of(wiring, network.settings), resonators_that_exist(network)
    _refuse_unwired(settings, wiring.chains, part)
    places, ladder = part.places(), wiring.resonators.ladder()
    connection = Connection(Station(settings, settings.id, connect=connect))
    found = []
    for name, present in exists.items():
        for destination, row in enumerate(present):
            sources = row.nonzero()[:, 0]
            if not len(sources):
                continue
            addresses = places[name][destination, sources].numpy().astype(np.int64)
            meter = wiring.chains.meters[name][destination]
            chain = WiredChain(wiring.synapses, wiring.chains.tone, meter, addresses, part.addresses)
            bank = _bank_of(settings, connection, chain, f"{settings.id} {name}-{destination:02d}", ladder)
            found.append(NetworkChain(name, destination, tuple(sources.tolist()), bank))
    return NetworkChains(found, settings.id, connection.held)


def _bank_of(
    settings: StationSettings, connection: Connection, chain: WiredChain, device_id: str, ladder: Ladder
) -> VisaSynapseBank:
    """Put a chain behind the seam of a bank; `device_id` names it for people and files."""
    # A synapse bank has no oscillators: any threshold does.
    conversion, resonators = settings.conversion.conversion(1e9), len(chain.addresses)
    name, channel = split_reference(chain.tone)
    tone = settings.instruments[name].channels[channel]  # type: ignore[index]
    limits = {"tuning": board_limits(settings, chain.tuning)["weight"]}
    if isinstance(tone, RFOutput):
        limits["RF power"] = Limit(0.0, tone.highest_power_w)
        limits["frequency"] = Limit(tone.lowest_frequency_hz, tone.highest_frequency_hz)
    description = Description(
        kind=settings.kind,
        device_ids=(device_id,),
        neurons=resonators,
        sample_interval_s=0.0,
        readout_interval_s=0.0,
        observables=frozenset({"voltage"}),
        parameters={"tuning": Parameter((resonators,), "tuning", conversion.of_parameter("tuning").unit)},
        limits=limits,
        ladder=ladder,
    )
    return VisaSynapseBank(connection, chain, description, conversion)


def _refuse_unwired(settings: StationSettings, wiring: ChainWiring, part: ChipPart) -> None:
    """Check that the meters are those of the chip's matrices, and enough for the network."""
    known = [name for name in part.wired if name.startswith("w")]
    for name, paths in wiring.meters.items():
        key = f"chains.meters.{name}"
        if name not in known:
            raise misfit(settings, key, "the chip has no such matrix", name, ", ".join(known), "correct it")
        if len(paths) > part.wired[name][0]:
            allowed = f"at most {part.wired[name][0]}, one for each row of the matrix"
            raise misfit(settings, key, "there are more meters than chains", len(paths), allowed, "take them out")
    for name, shape in part.used.items():
        here = len(wiring.meters.get(name, ()))
        if name.startswith("w") and here < shape[0]:
            allowed = f"{shape[0]}, one for each row of the matrix in the network"
            todo = "wire them, or measure the chains of a smaller network"
            raise misfit(settings, f"chains.meters.{name}", "chains are not wired to a meter", here, allowed, todo)
