"""The seams between what trains and what is measured: devices, banks, traces."""

from spinhw.conversion import Conversion, ConversionSettings, Scaling
from spinhw.device.banks import OscillatorBank, SynapseBank
from spinhw.device.base import Device
from spinhw.device.batch import Batch
from spinhw.device.description import Description
from spinhw.device.limits import Limit
from spinhw.device.multiplex import Correction, MultiplexedDevice
from spinhw.device.opening import open_bank, open_device, open_synapses
from spinhw.device.plan import ObservationPlan
from spinhw.device.reading import Reading, Samples
from spinhw.device.recorded import RecordedDevice, RecordedSettings
from spinhw.device.recorder import Recorder
from spinhw.device.recording import Recording
from spinhw.device.settings import (
    DeviceSettings,
    MultiplexedSettings,
    SimulatedSettings,
    device_schema,
    is_bench,
    load_device,
)
from spinhw.device.simulated import SimulatedDevice, SimulatedOscillatorBank, SimulatedSynapseBank
from spinhw.device.trace import Quality, Signal, Trace

__all__ = [
    "Batch",
    "Conversion",
    "ConversionSettings",
    "Correction",
    "Description",
    "Device",
    "DeviceSettings",
    "Limit",
    "Scaling",
    "MultiplexedDevice",
    "MultiplexedSettings",
    "ObservationPlan",
    "OscillatorBank",
    "Quality",
    "Reading",
    "Samples",
    "Signal",
    "RecordedDevice",
    "RecordedSettings",
    "Recorder",
    "Recording",
    "SimulatedDevice",
    "SimulatedOscillatorBank",
    "SimulatedSettings",
    "SimulatedSynapseBank",
    "SynapseBank",
    "Trace",
    "device_schema",
    "is_bench",
    "load_device",
    "open_bank",
    "open_device",
    "open_synapses",
]
