"""Commands that look and change nothing."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from spinhw.config import json_schema
from spinhw.errors import ConfigError, DeviceError, did_you_mean
from spinhw.shell import typed


def show_energy(source: Path, overrides: Sequence[str]) -> None:
    """Print the account of one inference of a run or a config; of a finished run with what it spent on its bench."""
    from spinhw.training import RunFolder, energy_ledger, load_settings, spent_lines

    folder = RunFolder.open(source) if source.is_dir() else None
    account = energy_ledger(load_settings(source if folder is None else folder.config, overrides))
    for line in [] if folder is None else spent_lines(folder):
        account = account.beside(line)
    from spinhw.report import print_energy
    from spinhw.report.console import PlainConsole

    print_energy(PlainConsole(), account)


def check_profile(
    name: str, play: bool = False, config: Path | None = None, interval: str = "1 ns", verbose: bool = False
) -> None:
    """Check every contract of a simulated device and print the verdicts; of a bench only if asked to, else read it.

    Args:
        name: The device.
        play: Whether outputs of a bench may be switched on.
        config: A run's config, whose network and sample interval are taken; None for networks of spinhw's own.
        interval: Sample interval without a config, such as "1 ns".
        verbose: Whether every message to and from a bench is printed.

    Raises:
        ConfigError: It is a recording, or the config does not fit.
        DeviceError: A promise is broken; names it. Or a bench is not as it may be used.
    """
    from spinhw.device import RecordedSettings, load_device

    settings = load_device(name)
    if isinstance(settings, RecordedSettings):
        raise ConfigError(
            f"{name}: a recording keeps no contract, it only repeats one run",
            allowed="a device or a bench",
            todo=f"replay it with the config of its run: spinhw train CONFIG --device {typed(name)}",
        )
    from spinhw.cli.calibration import nominal
    from spinhw.cli.contracts import Checked, check_contracts
    from spinhw.report import verdict_table
    from spinhw.report.console import PlainConsole

    console = PlainConsole()
    network, interval_s = nominal(config, interval)
    checked = Checked(None if config is None else network, interval_s, play, verbose)
    contracts = check_contracts(settings, console, checked)
    for title, verdicts in contracts.items():
        console.print(verdict_table(f"{name}: {title}", verdicts))
    broken = [verdict.name for verdicts in contracts.values() for verdict in verdicts if not verdict.passed]
    if not contracts:
        command = f"spinhw check --device {typed(name)} --play"
        console.print(
            f"{name}: nothing was switched on; the contract is checked by: {command}", markup=False, soft_wrap=True
        )
    if broken:
        raise DeviceError(f"{name}: promises are broken", seen=", ".join(broken), todo="see the tables above")


def show_schema(what: str, out: Path | None) -> None:
    """Print or write a JSON schema.

    Raises:
        ConfigError: There is no such schema, or the file cannot be written.
    """
    if what not in _SCHEMAS:
        raise ConfigError(
            f"there is no schema {what!r}", allowed=", ".join(_SCHEMAS), todo=did_you_mean(what, _SCHEMAS)
        )
    text = schema_text(_SCHEMAS[what]())
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


def _run() -> dict[str, Any]:
    from spinhw.training import RunSettings

    return json_schema(RunSettings)


def _device() -> dict[str, Any]:
    from spinhw.device import device_schema

    return device_schema()


def _study() -> dict[str, Any]:
    from spinhw.studies import GridSettings

    return json_schema(GridSettings)


def _loop_study() -> dict[str, Any]:
    from spinhw.studies.in_loop import LoopGridSettings

    return json_schema(LoopGridSettings)


def _synapse_study() -> dict[str, Any]:
    from spinhw.studies.synapses import SynapseGridSettings

    return json_schema(SynapseGridSettings)


def _flipflop() -> dict[str, Any]:
    from spinhw.flipflop import FlipFlopRun

    return json_schema(FlipFlopRun)


def _tuning() -> dict[str, Any]:
    from spinhw.tuning import SpaceSettings

    return json_schema(SpaceSettings)


def _record() -> dict[str, Any]:
    from spinhw.records import record_schema

    return record_schema()


def _plan() -> dict[str, Any]:
    from spinhw.calibration import plan_schema

    return plan_schema()


# Each imports no more than its own settings.
_SCHEMAS: dict[str, Callable[[], dict[str, Any]]] = {
    "run": _run,
    "device": _device,
    "study": _study,
    "loop_study": _loop_study,
    "synapse_study": _synapse_study,
    "flipflop": _flipflop,
    "tuning": _tuning,
    "record": _record,
    "plan": _plan,
}
