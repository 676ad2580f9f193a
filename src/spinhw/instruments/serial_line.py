"""How a serial line is set: the same numbers as in the menu of the instrument."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from spinhw.config import Settings


def _is_a_stop(bits: float) -> float:
    if bits not in {1, 1.5, 2}:
        raise ValueError("must be 1, 1.5 or 2")
    return bits


class SerialSettings(Settings):
    """A serial line."""

    baud_rate: int = Field(default=9600, ge=50, le=10_000_000, description="Bits per second.")
    parity: Literal["none", "odd", "even", "mark", "space"] = Field(default="none", description="Parity bit.")
    data_bits: int = Field(default=8, ge=5, le=8, description="Bits of a character. Blocks of bytes need 8.")
    stop_bits: Annotated[float, AfterValidator(_is_a_stop)] = Field(
        default=1, description="Stop bits of a character: 1, 1.5 or 2."
    )
    flow_control: Literal["none", "xon_xoff", "rts_cts", "dtr_dsr"] = Field(
        default="none", description="How either side makes the other wait. xon_xoff spoils blocks of bytes."
    )
    termination: Literal["\n", "\r", "\r\n"] = Field(
        default="\n", description='What ends a line, both ways: "\\n", "\\r" or "\\r\\n".'
    )


def set_line(resource: Any, serial: SerialSettings) -> None:
    """Set an open serial resource of PyVISA.

    Raises:
        Exception: Whatever the VISA library says where the port cannot do it.
    """
    from pyvisa import constants

    resource.baud_rate = serial.baud_rate
    resource.data_bits = serial.data_bits
    resource.parity = constants.Parity[serial.parity]
    resource.stop_bits = constants.StopBits(round(10 * serial.stop_bits))
    resource.flow_control = constants.ControlFlow[serial.flow_control]
