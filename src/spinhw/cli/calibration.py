"""`spinhw calibrate` and `spinhw calibrate show`: what is asked for is looked at before anything heavy is imported."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, cast

from spinhw.atomic import refuse_unwritable
from spinhw.calibration import ChainPlanSettings, SynapsePlanSettings, plan_for, record_path
from spinhw.calibration.plans import Plan
from spinhw.cli.drawing import drawing_alone
from spinhw.config.sorts import a_folder
from spinhw.device import DeviceSettings, load_device
from spinhw.errors import ConfigError
from spinhw.shell import typed
from spinhw.units import parse_quantity

if TYPE_CHECKING:
    from rich.console import Console

    from spinhw.device import NetworkChains, OscillatorBank, SynapseBank
    from spinhw.network import NetworkSettings


_CHAINS_TOLD = 25  # Of two hundred chains each so many are told of.


@dataclass(frozen=True)
class Asked:
    """What was asked for on the command line.

    Args:
        device: File or name of a profile.
        plan: Name or file; None for everything that the device has.
        out: The record; None for one under calibration/.
        config: A run, whose neuron is the nominal one, and whose network says which resonators a chip's chains have.
        member: Which chip of a simulated device; of its chains, also the seed of the network.
        interval: Time between samples, with its unit.
        resonators: Of the chain of a simulated device.
        note: For the record.
    """

    device: str
    plan: str | None
    out: Path | None
    config: Path | None
    member: int
    interval: str
    resonators: int
    note: str


def calibrate_device(asked: Asked) -> None:
    """Calibrate the oscillators, the synapses or the chains of a device and write the record.

    Raises:
        ConfigError: The device, the plan or the record's name is wrong.
        CalibrationError: Nothing could be fitted; what was measured is kept.
    """
    settings = load_device(asked.device)
    plan = plan_for(settings, asked.plan)
    path = asked.out or record_path(settings, plan, asked.member)
    refuse_unwritable(path, "--out")
    if path.is_dir():
        raise a_folder(path, "the name of a file that does not exist yet")
    if path.exists():
        raise ConfigError(f"{path}: this record exists", todo="name another one with --out, or move it away")
    if isinstance(plan, ChainPlanSettings) and asked.config is None:
        from spinhw.calibration import needs_network

        raise needs_network(plan.name)
    from spinhw.network import NetworkSettings

    network, interval_s = (
        (NetworkSettings(), None) if plan.kind == "synapses" else nominal(asked.config, asked.interval)
    )
    console = _console()
    from spinhw.calibration import calibrate, traces_folder
    from spinhw.cli.chains import forecast_chains, show_chains_table
    from spinhw.cli.oscillators import forecast_oscillators, show_oscillator_table
    from spinhw.cli.synapses import forecast_synapses, show_synapse_table
    from spinhw.records import ChainsRecord, SynapseRecord

    def begun(bank: "OscillatorBank | SynapseBank | NetworkChains", _: DeviceSettings, chosen: Plan) -> None:
        if isinstance(chosen, ChainPlanSettings):
            forecast_chains(console, cast("NetworkChains", bank), chosen)
        elif isinstance(chosen, SynapsePlanSettings):
            forecast_synapses(console, cast("SynapseBank", bank), settings, chosen)
        else:
            forecast_oscillators(console, cast("OscillatorBank", bank), settings, chosen, 1 / network.tau_s)

    def told(kind: str, place: int, count: int) -> None:
        if plan.kind != "chains" or place == count or place % _CHAINS_TOLD == 0:
            console.print(f"  {place} of {count}: {kind} recorded")

    record = calibrate(
        settings, plan, path, network, interval_s, asked.member, asked.resonators, asked.note, begun, told
    )
    if isinstance(record, ChainsRecord):
        show_chains_table(console, record)
    elif isinstance(record, SynapseRecord):
        show_synapse_table(console, record)
    else:
        show_oscillator_table(console, record)
    console.print(f"record: {path}   raw traces: {traces_folder(path)}", markup=False, soft_wrap=True)
    console.print(f"picture: spinhw calibrate show {typed(path)}", markup=False, soft_wrap=True)


def nominal(config: Path | None, interval: str) -> "tuple[NetworkSettings, float]":
    """Return network and sample interval, in seconds, of a run's config or folder, or the paper's at this interval."""
    from spinhw.network import NetworkSettings

    if config is not None:
        from spinhw.training import RunFolder, load_settings

        run = RunFolder.open(config).settings() if config.is_dir() else load_settings(config)
        return run.network, run.task.sample_interval_s
    try:
        return NetworkSettings(), parse_quantity(interval, "s")
    except ValueError as error:
        raise ConfigError(f"--interval: {error}", seen=interval, allowed="such as '1 ns'") from error


def _console() -> "Console":
    from spinhw.report.console import PlainConsole

    return PlainConsole()


def show_record(path: Path, picture: Path | None) -> None:
    """Print a record and draw its data against its fit.

    Raises:
        ConfigError: The record cannot be read.
    """
    from spinhw.records import ChainsRecord, SynapseRecord, load_either

    record, target = load_either(path), picture or path.with_suffix(".png")
    refuse_unwritable(target, "--out")
    console = _console()
    from spinhw.cli.oscillators import draw_oscillators, show_oscillator_table
    from spinhw.cli.synapses import draw_synapses, show_synapse_table

    draw: Callable[[Sequence[Path], Path], None]
    if isinstance(record, ChainsRecord):
        from spinhw.cli.chains import draw_chains, files_of, show_chains_table

        show_chains_table(console, record)
        draw, files = partial(draw_chains, record), files_of(record, path.parent)
    elif isinstance(record, SynapseRecord):
        show_synapse_table(console, record)
        draw, files = partial(draw_synapses, record), [path.parent / one.traces for one in record.experiments]
    else:
        show_oscillator_table(console, record)
        draw, files = partial(draw_oscillators, record), [path.parent / one.traces for one in record.experiments]
    missing = [str(one) for one in files if not one.is_file()]
    if missing:
        console.print(f"no picture: the raw traces are not there ({missing[0]})", markup=False, soft_wrap=True)
        return
    with drawing_alone(target, "the record is as it was", "give the same command again"):
        draw(files, target)
    console.print(f"picture: {target}", markup=False, soft_wrap=True)
