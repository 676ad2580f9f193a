"""The commands. Only declarations stand here: what does the work is imported when a command runs."""

from pathlib import Path
from typing import Annotated

import typer

from spinhw import __version__
from spinhw.cli.flipflop import flipflop, refuse_lone_keys
from spinhw.cli.usage import HintingGroup

app = typer.Typer(
    name="spinhw",
    cls=HintingGroup,
    help="Train dynamical networks of spintronic oscillators, on a simulator or on the bench.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)

Sets = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Change one key of the config, such as training.epochs=5.",
        callback=refuse_lone_keys,
    ),
]
Out = Annotated[Path | None, typer.Option("--out", help="Run folder; must not exist. Default: runs/NAME-TIME.")]
Note = Annotated[
    str, typer.Option("--note", help="Written down with the results: temperature, field, purpose; see also run.sample.")
]
Seeds = Annotated[list[int] | None, typer.Option("--seed", help="Only the network of this seed; may be repeated.")]
DeviceName = Annotated[
    str | None, typer.Option("--device", metavar="FILE_OR_NAME", help="Device profile: a file or a shipped name.")
]


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"spinhw {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Say the version.")
    ] = False,
) -> None:
    pass


@app.command()
def demo(out: Out = None, sets: Sets = None) -> None:
    """Train ten networks on sequential digits in a minute or two: accuracy, energy and pictures.

    Example: [bold]spinhw demo[/]
    """
    from spinhw.cli.training import train_config
    from spinhw.config import shipped

    train_config(shipped("examples") / "demo.yaml", None, sets or [], out)


@app.command("try")
def try_(
    file: Annotated[
        Path,
        typer.Argument(metavar="DATA", help="CSV, Parquet, NPZ, NetCDF or .ts file, a folder of WAV, or aeon:NAME."),
    ],
    target: Annotated[
        str | None, typer.Option("--target", metavar="COLUMN", help="What is to be answered; several with commas.")
    ] = None,
    sequence: Annotated[
        str | None, typer.Option("--sequence", metavar="COLUMN", help="Which sequence a row belongs to.")
    ] = None,
    time: Annotated[str | None, typer.Option("--time", metavar="COLUMN", help="Times of the samples.")] = None,
    group: Annotated[
        str | None, typer.Option("--group", metavar="COLUMN", help="Whom a sequence is from; held out whole.")
    ] = None,
    inputs: Annotated[
        str | None, typer.Option("--inputs", metavar="COLUMNS", help="Inputs, with commas. Default: all the rest.")
    ] = None,
    layout: Annotated[
        str | None, typer.Option("--layout", help="A row is one of the 'samples', or of the 'sequences'.")
    ] = None,
    answers: Annotated[
        str | None, typer.Option("--answers", help="'class', 'values', 'class_per_step' or 'values_per_step'.")
    ] = None,
    test: Annotated[Path | None, typer.Option("--test", help="Test part, if it is a file of its own.")] = None,
    seeds: Annotated[int | None, typer.Option("--seeds", min=1, help="Networks that are trained side by side.")] = None,
    sets: Sets = None,
    out: Out = None,
) -> None:
    """Go from your data to a first answer in a minute: proposes a recipe, trains it small, compares.

    Example: [bold]spinhw try mydata.csv --target label[/]
    """
    from spinhw.cli.trying import asked_of, try_data

    columns = {"target": target, "inputs": inputs, "sequence": sequence, "time": time, "group": group}
    try_data(asked_of(file, test, layout, answers, columns), seeds, sets or [], out)


@app.command()
def train(
    config: Annotated[Path, typer.Argument(help="YAML file of the run, such as examples/digits.yaml.")],
    device: DeviceName = None,
    sets: Sets = None,
    out: Out = None,
    resume: Annotated[Path | None, typer.Option("--resume", help="Run folder to go on with, bit for bit.")] = None,
    new_run: Annotated[
        bool, typer.Option("--new-run", help="With --resume: go on in a new folder; the old one stays as it is.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would be measured and how long it takes.")
    ] = False,
    note: Note = "",
) -> None:
    """Train a run; with --device also measure the trained networks on that device.

    Example: [bold]spinhw train examples/digits.yaml --set training.epochs=5 --out runs/short[/]
    """
    from spinhw.cli.training import resume_config, show_budget, train_config

    if dry_run:
        show_budget(config, device, sets or [], resume)
    elif resume is None and not new_run:
        train_config(config, device, sets or [], out, note)
    else:
        resume_config(config, device, sets or [], out, resume, new_run, note)


