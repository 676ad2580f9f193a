"""Integration of whole networks over time, and its gradient."""

from spinhw.rollout.parameters import Extras, Neurons, Rollout, Steps, Weights
from spinhw.rollout.reference import rollout, rollout_driven

__all__ = ["Extras", "Neurons", "Rollout", "Steps", "Weights", "rollout", "rollout_driven"]
