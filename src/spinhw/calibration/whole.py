"""Whatever a device has, oscillators or synapses, calibrated in one call."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

from spinhw.atomic import make_folder
from spinhw.calibration.plans import Plan, plan_for, record_path
from spinhw.calibration.run import Told, calibrate_bank, refuse_other_rates
from spinhw.calibration.synapses import SynapsePlanSettings, calibrate_synapses
from spinhw.device import (
    DeviceSettings,
    OscillatorBank,
    SynapseBank,
    load_device,
    open_bank,
    open_synapses,
)
from spinhw.errors import ConfigError
from spinhw.network import NetworkSettings
from spinhw.records import CalibrationRecord, SynapseRecord, load_either

Begun: TypeAlias = Callable[[OscillatorBank | SynapseBank, DeviceSettings, Plan], None]


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
) -> CalibrationRecord | SynapseRecord:
    """Calibrate the oscillators or the synapses of a device and write the record.

    Traces go beside the record and are used again by another attempt.

    Args:
        device: Name or file of a device profile, or the profile itself.
        plan: Name or file of a plan, or the plan itself; None for everything that the device has.
        out: File of the record, which must not exist yet; None for `record_path`.
        network: Gives the nominal oscillator; None for the default one.
        sample_interval_s: Time between the samples of a drive, in seconds; None for 1 ns. Synapses have none.
        member: Which chip of a simulated device.
        resonators: How many a simulated chain has.
        note: What the experimenter writes: temperature, field, sample.
        begun: Told once the bank is open and before anything is played.
        told: Told after each experiment.

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
    design = network or NetworkSettings()
    refuse_other_rates(design)
    with open_bank(settings, design, sample_interval_s, members=[member]) as bank:
        begun(bank, settings, chosen)
        calibrate_bank(bank, chosen, design, path, note, told)
    return load_either(path)
