"""Copies between the public layout (member, sample, time, channel) and the tile layout (channel, lane)."""

from numba import njit

from spinhw.rollout.cpu.vector import JIT


@njit(**JIT)
def load_tile(source, member, first, time, tile):
    """tile[n, l] = source[member, first + l, time, n]; lanes past the last sample repeat it. Axes of length 1 in front are shared."""
    batch = source.shape[1]
    m = member if source.shape[0] > 1 else 0
    for l in range(tile.shape[1]):
        b = min(first + l, batch - 1)
        for n in range(source.shape[3]):
            tile[n, l] = source[m, b, time, n]


@njit(**JIT)
def add_tile(source, member, first, time, tile):
    """tile[n, l] += source[member, first + l, time, n] for the samples that exist."""
    for l in range(min(tile.shape[1], source.shape[1] - first)):
        for n in range(source.shape[3]):
            tile[n, l] += source[member, first + l, time, n]


@njit(**JIT)
def store_tile(target, member, first, time, tile):
    """target[member, first + l, time, n] = tile[n, l] for the samples that exist."""
    for l in range(min(tile.shape[1], target.shape[1] - first)):
        for n in range(target.shape[3]):
            target[member, first + l, time, n] = tile[n, l]


@njit(**JIT)
def load_pair(source, member, first, step, neurons, pair):
    """pair[c, n, l] = source[member, first + l, step, n, c] for c = 0, 1: the two normals of every neuron."""
    m = member if source.shape[0] > 1 else 0
    for l in range(pair.shape[2]):
        b = min(first + l, source.shape[1] - 1)
        for n in range(neurons):
            pair[0, n, l] = source[m, b, step, n, 0]
            pair[1, n, l] = source[m, b, step, n, 1]
