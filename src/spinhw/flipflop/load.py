"""What is asked of the flip-flop commands: runs, run folders and files of weights, looked at without torch."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from spinhw.config import find_recipe, load, read_yaml, shipped
from spinhw.errors import ConfigError, did_you_mean
from spinhw.flipflop.settings import FlipFlopRun
from spinhw.shell import typed
from spinhw.tasks import FlipFlopSettings
from spinhw.training import RunFolder

COMMAND = "spinhw flipflop train"
PRESETS = ("quick", "published", "best", "smallest", "oscillators", "perceptual", "context", "match", "parametric")


def load_flipflop(config: str | Path, overrides: Sequence[str] = ()) -> FlipFlopRun:
    """Read a run from YAML.

    Args:
        config: A file, ``examples/NAME`` among the shipped ones, or one of `PRESETS`.
        overrides: Such as ["training.epochs=5"].

    Raises:
        ConfigError: One line for each thing that is wrong.
    """
    path = find_config(config)
    if has_oscillators(path):
        raise ConfigError(
            f"{path}: networks of oscillators are trained by 'spinhw train', as any task is",
            todo=f"spinhw train {typed(path)}",
        )
    return load(FlipFlopRun, path, overrides)


def find_config(config: str | Path) -> Path:
    """Find the YAML file of a run: the path as it is, a shipped recipe, or a preset.

    Raises:
        ConfigError: There is no such file.
    """
    path = Path(config)
    if str(config) in PRESETS and not path.is_file():
        path = shipped("examples") / "flipflop" / f"{config}.yaml"
    try:
        return find_recipe(path)
    except ConfigError as error:
        near = did_you_mean(str(config), PRESETS)
        allowed = f"{error.allowed}; or a preset: {', '.join(PRESETS)}"
        raise ConfigError(error.what, allowed=allowed, todo=near or error.todo) from error


def has_oscillators(config: str | Path) -> bool:
    """Tell whether a file describes networks of oscillators, or their software peer, which `spinhw train` trains."""
    network = read_yaml(find_config(config)).get("network")
    return isinstance(network, Mapping) and network.get("kind") in ("spintronic", "ctrnn")


def task_of(source: Path) -> FlipFlopSettings | None:
    """Return the task that the networks of a run folder were trained on; None for a file of weights.

    Raises:
        ConfigError: There is no such thing, or the networks do another task.
    """
    if not source.exists():
        raise ConfigError(f"{source}: there is no such run folder or file", todo="check the path")
    if source.suffix in (".yaml", ".yml"):
        raise ConfigError(
            f"{source}: this is a YAML file, which holds no weights",
            allowed="a run folder, or weights as .safetensors or .hdf5",
            todo="name the folder of the run",
        )
    if not source.is_dir():
        return None
    run = RunFolder.open(source, COMMAND)
    if has_oscillators(run.config):
        raise ConfigError(
            f"{source}: the analysis is of recurrent networks in software",
            seen="networks of oscillators",
            allowed="tanh, gru or lstm",
            todo="how oscillators do and what they spend is in summary.json of their run",
        )
    task = run.settings_as(FlipFlopRun).task
    if not network_files(run):
        raise ConfigError(f"{source}: this run has not finished", todo=f"finish it with: {run.resume_command}")
    if not isinstance(task, FlipFlopSettings):
        raise ConfigError(
            f"{source}: the analysis is of flip-flop networks",
            seen=f"task {task.kind}",
            allowed="task flipflop",
            todo="its scores are in summary.json",
        )
    return task


def network_files(folder: RunFolder) -> list[Path]:
    """List the networks of a finished run, by seed."""
    return sorted((folder.path / "networks").glob("seed-*.safetensors"), key=lambda path: int(path.stem[5:]))
