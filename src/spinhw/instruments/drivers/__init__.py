"""Drivers: how a family of instruments fills the hooks of its role."""

from spinhw.instruments.drivers.keithley_2182a import Keithley2182A
from spinhw.instruments.drivers.keithley_2400 import Keithley2400
from spinhw.instruments.drivers.keithley_3706a import Keithley3706A
from spinhw.instruments.drivers.keithley_6221 import Keithley6221
from spinhw.instruments.drivers.keysight_33500 import Keysight33500
from spinhw.instruments.drivers.keysight_infiniivision import KeysightInfiniiVision
from spinhw.instruments.drivers.rohde_schwarz_fsv import RohdeSchwarzFSV
from spinhw.instruments.drivers.scpi_rf import ScpiRFSource
from spinhw.instruments.drivers.synapse_controller import ScpiSynapseController
from spinhw.instruments.drivers.tektronix_awg5200 import TektronixAWG5200
from spinhw.instruments.drivers.tektronix_scope import TektronixScope

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
