"""The command that compares gradients with the device's own."""

from collections.abc import Sequence
from pathlib import Path

from spinhw.atomic import make_folder, refuse_unwritable
from spinhw.cli.drawing import drawing
from spinhw.cli.terminal import make_console, tell_files
from spinhw.config import find_recipe
from spinhw.errors import ConfigError
from spinhw.gradients.names import refuse_unknown_mode
from spinhw.training import RunFolder, RunSettings, default_folder, load_settings
from spinhw.training.refusals import refuse_missing, refuse_unknown_seeds, without_device


def align_source(
    source: Path,
    device: str | None,
    modes: Sequence[str] | None,
    batches: int,
    directions: int,
    overrides: Sequence[str],
    out: Path | None,
    seeds: Sequence[int] | None = None,
) -> None:
    """Compare the gradients of a run or a config with the device's own, print a table and draw a picture.

    Raises:
        ConfigError: There is no such run, config or seed, or it does not fit the device.
    """
    run = source if source.is_dir() else None
    settings = load_settings(RunFolder.open(source).config if run else source, overrides, device)
    folder = out or run or default_folder(find_recipe(source).with_stem(f"{source.stem}-align"))
    if run is None and out is None and folder.exists():
        raise ConfigError(f"{folder}: this exists already", todo="choose another folder with --out")
    for mode in modes or []:
        refuse_unknown_mode(mode)
    if settings.device is None:
        raise without_device()
    refuse_missing(settings)
    refuse_unknown_seeds(settings, seeds or None)
    refuse_unwritable(folder / "alignment.json", "--out")
    from spinhw.report import TerminalProgress, alignment_table
    from spinhw.training import write_alignment
    from spinhw.training.aligning import USUAL, align_run

    console = make_console()
    with TerminalProgress(console) as progress:
        found = align_run(settings, run, modes or USUAL, batches, directions, progress, seeds or None)
    title = _title(settings, found["epochs"], found["reference"])
    console.print(alignment_table(found["cosines"], title))
    numbers = folder / "alignment.json"
    write_alignment(found, numbers)
    picture = folder / "figures" / "alignment.png"
    with drawing(picture, f"the numbers are safe in {numbers}", "give the same command again") as done:
        from spinhw.plots.alignment import plot_alignment

        make_folder(picture.parent)
        plot_alignment(found["cosines"], picture, title)
    tell_files(console, numbers, None if done.failed else picture)


def _title(settings: RunSettings, epochs: int, reference: str) -> str:
    device = "" if settings.device is None else settings.device.id
    kind = "the true gradient" if reference == "truth" else "measured slopes"
    return f"after {epochs} epochs, {kind} of {device}"
