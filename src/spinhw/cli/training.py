"""Commands that train and measure. Settings and paths are looked at before what does the work is imported."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from spinhw.atomic import make_folder, refuse_unwritable
from spinhw.cli.drawing import drawing
from spinhw.cli.terminal import make_console, tell_files
from spinhw.config import find_recipe
from spinhw.device import is_bench, load_device
from spinhw.errors import ConfigError
from spinhw.training import RunFolder, RunSettings, default_folder, load_settings
from spinhw.training.refusals import refuse_missing, refuse_other_settings, refuse_unknown_seeds, simulated
from spinhw.training.run_folder import exists_already

if TYPE_CHECKING:
    from rich.console import Console

    from spinhw.training import RunResults


def train_config(config: Path, device: str | None, overrides: Sequence[str], out: Path | None, note: str = "") -> None:
    """Train a config into a new run folder and show what came out.

    Raises:
        ConfigError: The folder exists, or something is wrong with the config.
    """
    settings = load_settings(config, overrides, device)
    folder, recipe = out or default_folder(config), find_recipe(config)
    if folder.exists():
        raise exists_already(folder)
    refuse_unwritable(folder / "config.yaml", "--out")
    refuse_missing(settings)
    console = make_console()
    if recipe != config:
        console.print(f"the shipped recipe: {recipe}", markup=False, soft_wrap=True)
    from spinhw.report import TerminalProgress
    from spinhw.training import train

    _announce(console, settings, folder)
    if settings.device is not None and is_bench(settings.device):  # People wait beside it.
        _show_budget(console, settings)
    with TerminalProgress(console) as progress:
        results = train(settings, folder, progress, note)
    _show(console, results)


def show_budget(config: Path, device: str | None, overrides: Sequence[str], resume: Path | None) -> None:
    """Show what a run would ask of its device, and what memory its data take, and do nothing.

    Raises:
        ConfigError: Something is wrong with the config, no device is named for a task whose sequences are drawn, or
            --resume was given too.
    """
    if resume is not None:
        raise ConfigError("--dry-run and --resume do not go together", todo="leave out --resume: it tells a whole run")
    settings = load_settings(config, overrides, device)
    console, data = make_console(), settings.task.facts()
    if data:
        from spinhw.report import print_data

        print_data(console, data)
    elif settings.device is None:
        raise ConfigError(f"{config}: no device is named, so nothing would be measured", todo="add --device NAME")
    _show_budget(console, settings)


def resume_config(
    config: Path,
    device: str | None,
    overrides: Sequence[str],
    out: Path | None,
    folder: Path | None,
    new_run: bool = False,
    note: str = "",
) -> None:
    """Go on with a run, in its folder or in a new one, and show what came out.

    Raises:
        ConfigError: No folder is named, the config is another one than the run was started with, --out was given for a
            run that stays in its folder, or the new folder exists.
    """
    if folder is None:
        raise ConfigError("--new-run: there is no run to go on with", todo="name its folder with --resume")
    if out is not None and not new_run:
        raise ConfigError(
            "--out and --resume do not go together",
            todo="leave out --out, and the run stays in its folder; or add --new-run",
        )
    into = (out or default_folder(config)) if new_run else None
    if into is not None and into.exists():
        raise exists_already(into)
    if into is not None:
        refuse_unwritable(into / "config.yaml", "--out")
    settings, opened = load_settings(config, overrides, device), RunFolder.open(folder)
    console = make_console()
    recorded = opened.settings()
    refuse_other_settings(opened, recorded, settings, longer=new_run)
    if opened.summary_file.is_file() and settings.training.epochs == recorded.training.epochs:
        console.print(f"{folder} has finished: it is measured again", markup=False, soft_wrap=True)
    from spinhw.report import TerminalProgress
    from spinhw.training import resume

    with TerminalProgress(console) as progress:
        results = resume(folder, settings, progress, note, into)
    _show(console, results)


def evaluate_folder(
    folder: Path,
    device: str | None,
    note: str = "",
    seeds: Sequence[int] | None = None,
    resonators: Path | None = None,
) -> None:
    """Measure the networks of a run and show what came out."""
    profile, opened = (None if device is None else load_device(device)), RunFolder.open(folder)
    console = make_console()
    refuse_unknown_seeds(opened.settings(), seeds or None)
    from spinhw.report import TerminalProgress, print_evaluation
    from spinhw.training import evaluate

    with TerminalProgress(console) as progress:
        found = evaluate(folder, profile, progress, note, seeds or None, resonators=resonators)
    print_evaluation(console, found)


def evaluate_folder_on_chips(
    folder: Path, device: str | None, chips: int, note: str = "", seeds: Sequence[int] | None = None
) -> None:
    """Measure the networks of a run on many chips; print a table, write figures and draw a picture.

    Raises:
        ConfigError: The device is not a simulated one.
    """
    profile = None if device is None else load_device(device)
    settings = RunFolder.open(folder).settings()
    simulated(profile or settings.device)
    refuse_unknown_seeds(settings, seeds or None)
    console = make_console()
    from spinhw.report import TerminalProgress, transfer_table
    from spinhw.training import evaluate_on_chips, write_transfer

    with TerminalProgress(console) as progress:
        found = evaluate_on_chips(folder, chips, profile, progress, note, seeds or None)
    console.print(transfer_table(found))
    numbers = folder / f"transfer-{found['device']}.json"
    write_transfer(found, numbers)
    picture = folder / "figures" / f"{numbers.stem}.png"
    with drawing(picture, f"the numbers are safe in {numbers}", "give the same command again") as outcome:
        from spinhw.plots.transfer import plot_transfer

        make_folder(picture.parent)
        plot_transfer(found, picture)
    tell_files(console, numbers, None if outcome.failed else picture)


def generate_from_folder(
    folder: Path,
    count: int,
    device: str | None,
    chips: int | None,
    note: str = "",
    seeds: Sequence[int] | None = None,
) -> None:
    """Let the networks of a run go on by themselves; print how far they follow, write figures and draw a picture.

    Raises:
        ConfigError: A device is named, or the networks foretell something else than their inputs.
    """
    from spinhw.training.generation import refuse_device

    settings = RunFolder.open(folder).settings()
    if device is not None or chips is not None:
        asked = f"--chips {chips}" if device is None else f"--device {device}"
        refuse_device(settings, count, len(seeds or settings.training.seeds), asked)
    console = make_console()
    from spinhw.report import TerminalProgress, generation_table
    from spinhw.training import generate_run, write_generation

    with TerminalProgress(console) as progress:
        made = generate_run(folder, count, progress, note, seeds or None)
    console.print(generation_table(made.found))
    figures, picture = folder / "generation.json", folder / "figures" / "generation.png"
    write_generation(made, figures)
    with drawing(picture, f"the figures are safe in {figures}", "give the same command again"):
        from spinhw.plots.generation import plot_generation

        make_folder(picture.parent)
        plot_generation(made, settings.task.sample_interval_s, picture)
    console.print(f"figures:    {figures}", markup=False, soft_wrap=True)
    console.print(f"picture:    {picture}", markup=False, soft_wrap=True)


def _show_budget(console: "Console", settings: RunSettings) -> None:
    from spinhw.report import print_budget
    from spinhw.training import budget

    found = budget(settings)
    if found is not None:
        print_budget(console, found)


def _announce(console: "Console", settings: RunSettings, folder: Path) -> None:
    training, network = settings.training, settings.network
    count = len(training.seeds)
    networks = f"{count} {network.kind} networks side by side" if count > 1 else f"one {network.kind} network"
    console.print(f"training {networks} for {training.epochs} epochs into {folder}", markup=False, soft_wrap=True)
    console.print("(the first run on a machine compiles the integrator: about twenty seconds before the bar moves)")


def _show(console: "Console", results: "RunResults") -> None:
    from spinhw.report import print_figures, print_run

    print_run(console, results.summary, results.folder)
    folder = results.folder / "figures"
    figures: dict[str, Path] = {}
    with drawing(folder, f"the results are safe in {results.folder / 'summary.json'}", "draw them with --resume"):
        from spinhw.plots import draw_run

        figures = draw_run(results, folder)
    print_figures(console, figures)
