from .keithley_2182a import Keithley2182A
from .keithley_2400 import Keithley2400
from .keithley_3706a import Keithley3706A
from .keithley_6221 import Keithley6221
from .keysight_33500 import Keysight33500
from .keysight_infiniivision import KeysightInfiniiVision
from .rohde_schwarz_fsv import RohdeSchwarzFSV
from .scpi_rf import ScpiRFSource
from .synapse_controller import ScpiSynapseController
from .tektronix_awg5200 import TektronixAWG5200
from .tektronix_scope import TektronixScope

__all__ = [
    "Keithley2182A",
    "Keithley2400",
    "Keithley3706A",
    "Keithley6221",
    "Keysight33500",
    "KeysightInfiniiVision",
    "RohdeSchwarzFSV",
    "ScpiRFSource",
    "ScpiSynapseController",
    "TektronixAWG5200",
    "TektronixScope",
]
