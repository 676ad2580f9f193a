"""The command that goes from data to a first answer."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from spinhw.atomic import refuse_unwritable, write_atomically
from spinhw.cli.drawing import drawing
from spinhw.cli.terminal import make_console
from spinhw.errors import ConfigError, nearest
from spinhw.proposal import Proposal, Said, proposed
from spinhw.proposal.asked import Layout, in_words_of_options
from spinhw.shell import typed
from spinhw.tasks.series.settings import AnswerKind
from spinhw.training import RunResults, RunSettings, default_folder
from spinhw.training.refusals import refuse_missing
from spinhw.training.run_folder import exists_already

if TYPE_CHECKING:
    from rich.console import Console

    from spinhw.baselines import Baseline
    from spinhw.report.first_answer import Reached


def asked_of(
    file: Path, test: Path | None, layout: str | None, answers: str | None, columns: Mapping[str, str | None]
) -> Said:
    """Make what was asked of the options, as they were typed.

    Raises:
        ConfigError: An option is none of its words.
    """
    for option, word, words in (("--layout", layout, get_args(Layout)), ("--answers", answers, get_args(AnswerKind))):
        if word is not None and word not in words:
            raise ConfigError(f"{option}: no such word", seen=word, allowed=", ".join(words), todo=nearest(word, words))
    several = {key: tuple((columns[key] or "").split(",")) if columns[key] else () for key in ("target", "inputs")}
    single = {key: columns[key] for key in ("sequence", "time", "group")}
    return Said(file, **several, **single, layout=layout, answers=answers, test_file=test)  # type: ignore[arg-type]


def try_data(asked: Said, seeds: int | None, overrides: Sequence[str], out: Path | None) -> None:
    """Propose a recipe for data, train it small, and show what came of it beside a linear model.

    Args:
        asked: The data, and what was said of them.
        seeds: Networks side by side; None for as many as the amount of data allows.
        overrides: Of the recipe.
        out: Run folder, which must not exist; None for a new one under ``runs``.

    Raises:
        ConfigError: The folder exists, or something is wrong with the data.
    """
    folder = out or default_folder(Path(f"{asked.name}.yaml"))
    if folder.exists():
        raise exists_already(folder)
    refuse_unwritable(folder / "config.yaml", "--out")
    found = proposed(asked, overrides, seeds)
    settings = _on_validation(found.settings)
    with in_words_of_options():
        refuse_missing(settings)
    console = make_console()
    _announce(console, asked, found, folder)
    from spinhw.report import TerminalProgress
    from spinhw.training import train

    with TerminalProgress(console) as progress:
        results = train(settings, folder, progress)
    recipe = folder / f"{asked.name}.yaml"
    write_atomically(recipe, found.to_yaml(_head(asked, recipe)).encode())
    _show(console, results)
    _show_pictures(console, results)
    _show_next(console, recipe, folder, results)


def _on_validation(settings: RunSettings) -> RunSettings:
    """Return a run that leaves the test part alone."""
    training = settings.training.model_copy(update={"final_part": "validation"})
    return RunSettings(**(dict(settings) | {"training": training}))


def _announce(console: "Console", asked: Said, found: Proposal, folder: Path) -> None:
    from spinhw.report.first_answer import print_rows, print_what_was_read

    print_what_was_read(console, asked.file.name, found.settings.task.facts())
    print_rows(
        console,
        "taken so, since nobody said otherwise",
        [(one.what, f"{one.taken} ({one.option})" if one.option else one.taken) for one in found.inferred],
    )
    print_rows(
        console,
        "proposed, by the rules of Plouet et al. 2024, section IV",
        [(rule.name, f"{rule.value}: {rule.why}") for rule in found.rules],
    )
    for text in found.doubts:
        console.print(f"mind: {text}", markup=False, soft_wrap=True)
    training, layers = found.settings.training, found.settings.network.layers
    count = len(training.seeds)
    several = f"{count} networks side by side" if count > 1 else "one network"
    neurons = " + ".join(map(str, layers))
    console.print(
        f"training {several}, {neurons} neurons each, {training.epochs} epochs, into {folder}",
        markup=False,
        soft_wrap=True,
    )
    console.print("(the first run on a machine compiles the integrator: about twenty seconds before the bar moves)")


def _head(asked: Said, recipe: Path) -> str:
    return (
        f"A first recipe for {asked.file.name}, proposed by spinhw try. What trains it, and measures it on the test "
        f"part:\n\n  spinhw train {typed(recipe)}\n"
    )


def _show(console: "Console", results: RunResults) -> None:
    from spinhw.report.first_answer import difference_text, energy_text, print_reached, verdict
    from spinhw.report.tables import warnings
    from spinhw.training.measures import measure_of, noun_of

    summary, measure = results.summary, measure_of(results.summary)
    count, noun = summary["held_out_sequences"], noun_of(summary)
    network, linear, guess, apart = _reached(results)
    word = "window" if results.settings.task.facts()["window"]["samples"] else noun
    title = f"{measure.called} on the {count} {word}s of the validation part"
    title += "; the test part was not looked at" if "test" in results.settings.task.parts else ""
    print_reached(console, measure, title, (network, linear, guess))
    for text in (
        f"  95 % interval: for {len(summary['seeds'])} seeds and {count} {word}s; both count",
        f"  {difference_text(measure, network, linear, apart, word)}",
        f"  so {verdict(measure, network, linear, guess, apart, f'{count} {word}s')}",
        f"  I dt of the trained networks: {_drive(results):.2g} (the rule: about 1)",
        f"energy: {energy_text(results.energy, noun)}",
    ):
        console.print(text, markup=False, soft_wrap=True)
    for warning in warnings({**summary, "held_out": "test"}):  # What part it is has been said.
        console.print(f"mind: {warning}", markup=False, soft_wrap=True)


def _reached(results: RunResults) -> "tuple[Reached, Reached, Reached, list[float]]":
    """Measure the baselines on the same part of the same data.

    Returns network, linear model and plain guess, and the 95 % interval of network less linear model: pair by pair, of
    the same seeds and the same sequences.
    """
    import numpy as np

    from spinhw.baselines import Baseline, linear_baseline, plain_guess
    from spinhw.report.first_answer import Reached
    from spinhw.training.measures import measure_of
    from spinhw.training.sampling import (
        independent_answers,
        interval_of_difference,
        interval_of_error,
        interval_of_share,
        spread_over_sequences,
    )

    settings, summary = results.settings, results.summary
    measure, count, seeds = measure_of(summary), summary["held_out_sequences"], settings.training.seeds
    per_seed = summary[f"{measure.name}_converged"]["per_seed"]
    overlap = _overlap(settings.task.facts()["window"])

    draws = float(count)
    if settings.task.per_step and measure.is_share:
        draws = independent_answers(results.predictions, float(np.mean(per_seed)), count) / overlap

    def other(found: Baseline, name: str) -> Reached:
        about = found.about.partition(";")[0].partition(",")[0]
        bounds = interval_of_share(found.values, draws) if measure.is_share else None
        return Reached(name, float(np.mean(found.values)), bounds, about)

    if measure.is_share:
        bounds = interval_of_share(per_seed, draws)
    else:
        bounds = interval_of_error(per_seed, overlap**0.5 * spread_over_sequences(results.predictions))
    size = f"{summary['neurons']} oscillators, {summary['synapses']} synapses"
    always = "the largest class" if measure.is_share else "the mean"
    linear = linear_baseline(settings.task, seeds, settings.final_part)
    differences = [one - its for one, its in zip(per_seed, linear.values, strict=True)]
    return (
        Reached("network", float(np.mean(per_seed)), bounds, size),
        other(linear, "linear"),
        other(plain_guess(settings.task, seeds, settings.final_part), always),
        interval_of_difference(differences, overlap**0.5 * _spread_apart(results, linear)),
    )


def _spread_apart(results: RunResults, linear: "Baseline") -> float:
    """Return by how much network less linear model varies over choices of the same sequences."""
    from spinhw.tasks import Feed
    from spinhw.training.held_out import first_held_out
    from spinhw.training.predictions import predictions_of
    from spinhw.training.sampling import spread_of_difference

    if linear.answer is None:
        raise ValueError("a linear model that was fitted keeps its answers")
    settings = results.settings
    task, count = settings.task.open(Feed(settings.training.batch_size)), len(results.predictions.answered)
    batch = first_held_out(task, settings.training.seeds[:1], settings.final_part, count)
    return spread_of_difference(results.predictions, predictions_of(linear.answer(batch), batch))


def _overlap(window: Mapping[str, int | None]) -> float:
    """Return in how many windows a sample counts, in the mean: they are so many times less independent."""
    samples, stride = window["samples"], window["stride"]
    return 1.0 if samples is None or stride is None else max(1.0, (samples - (window["washout"] or 0)) / stride)


def _drive(results: RunResults) -> float:
    """Return the mean I dt of the trained networks."""
    import numpy as np

    from spinhw.studies.outcome import mean_weights
    from spinhw.training import open_run

    network, settings = open_run(results.folder).network, results.settings
    per_weight = settings.network.drive_per_weight(settings.task.sample_interval_s)
    return per_weight * float(np.mean(mean_weights(network.member_values(), network.masks())))


def _show_pictures(console: "Console", results: RunResults) -> None:
    folder = results.folder / "figures"
    figures: dict[str, Path] = {}
    with drawing(folder, f"the results are safe in {results.folder / 'summary.json'}", "draw them with --resume"):
        from spinhw.plots import draw_run

        figures = draw_run(results, folder)
    first = figures.get("confusion") or figures.get("prediction")
    if first is not None:
        console.print(f"picture: {first}, and overview.png beside it", markup=False, soft_wrap=True)


def _show_next(console: "Console", recipe: Path, folder: Path, results: RunResults) -> None:
    console.print(f"recipe: {recipe}", markup=False, soft_wrap=True)
    console.print("next, edit the recipe and go on:", markup=False)
    commands = [
        (f"spinhw train {typed(recipe)}", "trains it again, and looks at the test part"),
        (f"spinhw evaluate {typed(folder)} --device imperfect-chip", "measures these networks on a chip with faults"),
        (f"spinhw baselines {typed(folder)}", "compares them with models that are searched as well: GRU, echo state"),
    ]
    if "test" not in results.settings.task.parts:
        commands[0] = (commands[0][0], "trains it again")
    for command, what in commands:
        console.print(f"  {command}    # {what}", markup=False, soft_wrap=True)
