"""What sort of YAML file something is, told by its keys: whoever names the wrong one is told what it is."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from spinhw.errors import ConfigError

RECIPE, SOFTWARE_RECIPE = "a recipe of networks of oscillators", "a recipe of recurrent networks in software"
DEVICE, BENCH, VIRTUAL_BENCH = "a device profile", "a bench file", "a virtual bench"
PLAN, RECORD = "a calibration plan", "a calibration record"
GRID, LOOP_GRID, SPACE = "a grid of studies", "a grid of the study chip_in_the_loop", "a space to search"
SYNAPSE_GRID = "a grid of the study rf_synapses"
INSTRUMENT = "an instrument profile"
# Where there is no telling which of the two recipes it is.
ANY_RECIPE = "a recipe"

_USES = {
    RECIPE: "it is for spinhw train",
    SOFTWARE_RECIPE: "it is for spinhw flipflop train, and its run folder for spinhw flipflop analyse",
    ANY_RECIPE: "it is for spinhw train",
    DEVICE: "it is for --device of spinhw train, evaluate, align, check and calibrate",
    BENCH: "it is for --device",
    VIRTUAL_BENCH: "it is for spinhw virtual-bench serve",
    PLAN: "it is for --plan",
    RECORD: "it is for spinhw calibrate show, and for calibration.record of a recipe",
    GRID: "it is for --grid",
    LOOP_GRID: "it is for --grid with spinhw study chip_in_the_loop",
    SYNAPSE_GRID: "it is for --grid with spinhw study rf_synapses",
    SPACE: "it is for --space",
    INSTRUMENT: "it is for driver in a bench file",
}
# Keys of which one is enough, the telling ones first.
_BY_KEY = {
    "schema_version": RECORD,
    "experiments": PLAN,
    "axes": SPACE,
    "protocols": GRID,
    "mismatches": LOOP_GRID,
    "sweeps": SYNAPSE_GRID,
    "commands": INSTRUMENT,
}
_BY_KIND = {"simulated": DEVICE, "multiplexed": DEVICE, "recorded": DEVICE, "visa": BENCH, "bench": BENCH}
_SOFTWARE = ("tanh", "gru", "lstm")


def sort_of(data: Mapping[str, Any]) -> str | None:
    """Tell what sort of file holds this; None where it does not show."""
    telling = next((sort for key, sort in _BY_KEY.items() if key in data), None)
    kind = data.get("kind")
    if telling is None and isinstance(kind, str):
        return _BY_KIND.get(kind)
    if telling is not None or "instruments" in data:
        return telling or VIRTUAL_BENCH
    network = data.get("network")
    if isinstance(network, Mapping):
        if "units" in network or network.get("kind") in _SOFTWARE:
            return SOFTWARE_RECIPE
        if "layers" in network or network.get("kind") in ("spintronic", "ctrnn"):
            return RECIPE
    return ANY_RECIPE if {"network", "task", "training"} & data.keys() else None


def another_sort(data: Mapping[str, Any], wanted: tuple[str, ...], source: str) -> ConfigError | None:
    """Make the error for a file of another sort than is needed; None where it is of that sort, or does not show it."""
    seen = sort_of(data)
    if seen is None or not wanted or seen in wanted:
        return None
    return ConfigError(f"{source}: this is {seen}", allowed=wanted[0], todo=_USES[seen])


def a_folder(path: Path, wanted: str) -> ConfigError:
    """Make the error for a folder where a file is needed."""
    is_run = (path / "config.yaml").is_file()
    return ConfigError(
        f"{path}: this is a {'run folder' if is_run else 'folder'}",
        allowed=wanted,
        todo=f"the recipe of the run is {path / 'config.yaml'}" if is_run else "name a file in it",
    )
