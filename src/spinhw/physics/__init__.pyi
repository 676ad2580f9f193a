from .chain import (
    BELOW_LIMIT,
    TuningCurve,
    alternating,
    chain_solution,
    chain_voltage,
    inner_branch,
    transmission,
)
from .ctrnn import ctrnn_output, ctrnn_step
from .drive import BIAS_OVER_GAMMA, Saturation, saturate
from .highpass import highpass_factors, highpass_step, highpassed
from .ladder import Ladder
from .measured_chain import Chain
from .noise import diffusion, thermal_step
from .oscillator import POWER_FLOOR, coefficients, decay_mean, equilibrium, logistic_step, power_rate
from .rate import (
    LOGISTIC,
    Parameters,
    Rate,
    derivatives_of,
    midpoint_derivatives,
    midpoint_step,
    rest_by_newton,
)
from .resonator import chain_weights, detuning_for, resonator_slope, resonator_weight

__all__ = [
    "BELOW_LIMIT",
    "BIAS_OVER_GAMMA",
    "Chain",
    "LOGISTIC",
    "Ladder",
    "POWER_FLOOR",
    "Parameters",
    "Rate",
    "Saturation",
    "TuningCurve",
    "alternating",
    "chain_solution",
    "chain_voltage",
    "chain_weights",
    "coefficients",
    "ctrnn_output",
    "ctrnn_step",
    "decay_mean",
    "derivatives_of",
    "detuning_for",
    "diffusion",
    "equilibrium",
    "highpass_factors",
    "highpass_step",
    "highpassed",
    "inner_branch",
    "logistic_step",
    "midpoint_derivatives",
    "midpoint_step",
    "power_rate",
    "resonator_slope",
    "resonator_weight",
    "rest_by_newton",
    "saturate",
    "thermal_step",
    "transmission",
]
