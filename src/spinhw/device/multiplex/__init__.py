"""A whole recurrent network on one oscillator or a few: its neurons are played one after another and corrected."""

from spinhw.device.multiplex.assignment import Assignment
from spinhw.device.multiplex.correct import Corrector
from spinhw.device.multiplex.corrections import Corrections
from spinhw.device.multiplex.coupled import CoupledNetwork, Waveforms, weights_of
from spinhw.device.multiplex.device import MultiplexedDevice
from spinhw.device.multiplex.outcome import Corrected, Correction, CorrectionPlan
from spinhw.device.multiplex.passes import Player

__all__ = [
    "Assignment",
    "Corrected",
    "Correction",
    "Corrections",
    "Corrector",
    "CoupledNetwork",
    "MultiplexedDevice",
    "CorrectionPlan",
    "Player",
    "Waveforms",
    "weights_of",
]
