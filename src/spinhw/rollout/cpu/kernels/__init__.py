"""The compiled code of the CPU engine: forward and adjoint sweeps, and what they are made of."""

from spinhw.rollout.cpu.kernels.adjoint import adjoint_tasks
from spinhw.rollout.cpu.kernels.forward import forward_tasks

__all__ = ["adjoint_tasks", "forward_tasks"]
