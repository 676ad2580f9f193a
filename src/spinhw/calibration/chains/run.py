"""A whole calibration of the chains of a chip: measure, fit, write down."""

import time
from pathlib import Path

from spinhw.calibration.analysis import single_threaded
from spinhw.calibration.chains.analyse import ChainsAnalysis, analyse_chains
from spinhw.calibration.chains.record import ChainsCircumstances, make_chains_record
from spinhw.calibration.chains.settings import ChainPlanSettings
from spinhw.calibration.chains.sweep import Told, read_chains
from spinhw.calibration.run import traces_folder
from spinhw.calibration.synapses.readings import ladder_of
from spinhw.calibration.synapses.run import highest_tuning
from spinhw.device import NetworkChains
from spinhw.errors import ConfigError
from spinhw.network import SpintronicNetwork, tuned_shapes
from spinhw.records import ChainsRecord, write_record


def calibrate_chains(
    chains: NetworkChains,
    network: SpintronicNetwork,
    plan: ChainPlanSettings,
    out: Path,
    note: str = "",
    told: Told = lambda matrix, place, count: None,
) -> tuple[ChainsRecord, ChainsAnalysis]:
    """Calibrate all chains and write the record; readings go beside it and are used again by another attempt.

    Args:
        chains: As `spinhw.device.open_chains` makes them, none open.
        network: The network that they were made for.
        plan: What to measure.
        out: File of the record.
        note: What the experimenter writes: temperature, field, sample.
        told: Told after each chain.

    Raises:
        ConfigError: The network has no resonators.
        LimitError: The plan goes beyond a limit of the device; nothing was sent.
        DeviceError: The device failed; what was read is kept.
        CalibrationError: Not one resonator works; what was read is kept.
    """
    if not chains or not isinstance(network.seed, int):
        raise ConfigError("network: it has no chains to calibrate", allowed="a single network with resonators")
    started, folder = time.perf_counter(), traces_folder(out)
    plan = chains_within_limits(plan, chains)
    reads = read_chains(plan, chains, folder, told)
    with single_threaded():
        found = analyse_chains(reads, ladder_of(chains[0].bank))
    shapes = {name: (shape[0], shape[1]) for name, shape in tuned_shapes(network.settings).items()}
    wall_s = time.perf_counter() - started
    around = ChainsCircumstances(plan, chains.device_id, network.seed, shapes, wall_s, note, folder.name)
    record = make_chains_record(chains, reads, found, around)
    write_record(record, out)
    return record, found


def chains_within_limits(plan: ChainPlanSettings, chains: NetworkChains) -> ChainPlanSettings:
    """Narrow the tunings to what the device allows."""
    most = min(highest_tuning(one.bank) for one in chains)
    return plan if plan.range <= most else plan.model_copy(update={"range": most})
