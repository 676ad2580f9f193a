from .array import OscillatorArray
from .chip import Chip
from .draw import Identity
from .oscillators import HiddenOscillators
from .recorder import ChipTruth, Measurement
from .resonators import ResonatorChain
from .settings import ChipSettings, ConverterSettings
from .synapses import ChipSynapses

__all__ = [
    "Chip",
    "ChipSettings",
    "ChipSynapses",
    "ChipTruth",
    "ConverterSettings",
    "HiddenOscillators",
    "Identity",
    "Measurement",
    "OscillatorArray",
    "ResonatorChain",
]
