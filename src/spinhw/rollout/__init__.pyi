from .engines import Engine, rollout, rollout_driven
from .parameters import Extras, Neurons, Rollout, Sparsity, Steps, Weights

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
