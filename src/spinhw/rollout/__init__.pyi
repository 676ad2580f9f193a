from .engines import rollout, rollout_driven
from .names import Engine
from .parameters import Extras, Neurons, Rollout, Sparsity, Weights
from .stepper import Stepper
from .steps import Steps

__all__ = [
    "Engine",
    "Extras",
    "Neurons",
    "Rollout",
    "Sparsity",
    "Stepper",
    "Steps",
    "Weights",
    "rollout",
    "rollout_driven",
]
