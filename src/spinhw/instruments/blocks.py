"""Blocks of IEEE 488.2: ``#``, one digit d, d digits with the number of bytes, the bytes. ``#0`` has no length."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from spinhw.instruments.traffic import Buffer

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Most digits that the length of a block can have.
_MOST_DIGITS = 9
# More than any instrument has; a reply that announces more is broken, and no memory is set aside for it.
MOST_BYTES = 1 << 28


def header(count: int) -> bytes:
    """Make the header of a block of so many bytes, 0 to 999 999 999.

    Raises:
        ValueError: The block is longer than the format can say.
    """
    digits = str(count).encode()
    if len(digits) > _MOST_DIGITS:
        raise ValueError(f"a block of {count} bytes is too long; at most 999999999 bytes fit")
    return b"#%d%s" % (len(digits), digits)


def encode(values: "NDArray[Any]", dtype: str) -> bytes:
    """Make a whole block.

    Args:
        values: Numbers; converted to the type, not scaled.
        dtype: Type and byte order as numpy writes them, such as "<f4" or ">i2".
    """
    import numpy as np

    data = np.ascontiguousarray(values, dtype=dtype)
    return header(data.nbytes) + data.tobytes()


def read(receive: Callable[[int], Buffer], expected: int | None = None, most: int = MOST_BYTES) -> Buffer:
    """Read one block, header first, so that no byte of it is ever taken for the end of a message.

    Args:
        receive: Gives exactly so many bytes.
        expected: How many bytes there must be; needed for an indefinite block (``#0``), which does not say it. None
            where any number will do.
        most: How many bytes there may be.

    Raises:
        ValueError: This is no block, one of another length, or an indefinite one and nobody said how long it is. None
            of its bytes was read then.
    """
    mark = bytes(receive(2))
    if mark[:1] != b"#" or not mark[1:].isdigit():
        raise ValueError(f"the reply is no block but starts with {mark!r}")
    digits = int(mark[1:])
    if digits == 0:
        if expected is None:
            raise ValueError("the block has no length (#0), and the length was not asked for beforehand")
        return receive(_believed(expected, most))
    length = bytes(receive(digits))
    if not length.isdigit():
        raise ValueError(f"the length of the block is no number but {length!r}")
    if expected is not None and int(length) != expected:
        raise ValueError(f"the block announces {int(length)} bytes instead of {expected}")
    return receive(_believed(int(length), most))


def _believed(count: int, most: int) -> int:
    if count > most:
        raise ValueError(f"the block announces {count} bytes; at most {most} can be right")
    return count
