"""`spinhw calibrate` and `spinhw calibrate show` for oscillators."""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from spinhw.calibration import PlanSettings, Taken, device_time_s, load_taken, rest_of, segments_of
from spinhw.calibration.picture import Compared, compare, residuals_over_noise
from spinhw.device import DeviceSettings, OscillatorBank
from spinhw.instruments import StationSettings
from spinhw.instruments.wiring import OscillatorWiring
from spinhw.plots.calibration import CalibrationFigure, FittedTrace, FoundParameter, plot_calibration
from spinhw.records import CalibrationRecord, ParameterTable, ReadoutFacts
from spinhw.surrogate import Calibrated
from spinhw.units import show_quantity

# What a fit of one oscillator and a shot of a bench take, roughly: for the forecast only.
_FIT_S, _SHOT_S = 0.15, 0.3
_LABELS = {
    "gamma": "γ (1/µs)",
    "sigma": "σ",
    "q": "Q",
    "gain": "gain",
    "offset": "offset",
    "delay": "delay (ns)",
    "lag": "lag (ns)",
    "cutoff": "high-pass (MHz)",
}
_SCALES = {"cutoff": 1e-6, "gamma": 1e-6, "delay": 1e9, "lag": 1e9}


def forecast_oscillators(
    console: Console,
    bank: OscillatorBank,
    settings: DeviceSettings,
    plan: PlanSettings,
    gamma_per_s: float,
) -> None:
    """Say first what will be done and how long it takes, roughly."""
    about, segments = bank.describe(), segments_of(plan)
    repeats = math.ceil(about.neurons / (about.channels or about.neurons))
    on_bench = isinstance(settings, StationSettings) and isinstance(settings.wiring, OscillatorWiring)
    rest_s = max(rest_of(plan, gamma_per_s), about.least_rest_s) if on_bench else 0.0
    shot_s = _SHOT_S if on_bench else 0.0
    shots = repeats * sum(one.averages for one in plan.experiments)
    driven = show_quantity(device_time_s(plan, about.sample_interval_s, rest_s, repeats), "s", 3)
    about_s = shots * shot_s + _FIT_S * about.neurons * segments / 500 + 5
    console.print(
        f"{bank.name}: plan {plan.name}, {about.neurons} oscillators, {shots} shots, {repeats * segments} segments; "
        f"the device is driven for {driven}; about {max(10, round(about_s, -1)):.0f} s in all",
        markup=False,
    )


def draw_oscillators(record: CalibrationRecord, files: Sequence[Path], picture: Path) -> None:
    """Draw the traces of a record, which lie in these files, against its fit."""
    plot_calibration(_figure(record, [load_taken(one) for one in files]), picture)


def show_oscillator_table(console: Console, record: CalibrationRecord) -> None:
    """Print what was found: median and range over the oscillators, with the typical standard error."""
    made = record.made
    who = escape(f"{record.device.id}, plan {made.plan}")
    table = Table(title=f"{who}, {made.time:%Y-%m-%d %H:%M} UTC, {made.shots} shots")
    for heading in ("parameter", "unit", "median", "lowest", "highest", "std. error"):
        table.add_column(heading, justify="left" if heading in ("parameter", "unit") else "right", no_wrap=True)
    rows = dict(record.parameters) | ({} if record.cutoff is None else {"cutoff": record.cutoff})
    for name, one in rows.items():
        values = np.array([value for value in one.values if value is not None])
        errors = np.array([error for error in one.errors if error is not None])
        if not one.fitted or not len(values):
            table.add_row(name, one.unit, *["-"] * 3, "fixed")
            continue
        cells = [f"{number:.4g}" for number in (np.median(values), values.min(), values.max())]
        table.add_row(name, one.unit, *cells, f"{np.median(errors):.2g}")
    console.print(table)
    for name, one in record.parameters.items():
        if not one.fitted:
            console.print(f"  {name} was not fitted: {one.why}", markup=False)
    noise = [one for one in record.noise if one is not None]
    chi2 = [one for one in record.reduced_chi2 if one is not None]
    console.print(
        f"noise of one sample {np.median(noise):.2g} of full power; reduced chi2 {np.median(chi2):.2f} (median); "
        f"{record.device.oscillators - len(record.failed)} of {record.device.oscillators} oscillators calibrated"
    )
    if record.readout is not None:
        console.print(_readout_line(record.readout))
    if record.left_out:
        segments = sum(one.segments for one in record.experiments)
        parts = ", ".join(f"{count} of oscillator {number}" for number, count in record.left_out.items())
        console.print(
            f"of {segments} segments some do not count, because an oscillator had not come to rest before them: {parts}"
        )
    for number, why in record.failed.items():
        console.print(f"  oscillator {number} FAILED: {why}", markup=False)


