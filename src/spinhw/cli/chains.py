"""`spinhw calibrate` and `spinhw calibrate show` for the chains of a whole chip."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from spinhw.calibration import ChainPlanSettings
from spinhw.calibration.chains import effort_of, windows_of_chain
from spinhw.calibration.synapses import load_read
from spinhw.cli.synapses import SHOWN, numbers_of, swept_resonator
from spinhw.device import NetworkChains
from spinhw.plots.calibration import FoundParameter
from spinhw.plots.synapses import SweptResonator, SynapseFigure, plot_synapses
from spinhw.records import ChainsRecord
from spinhw.records.synapses import MAP
from spinhw.report.budget import duration
from spinhw.surrogate import CalibratedChains

_MOST_NAMED = 20


def forecast_chains(console: Console, chains: NetworkChains, plan: ChainPlanSettings) -> None:
    """Say first what will be done and how long it takes on a bench."""
    effort = effort_of(plan, chains)
    console.print(
        f"{chains.device_id}: plan {plan.name}, {effort.resonators} resonators in {effort.chains} chains, "
        f"{effort.readings} readings ({effort.readings / effort.resonators:.1f} for each resonator), "
        f"{effort.programmings} programmings; "
        f"on a bench about {duration(effort.one_meter_s)} with one meter, {duration(effort.meter_each_s)} with one "
        f"for each chain "
        f"({1e3 * plan.reading_s:g} ms a reading, {1e3 * plan.programming_s:g} ms a programming)",
        markup=False,
        soft_wrap=True,
    )


def show_chains_table(console: Console, record: ChainsRecord) -> None:
    """Print what was found: median and range over the resonators that count, with the typical standard error."""
    made, failed = record.made, record.failed()
    who = escape(f"{record.device.id}, plan {made.plan}")
    table = Table(title=f"{who}, {made.time:%Y-%m-%d %H:%M} UTC, {made.shots} readings")
    for heading in ("quantity", "median", "lowest", "highest", "std. error"):
        table.add_column(heading, justify="left" if heading == "quantity" else "right", no_wrap=True)
    for name in MAP:
        values, errors = _counted(record, name)
        if len(values):
            cells = [f"{number:.5g}" for number in (np.median(values), values.min(), values.max())]
            table.add_row(_LABELS[name], *cells, f"{np.median(errors):.2g}")
    console.print(table)
    chi2 = np.concatenate([numbers_of(one.reduced_chi2) for one in record.matrices.values()])
    console.print(
        f"repeatability {100 * record.repeatability:.2g} % of the largest weight, noise of one reading "
        f"{record.noise:.2g} of an output; reduced chi2 {np.nanmedian(chi2):.2f} (median); "
        f"{record.device.resonators - len(failed)} of {record.device.resonators} resonators calibrated"
    )
    for place, why in list(failed.items())[:_MOST_NAMED]:
        console.print(f"  {place} FAILED: {why}", markup=False, soft_wrap=True)
    if len(failed) > _MOST_NAMED:
        console.print(f"  and {len(failed) - _MOST_NAMED} more: the record names them")


# As for a bank of synapses; a resonance is shown less the tone of its source.
_LABELS = {name: SHOWN[name][0] for name in MAP}


def _counted(record: ChainsRecord, name: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return a quantity of all resonators that work and its errors, in the units that are shown."""
    values, errors = list[NDArray[np.float64]](), list[NDArray[np.float64]]()
    for table in record.matrices.values():
        fine = [place not in table.failed for place in range(len(table.sources))]
        found = numbers_of(table.values[name]) - _zero_hz(record, name, table.sources)
        values.append((np.abs(found) if name == "max_weight" else found)[fine])
        errors.append(numbers_of(table.errors[name])[fine])
    scale = SHOWN[name][1]
    return np.concatenate(values) * scale, np.concatenate(errors) * scale


def _zero_hz(record: ChainsRecord, name: str, sources: Sequence[int]) -> NDArray[np.float64] | float:
    ladder = record.nominal.ladder()
    return ladder.frequency_hz + ladder.spacing_hz * np.array(sources) if name == "resonance" else 0.0


def files_of(record: ChainsRecord, folder: Path) -> list[Path]:
    """Return the files of the chains that are drawn: best, median and worst, or one that failed."""
    return [folder / record.sweep.traces / f"{name}-{destination:02d}.nc" for name, destination, _ in _chosen(record)]


def draw_chains(record: ChainsRecord, files: Sequence[Path], picture: Path) -> None:
    """Draw a few resonators, whose readings lie in these files, against the fit, and what was found of all."""
    known, made, swept = CalibratedChains.of(record), record.made, list[SweptResonator]()
    for file, (name, destination, source) in zip(files, _chosen(record), strict=True):
        windows, _ = windows_of_chain(load_read(file), record.nominal.ladder())
        row = known.measured[name][destination]
        chain = known.chains[name].at((0, destination, row))
        failed = "" if bool(known.working[name][destination, source]) else " (FAILED)"
        number = int(row[:source].sum())
        swept.append(swept_resonator(f"{name}[{destination}, {source}]{failed}", windows, chain, number))
    quantities = [FoundParameter(_LABELS[name], *_counted(record, name)) for name in MAP]
    heading = f"{record.device.id}: plan {made.plan}, {made.time:%Y-%m-%d %H:%M} UTC, {made.shots} readings"
    nothing = np.zeros((0, 0))
    plot_synapses(SynapseFigure(heading, swept, np.zeros(0), nothing, nothing, np.zeros(0), quantities), picture)


def _chosen(record: ChainsRecord) -> list[tuple[str, int, int]]:
    """Pick resonators: matrix, row and column."""
    ranked = sorted(
        (chi2, name, table.destinations[place], table.sources[place])
        for name, table in record.matrices.items()
        for place, chi2 in enumerate(table.reduced_chi2)
        if chi2 is not None and place not in table.failed
    )
    lost = [
        (name, table.destinations[place], table.sources[place])
        for name, table in record.matrices.items()
        for place in table.failed
    ]
    found = [one[1:] for one in (ranked[:1] + ranked[-1:])]
    middle = lost[:1] or [one[1:] for one in ranked[len(ranked) // 2 :][:1]]
    return list(dict.fromkeys([*found[:1], *middle, *found[1:]]))
