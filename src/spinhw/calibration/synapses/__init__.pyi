from .analyse import SynapseAnalysis, analyse_synapses
from .fit import SweptWindows, centres_off_line
from .programming import Programmed, programmed
from .readings import Read, ladder_of, load_read, read_all
from .run import calibrate_synapses, readings_of, synapses_within_limits
from .settings import SynapsePlanSettings

__all__ = [
    "Programmed",
    "Read",
    "SweptWindows",
    "SynapseAnalysis",
    "SynapsePlanSettings",
    "analyse_synapses",
    "calibrate_synapses",
    "centres_off_line",
    "ladder_of",
    "load_read",
    "programmed",
    "read_all",
    "readings_of",
    "synapses_within_limits",
]
