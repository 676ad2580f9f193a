"""The GPU engine: many time steps and their adjoint in one Triton kernel each."""

from spinhw.rollout.gpu.adapter import rollout, rollout_driven

__all__ = ["rollout", "rollout_driven"]
