"""A driver: a current source that is nothing but a number."""

from spinhw.instruments import CurrentSource
from spinhw.instruments.roles import Measured
from spinhw.instruments.words import InstrumentAccess


class LabPort(InstrumentAccess):
    generation = 1

    def open(self):
        return "mine"

    def close(self):
        pass


class LabSource(CurrentSource):
    """As a user would write it in a package of his own."""

    value, on = 0.0, False

    @classmethod
    def make_port(cls, address):
        return LabPort()

    def _prepare(self, channel):
        pass

    def _set_current(self, channel, current_a):
        self.value = current_a

    def _read_setpoint(self, channel):
        return self.value

    def _set_output(self, channel, on):
        self.on = on

    def _read_output(self, output):
        return self.on

    def _measure(self, channel):
        return Measured(self.value, 0.0, False)
