"""What instruments are for: one abstract class for each role."""

from spinhw.instruments.roles.base import Build, Instrument
from spinhw.instruments.roles.current import CurrentSource, Measured
from spinhw.instruments.roles.digitizer import Acquisition, Digitizer, Record, Waveform
from spinhw.instruments.roles.power import PowerReadout, Spectrum
from spinhw.instruments.roles.rf import RFSource
from spinhw.instruments.roles.switch import MATRIX, Switch
from spinhw.instruments.roles.synapses import ALL, BoardAbilities, SynapseController
from spinhw.instruments.roles.voltage import DCVoltmeter
from spinhw.instruments.roles.waveform import Uploaded, WaveformSource

__all__ = [
    "ALL",
    "MATRIX",
    "Acquisition",
    "BoardAbilities",
    "Build",
    "CurrentSource",
    "DCVoltmeter",
    "Digitizer",
    "Instrument",
    "Measured",
    "PowerReadout",
    "RFSource",
    "Record",
    "Spectrum",
    "Switch",
    "SynapseController",
    "Uploaded",
    "Waveform",
    "WaveformSource",
]
