"""What is asked of the flip-flop commands: runs, run folders and files of weights, looked at without torch."""

from collections.abc import Sequence
from pathlib import Path

from spinhw.config import build, find_recipe, shipped
from spinhw.errors import ConfigError
from spinhw.flipflop.settings import FlipFlopRun
from spinhw.flipflop.task_settings import FlipFlopSettings
from spinhw.training import RunFolder
from spinhw.training.load import read_with_device

COMMAND = "spinhw flipflop train"
PRESETS = ("quick", "published", "best", "smallest", "oscillators", "perceptual", "context", "match", "parametric")


def load_flipflop(config: str | Path, overrides: Sequence[str] = (), device: str | None = None) -> FlipFlopRun:
    """Read a run from YAML.

    Args:
        config: A file, ``examples/NAME`` among the shipped ones, or one of `PRESETS`.
        overrides: Such as ["training.epochs=5"].
        device: Name or file of a device profile, in place of the file's own.

    Raises:
        ConfigError: One line for each thing that is wrong.
    """
    path = Path(config)
    if str(config) in PRESETS and not path.is_file():
        path = shipped("examples") / "flipflop" / f"{config}.yaml"
    path = find_recipe(path)
    data, left = read_with_device(path, overrides, device)
    return build(FlipFlopRun, data, str(path), left)


def task_of(source: Path) -> FlipFlopSettings | None:
    """Give the task that the networks of a run folder were trained on; None for a file of weights.

    Raises:
        ConfigError: There is no such thing, or the networks do another task.
    """
    if not source.exists():
        raise ConfigError(f"{source}: there is no such run folder or file", todo="check the path")
    if not source.is_dir():
        return None
    run = RunFolder.open(source, COMMAND)
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
