from .failures import IdentityError, LinkError, RefusedError
from .link import Link
from .replay import ReplayWire
from .roles import (
    Acquisition,
    CurrentSource,
    DCVoltmeter,
    Digitizer,
    Instrument,
    PowerReadout,
    Record,
    RFSource,
    Switch,
    SynapseController,
    WaveformSource,
)
from .settings import StationSettings, load_station
from .station import Station, open_station, switch_off

__all__ = [
    "Acquisition",
    "CurrentSource",
    "DCVoltmeter",
    "Digitizer",
    "IdentityError",
    "Instrument",
    "Link",
    "LinkError",
    "PowerReadout",
    "RFSource",
    "Record",
    "RefusedError",
    "ReplayWire",
    "Station",
    "StationSettings",
    "Switch",
    "SynapseController",
    "WaveformSource",
    "load_station",
    "open_station",
    "switch_off",
]
