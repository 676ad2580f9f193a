"""The compiled code of the CPU engine: forward and adjoint sweeps, and what they are made of."""

from spinhw.rollout.cpu.kernels.adjoint import adjoint_tasks
from spinhw.rollout.cpu.kernels.forward import forward_tasks
from spinhw.rollout.cpu.kernels.plain import plain_forward_tasks
from spinhw.rollout.cpu.kernels.plain_adjoint import plain_adjoint_tasks

__all__ = ["adjoint_tasks", "forward_tasks", "plain_adjoint_tasks", "plain_forward_tasks"]
