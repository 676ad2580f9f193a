from .engines import rollout, rollout_driven
from .names import Engine
from .parameters import Extras, Neurons, Rollout, Sparsity, Weights
from .steps import Steps

__all__ = [
    "Engine",
    "Extras",
    "Neurons",
    "Rollout",
    "Sparsity",
    "Steps",
    "Weights",
    "rollout",
    "rollout_driven",
]
