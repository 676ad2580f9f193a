"""One instrument has one address, however it is spelt; and what is no VISA address is known for it."""

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyvisa import rname

from spinhw.instruments.address import canonical, for_pyvisa, interface, is_visa_address

NAMES = st.from_regex(r"[a-z][a-z0-9-]{0,8}(\.[a-z]{1,3})?", fullmatch=True)
SERIALS = st.from_regex(r"[A-Z]{2}[0-9]{4,8}", fullmatch=True)
BOARDS = st.sampled_from(["", "0", "1", "7", "12"])


@st.composite
def one_address(draw):
    """Draw the parts of an address: interface, board, what is in between, what may be left out, class."""
    kind = draw(st.sampled_from(["GPIB", "VXI", "USB", "RAW", "SOCKET", "TCPIP", "VICP", "ASRL"]))
    board = draw(BOARDS)
    if kind == "GPIB":
        secondary = draw(st.sampled_from([(), ("0",), ("9",)]))
        return "GPIB", board, (str(draw(st.integers(0, 30))), *secondary), (), "INSTR"
    if kind == "VXI":
        return "VXI", board, (str(draw(st.integers(1, 255))),), (), "INSTR"
    if kind in {"USB", "RAW"}:
        ids = tuple(f"0x{draw(st.integers(0, 0xFFFF)):04X}" for _ in range(2))
        return "USB", board, (*ids, draw(SERIALS)), ("0",), "INSTR" if kind == "USB" else "RAW"
    if kind == "SOCKET":
        return "TCPIP", board, (draw(NAMES), str(draw(st.integers(1, 65535)))), (), "SOCKET"
    if kind == "TCPIP":
        return "TCPIP", board, (draw(NAMES),), ("inst0",), "INSTR"
    if kind == "VICP":
        return "VICP", "", (draw(NAMES),), (), "INSTR"
    return "ASRL", draw(st.sampled_from(["1", "12", "/dev/ttyUSB0", "/dev/serial/by-id/usb-FTDI_x"])), (), (), "INSTR"


@st.composite
def spelt(draw):
    """Draw two spellings of one address that PyVISA understands."""
    name, board, parts, optional, kind = draw(one_address())

    def spelling():
        start = draw(st.sampled_from([name, name.lower(), name.title()]))
        number = draw(st.sampled_from(["", "0"])) if board in {"", "0"} and name not in {"VICP", "ASRL"} else board
        rest = [*parts, *(optional if draw(st.booleans()) else ())]
        last = [kind] if kind in {"SOCKET", "RAW"} or draw(st.booleans()) or (name == "ASRL" and not rest) else []
        return "::".join([start + number, *rest, *last])

    return spelling(), spelling()


@given(spelt())
def test_two_spellings_are_one_address_and_agree_with_pyvisa(pair):
    one, other = pair
    assert canonical(one) == canonical(other)
    assert rname.to_canonical_name(one) == canonical(one)
    assert canonical(canonical(one)) == canonical(one)
    assert is_visa_address(one)


@given(spelt(), spelt())
def test_addresses_that_pyvisa_tells_apart_stay_apart(one, other):
    same = rname.to_canonical_name(one[0]) == rname.to_canonical_name(other[0])
    assert (canonical(one[0]) == canonical(other[0])) == same


@given(spelt())
def test_case_and_white_space_do_not_matter_but_in_paths(pair):
    address = pair[0]
    assert canonical(f"  {address}\n") == canonical(address)
    assert canonical(address.replace("::", " :: ")) == canonical(address)
    if "/" not in address:
        assert canonical(address.upper()) == canonical(address.lower()) == canonical(address)


@given(spelt())
def test_pyvisa_opens_an_address_in_small_letters(pair):
    address = pair[0]
    again = for_pyvisa(f" {address if '/' in address else address.lower()} ")
    assert canonical(rname.to_canonical_name(again)) == canonical(address)


@pytest.mark.parametrize(
    ("address", "same"),
    [
        ("GPIB007::024::INSTR", "GPIB7::24"),
        ("GPIB0::24::65535::INSTR", "GPIB::24"),  # VI_NO_SEC_ADDR
        ("USB0::2391::9735::MY1::INSTR", "USB::0x957::0X2607::my1::0"),
        ("TCPIP0::Scope.Lab::05025::socket", "TCPIP::scope.lab::5025::SOCKET"),
        ("tcpip::Scope::hislip0", "TCPIP0::scope::HISLIP0::INSTR"),
        ("COM3", "ASRL3::INSTR"),
        ("asrlcom03", "ASRL3::INSTR"),
        ("PRLGX-TCPIP::192.0.2.4::INTFC", "PRLGX-TCPIP0::192.0.2.4::1234::INTFC"),
    ],
)
def test_spellings_beyond_those_of_pyvisa_are_one_as_well(address, same):
    assert canonical(address) == canonical(same)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("GPIB0::24::INSTR", "GPIB0::24::0::INSTR"),
        ("GPIB0::24::INSTR", "GPIB1::24::INSTR"),
        ("ASRL/dev/ttyUSB0::INSTR", "ASRL/dev/ttyusb0::INSTR"),
        ("TCPIP0::a::inst0::INSTR", "TCPIP0::a::inst1::INSTR"),
        ("TCPIP0::a::5025::SOCKET", "TCPIP0::a::5026::SOCKET"),
        ("USB0::1::2::A::INSTR", "USB0::1::2::A::1::INSTR"),
    ],
)
def test_different_addresses_stay_different(one, other):
    assert canonical(one) != canonical(other)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "192.0.2.5",
        "scope",
        "MyScope",
        "COM3",
        "GPIB24",
        "GPIB0::INSTR",
        "GPIB0::twelve::INSTR",
        "TCPIP0::192.0.2.5::SOCKET",
        "TCPIP0::192.0.2.5::port::SOCKET",
        "TCPIP0::::5025::SOCKET",
        "TCPIPX::192.0.2.5::INSTR",
        "USB0::1AB1::2::A::INSTR",
        "PXI0::CHASSIS1::SLOT2::INSTR",
        "VICP0::a::INSTR",
    ],
)
def test_what_is_no_visa_address_is_known_for_it_and_only_cleaned(text):
    assert not is_visa_address(text)
    if text != "COM3":
        assert canonical(f" {text} ") == text.upper()


@given(st.text())
def test_any_text_has_a_canonical_form(text):
    assert canonical(canonical(text)) == canonical(text)


def test_interfaces_are_told():
    told = {one: interface(one) for one in ("gpib::2", "COM3", "ASRL1", "TCPIP::a", "USB::1::2::A", "no")}
    assert list(told.values()) == ["GPIB", "ASRL", "ASRL", "TCPIP", "USB", ""]


def test_addresses_are_compared_without_pyvisa():
    code = "import sys, spinhw.instruments.address; sys.exit('pyvisa' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
