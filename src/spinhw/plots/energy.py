"""Where the joules of an inference go."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes

from spinhw.energy import EnergyLedger, EnergyLine
from spinhw.plots.canvas import BLUE, GREEN, GREY, ORANGE, PURPLE, SKY, page

_PART_COLOURS = {"neurons": ORANGE, "synapses": BLUE, "electronics": PURPLE, "tunings": GREEN}
_UNITS = ((1e-12, "pJ"), (1e-9, "nJ"), (1e-6, "µJ"))
_REST_COLOURS = {"neurons": "#F5D79A", "synapses": SKY, "tunings": "#99D8C7"}


def plot_energy(ledger: EnergyLedger, path: Path) -> None:
    """Draw the energy of an inference by part into a PNG file."""
    with page(path, 7.2, 1.5 + 0.55 * len(_bars(ledger))) as figure:
        draw_energy(figure.subplots(), ledger)


def draw_energy(axes: Axes, ledger: EnergyLedger) -> None:
    """Draw one bar for each account, its parts end to end, with its total and basis; in pJ, nJ or µJ by size."""
    bars = _bars(ledger)
    most_j = max((_total(lines) for _, lines in bars), default=0.0)
    one_j, unit = energy_unit(most_j)
    for height, (_, lines) in enumerate(bars):
        _draw_bar(axes, height, lines, one_j, unit)
    if not bars:
        axes.annotate("no energy was counted", (0.5, 0.5), xycoords="axes fraction", ha="center", va="center")
    axes.set_yticks(range(len(bars)), [name for name, _ in bars])
    title = f"{ledger.neurons} neurons, {ledger.synapses} synapses"
    if ledger.per_step_j is not None:
        step_j, step_unit = energy_unit(ledger.per_step_j)
        title += f"; {ledger.per_step_j / step_j:.3g} {step_unit} per step"
    axes.set(xlabel=f"energy per inference ({unit})", title=title)
    axes.set_ylim(len(bars) - 0.4, -0.6)
    axes.set_xlim(0, 1.45 * most_j / one_j or 1)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x")
    handles, labels = axes.get_legend_handles_labels()
    unique = dict(zip(labels, handles, strict=True))
    # Beside the axes: with a rest between images the bars reach into every corner.
    axes.legend(unique.values(), unique.keys(), loc="upper left", bbox_to_anchor=(1, 1), handlelength=1.0)


def energy_unit(energy_j: float) -> tuple[float, str]:
    """Choose the unit that an energy reads well in: its joules and its name."""
    return next(((one_j, unit) for one_j, unit in _UNITS if energy_j < 1000 * one_j), _UNITS[-1])


def _bars(ledger: EnergyLedger) -> list[tuple[str, list[EnergyLine]]]:
    """List the accounts that have lines: name, lines."""
    time = f"{1e9 * ledger.duration_s:.4g} ns"
    forms = {line.form for line in ledger.lines}
    accounts: list[tuple[str, tuple[str, ...]]] = [
        ("constants\nper inference", ("constants",)),
        (f"power\nfor {time}", ("power",)),
    ]
    if "rest" in forms:
        accounts.append(("power with the\nrest between", ("power", "rest")))
    accounts += [("read-out", ("readout",)), ("measured", ("measured",)), ("arithmetic\nin software", ("software",))]
    chosen = [(name, [line for line in ledger.of("inference") if line.form in wanted]) for name, wanted in accounts]
    return [(name, lines) for name, lines in chosen if lines]


def _total(lines: Sequence[EnergyLine]) -> float:
    return sum(line.energy_j for line in lines)


def _draw_bar(axes: Axes, height: int, lines: Sequence[EnergyLine], one_j: float, unit: str) -> None:
    left = 0.0
    for line in lines:
        width = line.energy_j / one_j
        axes.barh(height, width, 0.6, left, color=_colour(line), label=_label(line), **_marking(line))
        left += width
    basis = " and ".join(sorted({line.basis for line in lines}))
    axes.annotate(
        f"{left:.4g} {unit}  ({basis})",
        (left, height),
        xytext=(5, 0),
        textcoords="offset points",
        va="center",
        fontsize=9,
    )


def _label(line: EnergyLine) -> str:
    return f"{line.part}, resting" if line.form == "rest" else line.part


def _colour(line: EnergyLine) -> str:
    if line.form == "measured":
        return GREEN
    return (_REST_COLOURS if line.form == "rest" else _PART_COLOURS).get(line.part, GREY)


def _marking(line: EnergyLine) -> dict[str, Any]:
    """Estimates are hatched: what was measured stands out by being solid."""
    return {} if line.basis == "measured" else {"hatch": "///", "edgecolor": "white"}
