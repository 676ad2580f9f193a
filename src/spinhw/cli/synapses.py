"""`spinhw calibrate` and `spinhw calibrate show` for synapses."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from spinhw.calibration import SynapsePlanSettings
from spinhw.calibration.synapses import Read, load_read, programmed, readings_of, swept_fit, windows_of
from spinhw.calibration.synapses.fit import SweptWindows
from spinhw.device import DeviceSettings, SynapseBank
from spinhw.device.bank_effort import PROGRAMMING_S, READING_S
from spinhw.instruments import StationSettings
from spinhw.physics import Chain
from spinhw.plots.calibration import FoundParameter
from spinhw.plots.synapses import SweptResonator, SynapseFigure, plot_synapses
from spinhw.records import SynapseRecord
from spinhw.surrogate import CalibratedSynapses

_FINE = 200
# Label, and factor from SI.
SHOWN = {
    "resonance": ("off source (MHz)", 1e-6),
    "half_linewidth": ("half linewidth (MHz)", 1e-6),
    "max_weight": ("largest weight", 1.0),
    "tuning_span": ("tuning span (MHz)", 1e-6),
    "repeatability": ("repeatability (%)", 100.0),
    "programming_error": ("programming error (%)", 100.0),
}


def forecast_synapses(console: Console, bank: SynapseBank, settings: DeviceSettings, plan: SynapsePlanSettings) -> None:
    """Say first what will be done and how long it takes, roughly."""
    readings, programmings = readings_of(plan, bank)
    about_s = 5.0
    if isinstance(settings, StationSettings):
        about_s += readings * READING_S + programmings * PROGRAMMING_S
    console.print(
        f"{bank.name}: plan {plan.name}, {bank.describe().neurons} resonators, {readings} readings, {programmings} "
        f"programmings; about {max(10, round(about_s, -1)):.0f} s in all",
        markup=False,
    )


def show_synapse_table(console: Console, record: SynapseRecord) -> None:
    """Print what was found: median and range over the resonators that count, with the typical standard error."""
    made = record.made
    who = escape(f"{record.device.id}, plan {made.plan}")
    table = Table(title=f"{who}, {made.time:%Y-%m-%d %H:%M} UTC, {made.shots} readings")
    for heading in ("quantity", "unit", "median", "lowest", "highest", "std. error"):
        table.add_column(heading, justify="left" if heading in ("quantity", "unit") else "right", no_wrap=True)
    working = [number for number in range(record.device.resonators) if number not in record.failed]
    for name, one in record.quantities.items():
        values = np.array([one.values[number] for number in working if one.values[number] is not None])
        errors = np.array([one.errors[number] for number in working if one.errors[number] is not None])
        if not one.fitted or not len(values):
            table.add_row(name, one.unit, *["-"] * 3, "fixed")
            continue
        cells = [f"{number:.5g}" for number in (np.median(values), values.min(), values.max())]
        table.add_row(name, one.unit, *cells, f"{np.median(errors):.2g}" if len(errors) else "-")
    console.print(table)
    for name, one in record.quantities.items():
        if not one.fitted:
            console.print(f"  {name} was not measured: {one.why}", markup=False)
    chi2 = [one for number, one in enumerate(record.reduced_chi2) if one is not None and number in working]
    fitted = f"; reduced chi2 {np.median(chi2):.2f} (median)" if chi2 else ""
    console.print(
        f"noise of one reading {record.noise or 0:.2g}, offset {record.offset or 0:.2g} of an output{fitted}; "
        f"{len(working)} of {record.device.resonators} resonators calibrated"
    )
    if record.crosstalk is not None:
        _print_crosstalk(console, record)
    for number, why in record.failed.items():
        console.print(f"  resonator {number} FAILED: {why}", markup=False)


def _print_crosstalk(console: Console, record: SynapseRecord) -> None:
    crosstalk = record.crosstalk
    if crosstalk is None:
        return
    values, errors = _matrix(crosstalk.values), _matrix(crosstalk.errors)
    np.fill_diagonal(values, np.nan)
    if np.isfinite(values).any():
        place = np.unravel_index(np.nanargmax(np.abs(values)), values.shape)
        agrees = (
            "" if crosstalk.reduced_chi2 is None else f"; against the fit: reduced chi2 {crosstalk.reduced_chi2:.2f}"
        )
        console.print(
            f"largest crosstalk: {values[place]:.2g} +- {errors[place]:.1g}, of resonator {place[1]} to source "
            f"{place[0]}{agrees}"
        )


def draw_synapses(record: SynapseRecord, files: Sequence[Path], picture: Path) -> None:
    """Draw the readings of a record, which lie in these files, against its fit."""
    plot_synapses(_figure(record, [load_read(one) for one in files]), picture)


def _figure(record: SynapseRecord, reads: Sequence[Read]) -> SynapseFigure:
    ladder, count, made = record.nominal.ladder(), record.device.resonators, record.made
    fitted = record.quantities["resonance"].fitted
    chain = CalibratedSynapses.of(record).chain if fitted else Chain.designed(ladder, count)
    by_kind = {one.kind: one for one in reads}
    offset, noise = record.offset or 0.0, record.noise or 0.0
    swept, tuning, off_line = list[SweptResonator](), np.zeros(0), np.zeros((0, 0))
    if "detuning_sweep" in by_kind and fitted:
        windows = windows_of(by_kind["detuning_sweep"], ladder, offset)
        named = {
            number: f"resonator {number}{' (FAILED)' if number in record.failed else ''}" for number in range(count)
        }
        swept = [swept_resonator(named[number], windows, chain, number) for number in _chosen(record)]
        fit = swept_fit(by_kind["detuning_sweep"], ladder, offset, noise)
        tuning = windows.tuning[:, 0].numpy()
        line = fit.chain.resonance_hz + fit.chain.tuning_span_hz * windows.tuning
        off_line = (fit.centres_hz[0] - line).T.numpy()
        off_line[list(record.failed)] = np.nan
    visited = by_kind.get("programming")
    off = np.zeros(0)
    if visited is not None:
        found = programmed(visited, chain, offset, noise).off
        off = found[:, [number not in record.failed for number in range(count)]].flatten().numpy()
    return SynapseFigure(
        f"{record.device.id}: plan {made.plan}, {made.time:%Y-%m-%d %H:%M} UTC, {made.shots} readings",
        swept,
        tuning,
        off_line,
        np.zeros((0, 0)) if record.crosstalk is None else _matrix(record.crosstalk.values),
        off,
        [_found(record, name) for name, one in record.quantities.items() if one.fitted],
    )


def swept_resonator(title: str, windows: SweptWindows, chain: Chain, number: int) -> SweptResonator:
    """Put the windows of one resonator beside what its whole chain gives there."""
    tones = windows.rf_hz[:, number].numpy()
    fine = np.linspace(tones.min(1), tones.max(1), _FINE, axis=1)  # (level, fine)
    tuning = windows.tuning[:, None].expand(-1, _FINE, chain.count)
    fit = chain.weight(tuning, torch.from_numpy(fine)).numpy()
    source_hz = float(windows.tones_hz[number])
    return SweptResonator(
        title,
        windows.tuning[:, number].numpy(),
        tones - source_hz,
        windows.weight[:, number].numpy(),
        fine - source_hz,
        fit,
    )


def _chosen(record: SynapseRecord) -> list[int]:
    """Pick the resonators with the best and the worst fit, where there are, and one that failed, or else the median."""
    ranked = sorted(
        (chi2, number)
        for number, chi2 in enumerate(record.reduced_chi2)
        if chi2 is not None and number not in record.failed
    )
    numbers = [number for _, number in ranked]
    middle = [*record.failed][:1] or numbers[len(numbers) // 2 :][:1]
    return list(dict.fromkeys([*numbers[:1], *middle, *numbers[-1:]]))


def _found(record: SynapseRecord, name: str) -> FoundParameter:
    (label, scale), table = SHOWN[name], record.quantities[name]
    sources = record.nominal.ladder().tones_hz(record.device.resonators).numpy() if name == "resonance" else 0.0
    return FoundParameter(
        label, (numbers_of(table.values) - sources) * scale, np.nan_to_num(numbers_of(table.errors) * scale)
    )


def numbers_of(values: Sequence[float | None]) -> NDArray[np.float64]:
    """Return a list of a record as an array; NaN where there is none."""
    return np.array([np.nan if one is None else one for one in values])


def _matrix(rows: Sequence[Sequence[float | None]]) -> NDArray[np.float64]:
    return np.stack([numbers_of(row) for row in rows])
