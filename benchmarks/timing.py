"""Clocks: processor and wall time of actions that take turns."""

import statistics
import time
from collections.abc import Callable, Mapping
from typing import Any

Action = Callable[[], object]
TURN_S = 0.1  # A turn repeats a short action for about this long, so that one that was just displaced warms up.
PAUSE_S = 0.005  # Between turns: threads of the one before stop spinning.


def once(action: Action) -> tuple[float, float]:
    """Give the processor time, summed over threads, and the wall time of one call."""
    wall, processor = time.perf_counter(), time.process_time()
    action()
    return time.process_time() - processor, time.perf_counter() - wall


def turn(action: Action) -> tuple[float, float]:
    """Give both times of a call, as the mean over a turn of at least one call."""
    time.sleep(PAUSE_S)
    processor, wall = once(action)
    calls = 1
    while wall * (1 + 1 / calls) < TURN_S:
        more_processor, more_wall = once(action)
        processor, wall, calls = processor + more_processor, wall + more_wall, calls + 1
    return processor / calls, wall / calls


def in_turns(actions: Mapping[str, Action], repeats: int) -> dict[str, dict[str, float]]:
    """Time all actions in turns: whatever else the machine does meets all of them.

    Returns:
        For each the medians over its turns, and the smallest and largest processor time.
    """
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in actions}
    for _ in range(repeats):
        for name, action in actions.items():
            times[name].append(turn(action))
    return {name: summary(each) for name, each in times.items()}


def summary(times: list[tuple[float, float]]) -> dict[str, float]:
    processor, wall = zip(*times, strict=True)
    return {
        "processor_s": statistics.median(processor),
        "wall_s": statistics.median(wall),
        "processor_least_s": min(processor),
        "processor_most_s": max(processor),
    }


Row = dict[str, Any]
