"""Virtual instruments, each with the dialect of a real one. `MODELS` names them as profiles do."""

from collections.abc import Mapping

from spinhw.virtual.instruments.keithley_2182 import Keithley2182
from spinhw.virtual.instruments.keithley_2400 import Keithley2400
from spinhw.virtual.instruments.keithley_3706a import Keithley3706A
from spinhw.virtual.instruments.keithley_6221 import Keithley6221
from spinhw.virtual.instruments.keithley_sources import CurrentSource
from spinhw.virtual.instruments.keysight_33500 import Keysight33500, Keysight33600
from spinhw.virtual.instruments.keysight_infiniivision import KeysightInfiniiVision
from spinhw.virtual.instruments.keysight_n5173b import KeysightN5173B
from spinhw.virtual.instruments.oscilloscope import Oscilloscope
from spinhw.virtual.instruments.panel import Panel
from spinhw.virtual.instruments.rohde_fsv import RohdeFSV
from spinhw.virtual.instruments.rohde_sgs100a import RohdeSGS100A
from spinhw.virtual.instruments.rohde_smb100a import RohdeSMB100A
from spinhw.virtual.instruments.rohde_smw200a import RohdeSMW200A
from spinhw.virtual.instruments.synapse_controller import SynapseController
from spinhw.virtual.instruments.tektronix_awg5200 import TektronixAWG5200
from spinhw.virtual.instruments.tektronix_mso import TektronixDPO, TektronixMSO
from spinhw.virtual.instruments.tone_source import ToneSource

MODELS: Mapping[str, type[Panel]] = {
    "keithley-2182a": Keithley2182,
    "keithley-2400": Keithley2400,
    "keithley-3706a": Keithley3706A,
    "keithley-6221": Keithley6221,
    "keysight-33500": Keysight33500,
    "keysight-33600": Keysight33600,
    "keysight-infiniivision": KeysightInfiniiVision,
    "keysight-n5173b": KeysightN5173B,
    "rohde-schwarz-fsv": RohdeFSV,
    "rohde-schwarz-sgs100a": RohdeSGS100A,
    "rohde-schwarz-smb100a": RohdeSMB100A,
    "rohde-schwarz-smw200a": RohdeSMW200A,
    "synapse-controller": SynapseController,
    "tektronix-awg5200": TektronixAWG5200,
    "tektronix-dpo": TektronixDPO,
    "tektronix-mso": TektronixMSO,
}

__all__ = [
    "MODELS",
    "CurrentSource",
    "Keithley2182",
    "Keithley2400",
    "Keithley3706A",
    "Keithley6221",
    "Keysight33500",
    "Keysight33600",
    "KeysightInfiniiVision",
    "KeysightN5173B",
    "Oscilloscope",
    "Panel",
    "RohdeFSV",
    "RohdeSGS100A",
    "RohdeSMB100A",
    "RohdeSMW200A",
    "SynapseController",
    "TektronixAWG5200",
    "TektronixDPO",
    "TektronixMSO",
    "ToneSource",
]
