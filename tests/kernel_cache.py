"""Let the workers of a session share compiled kernels: one compiles, the others wait and load.

Of two processes that save different code under one name, Numba may keep one's code as the other's. So workers take
turns by a lock for each kernel, and what a test starts gets a folder of its worker's own, with copies.
"""

import os
import shutil
import sys
from pathlib import Path

ENTRY = "NUMBA_CACHE_DIR"
CACHE = Path(__file__).parent.parent / ".pytest_cache"


def share_with_workers() -> None:
    """Share kernels with the other workers of this session, if this process is one of theirs or was started by one."""
    if worker := os.environ.get("PYTEST_XDIST_WORKER"):
        own = CACHE / f"numba-{worker}"
        if sys.platform == "win32":
            os.environ[ENTRY] = str(own)
        else:
            share(CACHE / "numba", own)


def share(shared: Path, own: Path) -> None:
    """Compile into a shared folder from now on, and give processes that are started a folder of their own."""
    import fcntl  # Windows has none.

    shared.mkdir(parents=True, exist_ok=True)
    os.environ[ENTRY] = str(shared)  # Read when Numba is imported.
    from numba.core.caching import NullCache
    from numba.core.dispatcher import Dispatcher

    os.environ[ENTRY] = str(own)
    compile_one = Dispatcher.compile

    def compile_in_turn(self, signature):
        if isinstance(self._cache, NullCache):
            return compile_one(self, signature)
        with open(shared / f"{self.py_func.__module__}.{self.py_func.__name__}.lock", "a") as turn:
            fcntl.flock(turn, fcntl.LOCK_EX)
            found = compile_one(self, signature)
            _copy(shared, own, self.py_func.__name__)
        return found

    Dispatcher.compile = compile_in_turn


def _copy(shared: Path, own: Path, name: str) -> None:
    """Copy the files of a kernel, code before what points to it."""
    for kind in ("nbc", "nbi"):
        for path in shared.rglob(f"*.{name}-*.{kind}"):
            place = own / path.relative_to(shared)
            place.parent.mkdir(parents=True, exist_ok=True)
            half = place.with_suffix(".copying")
            shutil.copyfile(path, half)
            half.replace(place)
