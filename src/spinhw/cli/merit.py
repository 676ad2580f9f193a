"""The command that measures figures of merit."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from spinhw.atomic import make_folder, refuse_unwritable
from spinhw.cli.drawing import drawing
from spinhw.cli.terminal import make_console
from spinhw.config import find_recipe
from spinhw.errors import ConfigError
from spinhw.merit.choices import MeritChoices
from spinhw.training import RunFolder, default_folder, load_settings
from spinhw.training.refusals import refuse_missing


def measure_source(
    source: Path,
    device: str | None,
    asked: Mapping[str, Any],
    seeds: Sequence[int] | None,
    overrides: Sequence[str],
    out: Path | None,
) -> None:
    """Measure the networks of a run or a config; print a table, write figures and draw a picture.

    Args:
        source: Run folder or YAML file.
        device: Its profile.
        asked: For `MeritChoices`.
        seeds: Of the networks; None for all.
        overrides: Of the config.
        out: Folder.

    Raises:
        ConfigError: There is no such run or config, or it cannot be measured so.
    """
    choices, run = MeritChoices(**asked), source if source.is_dir() else None
    settings = load_settings(RunFolder.open(source).config if run else source, overrides, device)
    folder = out or run or default_folder(find_recipe(source).with_stem(f"{source.stem}-merit"))
    if run is None and out is None and folder.exists():
        raise ConfigError(f"{folder}: this exists already", todo="choose another folder with --out")
    refuse_missing(settings)
    name = "merit" if settings.device is None else f"merit-{settings.device.id}"
    figures = folder / f"{name}.json"
    refuse_unwritable(figures, "--out")
    from spinhw.merit import measure_merit, write_merit
    from spinhw.report import TerminalProgress, print_merit

    console = make_console()
    with TerminalProgress(console) as progress:
        found = measure_merit(settings, run, choices, seeds, progress)
    print_merit(console, found)
    write_merit(found, figures)
    picture = folder / "figures" / f"{name}.png"
    with drawing(picture, f"the figures are safe in {figures}", "give the same command again"):
        from spinhw.plots.merit import plot_merit

        make_folder(picture.parent)
        plot_merit(found, picture)
    console.print(f"figures:    {figures}, and as CSV beside it", markup=False, soft_wrap=True)
    console.print(f"picture:    {picture}", markup=False, soft_wrap=True)
