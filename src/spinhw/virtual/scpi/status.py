"""Status registers and the error queue of an instrument (IEEE 488.2, chapter 11; SCPI-99, volume 1, chapter 9)."""

from spinhw.virtual.scpi.errors import ErrorQueue, ScpiError, event_bit

OPERATION_COMPLETE, POWER_ON = 1, 128
_ERROR_AVAILABLE, _MESSAGE_AVAILABLE, _EVENT_SUMMARY, _MASTER_SUMMARY = 4, 16, 32, 64


class Status:
    """What an instrument reports about itself."""

    def __init__(self) -> None:
        self.errors = ErrorQueue()
        self.event, self.event_enable, self.service_enable = POWER_ON, 0, 0

    def report(self, error: ScpiError) -> None:
        """Queue an error and set its event bit."""
        self.errors.push(error)
        self.event |= event_bit(error.code)

    def take_event(self) -> int:
        """Read the standard event register, which clears it."""
        event, self.event = self.event, 0
        return event

    def clear(self) -> None:
        """Empty queue and event register (*CLS); the masks stay."""
        self.errors.clear()
        self.event = 0

    def byte(self, message_available: bool) -> int:
        """Give the status byte (*STB?)."""
        value = _ERROR_AVAILABLE if len(self.errors) else 0
        value |= _MESSAGE_AVAILABLE if message_available else 0
        value |= _EVENT_SUMMARY if self.event & self.event_enable else 0
        return value | (_MASTER_SUMMARY if value & self.service_enable else 0)
