"""Plans as files: shipped ones by name, or your own."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from spinhw.calibration.settings import PlanSettings
from spinhw.calibration.synapses.settings import SynapsePlanSettings
from spinhw.config import load, read_yaml, shipped
from spinhw.errors import ConfigError, did_you_mean


def plan_names() -> list[str]:
    """List the shipped plans."""
    return sorted(path.stem for path in (shipped("calibration") / "plans").glob("*.yaml"))


def load_plan(name: str | Path, overrides: Sequence[str] = ()) -> PlanSettings | SynapsePlanSettings:
    """Read a plan, for oscillators or (with `kind: synapses`) for synapses.

    Args:
        name: A shipped one, such as "quick", or a YAML file.
        overrides: Such as ["highest_over_gamma=3"].

    Raises:
        ConfigError: There is no such plan, or something in it is wrong.
    """
    path = Path(name)
    if path.suffix not in {".yaml", ".yml"}:
        known = plan_names()
        if str(name) not in known:
            raise ConfigError(
                f"plan {str(name)!r} was not found", allowed=", ".join(known), todo=did_you_mean(str(name), known)
            )
        path = shipped("calibration") / "plans" / f"{name}.yaml"
    if read_yaml(path).get("kind") == "synapses":
        return load(SynapsePlanSettings, path, overrides)
    return load(PlanSettings, path, overrides)


def plan_schema() -> dict[str, Any]:
    """Give the JSON schema of a plan, for editors."""
    return TypeAdapter[Any](PlanSettings | SynapsePlanSettings).json_schema(by_alias=True)
