"""Copies of tiles (channel, lane), to each other and to and from the public layout (member, sample, time, channel)."""

from numba import njit

from spinhw.rollout.cpu.kernels.vector import JIT, PIECE_BYTES, turn, turn_add


@njit(**JIT)
def blocks(array, first, tile):
    """How many samples and channels of `array` fill whole blocks of `turn`, from sample `first` on."""
    piece = PIECE_BYTES // array.itemsize
    return min(tile.shape[1], array.shape[1] - first) // piece * piece, array.shape[3] // piece * piece, piece


@njit(**JIT)
def place(array, member, sample, time):
    """Position of channel 0 in the flattened array."""
    return ((member * array.shape[1] + sample) * array.shape[2] + time) * array.shape[3]


@njit(**JIT)
def load_tile(source, member, first, time, tile):
    """Set tile[n, lane] to source[member, first + lane, time, n]; lanes past the last sample repeat it.

    Members, and samples, share an axis of length 1.
    """
    m, lanes, channels = member if source.shape[0] > 1 else 0, tile.shape[1], source.shape[3]
    samples, whole, piece = blocks(source, first, tile)
    stride = source.shape[2] * channels
    for lane in range(0, samples, piece):
        for n in range(0, whole, piece):
            turn(tile, n * lanes + lane, lanes, source, place(source, m, first + lane, time) + n, stride)
    for lane in range(lanes):
        b = min(first + lane, source.shape[1] - 1)
        for n in range(whole if lane < samples else 0, channels):
            tile[n, lane] = source[m, b, time, n]


@njit(**JIT)
def add_tile(source, member, first, time, tile):
    """Add source[member, first + lane, time, n] to tile[n, lane], for the samples that exist."""
    lanes, channels = tile.shape[1], source.shape[3]
    samples, whole, piece = blocks(source, first, tile)
    stride = source.shape[2] * channels
    for lane in range(0, samples, piece):
        for n in range(0, whole, piece):
            turn_add(tile, n * lanes + lane, lanes, source, place(source, member, first + lane, time) + n, stride)
    for lane in range(min(lanes, source.shape[1] - first)):
        for n in range(whole if lane < samples else 0, channels):
            tile[n, lane] += source[member, first + lane, time, n]


@njit(**JIT)
def store_tile(target, member, first, time, tile):
    """Set target[member, first + lane, time, n] to tile[n, lane], for the samples that exist."""
    lanes, channels = tile.shape[1], target.shape[3]
    samples, whole, piece = blocks(target, first, tile)
    stride = target.shape[2] * channels
    for lane in range(0, samples, piece):
        for n in range(0, whole, piece):
            turn(target, place(target, member, first + lane, time) + n, stride, tile, n * lanes + lane, lanes)
    for lane in range(min(lanes, target.shape[1] - first)):
        for n in range(whole if lane < samples else 0, channels):
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


@njit(**JIT)
def total(tile, i):
    """Sum of row i."""
    result = tile[i, 0]
    for lane in range(1, tile.shape[1]):
        result += tile[i, lane]
    return result
