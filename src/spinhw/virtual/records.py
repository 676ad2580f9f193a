"""Pure functions on sampled records: bandwidth, grids, windows, interpolation. Time is the first axis."""

import math

import numpy as np
from scipy.signal import lfilter

# A record is cut into pieces where a value is held at least this long, as a share of the longest hold.
_REST_SHARE = 0.5


def lowpass(values: np.ndarray, interval_s: float, bandwidth_hz: float | None) -> np.ndarray:
    """Pass a record through a first-order low-pass; before its first sample it was at rest there.

    Exact for a signal that is straight between its samples, kinks at samples included. A filter of the record's
    spectrum would ring at every kink, and move what looks like the delay of a signal by picoseconds.

    Args:
        values: (time, ...), real.
        interval_s: Between samples.
        bandwidth_hz: -3 dB corner; None changes nothing.
    """
    if bandwidth_hz is None or len(values) < 2:
        return values
    intervals = 2 * math.pi * bandwidth_hz * interval_s
    kept = math.exp(-intervals)
    mean = -math.expm1(-intervals) / intervals
    settled = mean * values[:1]  # What the filter holds once it has come to rest at the first value.
    smoothed, _ = lfilter([1 - mean, mean - kept], [1, -kept], values, axis=0, zi=settled)
    return np.asarray(smoothed)


def runs(marked: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Find where a boolean record is true: first and one after the last of each run."""
    edges = np.diff(np.concatenate([[0], marked.astype(np.int8), [0]]))
    return np.nonzero(edges == 1)[0], np.nonzero(edges == -1)[0]


def pieces(values: np.ndarray) -> tuple[np.ndarray, int]:
    """Cut a record where it rests: at the ends of its long constant stretches.

    Args:
        values: (time, channel).

    Returns:
        First sample of each piece, and how long the longest is up to its rest.
    """
    moves = np.concatenate([[True], (np.diff(values, axis=0) != 0).any(1)])
    places = np.nonzero(moves)[0]  # where a new value begins
    held = np.diff(np.append(places, len(values)))
    inner = held[:-1]
    if len(inner) == 0:
        return places, 1
    rest = max(2, math.ceil(inner.max() * _REST_SHARE))
    resting = np.append(inner >= rest, True)
    # A piece begins with the value after a rest, and ends with the first sample of the next rest.
    starts = places[np.concatenate([[True], resting[:-1]])]
    ends = places[resting] + 1
    return starts, int((ends - starts).max())


def holding(values: np.ndarray) -> int:
    """Give for how many samples every value of windows is held: the greatest common number.

    Args:
        values: (window, time, channel).
    """
    changes = np.nonzero((np.diff(values, axis=1) != 0).any(axis=(0, 2)))[0] + 1
    return int(np.gcd.reduce(np.append(changes, values.shape[1])))


class Interpolation:
    """Interpolates between nodes by polynomials of up to fourth order that never reach across the ends of a cell.

    Inside a cell the input was constant, so the signal is smooth; at its ends it has a kink. What depends on the points
    alone is worked out once for all signals.

    Args:
        rows: Window of each point, (point,).
        places: Node of each point, not whole in general, (point,).
        nodes: Nodes of a window.
        cell: Nodes from one kink to the next.
    """

    def __init__(self, rows: np.ndarray, places: np.ndarray, nodes: int, cell: int) -> None:
        nearest = np.rint(places)
        if np.abs(places - nearest).max(initial=0.0) < 1e-6:
            self._index, self._weights = rows * nodes + nearest.astype(np.int64), np.zeros((0, 0))
            return
        order = min(4, cell)
        last_cell = (nodes - 1) // cell - 1
        first = np.minimum(np.floor(places / cell), last_cell).astype(np.int64) * cell
        inside = np.floor(places - first).astype(np.int64) - order // 2
        start = first + np.clip(inside, 0, cell - order)
        distance = places - start
        self._index, self._weights = rows * nodes + start, np.ones((order + 1, len(places)))
        for node in range(order + 1):
            for other in range(order + 1):
                if other != node:
                    self._weights[node] *= (distance - other) / (node - other)

    def __call__(self, values: np.ndarray) -> np.ndarray:
        """Give a signal at the points, from its values at the nodes, (window, node)."""
        flat = values.reshape(-1)
        if not len(self._weights):
            return flat[self._index]
        return sum((weight * flat[self._index + node] for node, weight in enumerate(self._weights)), np.zeros(1))
