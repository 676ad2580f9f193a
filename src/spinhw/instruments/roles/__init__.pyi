from .base import Build, Instrument
from .current import CurrentSource, Measured
from .digitizer import Acquisition, Digitizer, Record, Waveform
from .power import PowerReadout, Spectrum
from .rf import RFSource
from .switch import MATRIX, Switch
from .synapses import ALL, BoardAbilities, SynapseController
from .voltage import DCVoltmeter
from .waveform import Uploaded, WaveformSource

__all__ = [
    "ALL",
    "Acquisition",
    "BoardAbilities",
    "Build",
    "CurrentSource",
    "DCVoltmeter",
    "Digitizer",
    "Instrument",
    "MATRIX",
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
