"""Instruments on a bench: links, roles, drivers, stations. SI everywhere. PyVISA is imported when one is opened."""

from spinhw.instruments.failures import IdentityError, LinkError, RefusedError
from spinhw.instruments.link import Link
from spinhw.instruments.replay import ReplayWire
from spinhw.instruments.roles import (
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
from spinhw.instruments.settings import StationSettings, load_station
from spinhw.instruments.station import Station, open_station, switch_off

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
