"""The y of a moment ago: what reaches the synapses where the feedback takes its time.

At a node the synapses get y at `plan.delay` steps before it, on the straight line between the two nodes around; nothing
came before the first. The last nodes are kept in a ring.
"""

import math

from numba import njit

from spinhw.rollout.cpu.kernels import rows
from spinhw.rollout.cpu.kernels.tiles import clear, copy
from spinhw.rollout.cpu.kernels.vector import JIT


@njit(**JIT)
def reached(plan, node, last, following, local, target):
    """Put the y that reaches the synapses at a node into the rows of the neurons of target.

    last: newest node in the ring; following: y of the node after it (may be target), where the node asked for is that.
    """
    position = node - plan.delay
    if position <= 0.0:
        clear(target[: plan.neurons])
        return
    slots = local.past.shape[0]
    left = min(int(math.floor(position)), last)
    later = local.past[(left + 1) % slots] if left < last else following
    for lane in range(local.share.shape[0]):
        local.share[lane] = position - left
    for i in range(plan.neurons):
        rows.mix(i, target, local.past[left % slots], later, local.share)


@njit(**JIT)
def reached_at_start(plan, k, y, local):
    """Keep y of node k and put what reaches the synapses there, and the inputs, into local.arrived."""
    copy(local.past[k % local.past.shape[0]], y, plan.neurons)
    reached(plan, k, k, local.past[k % local.past.shape[0]], local, local.arrived)
    for i in range(plan.neurons, y.shape[0]):
        rows.average(i, local.arrived, y, y)


@njit(**JIT)
def reached_in_middle(plan, k, local, middle):
    """Turn middle, which holds the y predicted for node k + 1, into the mean of what arrives at both ends of step k."""
    reached(plan, k + 1, k, middle, local, middle)
    for i in range(plan.neurons):
        rows.average(i, middle, middle, local.arrived)
