"""The CPU engine: the whole sweep over time and its adjoint, compiled by Numba."""

from spinhw.rollout.cpu.adapter import rollout, rollout_driven

__all__ = ["rollout", "rollout_driven"]