@app.command()
def evaluate(
    run: Annotated[Path, typer.Argument(help="Run folder.")],
    device: DeviceName = None,
    chips: Annotated[
        int | None, typer.Option("--chips", min=1, help="So many simulated chips, ID-0, ID-1, ..., for every network.")
    ] = None,
    seeds: Seeds = None,
    generate: Annotated[
        int | None,
        typer.Option("--generate", min=1, help="Let networks go on by themselves for so many samples, by simulation."),
    ] = None,
    resonators: Annotated[
        Path | None,
        typer.Option(
            "--resonators", help="Record of the chip's chains, or a folder of them: networks are tuned for it."
        ),
    ] = None,
    note: Note = "",
) -> None:
    """Measure the networks of a run again, by simulation and on a device; or on many simulated chips.

    With --generate the answers of a network that foretells its own inputs become the next ones.

    Example: [bold]spinhw evaluate runs/short --device imperfect-chip --chips 20[/]
    """
    from spinhw.cli.training import evaluate_folder, evaluate_folder_on_chips, generate_from_folder

    if resonators is not None and (generate is not None or chips is not None):
        raise typer.BadParameter("--resonators goes with neither --generate nor --chips")
    if generate is not None:
        generate_from_folder(run, generate, device, chips, note, seeds)
    elif chips is None:
        evaluate_folder(run, device, note, seeds, resonators)
    else:
        evaluate_folder_on_chips(run, device, chips, note, seeds)


@app.command()
def align(
    source: Annotated[Path, typer.Argument(metavar="RUN_OR_CONFIG", help="Run folder or YAML file.")],
    device: DeviceName = None,
    modes: Annotated[
        list[str] | None, typer.Option("--mode", help="Gradient to compare; may be repeated. Default: the usual ones.")
    ] = None,
    batches: Annotated[int, typer.Option("--batches", min=1, help="Batches to average over.")] = 8,
    directions: Annotated[
        int, typer.Option("--directions", min=2, help="Random directions of a batch, on a bench.")
    ] = 16,
    seeds: Seeds = None,
    sets: Sets = None,
    out: Annotated[Path | None, typer.Option("--out", help="Folder for numbers and picture.")] = None,
) -> None:
    """Compare gradients with the device's own: the cosine of each mode, with error bars and a picture.

    Example: [bold]spinhw align runs/short --device imperfect-chip[/]
    """
    from spinhw.cli.alignment import align_source

    align_source(source, device, modes, batches, directions, sets or [], out, seeds)


@app.command()
def merit(
    source: Annotated[Path, typer.Argument(metavar="RUN_OR_CONFIG", help="Run folder or YAML file.")],
    device: DeviceName = None,
    sequences: Annotated[int, typer.Option("--sequences", help="Random sequences, 4 or more.")] = 40,
    samples: Annotated[int, typer.Option("--samples", help="Samples of each, those of the washout counted.")] = 200,
    washout: Annotated[int, typer.Option("--washout", help="Samples at its beginning that do not count.")] = 50,
    neurons: Annotated[
        str, typer.Option("--neurons", help="'last' (layer, which the read-out sees) or 'all'.")
    ] = "last",
    tolerance: Annotated[
        float, typer.Option("--tolerance", help="Singular values from this share of the largest on count for a rank.")
    ] = 1e-3,
    averages: Annotated[int, typer.Option("--averages", help="Shots on a device over which states are averaged.")] = 1,
    seeds: Annotated[
        list[int] | None, typer.Option("--seed", help="Only the network of this seed; may be repeated.")
    ] = None,
    sets: Sets = None,
    out: Annotated[Path | None, typer.Option("--out", help="Folder for figures and picture.")] = None,
) -> None:
    """Measure what networks remember and compute: memory and processing capacity, ranks, NARMA-10.

    Example: [bold]spinhw merit digits --device imperfect-chip --seed 0[/]
    """
    from spinhw.cli.merit import measure_source

    asked = {
        "sequences": sequences,
        "samples": samples,
        "washout": washout,
        "neurons": neurons,
        "tolerance": tolerance,
        "averages": averages,
    }
    measure_source(source, device, asked, seeds or None, sets or [], out)


@app.command()
def baselines(
    source: Annotated[Path, typer.Argument(metavar="RUN_OR_CONFIG", help="Run folder or YAML file.")],
    trials: Annotated[
        int, typer.Option("--trials", min=0, help="Trials of each model; 0 takes its settings as they are.")
    ] = 20,
    models: Annotated[
        str | None,
        typer.Option("--models", help="Of linear, esn, gru, ctrnn, and spintronic to search the recipe's own too."),
    ] = None,
    spaces: Annotated[
        list[str] | None,
        typer.Option("--space", metavar="MODEL=FILE", help="YAML file of what to vary of a model; may be repeated."),
    ] = None,
    seeds: Annotated[
        list[int] | None, typer.Option("--seed", help="Only the networks of this seed; may be repeated.")
    ] = None,
    sets: Sets = None,
    out: Annotated[Path | None, typer.Option("--out", help="Folder; what is there already is not done again.")] = None,
) -> None:
    """Compare a network with baselines of its own size: linear, echo-state network, GRU, CTRNN, and the plain guess.

    Each is searched with as many trials on development seeds and the validation part, then trained with the seeds of
    the run and measured once. A comparison that is interrupted goes on when the same command is given again.

    Example: [bold]spinhw baselines runs/mine --trials 20[/]
    """
    from spinhw.cli.baselines import compare_source

    compare_source(source, models, trials, spaces or [], seeds or None, sets or [], out)


