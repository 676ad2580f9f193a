"""Integration of whole networks over time, and its gradient."""

from spinhw.rollout.engines import Engine, rollout, rollout_driven
from spinhw.rollout.parameters import Extras, Neurons, Rollout, Sparsity, Steps, Weights

__all__ = ["Engine", "Extras", "Neurons", "Rollout", "Sparsity", "Steps", "Weights", "rollout", "rollout_driven"]
