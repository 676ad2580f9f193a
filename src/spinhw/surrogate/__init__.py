"""The model of measured oscillators: how they answer drives, how that depends on their parameters."""

from spinhw.surrogate.calibrated import Calibrated, calibrated_neurons
from spinhw.surrogate.coupled_refit import CoupledRefit
from spinhw.surrogate.feedback import NetworkRecord
from spinhw.surrogate.oscillators import DYNAMICS, LOGARITHMIC, PARAMETERS, Oscillators
from spinhw.surrogate.played import Misfit, Played, columns, misfit, modelled, shifted, substeps_for
from spinhw.surrogate.refit import OnlineRefit, information
from spinhw.surrogate.response import Response, respond

__all__ = [
    "DYNAMICS",
    "LOGARITHMIC",
    "PARAMETERS",
    "Calibrated",
    "CoupledRefit",
    "Misfit",
    "NetworkRecord",
    "OnlineRefit",
    "Oscillators",
    "Played",
    "Response",
    "calibrated_neurons",
    "columns",
    "information",
    "misfit",
    "modelled",
    "respond",
    "shifted",
    "substeps_for",
]
