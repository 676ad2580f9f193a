"""Pure functions of the physics: SI units, elementwise, differentiable by torch."""

from spinhw.physics.ctrnn import ctrnn_output, ctrnn_step
from spinhw.physics.drive import BIAS_OVER_GAMMA, Saturation, saturate
from spinhw.physics.highpass import highpass_factors, highpass_step
from spinhw.physics.noise import diffusion, thermal_step
from spinhw.physics.oscillator import POWER_FLOOR, coefficients, decay_mean, equilibrium, logistic_step, power_rate
from spinhw.physics.resonator import Ladder, chain_weights, detuning_for, resonator_weight

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
