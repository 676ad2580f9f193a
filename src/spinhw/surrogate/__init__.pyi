from .calibrated import Calibrated, calibrated_neurons, members
from .chains import CalibratedChains, calibrated_chains, members_of_chains
from .coupled_refit import FORGETTING, CoupledRefit, TriedFit
from .feedback import NetworkRecord
from .oscillators import DYNAMICS, LOGARITHMIC, PARAMETERS, Oscillators
from .played import Played, columns, misfit, modelled, shifted, substeps_for
from .refit import OnlineRefit, information
from .resonators import AppliedWeights, CalibratedSynapses, calibrated_synapses
from .response import Response, respond
from .tuned import CHAINS, COMMON, UNTOLD, ChainShifts, ToldTunings

__all__ = [
    "AppliedWeights",
    "CHAINS",
    "COMMON",
    "Calibrated",
    "CalibratedChains",
    "CalibratedSynapses",
    "ChainShifts",
    "CoupledRefit",
    "DYNAMICS",
    "FORGETTING",
    "LOGARITHMIC",
    "NetworkRecord",
    "OnlineRefit",
    "Oscillators",
    "PARAMETERS",
    "Played",
    "Response",
    "ToldTunings",
    "TriedFit",
    "UNTOLD",
    "calibrated_chains",
    "calibrated_neurons",
    "calibrated_synapses",
    "columns",
    "information",
    "members",
    "members_of_chains",
    "misfit",
    "modelled",
    "respond",
    "shifted",
    "substeps_for",
]
