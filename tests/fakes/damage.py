"""Ways in which a file gets damaged on a disk or on its way, each drawn from a seed."""

from random import Random


def damaged(data: bytes, random: Random) -> bytes:
    """Return other bytes than these: some flipped, replaced, zeroed, cut off, left out, doubled or swapped."""
    while True:
        found = random.choice(WAYS)(bytearray(data), random)
        if found != data:
            return bytes(found)


def _place(data: bytearray, random: Random) -> int:
    return random.randrange(len(data))


def _flip(data: bytearray, random: Random) -> bytearray:
    data[_place(data, random)] ^= 1 << random.randrange(8)
    return data


def _replace(data: bytearray, random: Random) -> bytearray:
    for _ in range(random.randint(1, 8)):
        data[_place(data, random)] = random.randrange(256)
    return data


def _zero(data: bytearray, random: Random) -> bytearray:
    start = _place(data, random)
    end = min(len(data), start + random.choice((1, 8, 64, 512, 4096)))
    data[start:end] = bytes(end - start)
    return data


def _cut(data: bytearray, random: Random) -> bytearray:
    return data[: _place(data, random)]


def _leave_out(data: bytearray, random: Random) -> bytearray:
    start = _place(data, random)
    del data[start : start + random.randint(1, 64)]
    return data


def _double(data: bytearray, random: Random) -> bytearray:
    start = _place(data, random)
    end = start + random.randint(1, 64)
    return data[:end] + data[start:]


def _swap(data: bytearray, random: Random) -> bytearray:
    size = random.choice((1, 8, 64, 512))
    one, other = sorted((_place(data, random), _place(data, random)))
    if other - one < size or other + size > len(data):
        return data[::-1]
    data[one : one + size], data[other : other + size] = data[other : other + size], data[one : one + size]
    return data


WAYS = (_flip, _flip, _replace, _zero, _cut, _leave_out, _double, _swap)
