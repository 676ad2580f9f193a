"""Instruments of PyMeasure: quantities are properties. Imported when one is opened; extra `pymeasure`."""

from typing import Any

from spinhw.instruments.adapters.foreign import ForeignCurrentSource, ForeignPort
from spinhw.instruments.words import InstrumentAccess


class PyMeasurePort(ForeignPort):
    """An instrument object of PyMeasure."""

    library = "pymeasure"

    def _identity(self, instrument: Any) -> str:
        return str(instrument.id)

    def _disconnect(self, instrument: Any) -> None:
        instrument.adapter.close()  # not shutdown(), which may change outputs

    def _get(self, owner: Any, name: str) -> Any:
        return getattr(owner, name)

    def _set(self, owner: Any, name: str, value: Any) -> None:
        setattr(owner, name, value)


class PyMeasureYokogawaGS200(ForeignCurrentSource):
    """Yokogawa GS200 as a current source."""

    current, output, compliance = "source_level", "source_enabled", "voltage_limit"
    before_use = {"source_mode": "current"}

    @classmethod
    def make_port(cls, address: str) -> InstrumentAccess:
        def make() -> Any:
            from pymeasure.instruments.yokogawa import YokogawaGS200

            return YokogawaGS200(address, visa_library="@py")

        return PyMeasurePort(address, make)
