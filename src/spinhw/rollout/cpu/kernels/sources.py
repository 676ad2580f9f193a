"""A number for the sources of everything compiled, so that nobody runs what was compiled from older ones.

Numba keeps compiled code between processes and drops it when the file of the cached function changes. It does not see
changes of what that function calls in other files: after an upgrade, stale machine code would run. So only the two
entry points are cached, everything they call is compiled into them, and both take this number as a default argument,
which is part of the signature under which Numba files them. All compiled code lives in this folder for that reason.
"""

import hashlib
from pathlib import Path


def fingerprint(folder: Path) -> int:
    """Give a number below 2^56 for the contents of the Python files of a folder."""
    digest = hashlib.blake2b(digest_size=7)
    for path in sorted(folder.glob("*.py")):
        digest.update(path.read_bytes())
    return int.from_bytes(digest.digest(), "big")


SOURCES = fingerprint(Path(__file__).parent)
