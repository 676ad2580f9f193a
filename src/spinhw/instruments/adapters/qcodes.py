"""Instruments of QCoDeS: quantities are parameters that are called. Imported when one is opened; extra `qcodes`."""

from typing import Any

from spinhw.instruments.adapters.foreign import ForeignPort, ForeignRFSource
from spinhw.instruments.words import InstrumentAccess


class QCoDeSPort(ForeignPort):
    """An instrument object of QCoDeS."""

    library = "qcodes"

    def _identity(self, instrument: Any) -> str:
        return ",".join(str(part) for part in instrument.get_idn().values())

    def _disconnect(self, instrument: Any) -> None:
        instrument.close()

    def _get(self, owner: Any, name: str) -> Any:
        return getattr(owner, name)()

    def _set(self, owner: Any, name: str, value: Any) -> None:
        getattr(owner, name)(value)


class QCoDeSRohdeSchwarzSGS100A(ForeignRFSource):
    """Rohde & Schwarz SGS100A by the driver of QCoDeS; an example of an adapter, as we have a driver of our own."""

    frequency, power, output = "frequency", "power", "status"

    @classmethod
    def make_port(cls, address: str) -> InstrumentAccess:
        def make() -> Any:
            from qcodes.instrument_drivers.rohde_schwarz import RohdeSchwarzSGS100A

            return RohdeSchwarzSGS100A("spinhw_sgs100a", address, visalib="@py")

        return QCoDeSPort(address, make)
