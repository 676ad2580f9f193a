"""The system's own lock on an open file: let go when the process ends, however that happens."""

import os
import sys

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

_FAR = 1 << 20  # Windows lets nobody read what is locked: far behind the words in the file.


def lock(file: int) -> None:
    """Lock an open file, by its descriptor; afterwards its position is anywhere.

    Raises:
        OSError: Another process, or this one, holds it through another descriptor.
    """
    if sys.platform == "win32":
        os.lseek(file, _FAR, os.SEEK_SET)
        msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
    else:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
