"""Memory of a rollout: refused where it cannot be had, and said in words where it runs out."""

import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache

import torch

from spinhw.errors import ConfigError
from spinhw.rollout.folding import wants_gradient
from spinhw.rollout.problem import NetworkProblem, Problem

# Tensors shaped as the state that are kept for the gradient, for each evaluation of the drive: counted on the reference
# (17.5 and 17.0 for order 1 and 2), by their layout for the compiled engines.
_KEPT = {"reference": 17, "cpu": 3, "gpu": 3}
# A compiled engine keeps no more than that and integrates again from checkpoints.
_MOST_KEPT = {"reference": math.inf, "cpu": 1 << 30, "gpu": 8 << 30}
# What the allocator of torch says on Linux and macOS, and on Windows.
_ALLOCATOR_SAYS = ("can't allocate memory", "not enough memory")


def needed_bytes(problem: Problem, engine: str) -> int:
    """Estimate the memory of a rollout beside its arguments: what it returns and what it keeps for the gradient.

    Args:
        problem: What is integrated.
        engine: "reference", "cpu" or "gpu".
    """
    state = problem.members * problem.batch * problem.width * problem.signal.element_size()
    traces = 3 if isinstance(problem, NetworkProblem) and problem.record_drive else 2
    learns = torch.is_grad_enabled() and wants_gradient(problem.tensors().values())
    evaluations = problem.samples * problem.steps.substeps * problem.steps.order if learns else 0
    return state * traces * problem.recorded + int(min(state * evaluations * _KEPT[engine], _MOST_KEPT[engine]))


@contextmanager
def memory_for(problem: Problem, engine: str) -> Iterator[None]:
    """Refuse a rollout that needs more memory than the machine has; say in words where it runs out on the way.

    Raises:
        ConfigError: How much is needed, and what to lower.
    """
    most = machine_bytes() if problem.signal.device.type == "cpu" else None
    if most is not None and needed_bytes(problem, engine) > most:
        raise _too_large(problem, engine, f"{_gigabytes(most)}, which is all that this machine has")
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        named = isinstance(error, MemoryError | torch.OutOfMemoryError)
        if not named and not any(words in str(error) for words in _ALLOCATOR_SAYS):
            raise
        raise _too_large(problem, engine, "less: memory ran out") from error


def _too_large(problem: Problem, engine: str, allowed: str) -> ConfigError:
    keeps = "" if torch.is_grad_enabled() else " without a gradient"
    return ConfigError(
        f"a rollout of {problem.members} x {problem.batch} sequences of {problem.samples} samples, {problem.width} "
        f"neurons and {problem.steps.substeps} steps a sample{keeps} does not fit into memory",
        seen=f"it needs about {_gigabytes(needed_bytes(problem, engine))} on the engine {engine!r}",
        allowed=allowed,
        todo="lower the batch, the members (seeds), the steps, or record_last (how many samples are returned)",
    )


def _gigabytes(size: int) -> str:
    return f"{size / 1e9:.3g} GB"


@lru_cache(maxsize=1)
def machine_bytes() -> int | None:
    """Give the memory of this machine; None where the system does not tell. Free memory would be no measure: caches."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):
        return None
