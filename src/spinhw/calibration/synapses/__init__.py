"""Calibration of a chain of RF resonators: resonances, tuning, crosstalk, programming."""

from spinhw.calibration.synapses.analyse import SynapseAnalysis, analyse_synapses
from spinhw.calibration.synapses.fit import SweptWindows, centres_off_line
from spinhw.calibration.synapses.programming import Programmed, programmed
from spinhw.calibration.synapses.readings import Read, ladder_of, load_read, read_all
from spinhw.calibration.synapses.run import calibrate_synapses, readings_of, synapses_within_limits
from spinhw.calibration.synapses.settings import SynapsePlanSettings

__all__ = [
    "Programmed",
    "Read",
    "SynapseAnalysis",
    "SynapsePlanSettings",
    "SweptWindows",
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
