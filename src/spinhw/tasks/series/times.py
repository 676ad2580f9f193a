"""Times of samples: even ones, or made so by linear interpolation where that is asked for."""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spinhw.errors import ConfigError
from spinhw.tasks.series.series import Origin, Series

# Times are written with few digits: what differs from the mean spacing by less is even.
_UNEVEN = 0.01


def seconds(times: NDArray[Any]) -> NDArray[np.float64]:
    """Return times as numbers; dates in seconds."""
    if times.dtype.kind == "M":
        return (times - times[:1]) / np.timedelta64(1, "s") if times.size else np.empty(0)
    return times.astype(np.float64)


def evenly(series: Series, times: list[NDArray[Any]] | None, resample: float | None) -> Series:
    """Return series whose samples are evenly spaced, and all alike.

    Args:
        series: As read.
        times: Of the samples of each sequence; None where they are not known.
        resample: Spacing to interpolate onto; None for none.

    Raises:
        ConfigError: Times run backwards or are unevenly spaced; says where.
    """
    if times is None:
        if resample is not None:
            raise ConfigError(
                f"task.resample: {series.origin.file} says no times of its samples",
                seen=f"{resample:g}",
                allowed="a time column",
                todo="name it under task.columns.time, or leave resample out",
            )
        return series
    ticks = [seconds(one) for one in times]
    for number, one in enumerate(ticks):
        _refuse_backwards(series, number, one)
    if resample is not None:
        return _resampled(series, ticks, resample)
    spacings = [(one[-1] - one[0]) / (len(one) - 1) for one in ticks if len(one) > 1]
    spacing = float(np.median(spacings)) if spacings else None
    if spacing is not None:
        for number, one in enumerate(ticks):
            _refuse_uneven(series, number, one, spacing)
    return replace(series, spacing=spacing)


def _refuse_backwards(series: Series, number: int, times: NDArray[np.float64]) -> None:
    first = int(series.starts[number])
    lost = np.flatnonzero(~np.isfinite(times))
    if lost.size:
        raise ConfigError(
            f"{series.place(first + int(lost[0]))}: the time is missing", allowed="a finite number", todo="fill it in"
        )
    back = np.flatnonzero(np.diff(times) <= 0)
    if back.size:
        place = int(back[0]) + 1
        raise ConfigError(
            f"{series.place(first + place)}: the times run backwards or stand still",
            seen=f"{times[place]:.9g} after {times[place - 1]:.9g}",
            allowed="times that grow",
            todo="sort the rows by time, or name the column that tells the sequences apart under task.columns.sequence",
        )


def _refuse_uneven(series: Series, number: int, times: NDArray[np.float64], spacing: float) -> None:
    steps = np.diff(times)
    wrong = np.flatnonzero(np.abs(steps - spacing) > _UNEVEN * spacing)
    if wrong.size:
        place = int(wrong[0]) + 1
        raise ConfigError(
            f"{series.place(int(series.starts[number]) + place)}: the times are unevenly spaced",
            seen=f"{steps[place - 1]:.6g} after the sample before",
            allowed=f"{spacing:.6g}, as on average, within {100 * _UNEVEN:.0f} %",
            todo=f"ask for an even grid with task.resample, such as resample: {spacing:.3g}",
        )


def _resampled(series: Series, ticks: list[NDArray[np.float64]], spacing: float) -> Series:
    """Interpolate every sequence onto an even grid that begins with its first sample; classes by the nearest sample."""
    parts, targets, lengths = [], [], []
    for number, times in enumerate(ticks):
        place = slice(int(series.starts[number]), int(series.starts[number + 1]))
        grid = times[0] + spacing * np.arange(int((times[-1] - times[0]) / spacing + 1e-9) + 1)
        parts.append(_interpolated(grid, times, series.samples[place]))
        lengths.append(len(grid))
        if series.per_step and series.of_classes:
            middle = (times[1:] + times[:-1]) / 2
            targets.append(series.targets[place][np.searchsorted(middle, grid, side="right")])
        elif series.per_step:
            targets.append(_interpolated(grid, times, series.targets[place]))
    origin = series.origin
    if origin.by_sample and origin.rows is not None:
        origin = Origin(origin.file, origin.word, origin.rows[series.starts[:-1]])
    return replace(
        series,
        samples=np.concatenate(parts),
        starts=np.cumsum([0, *lengths], dtype=np.int64),
        targets=np.concatenate(targets) if targets else series.targets,
        origin=origin,
        spacing=spacing,
    )


def _interpolated(
    grid: NDArray[np.float64], times: NDArray[np.float64], values: NDArray[np.float32]
) -> NDArray[np.float32]:
    return np.stack([np.interp(grid, times, channel) for channel in values.T], axis=-1).astype(np.float32)
