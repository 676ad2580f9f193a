from .analyse import SynapseAnalysis, analyse_synapses, swept_fit, windows_of
from .programming import Programmed, programmed
from .readings import Read, ladder_of, load_read, read_all
from .run import calibrate_synapses, readings_of, synapses_within_limits
from .settings import SynapsePlanSettings

__all__ = [
    "Programmed",
    "Read",
    "SynapseAnalysis",
    "SynapsePlanSettings",
    "analyse_synapses",
    "calibrate_synapses",
    "ladder_of",
    "load_read",
    "programmed",
    "read_all",
    "readings_of",
    "swept_fit",
    "synapses_within_limits",
    "windows_of",
]
