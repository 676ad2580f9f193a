"""Commands that look and change nothing."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from spinhw.calibration import plan_schema
from spinhw.cli import bench
from spinhw.device import (
    DeviceSettings,
    MultiplexedSettings,
    RecordedSettings,
    VisaSettings,
    device_schema,
    is_bench,
    load_device,
    open_bank,
    open_device,
    open_synapses,
)
from spinhw.device.contract import Verdict, check_bank, check_device, check_synapses
from spinhw.device.kinds import Seam
from spinhw.errors import ConfigError, DeviceError, did_you_mean
from spinhw.flipflop import FlipFlopRun
from spinhw.instruments import StationSettings
from spinhw.network import NetworkSettings
from spinhw.records import record_schema
from spinhw.report import print_energy, verdict_table
from spinhw.studies import GridSettings
from spinhw.studies.in_loop import LoopGridSettings
from spinhw.training import RunFolder, RunSettings, energy_ledger, load_run, spent_lines
from spinhw.tuning import SpaceSettings

# The contract is checked with the paper's network, so that what a profile says of single oscillators fits.
_PROBE = NetworkSettings(layers=(32, 32, 32))
# One of few neurons where they are played one after another.
_SMALL = NetworkSettings(layers=(6, 6))
_INTERVAL_S = 1e-9


def show_energy(source: Path, overrides: Sequence[str]) -> None:
    """Print the account of one inference of a run or a config; of a finished run with what it spent on its bench."""
    folder = RunFolder.open(source) if source.is_dir() else None
    account = energy_ledger(load_run(source if folder is None else folder.config, overrides))
    for line in [] if folder is None else spent_lines(folder):
        account = account.beside(line)
    print_energy(Console(highlight=False, emoji=False), account)


def check_profile(name: str, play: bool = False) -> None:
    """Check every contract of a simulated device and print the verdicts; of a bench only if asked to, else read it.

    Args:
        name: The device.
        play: Whether outputs of a bench may be switched on.

    Raises:
        ConfigError: It is a recording.
        DeviceError: A promise is broken; names it. Or a bench is not as it may be used.
    """
    settings, console = load_device(name), Console(highlight=False, emoji=False)
    if isinstance(settings, RecordedSettings):
        raise ConfigError(
            f"{name}: a recording keeps no contract, it only repeats one run",
            allowed="a device or a bench",
            todo="replay it with the config of its run: spinhw train CONFIG --device " + name,
        )
    contracts = _contracts(settings, console, play)
    for title, verdicts in contracts.items():
        console.print(verdict_table(f"{name}: {title}", verdicts))
    broken = [verdict.name for verdicts in contracts.values() for verdict in verdicts if not verdict.passed]
    if not contracts:
        console.print(f"{name}: nothing was switched on; the contract is checked by: spinhw check --play", markup=False)
    if broken:
        raise DeviceError(f"{name}: promises are broken", seen=", ".join(broken), todo="see the tables above")


def _contracts(settings: DeviceSettings, console: Console, play: bool) -> dict[str, list[Verdict]]:
    if isinstance(settings, VisaSettings):
        return _of_bench(settings, console, play)
    if isinstance(settings, MultiplexedSettings) and isinstance(settings.bank, StationSettings):
        bench.show_bench(console, settings.bank)
    if is_bench(settings) and not play:
        return {}
    network = _SMALL if isinstance(settings, MultiplexedSettings) else _PROBE
    contracts: dict[Seam, tuple[str, Callable[[], list[Verdict]]]] = {
        "network": ("network device", lambda: check_device(lambda: open_device(settings, network, _INTERVAL_S))),
        "oscillators": ("oscillator bank", lambda: check_bank(lambda: open_bank(settings, network, _INTERVAL_S))),
        "synapses": ("synapse bank", lambda: check_synapses(lambda: open_synapses(settings))),
    }
    return {title: check() for seam, (title, check) in contracts.items() if seam in settings.seams}


def _of_bench(settings: VisaSettings, console: Console, play: bool) -> dict[str, list[Verdict]]:
    network = bench.probe_network(settings, _PROBE)
    bench.show_rehearsal(console, settings, network, _INTERVAL_S)
    bench.show_bench(console, settings)
    if not play:
        return {}
    if settings.wiring is not None and settings.wiring.kind == "resonators":
        return {"synapse bank": check_synapses(lambda: open_synapses(settings))}
    if settings.wiring is not None and settings.wiring.kind == "oscillators":
        return {"oscillator bank": check_bank(lambda: open_bank(settings, network, _INTERVAL_S))}
    return {"network device": check_device(lambda: open_device(settings, network, _INTERVAL_S))}


def show_schema(what: str, out: Path | None) -> None:
    """Print or write a JSON schema.

    Raises:
        ConfigError: There is no such schema, or the file cannot be written.
    """
    schemas = {
        "run": lambda: RunSettings.model_json_schema(by_alias=True),
        "device": device_schema,
        "study": lambda: GridSettings.model_json_schema(by_alias=True),
        "loop_study": lambda: LoopGridSettings.model_json_schema(by_alias=True),
        "flipflop": lambda: FlipFlopRun.model_json_schema(by_alias=True),
        "tuning": lambda: SpaceSettings.model_json_schema(by_alias=True),
        "record": record_schema,
        "plan": plan_schema,
    }
    if what not in schemas:
        raise ConfigError(f"there is no schema {what!r}", allowed=", ".join(schemas), todo=did_you_mean(what, schemas))
    text = schema_text(schemas[what]())
    if out is None:
        print(text, end="")
        return
    try:
        out.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{out}: the schema cannot be written", seen=error, todo="name another file") from error


def schema_text(schema: dict[str, Any]) -> str:
    """Write a schema as it is shipped: in ASCII, for a shell of Windows writes no UTF-8 into a file."""
    return json.dumps(schema, indent=2, ensure_ascii=True) + "\n"
