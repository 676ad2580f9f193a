"""One call of the kernels and its adjoint: memory, threads, and what is kept between the two."""

import math

import numpy as np
from torch import Tensor

from spinhw.rollout.cpu.kernels import adjoint_tasks, forward_tasks
from spinhw.rollout.cpu.kernels.plan import (
    Adjoint,
    Adjoints,
    CpuPlan,
    CpuSignals,
    Local,
    PackedSynapses,
    Recorded,
    Trajectory,
    adjoint_shapes,
    local_shapes,
    trajectory_shapes,
)
from spinhw.rollout.cpu.kernels.vector import LANES
from spinhw.rollout.cpu.pattern import Pattern
from spinhw.rollout.cpu.workspace import Loan, run_tasks

KEEP_BYTES = 1 << 30  # Largest trajectory kept for the adjoint; a longer one is integrated again from checkpoints.


def dtype_of(tensor: Tensor) -> np.dtype:
    """Give numpy's name of a tensor's type."""
    return np.dtype(str(tensor.dtype).removeprefix("torch."))


def array(tensor: Tensor | None, axes: int, dtype: np.dtype) -> np.ndarray:
    """Give a C-contiguous array of a tensor; an absent one has a first axis of length 0."""
    if tensor is None:
        return np.empty((0,) * axes, dtype)
    return np.ascontiguousarray(tensor.detach().numpy(), dtype)


def segment_length(plan: CpuPlan, tasks: int, lanes: int, itemsize: int) -> int:
    """Give the steps between checkpoints: all where the trajectory may be kept, else about the square root."""
    elements = tasks * sum(math.prod(shape) for shape in trajectory_shapes(plan, plan.steps + 1, lanes))
    return plan.steps if elements * itemsize <= KEEP_BYTES else max(2, math.isqrt(plan.steps))


class Job:
    """What forward and backward of one call share.

    Args:
        plan: What to do; the length of its segments is chosen here.
        pattern: Which weights exist.
        synapses: Their values.
        cell: Coefficients, (row, member, neuron).
        signals: What enters from outside.
        threads: Threads to share the tasks among; the result has the same bits for any number.
        training: Whether the adjoint will be asked for.
    """

    def __init__(
        self,
        plan: CpuPlan,
        pattern: Pattern,
        synapses: PackedSynapses,
        cell: np.ndarray,
        signals: CpuSignals,
        threads: int,
        training: bool,
    ) -> None:
        self.pattern, self.synapses, self.cell, self.signals = pattern, synapses, cell, signals
        self.dtype, self._threads = cell.dtype, threads
        self._lanes, self._tasks = LANES[self.dtype], pattern.members * plan.tiles
        length = segment_length(plan, self._tasks, self._lanes, self.dtype.itemsize) if training else plan.steps
        self.plan = plan._replace(segment=length)
        self._kept = self._room(training)

    @property
    def kept_bytes(self) -> int:
        """Memory held between forward and backward: the whole trajectory, or checkpoints."""
        return sum(each.nbytes for each in self._kept.arrays)

    def forward(self, recorded: Recorded) -> None:
        """Integrate all tasks."""
        trajectory, checkpoints = self._states()

        def run(begin: int, end: int) -> None:
            local = Loan(local_shapes(self.plan, self._lanes), self.dtype)
            ring = Loan(trajectory_shapes(self.plan, 2, self._lanes), self.dtype)
            forward_tasks(
                self.plan,
                self.synapses,
                self.cell,
                self.signals,
                begin,
                end,
                trajectory,
                Trajectory(*ring.arrays),
                checkpoints,
                Local(*local.arrays),
                recorded,
            )

        run_tasks(run, self._tasks, self._threads)

    def backward(self, recorded: Recorded, results: Adjoints) -> None:
        """Walk back through all tasks, from the adjoints of what was recorded."""
        trajectory, checkpoints = self._states()
        nodes = 2 if trajectory.x.shape[0] else max(self.plan.segment, 2) + 1

        def run(begin: int, end: int) -> None:
            local = Loan(local_shapes(self.plan, self._lanes), self.dtype)
            adjoint = Loan(adjoint_shapes(self.plan, self._lanes, self.pattern.most_stored), self.dtype)
            again = Loan(trajectory_shapes(self.plan, nodes, self._lanes), self.dtype)
            adjoint_tasks(
                self.plan,
                self.synapses,
                self.cell,
                self.signals,
                begin,
                end,
                trajectory,
                Trajectory(*again.arrays),
                checkpoints,
                Local(*local.arrays),
                Adjoint(*adjoint.arrays),
                recorded,
                results,
            )

        run_tasks(run, self._tasks, self._threads)

    def _states(self) -> tuple[Trajectory, np.ndarray]:
        """Give the kept trajectory and checkpoints, of every task."""
        return Trajectory(*self._kept.arrays[:5]), self._kept.arrays[5]

    def _room(self, training: bool) -> Loan:
        """Make room for the whole trajectory, for checkpoints, or for nothing."""
        steps, length = self.plan.steps, self.plan.segment
        whole, checkpoints = training and length == steps, -(-steps // length) if length < steps else 0
        shapes = [
            (self._tasks if whole else 0, *shape) for shape in trajectory_shapes(self.plan, steps + 1, self._lanes)
        ]
        return Loan([*shapes, (self._tasks, checkpoints, 2, self.plan.neurons, self._lanes)], self.dtype)