@app.command()
def energy(
    source: Annotated[Path, typer.Argument(metavar="RUN_OR_CONFIG", help="Run folder or YAML file.")],
    sets: Sets = None,
) -> None:
    """Account for the energy of one inference, line by line.

    Example: [bold]spinhw energy examples/digits.yaml --set "energy.rest=36 ns"[/]
    """
    from spinhw.cli.inspection import show_energy

    show_energy(source, sets or [])


@app.command()
def check(
    device: Annotated[str, typer.Option("--device", metavar="FILE_OR_NAME", help="Device profile.")],
    play: Annotated[
        bool, typer.Option("--play", help="Run the contract at a bench: its outputs are switched on.")
    ] = False,
    config: Annotated[
        Path | None, typer.Option("--config", help="YAML file of a run: its network and sample interval are played.")
    ] = None,
    interval: Annotated[str, typer.Option("--interval", help="Time between samples, without --config.")] = "1 ns",
    verbose: Annotated[
        bool, typer.Option("--verbose", help="Print every message, of the dry run and to and from the bench.")
    ] = False,
) -> None:
    """Check a device. Exit code 3 if something is not as it must be.

    A simulated device: that it keeps every promise that training relies on. A bench is only read: how much a small
    batch would send, who answers, how it is wired, and what is on; with --play it must then keep every promise too.

    Example: [bold]spinhw check --device mybench.yaml --config run.yaml --play[/]
    """
    from spinhw.cli.inspection import check_profile

    check_profile(device, play, config, interval, verbose)


@app.command()
def study(
    name: Annotated[
        str,
        typer.Argument(
            help="headline, ctrnn, fig2b, fig3a, fig3b, fig3c, fig4, all of these, or chip_in_the_loop, averaging, "
            "rf_synapses."
        ),
    ],
    out: Annotated[Path, typer.Option("--out", help="Folder; what is there already is not done again.")] = Path(
        "runs/studies"
    ),
    grid: Annotated[Path | None, typer.Option("--grid", help="YAML file of the grid; shipped by default.")] = None,
    sets: Sets = None,
    jobs: Annotated[int | None, typer.Option("--jobs", min=1, help="Processes; one for each core by default.")] = None,
    cluster: Annotated[
        str | None, typer.Option("--cluster", metavar="ADDRESS", help="Dask scheduler to do the work.")
    ] = None,
) -> None:
    """Repeat a figure of the paper, or compare ways to come to terms with imperfect chips: picture, table, claims.

    A study that is interrupted goes on where it was when the same command is given again.

    Example: [bold]spinhw study fig2b --out runs/studies[/]
    """
    from spinhw.cli.studies import run_study

    run_study(name, out, grid, sets or [], jobs, cluster)


@app.command()
def tune(
    config: Annotated[Path, typer.Argument(help="YAML file of the run that is varied.")],
    space: Annotated[Path | None, typer.Option("--space", help="YAML file of what to vary.")] = None,
    trials: Annotated[int, typer.Option("--trials", min=1, help="Finished trials that there shall be.")] = 50,
    out: Annotated[Path | None, typer.Option("--out", help="Folder; one with trials in it goes on.")] = None,
    storage: Annotated[
        str | None, typer.Option("--storage", metavar="URL", help="Database that several machines share.")
    ] = None,
    sets: Sets = None,
) -> None:
    """Search for better hyper-parameters (Optuna) on development seeds and the validation part.

    Example: [bold]spinhw tune examples/digits_paper.yaml --trials 30 --out runs/tune[/]
    """
    from spinhw.cli.tuning import tune_config

    tune_config(config, space, trials, out, storage, sets or [])


calibration = typer.Typer(
    name="calibrate",
    invoke_without_command=True,
    no_args_is_help=True,
    rich_markup_mode="rich",
)
app.add_typer(calibration)


