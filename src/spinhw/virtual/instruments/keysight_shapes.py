"""Shapes of the 33500 and 33600 generators: functions, built-in waveform, filters, modulation. Pure functions, -1 to 1.

Modulation is given at its two ends, one after the other, as if it were slow: that is what a source that was left so
does to whoever takes it for unmodulated. Nobody here drives anything with it on purpose.
"""

from collections.abc import Mapping

import numpy as np

# Ratio of the effective value to the peak-to-peak value of each function (operating guide, "Output units").
_RMS = {
    "SIN": 8**-0.5,
    "SQU": 0.5,
    "PULS": 0.5,
    "PRBS": 0.5,
    "DC": 0.5,
    "TRI": 12**-0.5,
    "RAMP": 12**-0.5,
    "NOIS": 0.15,
}

# What is loaded after power-on, and again when the memory is cleared: a rise from nothing to full scale.
EXP_RISE = -np.expm1(-6.0 * np.arange(256) / 255) / -np.expm1(-6.0)

# Kernels for neighbouring samples: the flat filter overshoots at steps, the other one does not.
_FILTERS = {"NORM": (-0.1, 0.3, 0.6, 0.3, -0.1), "STEP": (0.25, 0.5, 0.25)}


def rms_share(function: str, arb: np.ndarray) -> float:
    """Give the effective value of a function as a share of its peak-to-peak value; the arb's own where it is that."""
    if function != "ARB":
        return _RMS[function]
    return max(1e-3, float(np.sqrt(np.mean(np.square(arb)))) / 2)


def periodic(function: str, phase: np.ndarray, duty: float, symmetry: float) -> np.ndarray:
    """Give a function at phases from 0 to 1.

    Args:
        function: Short form, such as "SQU".
        phase: (point,).
        duty: Share of a square wave that is high.
        symmetry: Share of a ramp that rises.
    """
    if function in {"SQU", "PULS"}:
        return np.where(phase < duty, 1.0, -1.0)
    if function in {"RAMP", "TRI"}:
        top = max(1e-9, symmetry if function == "RAMP" else 0.5)
        return np.where(phase < top, 2 * phase / top - 1, 1 - 2 * (phase - top) / max(1e-9, 1 - top))
    if function == "PRBS":
        return np.where(np.random.default_rng(7).random(len(phase)) < 0.5, 1.0, -1.0)
    if function == "NOIS":
        return np.clip(np.random.default_rng(7).standard_normal(len(phase)) / 3, -1.0, 1.0)
    return np.sin(2 * np.pi * phase)


def filtered(samples: np.ndarray, kind: str) -> np.ndarray:
    """Pass a waveform that repeats through a filter for arbitrary waveforms: "NORM", "STEP" or "OFF"."""
    if kind == "OFF":
        return samples
    kernel = _FILTERS[kind]
    middle = len(kernel) // 2
    return np.sum([share * np.roll(samples, place - middle) for place, share in enumerate(kernel)], axis=0)


def modulated(
    shape: np.ndarray, rate_hz: float, on: Mapping[str, float], carrier_hz: float
) -> tuple[np.ndarray, float]:
    """Give what a carrier becomes at the two ends of its modulation, and its sample rate.

    Args:
        shape: One period.
        rate_hz: Sample rate.
        on: Depth, deviation or shift of each modulation that is on, by its name.
        carrier_hz: Frequency of the carrier.
    """
    for name in ("pm", "bpsk"):
        if name in on:
            shape = np.concatenate([shape, np.roll(shape, -round(on[name] / 360 * len(shape)))])
    if "am" in on:
        shape = np.concatenate([shape * (0.5 + sign * on["am"] / 200) for sign in (1, -1)])
    if "sum" in on:
        shape = np.concatenate([shape + sign * on["sum"] / 100 for sign in (1, -1)])
    if "fm" in on:
        rate_hz *= 1 + on["fm"] / carrier_hz
    if "fsk" in on:
        rate_hz *= on["fsk"] / carrier_hz
    return shape, rate_hz
