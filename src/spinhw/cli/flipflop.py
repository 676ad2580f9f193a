"""Commands around the flip-flop RNN. Only declarations and what they print stand here."""

from pathlib import Path
from typing import Annotated

import typer

flipflop = typer.Typer(no_args_is_help=True, help="The flip-flop RNN, the software reference: train, analyse, import.")


def refuse_lone_keys(sets: list[str] | None) -> list[str] | None:
    """Refuse `--set KEY VALUE`, which would make an argument of the value, before that is complained of."""
    for one in sets or []:
        if "=" not in one:
            from spinhw.config.overrides import apply_overrides

            apply_overrides({}, [one])
    return sets


Sets = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Change one key of the config, such as network.units=100.",
        callback=refuse_lone_keys,
    ),
]


@flipflop.command()
def train(
    config: Annotated[
        str, typer.Argument(help="YAML file, or a preset: quick, published, best, oscillators.")
    ] = "quick",
    sets: Sets = None,
    out: Annotated[Path | None, typer.Option("--out", help="Run folder; must not exist.")] = None,
    resume: Annotated[Path | None, typer.Option("--resume", help="Run folder to go on with, bit for bit.")] = None,
    device: Annotated[
        str | None, typer.Option("--device", help="Device that trained oscillators go on to learn on: name or file.")
    ] = None,
) -> None:
    """Train recurrent networks on the 3-bit flip-flop or another task, and keep the best of each.

    Example: [bold]spinhw flipflop train quick --out runs/flipflop[/]
    """
    from spinhw.errors import ConfigError
    from spinhw.flipflop.load import find_config, has_oscillators

    if has_oscillators(config):
        from spinhw.cli import training

        path = find_config(config)
        if resume is None:
            training.train_config(path, device, sets or [], out)
        else:
            training.resume_config(path, device, sets or [], out, resume)
        return
    if device is not None:
        raise ConfigError(
            "a device runs networks of kind spintronic, and these are recurrent networks in software",
            seen=f"--device {device}",
            todo="leave out --device, or train the preset 'oscillators'",
        )
    from spinhw.cli.flipflop_work import resume_config, train_config

    if resume is None:
        train_config(config, sets or [], out)
    else:
        resume_config(config, sets or [], out, resume)


@flipflop.command()
def analyse(
    source: Annotated[Path, typer.Argument(metavar="RUN_OR_WEIGHTS", help="Run folder, .safetensors or Keras .hdf5.")],
    out: Annotated[Path | None, typer.Option("--out", help="Folder of the analysis; replaced where it exists.")] = None,
    trials: Annotated[
        int | None, typer.Option("--trials", min=1, help="Trials of the long hold; 256 by default.")
    ] = None,
    networks: Annotated[
        int, typer.Option("--networks", min=1, help="Networks of a run to analyse at most; pictures compare them all.")
    ] = 4,
) -> None:
    """Analyse trained networks: score, eigenvalues, cube, all fixed points, robustness; pictures and one HTML page.

    Example: [bold]spinhw flipflop analyse runs/flipflop[/]
    """
    from spinhw.cli.flipflop_work import analyse_source

    analyse_source(source, out, trials, networks)


@flipflop.command()
def smallest(
    config: Annotated[str, typer.Argument(help="YAML file, or a preset.")] = "smallest",
    units: Annotated[
        str, typer.Option("--units", metavar="N,N,...", help="Numbers of units to try.")
    ] = "4,8,12,16,32,64",
    sets: Sets = None,
    out: Annotated[Path, typer.Option("--out", help="Folder; what is there already is gone on with.")] = Path(
        "runs/smallest"
    ),
) -> None:
    """Find the smallest network that does the task: train networks of several sizes, with a table and a picture.

    Example: [bold]spinhw flipflop smallest --units 4,8,12,16,32,64 --out runs/smallest[/]
    """
    from spinhw.cli.flipflop_work import find_smallest

    find_smallest(config, units, sets or [], out)


@flipflop.command("import")
def import_(
    source: Annotated[Path, typer.Argument(metavar="FILE.hdf5", help="What Keras saved: SimpleRNN and Dense.")],
    out: Annotated[Path | None, typer.Option("--out", help="File to write; must not exist.")] = None,
) -> None:
    """Read the weights of a Keras SimpleRNN, such as the published ones, score them and keep them as safetensors.

    Example: [bold]spinhw flipflop import ff_3b_weights-20.hdf5 --out jarne.safetensors[/]
    """
    from spinhw.cli.flipflop_work import import_weights

    import_weights(source, out)