@calibration.callback()
def calibrate(
    context: typer.Context,
    device: DeviceName = None,
    plan: Annotated[
        str | None,
        typer.Option(
            "--plan",
            help="quick, full, synapses, synapses-quick, chains, chains-quick, or a YAML file of your own.",
        ),
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", help="Record; default: calibration/DEVICE_ID.yaml.")] = None,
    config: Annotated[
        Path | None,
        typer.Option(
            "--config",
            help="Run, its YAML file or folder: gives the nominal neuron, and which resonators chains have.",
        ),
    ] = None,
    member: Annotated[
        int,
        typer.Option("--member", min=0, help="Which chip of a simulated device; of chains, also the network's seed."),
    ] = 0,
    interval: Annotated[str, typer.Option("--interval", help="Time between samples, without --config.")] = "1 ns",
    resonators: Annotated[int, typer.Option("--resonators", min=1, help="Of a simulated chain.")] = 8,
    note: Annotated[str, typer.Option("--note", help="For the record: temperature, field, sample.")] = "",
) -> None:
    """Calibrate oscillators, synapses or chains of a device. What was recorded before an interruption is not repeated.

    Example: [bold]spinhw calibrate --device imperfect-chip --plan quick --out mychip.yaml[/]
    """
    if context.invoked_subcommand is not None:
        return
    if device is None:
        raise typer.BadParameter("name a device: --device FILE_OR_NAME")
    from spinhw.cli.calibration import Asked, calibrate_device

    calibrate_device(Asked(device, plan, out, config, member, interval, resonators, note))


@calibration.command("show")
def calibrate_show(
    record: Annotated[Path, typer.Argument(help="Calibration record.")],
    out: Annotated[Path | None, typer.Option("--out", help="Picture; default: beside the record.")] = None,
) -> None:
    """Print a record and draw its data against its fit.

    Example: [bold]spinhw calibrate show mychip.yaml[/]
    """
    from spinhw.cli.calibration import show_record

    show_record(record, out)


@app.command()
def devices(
    scan: Annotated[bool, typer.Option("--scan", help="Also list the instruments that VISA finds.")] = False,
) -> None:
    """List the shipped device profiles and instrument drivers, and which of them are tested.

    Example: [bold]spinhw devices --scan[/]
    """
    from spinhw.cli.devices import list_devices

    list_devices(scan)


@app.command()
def off(
    device: Annotated[str, typer.Option("--device", metavar="FILE_OR_NAME", help="Bench file.")],
    everything: Annotated[
        bool, typer.Option("--all", help="Bring down what is on and not ours too, without asking.")
    ] = False,
    stop: Annotated[bool, typer.Option("--stop", help="End the spinhw process that has the bench first.")] = False,
) -> None:
    """Bring a bench down: say what is on, ramp it to zero, switch it off, read it back.

    What spinhw is known to have switched on goes down at once; for the rest it asks, or takes --all. What the bench
    file marks as set by hand is left alone. Exit code 3 if something is on still.

    Example: [bold]spinhw off --device mybench.yaml[/]
    """
    from spinhw.cli.off import bring_down

    bring_down(device, everything, stop)


@app.command()
def migrate(
    path: Annotated[
        Path, typer.Argument(metavar="FILE_OR_FOLDER", help="A recipe, a run folder, or a folder of these.")
    ],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be rewritten, and write nothing.")] = False,
) -> None:
    """Rewrite recipes and run folders of older versions; comments stay, and so does a copy of what was there.

    Example: [bold]spinhw migrate myrecipes --dry-run[/]
    """
    from spinhw.cli.migrate import migrate_path

    migrate_path(path, dry_run)


virtual_bench = typer.Typer(no_args_is_help=True, help="A bench that does not exist, for trying things out.")
app.add_typer(virtual_bench, name="virtual-bench")


@virtual_bench.callback()
def _virtual() -> None:
    pass


@virtual_bench.command()
def serve(
    bench: Annotated[str, typer.Argument(metavar="FILE_OR_NAME", help="Virtual bench: a file or a shipped name.")],
    host: Annotated[
        str, typer.Option("--host", help="Address to listen on; others than loopback let the whole network in.")
    ] = "127.0.0.1",
    write: Annotated[
        Path | None, typer.Option("--write", help="Bench file to write: the shipped one with these addresses.")
    ] = None,
) -> None:
    """Serve a virtual bench over TCP until Ctrl-C; prints the VISA address of each instrument.

    Example: [bold]spinhw virtual-bench serve chip --write served.yaml[/]
    """
    from spinhw.cli.bench import serve_bench

    serve_bench(bench, host, write)


app.add_typer(flipflop, name="flipflop")


@app.command()
def schema(
    what: Annotated[
        str,
        typer.Argument(
            help="'run', 'device', 'study', 'loop_study', 'synapse_study', 'tuning', 'record', 'plan' or 'flipflop'."
        ),
    ] = "run",
    out: Annotated[Path | None, typer.Option("--out", help="File to write instead of printing.")] = None,
) -> None:
    """Print the JSON schema of a YAML file, for your editor.

    With --out FILE it is written into a file instead.

    Example: [bold]spinhw schema device --out device.json[/]
    """
    from spinhw.cli.inspection import show_schema

    show_schema(what, out)
