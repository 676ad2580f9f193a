"""Calibration of a chain of RF resonators: resonances, tuning, crosstalk, programming."""

from spinhw.calibrate.synapses.analyse import SynapseAnalysis, analyse_synapses
from spinhw.calibrate.synapses.fit import Windows, centres_off_line
from spinhw.calibrate.synapses.programming import Programmed, programmed
from spinhw.calibrate.synapses.readings import Read, ladder_of, load_read, read_all
from spinhw.calibrate.synapses.run import calibrate_synapses, readings_of, synapses_within_limits
from spinhw.calibrate.synapses.settings import SynapsePlanSettings

__all__ = [
    "Programmed",
    "Read",
    "SynapseAnalysis",
    "SynapsePlanSettings",
    "Windows",
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
