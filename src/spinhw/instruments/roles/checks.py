"""What every role refuses: values beyond limits, and what does not read back as it was set."""

from spinhw.errors import DeviceError, LimitError
from spinhw.instruments.failures import LinkError


class Checks:
    """Refusals in the name of an instrument; its only state is that name."""

    name: str

    def _check(self, what: str, channel: str, value: float, limits: tuple[float, float], unit: str) -> None:
        """Refuse a value beyond its limits, NaN included.

        Raises:
            LimitError: Nothing was sent.
        """
        low, high = limits
        slack = 1e-9 * max(abs(low), abs(high))  # Rounding is no violation.
        if low - slack <= value <= high + slack:
            return
        raise LimitError(
            f"{self.name}: {what} of channel {channel} is beyond its limit and nothing was sent",
            seen=f"{value:.6g} {unit}".rstrip(),
            allowed=f"{low:.6g} to {high:.6g} {unit}".rstrip(),
            todo="lower the value, or change the limit in the bench file if the bench allows it",
        )

    def _finite(self, what: str, channel: str, value: float) -> float:
        """Return a setting that was read back, or refuse what is no number.

        Raises:
            LinkError: The instrument answered NaN or infinity.
        """
        if abs(value) < float("inf"):
            return value
        raise LinkError(
            f"{self.name}: {what} of channel {channel} reads back as no number",
            seen=value,
            allowed="a number",
            todo="look at the front panel; it may be overloaded or in another mode",
        )

    def _agree(self, what: str, channel: str, wanted: float, seen: float, tolerance: float, unit: str) -> float:
        """Return what was read back, or refuse it.

        Raises:
            DeviceError: It is not what was set.
        """
        if abs(seen - wanted) <= tolerance:
            return seen
        raise DeviceError(
            f"{self.name}: {what} of channel {channel} does not read back as set",
            seen=f"{seen:.6g} {unit}",
            allowed=f"{wanted:.6g} {unit} within {tolerance:.3g}",
            todo="look at the front panel; another limit or range of the instrument may be in force",
        )

    def _agree_flag(self, what: str, channel: str, wanted: bool, seen: bool) -> None:
        if wanted != seen:
            raise DeviceError(
                f"{self.name}: {what} of channel {channel} does not read back as set",
                seen="on" if seen else "off",
                allowed="on" if wanted else "off",
                todo="look at the front panel",
            )
