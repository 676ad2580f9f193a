"""Reused memory and threads of the CPU engine."""

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Callable

import numpy as np


class Workspace:
    """Arrays that go back to a pool when their last user is gone.

    A trajectory is tens of MB and is needed anew at every training step: fresh pages from the system would cost as much as the forward pass.
    """

    def __init__(self, limit_bytes: int = 1 << 30):
        self._limit_bytes = limit_bytes
        self._free: list[np.ndarray] = []  # oldest first
        self._lock = threading.Lock()

    def take(self, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
        """Uninitialised flat array of that many elements, viewed in `shape`."""
        size = int(np.prod(shape, dtype=np.int64))
        with self._lock:
            for position in range(len(self._free) - 1, -1, -1):
                if self._free[position].size == size and self._free[position].dtype == dtype:
                    return self._free.pop(position).reshape(shape)
        return np.empty(size, dtype).reshape(shape)

    def give(self, arrays: tuple[np.ndarray, ...]) -> None:
        """Hand arrays back; the oldest ones are dropped beyond the limit."""
        with self._lock:
            self._free.extend(array.reshape(-1) for array in arrays if array.size)
            while self._free and sum(array.nbytes for array in self._free) > self._limit_bytes:
                self._free.pop(0)


workspace = Workspace()


class Loan:
    """Arrays on loan from the pool for as long as this object lives."""

    def __init__(self, shapes: list[tuple[int, ...]], dtype: np.dtype):
        self.arrays = tuple(workspace.take(shape, dtype) for shape in shapes)

    def __del__(self):
        workspace.give(self.arrays)


_pool: ThreadPoolExecutor | None = None
_pool_size = 0


def _forget_pool() -> None:
    """Threads do not survive a fork."""
    global _pool, _pool_size
    _pool, _pool_size = None, 0


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_pool)


def run_tasks(function: Callable[[int, int], None], tasks: int, threads: int) -> None:
    """Call function(begin, end) on contiguous parts of range(tasks), one part per thread; the caller's thread takes the first."""
    global _pool, _pool_size
    threads = max(1, min(threads, tasks))
    bounds = [tasks * n // threads for n in range(threads + 1)]
    if threads > 1 and _pool_size < threads - 1:
        _pool, _pool_size = ThreadPoolExecutor(threads - 1, thread_name_prefix="rollout"), threads - 1
    waiting = [_pool.submit(function, bounds[n], bounds[n + 1]) for n in range(1, threads)] if threads > 1 else []
    function(bounds[0], bounds[1])
    for future in waiting:
        future.result()
