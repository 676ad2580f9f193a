"""Copies of tiles (channel, lane), to each other and to and from the public layout (member, sample, time, channel)."""

from numba import njit

from spinhw.rollout.cpu.kernels.vector import JIT


@njit(**JIT)
def load_tile(source, member, first, time, tile):
    """Set tile[n, lane] to source[member, first + lane, time, n]; lanes past the last sample repeat it.

    Members, and samples, share an axis of length 1.
    """
    batch = source.shape[1]
    m = member if source.shape[0] > 1 else 0
    for lane in range(tile.shape[1]):
        b = min(first + lane, batch - 1)
        for n in range(source.shape[3]):
            tile[n, lane] = source[m, b, time, n]


@njit(**JIT)
def add_tile(source, member, first, time, tile):
    """Add source[member, first + lane, time, n] to tile[n, lane], for the samples that exist."""
    for lane in range(min(tile.shape[1], source.shape[1] - first)):
        for n in range(source.shape[3]):
            tile[n, lane] += source[member, first + lane, time, n]


@njit(**JIT)
def store_tile(target, member, first, time, tile):
    """Set target[member, first + lane, time, n] to tile[n, lane], for the samples that exist."""
    for lane in range(min(tile.shape[1], target.shape[1] - first)):
        for n in range(target.shape[3]):
            target[member, first + lane, time, n] = tile[n, lane]


@njit(**JIT)
def load_pair(source, member, first, step, neurons, pair):
    """Set pair[c, n, lane] to source[member, first + lane, step, n, c], c = 0, 1: the two normals of every neuron."""
    m = member if source.shape[0] > 1 else 0
    for lane in range(pair.shape[2]):
        b = min(first + lane, source.shape[1] - 1)
        for n in range(neurons):
            pair[0, n, lane] = source[m, b, step, n, 0]
            pair[1, n, lane] = source[m, b, step, n, 1]


@njit(**JIT)
def clear(tile):
    """Fill a tile with zeros."""
    for i in range(tile.shape[0]):
        for lane in range(tile.shape[1]):
            tile[i, lane] = 0


@njit(**JIT)
def copy(target, source, count):
    """Set target[:count] to source[:count]."""
    for i in range(count):
        for lane in range(target.shape[1]):
            target[i, lane] = source[i, lane]
