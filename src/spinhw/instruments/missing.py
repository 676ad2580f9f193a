"""What is not installed: which package or library an address or a VISA backend needs, and where it comes from."""

from spinhw.instruments.address import interface
from spinhw.instruments.failures import LinkError

# PyVISA-py.
PYTHON = "@py"

_NI = "NI-VISA or another VISA library installed and backend: '@ivi'"

# By interface: what PyVISA-py needs for it, and how it is installed.
_NEEDS = {
    "ASRL": ("PySerial", "pip install pyserial"),
    "GPIB": (
        "gpib-ctypes and the driver of the GPIB board",
        "install linux-gpib (linux-gpib.sourceforge.io) on Linux or NI-488.2 on Windows, then: pip install gpib-ctypes",
    ),
    "USB": ("PyUSB and libusb", "pip install pyusb libusb-package"),
    "VICP": ("PyVICP", "pip install pyvicp"),
}
_NEEDS["PRLGX-ASRL"] = _NEEDS["ASRL"]


def package(address: str, backend: str, error: Exception) -> LinkError | None:
    """Say what has to be installed for an address; None where that is not why it could not be opened."""
    needed = _NEEDS.get(interface(address)) if backend.endswith(PYTHON) else None
    if needed is None or not (isinstance(error, ImportError) or "install" in str(error).lower()):
        return None
    what, command = needed
    return LinkError(
        f"{address}: a package for {interface(address)} is missing from this Python",
        seen=error,
        allowed=f"{what} for backend {backend!r}, or {_NI}",
        todo=command,
    )


def library(backend: str, purpose: str, error: Exception) -> LinkError:
    """Say what a VISA backend lacks.

    Args:
        backend: Such as "@ivi".
        purpose: What it was wanted for, such as " for GPIB0::24::INSTR"; may be empty.
        error: What PyVISA said.
    """
    seen = str(error).strip() or type(error).__name__
    if backend.endswith("@ivi"):
        return LinkError(
            f"there is no VISA library that backend {backend!r} could use{purpose}",
            seen=seen,
            allowed="NI-VISA, Keysight IO Libraries, R&S VISA or another one that is installed",
            todo="install one, from its maker's page; or write backend: '@py', which needs none",
        )
    if backend.endswith(PYTHON):
        return LinkError(
            f"PyVISA-py, which backend {backend!r} needs{purpose}, cannot be used",
            seen=seen,
            allowed="a package of this Python",
            todo="pip install pyvisa-py",
        )
    return LinkError(
        f"VISA backend {backend!r} cannot be used{purpose}",
        seen=seen,
        allowed="'@py', '@ivi', '@spinhw' for a virtual bench, or that of another PyVISA package",
        todo="install it, or write backend: '@py'",
    )
