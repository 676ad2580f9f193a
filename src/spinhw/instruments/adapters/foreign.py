"""Other people's driver objects behind our roles: limits, ramps and safe-off stay ours."""

from abc import abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar

from spinhw.errors import ConfigError, DeviceError
from spinhw.instruments.failures import LinkError
from spinhw.instruments.roles import CurrentSource, DCVoltmeter, Measured, RFSource
from spinhw.instruments.words import InstrumentAccess


class ForeignPort(InstrumentAccess):
    """An object of somebody else's driver, made when it is opened.

    Args:
        address: VISA address, for messages.
        make: Makes the object, and so connects.
    """

    library: ClassVar[str]

    def __init__(self, address: str, make: Callable[[], Any]) -> None:
        self._make, self._object, self._made = make, None, 0
        self._who = f"{address} by {self.library}"

    @abstractmethod
    def _identity(self, instrument: Any) -> str:
        """Ask the object who answers."""

    @abstractmethod
    def _disconnect(self, instrument: Any) -> None:
        """Disconnect, and change no output."""

    @abstractmethod
    def _get(self, owner: Any, name: str) -> Any:
        """Read a quantity."""

    @abstractmethod
    def _set(self, owner: Any, name: str, value: Any) -> None:
        """Set a quantity."""

    @property
    def generation(self) -> int:
        return self._made

    def open(self) -> str:
        self.close()
        try:
            self._object = self._make()
        except ImportError as error:
            raise ConfigError(
                f"{self._who}: this package is not installed", seen=error, todo=f'pip install "spinhw[{self.library}]"'
            ) from error
        except Exception as error:
            raise LinkError(f"{self._who}: the driver cannot connect", seen=error) from error
        self._made += 1
        return str(self._guarded("identity", lambda: self._identity(self._object)))

    def close(self) -> None:
        instrument, self._object = self._object, None
        if instrument is not None:
            self._guarded("closing", lambda: self._disconnect(instrument))

    def get(self, name: str) -> Any:
        """Read a quantity by the driver's own name; "ch1.voltage" for one of a part."""
        return self._guarded(name, lambda: self._get(*self._owner(name)))

    def set(self, name: str, value: Any) -> None:
        """Set a quantity by the driver's own name."""
        self._guarded(name, lambda: self._set(*self._owner(name), value))

    def _owner(self, name: str) -> tuple[Any, str]:
        if self._object is None:
            raise LinkError(f"{self._who}: not open", todo="open the station first")
        *parts, last = name.split(".")
        owner = self._object
        for part in parts:
            owner = getattr(owner, part)
        return owner, last

    def _guarded(self, about: str, work: Callable[[], Any]) -> Any:
        try:
            return work()
        except DeviceError:
            raise
        except Exception as error:  # whatever a foreign driver raises, its instrument is what failed
            raise LinkError(f"{self._who}: the driver failed ({about})", seen=error) from error


class ForeignCurrentSource(CurrentSource):
    """A current source whose quantities have the driver's own names; "" for those that it lacks."""

    port: ForeignPort
    current: ClassVar[str]
    output: ClassVar[str]
    compliance: ClassVar[str] = ""
    measured_current: ClassVar[str] = ""
    measured_voltage: ClassVar[str] = ""
    before_use: ClassVar[dict[str, Any]] = {}  # Set once, while the output is off.

    def _prepare(self, channel: str) -> None:
        for name, value in self.before_use.items():
            self.port.set(name, value)
        if self.compliance:
            self.port.set(self.compliance, self.channels[channel].compliance_v)

    def _set_current(self, channel: str, current_a: float) -> None:
        self.port.set(self.current, current_a)

    def _read_setpoint(self, channel: str) -> float:
        return float(self.port.get(self.current))

    def _set_output(self, channel: str, on: bool) -> None:
        self.port.set(self.output, on)

    def _read_output(self, output: str) -> bool:
        return bool(self.port.get(self.output))

    def _measure(self, channel: str) -> Measured:
        current = float(self.port.get(self.measured_current or self.current))
        voltage = float(self.port.get(self.measured_voltage)) if self.measured_voltage else float("nan")
        return Measured(current, voltage, abs(voltage) >= 0.999 * self.channels[channel].compliance_v)


class ForeignRFSource(RFSource):
    """An RF source whose quantities have the driver's own names, in hertz and dBm."""

    port: ForeignPort
    frequency: ClassVar[str]
    power: ClassVar[str]
    output: ClassVar[str]

    def _set_frequency(self, channel: str, frequency_hz: float) -> None:
        self.port.set(self.frequency, frequency_hz)

    def _read_frequency(self, channel: str) -> float:
        return float(self.port.get(self.frequency))

    def _set_power_dbm(self, channel: str, power_dbm: float) -> None:
        self.port.set(self.power, round(power_dbm, 2))

    def _read_power_dbm(self, channel: str) -> float:
        return float(self.port.get(self.power))

    def _set_output(self, channel: str, on: bool) -> None:
        self.port.set(self.output, on)

    def _read_output(self, output: str) -> bool:
        return bool(self.port.get(self.output))


class ForeignVoltmeter(DCVoltmeter):
    """A voltmeter with one input; range and integration time are left as they are."""

    port: ForeignPort
    voltage: ClassVar[str]

    def _configure(self, channel: str, range_v: float | None, power_line_cycles: float) -> None:
        pass

    def _measure(self, channel: str) -> float:
        return float(self.port.get(self.voltage))
