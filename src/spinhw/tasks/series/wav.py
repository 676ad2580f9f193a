"""Folders of WAV: one folder for each class, or files with a table of labels."""

import struct
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spinhw.errors import ConfigError
from spinhw.tasks.series.arrays import series_of
from spinhw.tasks.series.layout import label_of, labels_of
from spinhw.tasks.series.series import Origin, Series
from spinhw.tasks.series.settings import SeriesSettings
from spinhw.tasks.series.table import read_csv


def read_wavs(folder: Path, settings: SeriesSettings) -> Series:
    """Read all WAV files of a folder: channels are inputs, full scale is 1, and the times come from the rates.

    Raises:
        ConfigError: There are none, they have other rates or channels, or a label is missing.
    """
    shown = folder.name or str(folder)
    if settings.answers == "always":
        raise ConfigError(
            f"{shown}: a folder of WAV has one answer for each file",
            seen=f"answers {settings.answers_with}",
            allowed="class, or values",
            todo="write one of these under task.answers",
        )
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() == ".wav" and path.is_file())
    if not paths:
        raise ConfigError(
            f"{shown}: there are no WAV files in this folder", allowed="names that end in .wav", todo="look"
        )
    names = [path.relative_to(folder).as_posix() for path in paths]
    told = _labels(names, settings, shown)
    read = [_read(path, f"{shown}: {name}") for path, name in zip(paths, names, strict=True)]
    _refuse_other_rates(read, names, shown, settings.resample)
    times = [np.arange(len(samples)) / rate for rate, samples in read]
    made = series_of(
        [samples for _, samples in read],
        [target for target, _ in told],
        answers=settings.answers_with,
        groups=None if settings.columns.group is None else np.array([group for _, group in told]),
        times=times,
        resample=settings.resample,
        names=settings.columns.target if settings.answers_with == "values" else None,
        name=shown,
    )
    return replace(made, origin=Origin(shown, names=tuple(names)))


def _labels(names: list[str], settings: SeriesSettings, shown: str) -> list[tuple[Any, Any]]:
    if settings.labels is not None:
        path = Path(settings.labels)
        table = read_csv(path, path.name)
        labels = labels_of(table, settings)
        return [label_of(labels, name, path.name) for name in names]
    if settings.answers_with != "class" or settings.columns.group is not None:
        raise ConfigError(
            "task.labels: values and groups of WAV files stand in a table",
            seen="null",
            allowed="a CSV with a line for each file",
            todo="name it",
        )
    alone = next((name for name in names if "/" not in name), None)
    if alone is not None:
        raise ConfigError(
            f"{shown}: {alone}: this file lies in no folder, and so has no class",
            allowed="a folder for each class",
            todo="move it there, or name a CSV of labels under task.labels",
        )
    return [(name.split("/")[0], None) for name in names]


def _read(path: Path, shown: str) -> tuple[int, NDArray[np.float32]]:
    from scipy.io import wavfile

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", wavfile.WavFileWarning)  # Chunks that hold no samples, such as titles.
            rate, samples = wavfile.read(path)
    except (ValueError, OSError, EOFError, struct.error) as error:
        raise ConfigError(f"{shown}: this is no WAV file that can be read", seen=error, todo="look into it") from error
    if samples.dtype == np.uint8:
        return rate, (samples.astype(np.float32) - 128) / 128
    if samples.dtype.kind == "i":
        return rate, samples.astype(np.float32) / -float(np.iinfo(samples.dtype).min)
    return rate, samples.astype(np.float32)


def _refuse_other_rates(
    read: list[tuple[int, NDArray[np.float32]]], names: list[str], shown: str, resample: float | None
) -> None:
    rates = [rate for rate, _ in read]
    usual = max(set(rates), key=rates.count)
    other = next((number for number, rate in enumerate(rates) if rate != usual), None)
    if other is not None and resample is None:
        raise ConfigError(
            f"{shown}: {names[other]}: another sampling rate than the other files",
            seen=f"{rates[other]} Hz",
            allowed=f"{usual} Hz",
            todo=f"ask for one grid with task.resample, in seconds, such as resample: {1 / usual:.6g}",
        )
