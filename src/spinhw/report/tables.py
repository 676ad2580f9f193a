"""Tables of what came out: accuracy, energy, drives, verdicts."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from spinhw.energy import EnergyLedger
from spinhw.training.measures import SHARES, measure_of

if TYPE_CHECKING:
    from spinhw.device.contract import Verdict

# Converged and training-step accuracy may differ by this much; more means that the network learned its integrator.
_MOST_GAP = 0.01
# Below this many times the accuracy of guessing a network has not learned.
_LEARNED = 2.0
_ALARMS = 5  # Of drift that are listed one by one.

# What helps networks that have not learned: all of them, or the read-out alone.
_HELP = {
    False: "more training.epochs or another training.optimiser.learning_rate",
    True: "a larger network.weight_scale or task.input_scale, or network.tau nearer to task.sample_interval",
}

_FORMS = {
    "constants": "constants per inference",
    "power": "power times duration",
    "rest": "rest between images",
    "readout": "read-out electronics",
    "software": "software arithmetic",
    "measured": "measured",
    "spent": "spent on this bench",
}


def figure_text(name: str, figure: Mapping[str, Any]) -> str:
    """Write a figure over seeds, in percent where it is a share."""
    if name in SHARES:
        return percent(figure)
    mean, low_high = f"{figure['mean']:.4f}", figure["interval95"]
    if figure["std"] is None:
        return f"{mean} (one seed)"
    return f"{mean} ± {figure['std']:.4f}  (95 % interval of the mean {low_high[0]:.4f} to {low_high[1]:.4f})"


def percent(figure: Mapping[str, Any]) -> str:
    """Write a figure over seeds: mean, standard deviation and the bootstrap interval of the mean."""
    mean = f"{100 * figure['mean']:.2f}"
    if figure["std"] is None:
        return f"{mean} % (one seed)"
    low, high = figure["interval95"]
    return f"{mean} ± {100 * figure['std']:.2f} %  (95 % interval of the mean {100 * low:.2f} to {100 * high:.2f})"


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
    rows = _accuracy_rows(summary)
    share = summary["drive_saturated_share"]
    return [
        *rows,
        *([(SHARES["held"], percent(summary["held"]))] if "held" in summary else []),
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


def _accuracy_rows(summary: Mapping[str, Any]) -> list[tuple[str, str]]:
    measure, called = measure_of(summary)
    converged, coarse = (figure_text(measure, summary[key]) for key in (f"{measure}_converged", measure))
    if summary.get("in_the_loop", False):
        first, *others = _device_rows(summary)
        return [
            (f"{first[0]} (headline)", first[1]),
            ("these weights on nominal oscillators, converged", converged),
            ("the same, at the training step", coarse),
            *others,
        ]
    rows = [(f"{called} converged (headline)", converged), (f"{called} at the training step", coarse)]
    return rows + _device_rows(summary) if f"{measure}_on_device" in summary else rows


def _device_rows(found: Mapping[str, Any]) -> list[tuple[str, str]]:
    measured_j = found["device"]["energy_per_image_j"]
    measured = [] if measured_j is None else [("energy per image, measured at the supply", joules(measured_j))]
    spent_j = found.get("energy_per_image_spent_here_j")
    spent = [] if spent_j is None else [("spent here for an image, in place of the chip", joules(spent_j))]
    measure, called = measure_of(found)
    held = [(f"{SHARES['held']}, on the device", percent(found["held_on_device"]))] if "held_on_device" in found else []
    return [(f"{called} on the device", figure_text(measure, found[f"{measure}_on_device"])), *held, *measured, *spent]


def _energy_rows(summary: Mapping[str, Any]) -> list[tuple[str, str]]:
    size = f"{summary['neurons']} neurons, {summary['synapses']} synapses"
    constants, scaled, with_rest = (summary[f"energy_per_image_{part}j"] for part in ("", "scaled_", "with_rest_"))
    if summary["network"] == "ctrnn":
        return [("energy per image, software arithmetic", joules(constants)), ("software", size)]
    rest = [("with the rest between images", joules(with_rest))] if with_rest != scaled else []
    return [
        ("energy per image, constants", joules(constants)),
        ("energy per image, scaled to its time", joules(scaled)),
        *rest,
        ("hardware", size),
    ]


def _quantiles(values: Mapping[str, float]) -> str:
    shown = {"0.0": "least", "0.05": "5 %", "0.5": "median", "0.95": "95 %", "1.0": "most"}
    return ", ".join(f"{name} {values[key]:.2f}" for key, name in shown.items())


def warnings(summary: Mapping[str, Any]) -> list[str]:
    """Say what makes the figures of a run less than they seem."""
    found = []
    measure, called = measure_of(summary)
    fine, coarse = summary[f"{measure}_converged"]["mean"], summary[measure]["mean"]
    if measure in SHARES and abs(fine - coarse) > _MOST_GAP:
        found.append(
            f"converged and training-step {called} differ by {100 * abs(fine - coarse):.1f} points: the network "
            "learned its integrator; raise training.substeps"
        )
    if "confusion" in summary:
        guessing = 1 / len(summary["confusion"])
        if fine < _LEARNED * guessing:
            found.append(
                f"the networks have not learned: {100 * fine:.1f} % is close to the {100 * guessing:.0f} % of "
                f"guessing; {_HELP['readout' in summary]} usually helps"
            )
    for channel in summary.get("masked_channels", []):
        found.append(f"{channel}; it was masked while training, and the model stood in for it")
    found += _drifted(summary.get("drift_alarms", []))
    if summary["held_out"] == "validation":
        found.append(f"{called}: measured on the validation part, not on the test part (task.held_out)")
    return found


def _drifted(alarms: Sequence[Mapping[str, Any]]) -> list[str]:
    """Name what has drifted, the first few alarms."""
    shown = [
        f"{alarm['device_id']}: neuron {alarm['neuron']} ({alarm['place']}) had drifted by batch {alarm['batch']} in "
        "the loop: " + ", ".join(f"{name} {value:+.3f}" for name, value in alarm["parameters"].items())
        for alarm in alarms[:_ALARMS]
    ]
    more = len(alarms) - len(shown)
    return shown + ([f"{more} more alarms of drift: drift_alarms in summary.json, figures/drift.png"] if more else [])


def print_evaluation(console: Console, found: Mapping[str, Any]) -> None:
    """Print what an evaluation of a run gave."""
    table = Table(title=f"after {found['epochs']} epochs", show_header=False)
    measure, called = measure_of(found)
    table.add_row(f"{called} converged", figure_text(measure, found[f"{measure}_converged"]))
    table.add_row(f"{called} at the training step", figure_text(measure, found[measure]))
    if f"{measure}_on_device" in found:
        device = found["device"]
        for row in _device_rows(found):
            table.add_row(*row)
        first, last = device["ids"][0], device["ids"][-1]
        table.add_row("devices", escape(first if first == last else f"{first} to {last}"))
        table.add_row("good samples", f"{100 * device['good_share']:.2f} %")
    console.print(table)


def transfer_table(found: Mapping[str, Any]) -> Table:
    """Give a table of the accuracy of each network over many chips."""
    ids, left_out = found["ids"], len(found["trained_on"])
    table = Table(
        title=escape(f"on {len(ids)} chips, {ids[0]} to {ids[-1]}"),
        caption=f"{left_out} pairs of a network and the chip it was trained on are left out" if left_out else None,
    )
    for column in ("seed", "mean over chips", "std", "lowest", "95 % interval of the mean"):
        table.add_column(column, justify="right")
    for seed, one in zip(found["seeds"], found["accuracy"]["per_seed"], strict=True):
        table.add_row(str(seed), *_transfer_cells(one))
    table.add_section()
    table.add_row("all", *_transfer_cells(found["accuracy"]))
    return table


def _transfer_cells(one: Mapping[str, Any]) -> list[str]:
    low_high = one["interval95"]
    numbers = ["-" if one[key] is None else f"{100 * one[key]:.2f} %" for key in ("mean", "std", "lowest")]
    return [*numbers, "-" if low_high is None else " to ".join(f"{100 * bound:.2f}" for bound in low_high)]


def print_energy(console: Console, account: EnergyLedger) -> None:
    """Print the account of one inference, line by line, with its totals and the source of every number."""
    table = Table(title=f"energy of one inference: {account.neurons} neurons, {account.synapses} synapses")
    for column in ("account", "part", "energy", "basis", "source"):
        table.add_column(column, justify="right" if column == "energy" else "left")
    for number, line in enumerate(account.lines, start=1):
        table.add_row(_FORMS[line.form], escape(line.part), joules(line.energy_j), escape(line.basis), f"({number})")
    table.add_section()
    for name, energy_j in _totals(account):
        table.add_row("[bold]total[/]", name, joules(energy_j), "", "")
    console.print(table)
    for number, line in enumerate(account.lines, start=1):
        console.print(f"({number}) {escape(line.source)}", soft_wrap=True)


def _totals(account: EnergyLedger) -> list[tuple[str, float]]:
    if account.total_j("software"):
        return [("arithmetic", account.total_j("software"))]
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
    return totals


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
