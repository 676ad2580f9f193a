from .ctrnn import ctrnn_output, ctrnn_step
from .drive import BIAS_OVER_GAMMA, Saturation, saturate
from .highpass import highpass_factors, highpass_step
from .ladder import Ladder
from .noise import diffusion, thermal_step
from .oscillator import POWER_FLOOR, coefficients, decay_mean, equilibrium, logistic_step, power_rate
from .resonator import chain_weights, detuning_for, resonator_weight

__all__ = [
    "BIAS_OVER_GAMMA",
    "Ladder",
    "POWER_FLOOR",
    "Saturation",
    "chain_weights",
    "coefficients",
    "ctrnn_output",
    "ctrnn_step",
    "decay_mean",
    "detuning_for",
    "diffusion",
    "equilibrium",
    "highpass_factors",
    "highpass_step",
    "logistic_step",
    "power_rate",
    "resonator_weight",
    "saturate",
    "thermal_step",
]
