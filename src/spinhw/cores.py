"""How many cores this process may use, which are fewer than there are under `taskset` or a batch system."""

import os


def usable_cores() -> int:
    """Count the cores that this process may run on, at least 1."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0)) or 1
    return os.cpu_count() or 1  # macOS binds no process to cores.
