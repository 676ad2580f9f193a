"""The command that compares a network with baselines of its own size."""

from collections.abc import Sequence
from pathlib import Path

from spinhw.atomic import refuse_unwritable, write_atomically
from spinhw.cli.drawing import drawing
from spinhw.cli.terminal import make_console, tell_files
from spinhw.errors import ConfigError
from spinhw.shell import typed
from spinhw.training import Interrupted


def compare_source(
    place: Path,
    models: str | None,
    trials: int,
    spaces: Sequence[str],
    seeds: Sequence[int] | None,
    overrides: Sequence[str],
    out: Path | None,
) -> None:
    """Compare; print a table, write figures and draw a picture.

    Args:
        place: Run folder, YAML file, or name of a recipe.
        models: Names with commas between them; None for all.
        trials: Of each search.
        spaces: What is varied, as MODEL=FILE.
        seeds: That are reported; None for all.
        overrides: Of the recipe, or with a model's name in front of its own settings.
        out: Folder.

    Raises:
        ConfigError: Something is wrong with one of these.
        Interrupted: The user asked to stop; what is finished is kept.
    """
    from spinhw.baselines import NAMES, NETWORK, Source, as_csv, compare
    from spinhw.report import TerminalProgress, baselines_page, print_baselines
    from spinhw.training.interrupt import signals_interrupt

    named = NAMES if models is None else [one.strip() for one in models.split(",") if one.strip()]
    files, (own, changes) = _files(spaces), _by_model(overrides, (*NAMES, NETWORK))
    source = Source(place, own, seeds)
    folder = out or (place / "baselines" if source.run else Path("runs") / f"{source.name}-baselines")
    refuse_unwritable(folder / "baselines.json", "--out")
    console = make_console()
    told = f"{trials} trials of each on development seeds and the validation part" if trials else "settings as they are"
    console.print(f"{', '.join(named)} beside {place}: {told}; into {folder}", markup=False, soft_wrap=True)
    try:
        with signals_interrupt(), TerminalProgress(console) as progress:
            found = compare(
                source, folder, models=named, trials=trials, spaces=files, changes=changes, progress=progress
            )
    except (KeyboardInterrupt, Interrupted) as error:
        command = _command(place, models, trials, spaces, seeds, overrides, folder)
        raise Interrupted("interrupted; what is finished is kept", todo=f"go on with: {command}") from error
    print_baselines(console, found)
    write_atomically(folder / "baselines.csv", as_csv(found).encode())
    write_atomically(folder / "README.md", baselines_page(found).encode())
    picture = folder / "baselines.png"
    with drawing(picture, f"the figures are safe in {folder / 'baselines.json'}", "give the same command again"):
        from spinhw.plots.baselines import plot_baselines

        plot_baselines(found, picture)
    tell_files(console, folder / "baselines.csv", picture)


def _files(spaces: Sequence[str]) -> dict[str, Path]:
    found = {}
    for one in spaces:
        name, equals, file = one.partition("=")
        if not (name and equals and file):
            raise ConfigError(
                "--space: this names no model and file", seen=one, allowed="MODEL=FILE", todo="write esn=myspace.yaml"
            )
        found[name.strip()] = Path(file.strip())
    return found


def _by_model(overrides: Sequence[str], models: Sequence[str]) -> tuple[list[str], dict[str, list[str]]]:
    """Part overrides of the recipe from those of a model, such as esn.density=0.2."""
    own, changes = [], dict[str, list[str]]()
    for one in overrides:
        name, dot, rest = one.partition(".")
        if dot and name.strip() in models:
            changes.setdefault(name.strip(), []).append(rest)
        else:
            own.append(one)
    return own, changes


def _command(
    place: Path,
    models: str | None,
    trials: int,
    spaces: Sequence[str],
    seeds: Sequence[int] | None,
    overrides: Sequence[str],
    folder: Path,
) -> str:
    """Write the command that goes on."""
    words = [typed(place), f"--trials {trials}"]
    words += [] if models is None else [f"--models {typed(models)}"]
    words += [f"--space {typed(one)}" for one in spaces]
    words += [f"--seed {one}" for one in seeds or ()]
    words += [f"--set {typed(one)}" for one in overrides]
    return " ".join(["spinhw baselines", *words, f"--out {typed(folder)}"])
