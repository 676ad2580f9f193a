"""One call of the kernels of plain networks and its adjoint; see `kernels.plain`."""

import math

import numpy as np

from spinhw.rollout.cpu.job import KEEP_BYTES
from spinhw.rollout.cpu.kernels import plain_adjoint_tasks, plain_forward_tasks
from spinhw.rollout.cpu.kernels.plain_rows import SMALL
from spinhw.rollout.cpu.kernels.plan import (
    P_0,
    P_1,
    Adjoints,
    CpuPlan,
    CpuSignals,
    Evaluations,
    Kept,
    PackedSynapses,
    PlainAdjoint,
    Recorded,
    Work,
    evaluations_shapes,
    kept_shapes,
    plain_adjoint_shapes,
    work_shapes,
)
from spinhw.rollout.cpu.kernels.rows import OSCILLATOR
from spinhw.rollout.cpu.kernels.vector import LANES
from spinhw.rollout.cpu.pattern import Pattern
from spinhw.rollout.cpu.workspace import Loan, run_tasks

SEGMENT = 8  # Steps taken again at a time: their evaluations stay in the cache.


def is_plain(plan: CpuPlan, cell: np.ndarray, signals: CpuSignals, training: bool) -> bool:
    """Say whether the kernels of plain networks can do this."""
    absent = all(each.shape[0] == 0 for each in (signals.ext, signals.nodes, signals.defect, signals.noise))
    if plan.kind != OSCILLATOR or not (absent and plan.saturate) or plan.want_cell or plan.want_drive or plan.delay:
        return False
    lanes, tasks = LANES[cell.dtype], cell.shape[1] * plan.tiles
    shapes = kept_shapes(plan._replace(segment=SEGMENT), tasks, lanes)
    if training and sum(map(math.prod, shapes)) * cell.dtype.itemsize > KEEP_BYTES:
        return False
    return bool((abs(cell[P_0]) <= SMALL).all() and (abs(cell[P_0] + cell[P_1]) <= SMALL).all())


class PlainJob:
    """What forward and backward of one call share; arguments and use as for `Job`."""

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
        self.plan, self.pattern, self.synapses = plan._replace(segment=SEGMENT), pattern, synapses
        # All intervals at once: a task turns the inputs of its samples into lanes before it starts.
        members, batch, samples, channels = signals.inputs.shape
        self.signals = signals._replace(inputs=signals.inputs.reshape(members, batch, 1, samples * channels))
        self.cell, self.dtype, self._threads = cell, cell.dtype, threads
        self._lanes, self._tasks = LANES[self.dtype], pattern.members * plan.tiles
        self._kept = Loan(kept_shapes(self.plan, self._tasks if training else 0, self._lanes), self.dtype)

    @property
    def kept_bytes(self) -> int:
        """Memory held between forward and backward."""
        return sum(each.nbytes for each in self._kept.arrays)

    def forward(self, recorded: Recorded) -> None:
        """Integrate all tasks."""
        kept = Kept(*self._kept.arrays)

        def run(begin: int, end: int) -> None:
            work = Loan(work_shapes(self.plan, self._lanes), self.dtype)
            plain_forward_tasks(
                self.plan, self.synapses, self.cell, self.signals, begin, end, kept, Work(*work.arrays), recorded
            )

        run_tasks(run, self._tasks, self._threads)

    def backward(self, recorded: Recorded, results: Adjoints) -> None:
        """Walk back through all tasks, from the adjoints of what was recorded."""
        kept = Kept(*self._kept.arrays)

        def run(begin: int, end: int) -> None:
            work = Loan(work_shapes(self.plan, self._lanes), self.dtype)
            taken = Loan(evaluations_shapes(self.plan, self._lanes), self.dtype)
            adjoint = Loan(plain_adjoint_shapes(self.plan, self._lanes, self.pattern.most_stored), self.dtype)
            plain_adjoint_tasks(
                self.plan,
                self.synapses,
                self.cell,
                self.signals,
                begin,
                end,
                kept,
                Work(*work.arrays),
                Evaluations(*taken.arrays),
                PlainAdjoint(*adjoint.arrays),
                recorded,
                results,
            )

        run_tasks(run, self._tasks, self._threads)
