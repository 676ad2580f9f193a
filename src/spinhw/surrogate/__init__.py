"""The model of measured oscillators and synapses: how they answer, how that depends on their parameters."""

from spinhw.surrogate.calibrated import Calibrated, calibrated_neurons, members
from spinhw.surrogate.coupled_refit import FORGETTING, CoupledRefit
from spinhw.surrogate.feedback import NetworkRecord
from spinhw.surrogate.oscillators import DYNAMICS, LOGARITHMIC, PARAMETERS, Oscillators
from spinhw.surrogate.played import Misfit, Played, columns, misfit, modelled, shifted, substeps_for
from spinhw.surrogate.refit import OnlineRefit, information
from spinhw.surrogate.resonators import AppliedWeights, CalibratedSynapses, Chain, calibrated_synapses
from spinhw.surrogate.response import Response, respond

__all__ = [
    "DYNAMICS",
    "FORGETTING",
    "LOGARITHMIC",
    "PARAMETERS",
    "AppliedWeights",
    "Calibrated",
    "CalibratedSynapses",
    "Chain",
    "CoupledRefit",
    "Misfit",
    "NetworkRecord",
    "OnlineRefit",
    "Oscillators",
    "Played",
    "Response",
    "calibrated_neurons",
    "calibrated_synapses",
    "columns",
    "information",
    "members",
    "misfit",
    "modelled",
    "respond",
    "shifted",
    "substeps_for",
]
