"""Whatever a device has, oscillators, synapses or the chains of a whole chip, calibrated in one call."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

from spinhw.atomic import make_folder
from spinhw.calibration.chains import ChainPlanSettings, calibrate_chains
from spinhw.calibration.plans import Plan, plan_for, record_path
from spinhw.calibration.run import Told, calibrate_bank, refuse_other_rates
from spinhw.calibration.synapses import SynapsePlanSettings, calibrate_synapses
from spinhw.device import (
    DeviceSettings,
    NetworkChains,
    OscillatorBank,
    SynapseBank,
    load_device,
    open_bank,
    open_chains,
    open_synapses,
)
from spinhw.errors import ConfigError
from spinhw.network import NetworkSettings, SpintronicNetwork
from spinhw.records import CalibrationRecord, ChainsRecord, SynapseRecord, load_either

Begun: TypeAlias = Callable[[OscillatorBank | SynapseBank | NetworkChains, DeviceSettings, Plan], None]


def calibrate(
    device: DeviceSettings | str | Path,
    plan: Plan | str | Path | None = None,
    out: str | Path | None = None,
    network: NetworkSettings | None = None,
    sample_interval_s: float | None = None,
    member: int = 0,
    resonators: int = 8,
    note: str = "",
    begun: Begun = lambda bank, settings, plan: None,
    told: Told = lambda kind, place, count: None,
) -> CalibrationRecord | SynapseRecord | ChainsRecord:
    """Calibrate the oscillators, the synapses or the chains of a device and write the record.

    Traces go beside the record and are used again by another attempt.

    Args:
        device: Name or file of a device profile, or the profile itself.
        plan: Name or file of a plan, or the plan itself; None for everything that the device has.
        out: File of the record, which must not exist yet; None for `record_path`.
        network: Gives the nominal oscillator; None for the default one. A plan for chains needs it: with `member` as
            its seed it says which resonators there are.
        sample_interval_s: Time between the samples of a drive, in seconds; None for 1 ns. Synapses have none.
        member: Which chip of a simulated device.
        resonators: How many a simulated chain has.
        note: What the experimenter writes: temperature, field, sample.
        begun: Told once the bank is open (chains: before the first is) and before anything is played.
        told: Told after each experiment, or each chain.

    Returns:
        The record, as it was written.

    Raises:
        ConfigError: The device, the plan, the network's rate or the record's name is wrong.
        LimitError: The plan goes beyond a limit of the device; nothing was sent.
        DeviceError: The device failed; what was measured is kept.
        CalibrationError: Nothing could be fitted; what was measured is kept.
    """
    settings = device if not isinstance(device, str | Path) else load_device(device)
    chosen = plan_for(settings, plan)
    path = record_path(settings, chosen, member) if out is None else Path(out)
    if path.exists():
        raise ConfigError(f"{path}: this record exists", todo="name another one (out), or move it away")
    make_folder(path.parent)
    if isinstance(chosen, SynapsePlanSettings):
        with open_synapses(settings, resonators, member) as synapses:
            begun(synapses, settings, chosen)
            calibrate_synapses(synapses, chosen, path, note, told)
        return load_either(path)
    if isinstance(chosen, ChainPlanSettings):
        if network is None:
            raise needs_network(chosen.name)
        drawn = SpintronicNetwork(network, seed=member)
        chains = open_chains(settings, drawn, member)
        begun(chains, settings, chosen)
        calibrate_chains(chains, drawn, chosen, path, note, told)
        return load_either(path)
    design = network or NetworkSettings()
    refuse_other_rates(design)
    with open_bank(settings, design, sample_interval_s, members=[member]) as bank:
        begun(bank, settings, chosen)
        calibrate_bank(bank, chosen, design, path, note, told)
    return load_either(path)


def needs_network(plan: str) -> ConfigError:
    """Say that a plan for chains needs a network, which says which resonators there are."""
    return ConfigError(
        f"plan {plan!r}: nothing says which resonators the chains have",
        seen="no run",
        allowed="the run whose networks the chip is for; the seed of its masks is the number of the chip",
        todo="name its YAML file with --config, and the chip with --member (from Python: network, member)",
    )