def _readout_line(readout: ReadoutFacts) -> str:
    low, high = ([one for one in ends if one is not None] for ends in (readout.lowest, readout.highest))
    steps = [one for one in readout.step if one is not None]
    span = f"{max(low):.3g} to {min(high):.3g} of full power" if low and high else "of a range that it does not tell"
    step = f", in steps of {np.median(steps):.2g}" if steps else ""
    most = max((one for one in readout.clipped if one is not None), default=0.0)
    return f"read-out {span}{step}; at most {100 * most:.2g} % of the samples of an oscillator beyond it"


def _figure(record: CalibrationRecord, taken: Sequence[Taken]) -> CalibrationFigure:
    calibrated = Calibrated.of(record)
    compared, tau_s = compare(taken, calibrated), record.nominal.tau_s
    shown = _chosen(record)
    main = compared[-1]
    sweep = next((one for one in compared if one.kind == "drive_sweep"), None)
    settled, fit, levels = np.zeros((0, len(shown))), np.zeros((0, len(shown))), np.zeros(0)
    if sweep is not None:
        last = slice(-max(1, sweep.power.shape[1] // 8), None)
        settled = sweep.power[:, last][..., shown].mean(1).numpy()
        fit = sweep.fit[:, last][..., shown].mean(1).numpy()
        levels = sweep.drive[:, -1, 0].numpy() * tau_s
    made = record.made
    return CalibrationFigure(
        f"{record.device.id}: plan {made.plan}, {made.time:%Y-%m-%d %H:%M} UTC, {made.shots} shots",
        [_trace(main, number, tau_s) for number in shown],
        [_found(record.parameters[name], name) for name in record.free]
        + ([] if record.cutoff is None else [_found(record.cutoff, "cutoff")]),
        levels,
        settled,
        fit,
        residuals_over_noise(compared, calibrated).numpy(),
    )


def _chosen(record: CalibrationRecord) -> list[int]:
    """Pick the oscillators with the best, the median and the worst fit; none where all failed."""
    ranked = sorted(
        (chi2, number)
        for number, chi2 in enumerate(record.reduced_chi2)
        if chi2 is not None and number not in record.failed
    )
    places = sorted({0, len(ranked) // 2, len(ranked) - 1}) if ranked else []
    return [ranked[place][1] for place in places]


def _trace(one: Compared, number: int, tau_s: float) -> FittedTrace:
    power = np.where(one.good[0, :, number].numpy(), one.power[0, :, number].numpy(), np.nan)
    return FittedTrace(
        f"oscillator {number}, {one.kind.replace('_', ' ')}",
        np.arange(one.power.shape[1], dtype=np.float64) * one.interval_s,
        one.drive[0, :, number].numpy() * tau_s,
        power,
        one.fit[0, :, number].numpy(),
    )


def _found(table: ParameterTable, name: str) -> FoundParameter:
    scale = _SCALES.get(name, 1.0)

    def numbers(values: Sequence[float | None]) -> np.ndarray:
        return np.array([np.nan if one is None else one * scale for one in values])

    return FoundParameter(_LABELS[name], numbers(table.values), np.nan_to_num(numbers(table.errors)))
