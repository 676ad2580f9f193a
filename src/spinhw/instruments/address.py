"""VISA addresses: the many spellings of one address as one, without PyVISA and without asking any name server."""

import re
from collections.abc import Callable
from typing import NamedTuple

# For messages about what is no address.
EXAMPLES = (
    "TCPIP0::192.0.2.5::5025::SOCKET, TCPIP0::192.0.2.5::inst0::INSTR, GPIB0::24::INSTR, "
    "USB0::0x0957::0x2607::MY52300001::INSTR, ASRL/dev/ttyUSB0::INSTR or ASRL3::INSTR (COM3)"
)

_HEAD = re.compile(r"(PRLGX-TCPIP|PRLGX-ASRL|TCPIP|GPIB|USB|ASRL|VXI|PXI|VICP)(.*)", re.IGNORECASE | re.DOTALL)
_COM = re.compile(r"(?:COM)?0*(\d+)", re.IGNORECASE)

# What VISA itself calls no secondary address (VI_NO_SEC_ADDR).
_NO_SECONDARY = "65535"


class _PartError(ValueError):
    """A part is not what stands in its place."""


def _number(text: str) -> str:
    if not re.fullmatch(r"[0-9]+", text):
        raise _PartError(text)
    return str(int(text))


def _usb_id(text: str) -> str:
    found = re.fullmatch(r"0x([0-9a-f]+)|([0-9]+)", text.lower())
    if found is None:
        raise _PartError(text)
    return f"0x{int(found[1], 16) if found[1] else int(found[2]):04X}"


def _some(text: str) -> str:
    if not text or not text.isprintable():
        raise _PartError(text)
    return text


def _lower(text: str) -> str:
    return _some(text).lower()


def _upper(text: str) -> str:
    return _some(text).upper()


Clean = Callable[[str], str]


class _Form(NamedTuple):
    """What stands between board and class: parts that must be there, one that may, and what stands for that one."""

    needed: tuple[Clean, ...] = ()
    optional: Clean | None = None
    default: str | None = None


_USB = _Form((_usb_id, _usb_id, _upper), _number, "0")
_FORMS: dict[tuple[str, str], _Form] = {
    ("ASRL", "INSTR"): _Form(),
    ("GPIB", "INSTR"): _Form((_number,), _number),
    ("GPIB", "INTFC"): _Form(),
    ("PRLGX-ASRL", "INTFC"): _Form((_some,)),
    ("PRLGX-TCPIP", "INTFC"): _Form((_lower,), _number, "1234"),
    ("PXI", "BACKPLANE"): _Form((_number,)),
    ("PXI", "MEMACC"): _Form(),
    ("TCPIP", "INSTR"): _Form((_lower,), _lower, "inst0"),
    ("TCPIP", "SOCKET"): _Form((_lower, _number)),
    ("USB", "INSTR"): _USB,
    ("USB", "RAW"): _USB,
    ("VICP", "INSTR"): _Form((_lower,)),
    ("VXI", "BACKPLANE"): _Form((_number,)),
    ("VXI", "INSTR"): _Form((_number,)),
    ("VXI", "MEMACC"): _Form(),
    ("VXI", "SERVANT"): _Form(),
}
# "INSTR" may be left out, except where PyVISA asks for a class.
_CLASSES = {name for _, name in _FORMS}
_NEEDS_CLASS = {"PXI", "PRLGX-ASRL", "PRLGX-TCPIP"}


class _Parsed(NamedTuple):
    interface: str
    board: str
    parts: tuple[str, ...]
    kind: str

    def text(self) -> str:
        return "::".join((self.interface + self.board, *self.parts, self.kind))


def canonical(address: str) -> str:
    """Spell an address in the one way that stands for all spellings of it.

    Board numbers, classes, LAN device names and USB interfaces that may be left out are written; letter case, leading
    zeros, white space and hexadecimal or decimal USB ids make no difference. Paths of serial lines keep their case.
    Names of hosts are not looked up: a name and its IP address stay two.

    Args:
        address: As a person wrote it. What is no VISA address comes back without white space around, in upper case.
    """
    text = address.strip()
    com = re.fullmatch(r"COM0*(\d+)", text, re.IGNORECASE)  # What NI-VISA calls ASRL3::INSTR as well.
    parsed = _parse(f"ASRL{com[1]}::INSTR" if com else text)
    return text.upper() if parsed is None else parsed.text()


def is_visa_address(address: str) -> bool:
    """Say whether a text is a VISA address at all, whoever may answer there."""
    return _parse(address) is not None


def interface(address: str) -> str:
    """Return the interface of an address, such as "GPIB", "ASRL", "USB", "TCPIP"; "" for what is no VISA address."""
    parsed = _parse(canonical(address))
    return "" if parsed is None else parsed.interface


def for_pyvisa(address: str) -> str:
    """Spell an address so that PyVISA understands it: it knows a class such as INSTR in capitals only."""
    head, mark, last = address.strip().rpartition("::")
    known = mark and last.strip().upper() in _CLASSES and is_visa_address(address)
    return f"{head}::{last.strip().upper()}" if known else address.strip()


def _parse(address: str) -> _Parsed | None:
    head, *parts = (part.strip() for part in address.strip().split("::"))
    found = _HEAD.fullmatch(head)
    if found is None:
        return None
    name = found[1].upper()
    kind = parts.pop().upper() if parts and parts[-1].upper() in _CLASSES else ""
    form = _FORMS.get((name, kind or "INSTR"))
    if form is None or (not kind and name in _NEEDS_CLASS):
        return None
    try:
        return _Parsed(name, _board(name, found[2]), _parts(form, parts), kind or "INSTR")
    except ValueError:
        return None


def _board(name: str, text: str) -> str:
    if name == "VICP":
        if text:
            raise _PartError(text)
        return ""
    if name == "ASRL":
        port = _COM.fullmatch(text)
        return str(int(port[1])) if port else text or "0"
    return _number(text or "0")


def _parts(form: _Form, parts: list[str]) -> tuple[str, ...]:
    least, most = len(form.needed), len(form.needed) + (form.optional is not None)
    if not least <= len(parts) <= most:
        raise _PartError
    cleaned = tuple(clean(part) for clean, part in zip(form.needed, parts, strict=False))
    if form.optional is None:
        return cleaned
    last = form.optional(parts[least]) if len(parts) == most else form.default
    return cleaned if last is None or (form is _FORMS["GPIB", "INSTR"] and last == _NO_SECONDARY) else (*cleaned, last)
