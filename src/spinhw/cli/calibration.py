"""`spinhw calibrate` and `spinhw calibrate show`: what is asked for is looked at before anything heavy is imported."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from rich.console import Console

from spinhw.calibration import SynapsePlanSettings, load_plan
from spinhw.device import DeviceSettings, SimulatedSettings, load_device
from spinhw.errors import ConfigError
from spinhw.instruments import StationSettings
from spinhw.network import NetworkSettings
from spinhw.records import SynapseRecord, load_either
from spinhw.units import parse_quantity


@dataclass(frozen=True)
class Asked:
    """What was asked for on the command line.

    Args:
        device: File or name of a profile.
        plan: Name or file; None for everything that the device has.
        out: The record; None for one under calibration/.
        config: A run, whose neuron is the nominal one.
        member: Which chip of a simulated device.
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
    """Calibrate the oscillators or the synapses of a device and write the record.

    Raises:
        ConfigError: The device, the plan or the record's name is wrong.
        CalibrationError: Nothing could be fitted; what was measured is kept.
    """
    console = Console(highlight=False, emoji=False)
    settings = load_device(asked.device)
    has = wired(settings)
    plan = load_plan(asked.plan or ("synapses" if has == "synapses" else "full"))
    if has is not None and has != plan.kind:
        raise ConfigError(
            f"{asked.device}: plan {plan.name!r} does not fit this bench",
            seen=f"a plan for {plan.kind}",
            allowed=f"one for {has}, which are wired",
            todo=f"write --plan {'synapses' if has == 'synapses' else 'full'}",
        )
    path = asked.out or Path("calibration") / f"{_record_name(settings, asked.member, plan.kind)}.yaml"
    if path.exists():
        raise ConfigError(f"{path}: this record exists", todo="name another one with --out, or move it away")
    network, interval_s = _network(asked.config, asked.interval)
    path.parent.mkdir(parents=True, exist_ok=True)
    from spinhw.calibration import calibrate_bank, calibrate_synapses, traces_folder
    from spinhw.cli.oscillators import forecast_oscillators, show_oscillator_table
    from spinhw.cli.synapses import forecast_synapses, show_synapse_table
    from spinhw.device import open_bank, open_synapses

    def told(kind: str, place: int, count: int) -> None:
        console.print(f"  {place} of {count}: {kind} recorded")

    if isinstance(plan, SynapsePlanSettings):
        with open_synapses(settings, asked.resonators, asked.member) as synapses:
            forecast_synapses(console, synapses, settings, plan)
            found, _, _ = calibrate_synapses(synapses, plan, path, asked.note, told)
        show_synapse_table(console, found)
    else:
        with open_bank(settings, network, interval_s, members=[asked.member]) as bank:
            forecast_oscillators(console, bank, settings, plan, interval_s, 1 / network.tau_s)
            record, _, _ = calibrate_bank(bank, plan, network, path, asked.note, told)
        show_oscillator_table(console, record)
    console.print(f"record: {path}   raw traces: {traces_folder(path)}   picture: spinhw calibrate show {path}")


def wired(settings: DeviceSettings) -> str | None:
    """Say what a bench has: "oscillators" or "synapses"; None for whichever (a simulated chip), or neither."""
    wiring = settings.wiring if isinstance(settings, StationSettings) else None
    return {"oscillators": "oscillators", "resonators": "synapses"}.get(wiring.kind) if wiring else None


def _network(config: Path | None, interval: str) -> tuple[NetworkSettings, float]:
    if config is not None:
        from spinhw.training import load_settings

        run = load_settings(config)
        return run.network, run.task.sample_interval_s
    try:
        return NetworkSettings(), parse_quantity(interval, "s")
    except ValueError as error:
        raise ConfigError(f"--interval: {error}", seen=interval, allowed="such as '1 ns'") from error


def _record_name(settings: DeviceSettings, member: int, kind: str) -> str:
    name = f"{settings.id}-{member}" if isinstance(settings, SimulatedSettings) else settings.id
    return f"{name}-synapses" if kind == "synapses" else name


def show_record(path: Path, picture: Path | None) -> None:
    """Print a record and draw its data against its fit.

    Raises:
        ConfigError: The record cannot be read.
    """
    console, record = Console(highlight=False, emoji=False), load_either(path)
    from spinhw.cli.oscillators import draw_oscillators, show_oscillator_table
    from spinhw.cli.synapses import draw_synapses, show_synapse_table

    draw: Callable[[Sequence[Path], Path], None]
    if isinstance(record, SynapseRecord):
        show_synapse_table(console, record)
        draw = partial(draw_synapses, record)
    else:
        show_oscillator_table(console, record)
        draw = partial(draw_oscillators, record)
    files = [path.parent / one.traces for one in record.experiments]
    missing = [str(one) for one in files if not one.is_file()]
    if missing:
        console.print(f"no picture: the raw traces are not there ({missing[0]})")
        return
    target = picture or path.with_suffix(".png")
    draw(files, target)
    console.print(f"picture: {target}")
