"""All fixed points of a network without input, stable or not, by Newton's method on many starts at once.

The published analysis looks at memories alone. A network also has saddles between them, and may have stable states that
are no memory (spurious ones): a trial that falls into one stays wrong. Plain iteration cannot tell a slow drift from
rest (a memory's spectral radius is 0.98 to 0.997), Newton's method can.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from spinhw.flipflop.autonomous import AutonomousMap

# Largest change of any unit's state in a step at which a point counts as fixed, in float64.
TOLERANCE = 1e-10
# Points whose states differ by less than this in every unit are the same.
_SAME = 1e-5
_MOST_ITERATIONS = 25
_STEP_SIZES = (1.0, 0.5, 0.25, 0.1, 0.03)
_AT_ONCE_BYTES = 1 << 28  # Jacobians of that many points at a time.


@dataclass(frozen=True)
class FixedPoints:
    """Different fixed points, the most stable first.

    Args:
        states: (point, state), float64.
        outputs: What the network answers there, (point, output).
        radius: Spectral radius of the Jacobian, (point,); below 1 is stable.
        unstable: Directions that grow: eigenvalues beyond the unit circle, (point,).
        found_from: Starts that led to the point, (point,).
        starts: Starts in all; the others led nowhere.
    """

    states: Tensor
    outputs: Tensor
    radius: Tensor
    unstable: Tensor
    found_from: Tensor
    starts: int

    @property
    def stable(self) -> Tensor:
        """Tell which are stable, (point,)."""
        return self.radius < 1

    def codes(self) -> Tensor:
        """Give the memory that each point is: its outputs' signs, or 0 where they are not within 1/2 of +-1."""
        signs = self.outputs.sign()
        near = ((self.outputs - signs).abs() < 0.5).all(1, keepdim=True)
        return torch.where(near & self.stable[:, None], signs, 0.0)

    def memories(self) -> Tensor:
        """Tell which points are memories: stable, and the most stable one of their code, (point,)."""
        taken, found = set(), []
        for code in self.codes().tolist():
            name = tuple(code)
            found.append(0.0 not in name and name not in taken)
            taken.add(name)
        return torch.tensor(found, dtype=torch.bool)

    def spurious(self) -> Tensor:
        """Tell which points are stable and no memory, (point,)."""
        return self.stable & ~self.memories()


@torch.no_grad()
def find_fixed_points(dynamics: AutonomousMap, starts: Tensor) -> FixedPoints:
    """Search from many starts.

    Each iteration solves (J - 1) d = h - F(h) for all points that still move, and goes the part of d that lowers the
    residual most. The search finds what its starts lead to; nobody can promise that it is all there is.

    Args:
        dynamics: The network.
        starts: (start, state).
    """
    ends = torch.cat([_newton(dynamics, part) for part in starts.double().split(_at_once(dynamics.size))])
    fixed = (dynamics.step(ends) - ends).abs().amax(1) < TOLERANCE
    states, counts = _different(ends[fixed])
    if not len(states):
        none = starts.new_zeros(0, dtype=torch.float64)
        empty = torch.zeros(0, dtype=torch.long)
        return FixedPoints(starts.double()[:0], dynamics.read_out(starts.double()[:0]), none, empty, empty, len(starts))
    sizes = torch.stack(list(_eigenvalue_sizes(dynamics, states)))
    radius, unstable = sizes.amax(1), (sizes > 1).sum(1)
    order = radius.argsort()
    states = states[order]
    return FixedPoints(states, dynamics.read_out(states), radius[order], unstable[order], counts[order], len(starts))


def _at_once(size: int) -> int:
    return max(1, _AT_ONCE_BYTES // (8 * size * size))


def _newton(dynamics: AutonomousMap, states: Tensor) -> Tensor:
    states = states.clone()
    eye = torch.eye(dynamics.size, dtype=states.dtype)
    moving = torch.arange(len(states))
    for _ in range(_MOST_ITERATIONS):
        here = states[moving]
        residual = dynamics.step(here) - here
        moving = moving[residual.abs().amax(1) >= TOLERANCE / 10]
        if not len(moving):
            break
        here = states[moving]
        residual = dynamics.step(here) - here
        change, info = torch.linalg.solve_ex(dynamics.jacobian(here) - eye, -residual[..., None])
        change = torch.where(info[:, None] == 0, change[..., 0], residual)
        change = change.nan_to_num().clamp(-2, 2)
        tried = [here + size * change for size in _STEP_SIZES]
        errors = torch.stack([(dynamics.step(one) - one).norm(dim=1) for one in tried])  # (size, point)
        best = errors.argmin(0)
        states[moving] = torch.stack(tried)[best, torch.arange(len(moving))]
    return states


def _different(states: Tensor) -> tuple[Tensor, Tensor]:
    """Keep one of each group of equal states, with the size of the group."""
    kept: list[Tensor] = []
    counts: list[int] = []
    for state in states:
        same = [at for at, other in enumerate(kept) if (other - state).abs().max() < _SAME]
        if same:
            counts[same[0]] += 1
        else:
            kept.append(state)
            counts.append(1)
    return (torch.stack(kept) if kept else states[:0]), torch.tensor(counts, dtype=torch.long)


def _eigenvalue_sizes(dynamics: AutonomousMap, states: Tensor) -> Iterator[Tensor]:
    for part in states.split(_at_once(dynamics.size)):
        for jacobian in dynamics.jacobian(part):
            yield torch.linalg.eigvals(jacobian).abs()


@torch.no_grad()
def starts_around(memories: Tensor, visited: Tensor, generator: torch.Generator, count: int) -> Tensor:
    """Choose starts for the search: where the network goes, and what lies between the memories.

    Args:
        memories: States at the ends of the holds, (state, unit).
        visited: Other states that the network went through, (state, unit).
        generator: Where the numbers come from.
        count: How many besides the memories and the midpoints of their pairs.

    Returns:
        (start, unit): memories, their centre, midpoints of pairs, random mixtures of up to four, and visited states.
    """
    pairs = torch.combinations(torch.arange(len(memories)))
    between = memories[pairs].mean(1)
    weights = torch.rand(count, len(memories), generator=generator, dtype=torch.float64)
    chosen = weights.argsort(1) < 4
    weights = torch.where(chosen, weights, 0.0)
    mixed = weights / weights.sum(1, keepdim=True) @ memories.double()
    some = visited[torch.randint(0, len(visited), (count,), generator=generator)]
    centre = memories.mean(0, keepdim=True)
    return torch.cat([memories.double(), centre.double(), between.double(), mixed, some.double()])
