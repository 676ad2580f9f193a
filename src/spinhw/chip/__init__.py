"""The simulated truth: hidden parameters, imperfections, shots and drift, integrated finely."""

from spinhw.chip.array import OscillatorArray
from spinhw.chip.chip import Chip
from spinhw.chip.draw import Identity
from spinhw.chip.oscillators import HiddenOscillators
from spinhw.chip.recorder import ChipTruth, Measurement
from spinhw.chip.resonators import ResonatorChain
from spinhw.chip.settings import ChipSettings, ConverterSettings

__all__ = [
    "Chip",
    "ChipSettings",
    "ConverterSettings",
    "HiddenOscillators",
    "Identity",
    "Measurement",
    "OscillatorArray",
    "ResonatorChain",
    "ChipTruth",
]
