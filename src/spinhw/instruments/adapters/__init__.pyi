from .foreign import ForeignCurrentSource, ForeignPort, ForeignRFSource, ForeignVoltmeter
from .pymeasure import PyMeasurePort, PyMeasureYokogawaGS200
from .qcodes import QCoDeSPort, QCoDeSRohdeSchwarzSGS100A

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
