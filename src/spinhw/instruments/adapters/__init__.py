"""Drivers of other packages behind our roles."""

from spinhw.instruments.adapters.foreign import ForeignCurrentSource, ForeignPort, ForeignRFSource, ForeignVoltmeter
from spinhw.instruments.adapters.pymeasure import PyMeasurePort, PyMeasureYokogawaGS200
from spinhw.instruments.adapters.qcodes import QCoDeSPort, QCoDeSRohdeSchwarzSGS100A

__all__ = [
    "ForeignCurrentSource",
    "ForeignPort",
    "ForeignRFSource",
    "ForeignVoltmeter",
    "PyMeasurePort",
    "PyMeasureYokogawaGS200",
    "QCoDeSPort",
    "QCoDeSRohdeSchwarzSGS100A",
]
