"""What the flip-flop commands do and print."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spinhw.atomic import refuse_unwritable
from spinhw.cli.terminal import make_console
from spinhw.errors import ConfigError
from spinhw.flipflop.load import COMMAND, load_flipflop, task_of
from spinhw.flipflop.settings import FlipFlopRun
from spinhw.shell import typed
from spinhw.training import Interrupted, RunFolder, default_folder
from spinhw.training.interrupt import Interrupt
from spinhw.training.refusals import refuse_other_settings
from spinhw.training.run_folder import exists_already

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from spinhw.flipflop import FlipFlopResults
    from spinhw.flipflop.analysis import Analysis

_IMPORT_TRIALS = 1024


def train_config(config: str, overrides: Sequence[str], out: Path | None) -> None:
    """Train a config into a new run folder and show what came out.

    Raises:
        ConfigError: The folder exists, or something is wrong with the config.
    """
    settings = load_flipflop(config, overrides)
    folder = out or default_folder(Path(config))
    if folder.exists():
        raise exists_already(folder)
    refuse_unwritable(folder / "config.yaml", "--out")
    console = make_console()
    training, network = settings.training, settings.network
    count, units = len(training.seeds), network.units
    console.print(
        f"training {count} {network.kind} {'network' if count == 1 else 'networks'} of {units} units for "
        f"{training.epochs} epochs of {settings.batches} steps into {folder}",
        markup=False,
        soft_wrap=True,
    )
    from spinhw.flipflop import train_flipflop
    from spinhw.report import TerminalProgress

    with TerminalProgress(console) as progress:
        results = train_flipflop(settings, folder, progress)
    _show(console, results)


def resume_config(config: str, overrides: Sequence[str], out: Path | None, folder: Path) -> None:
    """Go on with a run and show what came out.

    Raises:
        ConfigError: The config is another one than the run was started with, or --out was given too.
    """
    if out is not None:
        raise ConfigError("--out and --resume do not go together", todo="leave out --out; the run stays in its folder")
    settings, opened = load_flipflop(config, overrides), RunFolder.open(folder, COMMAND)
    console = make_console()
    refuse_other_settings(opened, opened.settings_as(FlipFlopRun), settings)
    from spinhw.flipflop import resume_flipflop
    from spinhw.report import TerminalProgress

    with TerminalProgress(console) as progress:
        results = resume_flipflop(folder, settings, progress)
    _show(console, results)


def analyse_source(source: Path, out: Path | None, trials: int | None, networks: int) -> None:
    """Analyse a run or a file of weights, and show what was found."""
    task_of(source)
    from spinhw.flipflop.examine import examine, find_subject
    from spinhw.report import TerminalProgress

    subject, console = find_subject(source), make_console()
    folder = out or subject.folder
    refuse_unwritable(folder / "index.html", "--out")
    with TerminalProgress(console) as progress, Interrupt() as interrupt:

        def tell(name: str, done: int, total: int) -> None:
            progress.on_evaluation(f"analysing {name}", done, total)
            if interrupt.requested:
                raise Interrupted("the analysis was interrupted", todo="give the same command again")

        analyses = examine(subject, folder, tell, trials, networks)
    for one in analyses:
        console.print(_findings(one))
    console.print(f"page:       {folder / 'index.html'}", markup=False, soft_wrap=True)


def find_smallest(config: str, units: str, overrides: Sequence[str], folder: Path) -> None:
    """Train networks of several sizes and show which do the task.

    Raises:
        ConfigError: The sizes are no list of numbers, or something is wrong with the config.
    """
    try:
        sizes = [int(one) for one in units.split(",")]
    except ValueError as error:
        raise ConfigError("--units: no list of numbers", seen=units, allowed="such as 4,8,16") from error
    runs = [load_flipflop(config, [*overrides, f"network.units={one}"]) for one in sizes]
    refuse_unwritable(folder / "smallest.png", "--out")
    console = make_console()
    from rich.table import Table

    from spinhw.flipflop.smallest import smallest, train_sizes
    from spinhw.report import TerminalProgress
    from spinhw.tasks.trial_settings import HOLD_STEPS

    with TerminalProgress(console) as progress:
        found = train_sizes(runs, folder, progress)
    table = Table("units", "end with every sign right", f"hold {HOLD_STEPS} steps", "seeds that do the task")
    for one in found:
        right, held = (", ".join(f"{100 * share:.0f} %" for share in shares) for shares in (one.bits_right, one.held))
        table.add_row(str(one.units), right, held, f"{one.done} of {len(one.bits_right)}")
    console.print(table)
    least, sure = (smallest(found, every=every) for every in (False, True))
    console.print(f"smallest that does the task with one seed: {least or 'none'}; with every seed: {sure or 'none'}")
    console.print(f"picture:    {folder / 'smallest.png'}", markup=False, soft_wrap=True)


def import_weights(source: Path, out: Path | None) -> None:
    """Read Keras weights, score them on the published task, and write them.

    Raises:
        ConfigError: The file to write exists, or the weights cannot be read.
    """
    target = out or Path(f"{source.stem}.safetensors")
    if target.exists():
        raise ConfigError(f"{target}: this exists already", todo="name another file with --out")
    if not source.exists():
        raise ConfigError(f"{source}: there is no such file", todo="check the path")
    refuse_unwritable(target, "--out")
    from spinhw.flipflop import read_keras, save_network
    from spinhw.flipflop.scoring import measure
    from spinhw.tasks import FlipFlopSettings
    from spinhw.tasks.trial_task import measuring_trials

    network, console = read_keras(source), make_console()
    save_network(target, network, {"imported": source.name})
    size = network.settings
    console.print(f"{size.units} units, {size.inputs} inputs, {size.outputs} outputs into {target}", markup=False)
    if size.inputs == size.outputs <= 8:
        task = FlipFlopSettings.published(bits=size.inputs)
        found = measure(network, measuring_trials(task, _IMPORT_TRIALS, "final"))
        console.print(
            f"on {_IMPORT_TRIALS} fresh trials of the published task: mean squared error {found.mse:.4f}, "
            f"{100 * found.settled:.1f} % settled"
        )


def _show(console: "Console", results: "FlipFlopResults") -> None:
    from rich.table import Table

    summary = results.summary
    table = Table(
        title=f"{summary['network']}, {summary['units']} units, {summary['task']}, {len(summary['seeds'])} seeds",
        show_header=False,
    )
    for name, value in _rows(summary):
        table.add_row(name, value)
    console.print(table)
    learned = summary["learned"]
    lost = [seed for seed, well in zip(summary["seeds"], learned, strict=True) if not well]
    if lost:
        console.print(
            f"[bold yellow]mind:[/] seed {', '.join(map(str, lost))} has not learned the task. What usually helps: "
            "more training.epochs; a training.optimiser.learning_rate near 0.04 / units (larger ones get stuck on some "
            "of the bits); at least 200 network.units; training.optimiser.gradient_norm 1 where the loss jumps"
        )
    console.print(f"run folder: {results.folder}", markup=False, soft_wrap=True)
    if summary["task"] == "flipflop":
        console.print(f"next:       spinhw flipflop analyse {typed(results.folder)}", markup=False, soft_wrap=True)


def _rows(summary: Mapping[str, Any]) -> list[tuple[str, str]]:
    from spinhw.report import figure_text
    from spinhw.training.measures import measure_named

    shares = [measure_named(name) for name in ("signs", "settled", "bits_right", "final")]
    mse = summary["mse"]
    spread = "" if mse["std"] is None else f" ± {mse['std']:.4f}"
    return [
        ("mean squared error, fresh trials", f"{mse['mean']:.4f}{spread}"),
        *[(one.called, figure_text(one, summary[one.name])) for one in shares],
        *_more_rows(summary),
        ("best after steps", ", ".join(map(str, summary["best_step"]))),
        ("training took", f"{summary['wall_s']:.0f} s"),
    ]


def _more_rows(summary: Mapping[str, Any]) -> list[tuple[str, str]]:
    if "held" not in summary:
        return []
    from spinhw.report import figure_text
    from spinhw.training.measures import measure_named

    return [
        (f"trials that hold for {summary['hold_steps']} steps", figure_text(measure_named("held"), summary["held"]))
    ]


def _findings(found: "Analysis") -> "Table":
    from rich.markup import escape
    from rich.table import Table

    table = Table(title=escape(found.name), show_header=False)
    score, points, hold, shape = found.score, found.points, found.hold, found.spectrum
    table.add_row("mean squared error", f"{score.mse:.4f}")
    table.add_row("right signs, settled", f"{100 * score.signs:.2f} %, {100 * score.settled:.2f} %")
    table.add_row("Euclidean distance at the end", f"{score.distance:.3f}")
    right = sum(one.correct for one in found.memories)
    table.add_row("states right after their hold", f"{right} of {len(found.memories)}")
    if shape is not None:
        table.add_row("eigenvalues of W", f"{shape.beyond} beyond 1.02, largest {shape.radius:.3f}")
        table.add_row("Henrici number", f"{shape.henrici:.4f}")
    angles = ", ".join(f"{angle:.0f}" for angle in found.cube.angles_deg.tolist())
    table.add_row("cube", f"R² {found.cube.r_squared:.3f}, angles {angles} degrees")
    table.add_row(
        "fixed points",
        f"{len(points.states)}: {int(points.memories().sum())} memories, "
        f"{int(points.spurious().sum())} spurious stable, "
        f"{int((~points.stable).sum())} saddles",
    )
    lost = "" if hold.spurious is None else f"; {100 * hold.spurious:.2f} % end in a spurious state"
    table.add_row(f"held {hold.steps} steps", f"{100 * hold.held:.1f} % of {hold.trials} trials{lost}")
    return table
