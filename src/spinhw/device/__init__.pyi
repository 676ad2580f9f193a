from .banks import OscillatorBank, SynapseBank
from .base import Device
from .batch import MeasuredBatch
from .description import Description, Parameter
from .kinds import DEVICES, AnyDevice, DeviceSettings
from .limits import Limit
from .multiplex import Correction, MultiplexedDevice
from .multiplexed_settings import MultiplexedSettings
from .network_chains import NetworkChain, NetworkChains, resonators_that_exist
from .opening import open_bank, open_chains, open_device, open_synapses
from .plan import ObservationPlan
from .profiles import device_schema, is_bench, load_device
from .reading import Reading, Samples
from .recorded import RecordedDevice
from .recorded_settings import RecordedSettings
from .recorder import Recorder
from .recording import Recording
from .simulated import SimulatedDevice, SimulatedOscillatorBank, SimulatedSynapseBank
from .simulated_settings import SimulatedSettings
from .trace import Quality, Signal, Trace
from .verified import Verified, VerifyPlan, program_and_verify
from .verified_chip import VerifiedChip, program_chip_and_verify
from .visa_settings import VisaSettings

__all__ = [
    "DEVICES",
    "AnyDevice",
    "MeasuredBatch",
    "Correction",
    "Description",
    "Device",
    "DeviceSettings",
    "Limit",
    "MultiplexedDevice",
    "MultiplexedSettings",
    "NetworkChain",
    "NetworkChains",
    "ObservationPlan",
    "OscillatorBank",
    "Parameter",
    "Quality",
    "Reading",
    "RecordedDevice",
    "RecordedSettings",
    "Recorder",
    "Recording",
    "Samples",
    "Signal",
    "SimulatedDevice",
    "SimulatedOscillatorBank",
    "SimulatedSettings",
    "SimulatedSynapseBank",
    "SynapseBank",
    "Trace",
    "Verified",
    "VerifiedChip",
    "VerifyPlan",
    "VisaSettings",
    "device_schema",
    "is_bench",
    "load_device",
    "open_bank",
    "open_chains",
    "open_device",
    "open_synapses",
    "program_and_verify",
    "program_chip_and_verify",
    "resonators_that_exist",
]
