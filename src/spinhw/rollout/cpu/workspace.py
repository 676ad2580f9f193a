"""Reused memory and threads of the CPU engine."""

import math
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np

ALIGNMENT = 64  # Bytes of a cache line: rows of tiles then never straddle more lines than they must.
# Extra distance between arrays, so that equal rows of large arrays do not compete for the same cache sets.
STAGGER = 7 * ALIGNMENT


class Workspace:
    """Buffers that go back to a pool when their last user is gone.

    A trajectory is tens of MB and is needed anew at every training step: fresh pages from the system would cost as much
    as the forward pass.
    """

    def __init__(self, limit_bytes: int = 1 << 30) -> None:
        self._limit_bytes = limit_bytes
        self._free: list[np.ndarray] = []  # oldest first
        self._lock = threading.Lock()

    def take(self, size: int) -> np.ndarray:
        """Give an uninitialised buffer of `size` bytes, aligned to a cache line."""
        with self._lock:
            for position in range(len(self._free) - 1, -1, -1):
                if self._free[position].size == size:
                    return self._free.pop(position)
        raw = np.empty(size + ALIGNMENT, np.uint8)
        skip = -raw.ctypes.data % ALIGNMENT
        return raw[skip : skip + size]

    def give(self, buffer: np.ndarray) -> None:
        """Hand a buffer back; the oldest ones are dropped beyond the limit."""
        with self._lock:
            self._free.append(buffer)
            while sum(kept.size for kept in self._free) > self._limit_bytes:
                self._free.pop(0)

    def clear(self) -> None:
        """Give everything that is not in use back to the system."""
        with self._lock:
            self._free.clear()


workspace = Workspace()


class Loan:
    """Uninitialised arrays from the pool, on loan for as long as this object lives."""

    def __init__(self, shapes: list[tuple[int, ...]], dtype: np.dtype) -> None:
        sizes = [math.prod(shape) * dtype.itemsize for shape in shapes]
        begins, end = [], 0
        for size in sizes:
            begins.append(end)
            end += -(-size // ALIGNMENT) * ALIGNMENT + STAGGER
        self._buffer = workspace.take(end)
        self.arrays = tuple(
            self._buffer[begin : begin + size].view(dtype).reshape(shape)
            for begin, size, shape in zip(begins, sizes, shapes, strict=True)
        )

    def __del__(self) -> None:
        workspace.give(self._buffer)


_pool: ThreadPoolExecutor | None = None
_pool_size = 0


def _forget_pool() -> None:
    """Threads do not survive a fork."""
    global _pool, _pool_size
    _pool, _pool_size = None, 0


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_pool)


def run_tasks(function: Callable[[int, int], None], tasks: int, threads: int) -> None:
    """Call function(begin, end) on contiguous parts of range(tasks), one a thread; the caller's takes the first."""
    global _pool, _pool_size
    threads = max(1, min(threads, tasks))
    bounds = [tasks * n // threads for n in range(threads + 1)]
    if threads > 1 and _pool_size < threads - 1:
        _pool, _pool_size = ThreadPoolExecutor(threads - 1, thread_name_prefix="rollout"), threads - 1
    waiting = [_pool.submit(function, *part) for part in pairwise(bounds[1:])] if _pool is not None else []
    function(bounds[0], bounds[1])
    for future in waiting:
        future.result()
