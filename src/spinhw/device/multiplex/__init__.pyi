from .assignment import Assignment
from .correct import Corrector
from .corrections import Corrections
from .coupled import CoupledNetwork, Waveforms, weights_of
from .device import MultiplexedDevice
from .outcome import Corrected, Correction, CorrectionPlan
from .passes import Player

__all__ = [
    "Assignment",
    "Corrected",
    "Correction",
    "CorrectionPlan",
    "Corrections",
    "Corrector",
    "CoupledNetwork",
    "MultiplexedDevice",
    "Player",
    "Waveforms",
    "weights_of",
]
