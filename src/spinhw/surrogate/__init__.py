"""The model of measured oscillators: how they answer drives, how that depends on their parameters."""

from spinhw.surrogate.oscillators import DYNAMICS, LOGARITHMIC, PARAMETERS, Oscillators
from spinhw.surrogate.played import Misfit, Played, columns, misfit, modelled, shifted, substeps_for
from spinhw.surrogate.response import Response, respond

__all__ = [
    "DYNAMICS",
    "LOGARITHMIC",
    "PARAMETERS",
    "Misfit",
    "Oscillators",
    "Played",
    "Response",
    "columns",
    "misfit",
    "modelled",
    "respond",
    "shifted",
    "substeps_for",
]
