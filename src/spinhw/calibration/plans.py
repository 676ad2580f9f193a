"""Plans as files: shipped ones by name, or your own."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeAlias

from spinhw.calibration.chains.settings import ChainPlanSettings
from spinhw.calibration.settings import PlanSettings
from spinhw.calibration.synapses.settings import SynapsePlanSettings
from spinhw.config import json_schema, load, read_yaml, shipped
from spinhw.config.sorts import a_folder
from spinhw.device import DeviceSettings, SimulatedSettings
from spinhw.errors import ConfigError, did_you_mean

Plan: TypeAlias = PlanSettings | SynapsePlanSettings | ChainPlanSettings


def plan_names() -> list[str]:
    """List the shipped plans."""
    return sorted(path.stem for path in (shipped("calibration") / "plans").glob("*.yaml"))


def load_plan(name: str | Path, overrides: Sequence[str] = ()) -> Plan:
    """Read a plan: for oscillators, for a bank of synapses (`kind: synapses`) or for a chip's chains (`chains`).

    Args:
        name: A shipped one, such as "quick", or a YAML file.
        overrides: Such as ["highest_over_gamma=3"].

    Raises:
        ConfigError: There is no such plan, or something in it is wrong.
    """
    path = Path(name)
    if path.suffix not in {".yaml", ".yml"}:
        known = plan_names()
        if path.is_dir():
            raise a_folder(path, "a plan: a YAML file, or the name of a shipped one")
        if str(name) not in known:
            raise ConfigError(
                f"plan {str(name)!r} was not found", allowed=", ".join(known), todo=did_you_mean(str(name), known)
            )
        path = shipped("calibration") / "plans" / f"{name}.yaml"
    kind = read_yaml(path).get("kind")
    if kind == "synapses":
        return load(SynapsePlanSettings, path, overrides)
    if kind == "chains":
        return load(ChainPlanSettings, path, overrides)
    return load(PlanSettings, path, overrides)


def plan_schema() -> dict[str, Any]:
    """Give the JSON schema of a plan, for editors."""
    return json_schema(PlanSettings | SynapsePlanSettings | ChainPlanSettings)


def plan_for(device: DeviceSettings, plan: Plan | str | Path | None = None) -> Plan:
    """Read a plan and check that it fits a device; None for the plan of everything that the device has.

    Raises:
        ConfigError: There is no such plan, or it is for what the bench does not have.
    """
    has = _wired(device)
    usual = "synapses" if has == "synapses" else "full"
    chosen = load_plan(plan or usual) if plan is None or isinstance(plan, str | Path) else plan
    if has is not None and has != chosen.kind:
        raise ConfigError(
            f"{device.id}: plan {chosen.name!r} does not fit this bench",
            seen=f"a plan for {chosen.kind}",
            allowed=f"one for {has}, which are wired",
            todo=f"take the plan {usual!r} (--plan {usual})",
        )
    return chosen


def record_path(device: DeviceSettings, plan: Plan, member: int = 0) -> Path:
    """Name the record of a device where nobody does: ``calibration/DEVICE_ID.yaml``."""
    name = f"{device.id}-{member}" if isinstance(device, SimulatedSettings) else device.id
    return Path("calibration") / f"{name}{_SUFFIXES.get(plan.kind, '')}.yaml"


_SUFFIXES = {"synapses": "-synapses", "chains": "-chains"}


def _wired(device: DeviceSettings) -> str | None:
    """Say what a bench has: "oscillators" or "synapses"; None for whichever (a simulated chip), or neither."""
    if isinstance(device, SimulatedSettings):
        return None
    from spinhw.instruments import StationSettings

    wiring = device.wiring if isinstance(device, StationSettings) else None
    return {"oscillators": "oscillators", "resonators": "synapses"}.get(wiring.kind) if wiring else None
