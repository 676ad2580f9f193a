"""Tables of what came out: how well, energy, drives, verdicts."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from spinhw.energy import EnergyLedger
from spinhw.training.measures import Measure, measure_named, measure_of, noun_of

if TYPE_CHECKING:
    from spinhw.device.contract import Verdict

# Converged figure and that of the training step may differ by this much, as a share or in standard deviations of the
# right values; more means that the network learned its integrator.
_MOST_GAP = 0.01
# A network has learned where it has come this part of the way from guessing to what is perfect: of ten classes that are
# equally frequent it must then recognise 20 %.
_LEARNED = 1 / 9
_ALARMS = 5  # Of drift that are listed one by one.

# What helps networks that have not learned: all of them, or the read-out alone.
_HELP = {
    False: "more training.epochs or another training.optimiser.learning_rate",
    True: "a larger network.weight_scale or range of inputs, or network.tau nearer to task.sample_interval",
}

_FORMS = {
    "constants": "constants per inference",
    "power": "power times duration",
    "rest": "rest between inferences",
    "readout": "read-out electronics",
    "software": "software arithmetic",
    "measured": "measured",
    "spent": "spent on this bench",
}


def figure_text(measure: Measure, figure: Mapping[str, Any]) -> str:
    """Write a figure over seeds: mean, standard deviation and the bootstrap interval of the mean."""
    if figure["std"] is None:
        return f"{measure.text(figure['mean'])} (one seed)"
    numbers = (figure["mean"], *figure["interval95"])
    mean, low, high = (measure.text(one).removesuffix(measure.unit) for one in numbers)
    return f"{mean} ± {measure.text(figure['std'])}  (95 % interval of the mean {low} to {high})"


_HELD = measure_named("held")


def joules(energy_j: float) -> str:
    """Write an energy with a prefix."""
    for factor, unit in ((1e-15, "fJ"), (1e-12, "pJ"), (1e-9, "nJ"), (1e-6, "µJ"), (1e-3, "mJ")):
        if energy_j < 1000 * factor:
            return f"{energy_j / factor:.2f} {unit}"
    return f"{energy_j:.3g} J"


def print_run(console: Console, summary: Mapping[str, Any], folder: Path) -> None:
    """Print what came out of a run, and what to mind."""
    table = Table(
        title=f"{summary['network']} network, {summary['task']}, {len(summary['seeds'])} seeds", show_header=False
    )
    for name, value in _rows(summary):
        table.add_row(name, escape(value))
    console.print(table)
    for warning in warnings(summary):
        console.print(f"[bold yellow]mind:[/] {escape(warning)}")
    console.print(f"run folder: {escape(str(folder))}", soft_wrap=True)


def print_figures(console: Console, figures: Mapping[str, Path]) -> None:
    """Print where the pictures of a run are."""
    first = figures.get("overview") or next(iter(figures.values()), None)
    if first is not None:
        console.print(f"pictures:   {escape(str(first))} and others beside it", soft_wrap=True)


def _rows(summary: Mapping[str, Any]) -> list[tuple[str, str]]:
    rows = _measured_rows(summary)
    share = summary["drive_saturated_share"]
    return [
        *rows,
        *([(_HELD.called, figure_text(_HELD, summary["held"]))] if "held" in summary else []),
        *_energy_rows(summary),
        ("drive I/gamma", _quantiles(summary["drive_over_gamma"])),
        ("time at the saturation", "no saturation" if share is None else f"{100 * share:.1f} %"),
        *([("read-out", _readout(summary["readout"]))] if "readout" in summary else []),
        *([("drift", _alarms(summary["drift_alarms"]))] if "drift_alarms" in summary else []),
        ("training took", _length(summary)),
    ]


def _readout(facts: Mapping[str, Any]) -> str:
    """Say how a read-out in closed form came about."""
    low, high = min(facts["ridge"]), max(facts["ridge"])
    ridges = f"{low:.2g}" if low == high else f"{low:.2g} to {high:.2g}"
    by = "" if facts["chosen_by"] == "training.ridge" else f" by {facts['chosen_by']}"
    held = ", held up by the limit of the weights" if any(facts["held_by_weight_limit"]) else ""
    left_out = sum(facts["answers_left_out"])
    lost = f"; {left_out} answers with bad samples left out" if left_out else ""
    return f"in closed form, ridge {ridges}{by}{held}; {min(facts['answers'])} answers each{lost}"


def _length(summary: Mapping[str, Any]) -> str:
    took = f"{summary['wall_s']:.0f} s"
    if "on_plateau" not in summary:
        return took
    ended = "on its plateau" if summary["on_plateau"] else "still getting better"
    return f"{took}; ended after {summary['epochs']} epochs, {ended}"


def _alarms(alarms: Sequence[Mapping[str, Any]]) -> str:
    """Count alarms of drift."""
    neurons = len({(alarm["device_id"], alarm["neuron"]) for alarm in alarms})
    return f"alarms {len(alarms)}, neurons {neurons}" if alarms else "no alarm"


def _measured_rows(summary: Mapping[str, Any]) -> list[tuple[str, str]]:
    measure = measure_of(summary)
    name, called = measure.name, measure.called
    converged, coarse = (figure_text(measure, summary[key]) for key in (f"{name}_converged", name))
    if summary.get("in_the_loop", False):
        first, *others = _device_rows(summary)
        return [
            (f"{first[0]} (headline)", first[1]),
            ("these weights on nominal oscillators, converged", converged),
            ("the same, at the training step", coarse),
            *others,
        ]
    rows = [(f"{called} converged (headline)", converged), (f"{called} at the training step", coarse)]
    if "rmse_converged" in summary and name != "rmse":
        rows.append(("RMSE converged", figure_text(measure_named("rmse"), summary["rmse_converged"])))
    return rows + _device_rows(summary) if f"{name}_on_device" in summary else rows


def _device_rows(found: Mapping[str, Any]) -> list[tuple[str, str]]:
    noun, measure = noun_of(found), measure_of(found)
    measured_j = found["device"]["energy_per_image_j"]
    measured = [] if measured_j is None else [(f"energy per {noun}, measured at the supply", joules(measured_j))]
    spent_j = found.get("energy_per_image_spent_here_j")
    spent = [] if spent_j is None else [(f"spent here for {_a(noun)}, in place of the chip", joules(spent_j))]
    figure, held = found[f"{measure.name}_on_device"], found.get("held_on_device")
    holds = [] if held is None else [(f"{_HELD.called}, on the device", figure_text(_HELD, held))]
    return [(f"{measure.called} on the device", figure_text(measure, figure)), *holds, *measured, *spent]


def _a(noun: str) -> str:
    return f"an {noun}" if noun[0] in "aeiou" else f"a {noun}"


def _energy_rows(summary: Mapping[str, Any]) -> list[tuple[str, str]]:
    size, noun = f"{summary['neurons']} neurons, {summary['synapses']} synapses", noun_of(summary)
    step_j = summary.get("energy_per_step_j")
    step = [] if step_j is None else [("energy per step", joules(step_j))]
    constants, scaled, with_rest = (summary[f"energy_per_image_{part}j"] for part in ("", "scaled_", "with_rest_"))
    if summary["network"] == "ctrnn":
        return [(f"energy per {noun}, software arithmetic", joules(constants)), *step, ("software", size)]
    rest = [(f"with the rest between {noun}s", joules(with_rest))] if with_rest != scaled else []
    return [
        (f"energy per {noun}, constants", joules(constants)),
        (f"energy per {noun}, scaled to its time", joules(scaled)),
        *rest,
        *step,
        ("hardware", size),
    ]


def _quantiles(values: Mapping[str, float]) -> str:
    shown = {"0.0": "least", "0.05": "5 %", "0.5": "median", "0.95": "95 %", "1.0": "most"}
    return ", ".join(f"{name} {values[key]:.2f}" for key, name in shown.items())


def warnings(summary: Mapping[str, Any]) -> list[str]:
    """Say what makes the figures of a run less than they seem."""
    found = []
    measure = measure_of(summary)
    called = measure.called
    fine, coarse = summary[f"{measure.name}_converged"]["mean"], summary[measure.name]["mean"]
    if (measure.is_share or measure.name == "nrmse") and abs(fine - coarse) > max(_MOST_GAP, _one_answer(summary)):
        apart = f"{100 * abs(fine - coarse):.1f} points" if measure.is_share else f"{abs(fine - coarse):.3f}"
        found.append(
            f"converged and training-step {called} differ by {apart}: the network learned its integrator; raise "
            "training.substeps"
        )
    shown = summary[f"{measure.name}_on_device"]["mean"] if summary.get("in_the_loop", False) else fine
    guess = _guess(summary, shown)
    if guess:
        advice = _HELP["readout" in summary]
        found.append(f"the networks have not learned: {measure.text(shown, 1)} {guess}; {advice} usually helps")
    for channel in summary.get("masked_channels", []):
        found.append(f"{channel}; it was masked while training, and the model stood in for it")
    found += _drifted(summary.get("drift_alarms", []))
    if summary["held_out"] == "validation":
        key = " (task.held_out)" if summary["task"] == "sequential_digits" else ""
        found.append(f"{called}: measured on the validation part, not on the test part{key}")
    return found


def _one_answer(summary: Mapping[str, Any]) -> float:
    """Return a share that a single answer in all does not come to, with half of one to spare; 0 for values."""
    return 1.5 / max(sum(map(sum, summary["confusion"])), 1) if "confusion" in summary else 0.0


def _guess(summary: Mapping[str, Any], figure: float) -> str:
    """Hold a figure against what needs no learning; empty where a network does clearly better."""
    if "confusion" in summary:
        rows = [sum(row) for row in summary["confusion"]]
        largest = max(rows) / max(sum(rows), 1)
        close = figure < largest + _LEARNED * (1 - largest)
        against = "is close to" if figure > largest - _MOST_GAP else "does not reach"
        return f"{against} the {100 * largest:.0f} % of the largest class" if close else ""
    close = measure_of(summary).name == "nrmse" and figure > 1 - _LEARNED
    against = "is close to" if figure < 1 + _MOST_GAP else "is worse than"
    return f"{against} 1, what answers that are always the mean give" if close else ""


def _drifted(alarms: Sequence[Mapping[str, Any]]) -> list[str]:
    """Name what has drifted, the first few alarms."""
    shown = [
        f"{alarm['device_id']}: neuron {alarm['neuron']} ({alarm['place']}) had drifted by batch {alarm['batch']} in "
        "the loop: "
        + " or ".join(
            ", ".join(f"{name} {value:+.3f}" for name, value in moved.items())
            for moved in (alarm["parameters"], alarm.get("instead"))
            if moved
        )
        for alarm in alarms[:_ALARMS]
    ]
    more = len(alarms) - len(shown)
    return shown + ([f"{more} more alarms of drift: drift_alarms in summary.json, figures/drift.png"] if more else [])


def print_evaluation(console: Console, found: Mapping[str, Any]) -> None:
    """Print what an evaluation of a run gave."""
    table = Table(title=f"after {found['epochs']} epochs", show_header=False)
    measure = measure_of(found)
    name, called = measure.name, measure.called
    table.add_row(f"{called} converged", figure_text(measure, found[f"{name}_converged"]))
    table.add_row(f"{called} at the training step", figure_text(measure, found[name]))
    if "rmse_converged" in found and name != "rmse":
        table.add_row("RMSE converged", figure_text(measure_named("rmse"), found["rmse_converged"]))
    if f"{name}_on_device" in found:
        device = found["device"]
        for row in _device_rows(found):
            table.add_row(*row)
        first, last = device["ids"][0], device["ids"][-1]
        table.add_row("devices", escape(first if first == last else f"{first} to {last}"))
        table.add_row("good samples", f"{100 * device['good_share']:.2f} %")
    console.print(table)


def transfer_table(found: Mapping[str, Any]) -> Table:
    """Give a table of how well each network does over many chips."""
    ids, left_out, measure = found["ids"], len(found["trained_on"]), measure_of(found)
    worst = "lowest" if measure.higher_is_better else "highest"
    table = Table(
        title=escape(f"{measure.called} on {len(ids)} chips, {ids[0]} to {ids[-1]}"),
        caption=f"{left_out} pairs of a network and the chip it was trained on are left out" if left_out else None,
    )
    for column in ("seed", "mean over chips", "std", worst, "95 % interval of the mean"):
        table.add_column(column, justify="right")
    for seed, one in zip(found["seeds"], found[measure.name]["per_seed"], strict=True):
        table.add_row(str(seed), *_transfer_cells(measure, one, worst))
    table.add_section()
    table.add_row("all", *_transfer_cells(measure, found[measure.name], worst))
    return table


def _transfer_cells(measure: Measure, one: Mapping[str, Any], worst: str) -> list[str]:
    low_high = one["interval95"]
    numbers = ["-" if one[key] is None else measure.text(one[key]) for key in ("mean", "std", worst)]
    bounds = [] if low_high is None else [measure.text(bound).removesuffix(measure.unit) for bound in low_high]
    return [*numbers, " to ".join(bounds) or "-"]


def generation_table(found: Mapping[str, Any]) -> Table:
    """Lay out how far networks follow series that they go on with by themselves."""
    made, measure = found["nrmse_by_sample"], measure_named("nrmse")
    table = Table(
        title=f"{len(made)} samples generated behind {found['prefix']} shown, {found['sequences']} sequences each",
        caption="NRMSE: in standard deviations of the series where it is generated; by simulation, converged",
        show_header=False,
    )
    for number in sorted({one for one in (1, 2, 5, 10, 20, 50, 100, 200, 500) if one < len(made)} | {len(made)}):
        table.add_row(f"NRMSE of sample {number}", figure_text(measure, made[number - 1]))
    follows = found["follows_samples"]
    spread = "" if follows["std"] is None else f" ± {follows['std']:.1f}"
    table.add_row(f"follows up to an NRMSE of {found['follows_up_to']:g}", f"{follows['mean']:.1f}{spread} samples")
    if found["beyond_input_range"]:
        table.add_row("beyond the inputs of the task", f"{100 * found['beyond_input_range']:.1f} % of the samples")
    return table


def print_energy(console: Console, account: EnergyLedger) -> None:
    """Print the account of one inference, line by line, with its totals and the source of every number."""
    table = Table(title=f"energy of one inference: {account.neurons} neurons, {account.synapses} synapses")
    for column in ("account", "part", "energy", "basis", "source"):
        table.add_column(column, justify="right" if column == "energy" else "left")
    for number, line in enumerate(account.lines, start=1):
        table.add_row(
            _FORMS[line.form] + (", a step" if line.per == "step" else ""),
            escape(line.part),
            joules(line.energy_j),
            escape(line.basis),
            f"({number})",
        )
    table.add_section()
    for name, energy_j in _totals(account):
        table.add_row("[bold]total[/]", name, joules(energy_j), "", "")
    console.print(table)
    for number, line in enumerate(account.lines, start=1):
        console.print(f"({number}) {escape(line.source)}", soft_wrap=True)


def _totals(account: EnergyLedger) -> list[tuple[str, float]]:
    step = [] if account.per_step_j is None else [("one step", account.per_step_j)]
    if account.total_j("software"):
        return [("arithmetic", account.total_j("software")), *step]
    duration = f"{1e9 * account.duration_s:.4g} ns"
    totals = [
        ("constants per inference", account.per_inference_j),
        (f"power for {duration}", account.scaled_per_inference_j),
    ]
    if account.total_j("rest"):
        totals.append((f"power for {duration} and the rest", account.with_rest_j))
    if account.total_j("readout"):
        totals.append(("read-out electronics, on top", account.total_j("readout")))
    if account.spent_per_inference_j:
        totals.append(("spent on this bench, in place of the chip", account.spent_per_inference_j))
    return totals + step


def verdict_table(title: str, verdicts: "Iterable[Verdict]") -> Table:
    """Lay out the verdicts of a contract."""
    table = Table(title=escape(title))
    for column in ("promise", "verdict", "what was seen"):
        table.add_column(column)
    for verdict in verdicts:
        told = "[green]kept[/]" if verdict.passed else "[bold red]BROKEN[/]"
        table.add_row(escape(verdict.name), told, escape(verdict.detail))
    return table


def alignment_table(cosines: Mapping[str, Mapping[str, Any]], title: str) -> Table:
    """Lay out cosines between gradients and the device's own."""
    table = Table(title=escape(title))
    for column in ("gradient", "cosine", "95 % interval of the mean"):
        table.add_column(column)
    for name, found in cosines.items():
        interval = found["interval95"]
        mean = "hidden by noise" if found["mean"] is None else f"{found['mean']:.4f}"
        table.add_row(name, mean, "" if interval is None else f"{interval[0]:.4f} to {interval[1]:.4f}")
    return table
