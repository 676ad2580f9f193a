"""What is missing for a wire is said as such, with the line that installs it; serial lines are set as the file says."""

import importlib.util
import os
import re
import sys
import threading

import pytest
import pyvisa
import yaml
from pyvisa import constants

from spinhw.config import build
from spinhw.errors import ConfigError, DeviceError
from spinhw.instruments import StationSettings, missing
from spinhw.instruments.build import build_instruments
from spinhw.instruments.serial_line import SerialSettings
from spinhw.instruments.traffic import Traffic
from spinhw.instruments.wires import open_wire, over_serial

FOUR_PARTS = re.compile(
    r"[^;]+.*; seen: .+; allowed: .+; next: (?:.+\.|pip install \S+.*|.*: pip install \S+)", re.DOTALL
)
CHANNEL = {"lowest": "0 mA", "highest": "10 mA", "compliance": "2 V", "ramp_step": "5 mA", "ramp_delay": "0 s"}
IDENTITY = b"KEITHLEY INSTRUMENTS INC.,MODEL 6221,1234567,D03"


def bench(backend="@py", **source):
    one = {"role": "current-source", "driver": "keithley-6221", "address": "ASRL1::INSTR", "channels": {1: CHANNEL}}
    return build(
        StationSettings, {"kind": "visa", "backend": backend, "instruments": {"dc": one | source}}, "mine.yaml"
    )


@pytest.mark.parametrize(
    ("module", "address", "line"),
    [
        ("serial", "ASRL/dev/ttyUSB0::INSTR", "pip install pyserial"),
        ("usb", "USB0::0x0957::0x2607::MY1::INSTR", "pip install pyusb libusb-package"),
        ("gpib_ctypes", "GPIB0::24::INSTR", "pip install gpib-ctypes"),
    ],
)
def test_a_package_that_is_not_installed_is_named_with_the_line_that_installs_it(module, address, line):
    if importlib.util.find_spec(module) is not None:
        pytest.skip(f"{module} is installed here")
    with pytest.raises(DeviceError, match=re.escape(line)) as error:
        open_wire(address, "@py", 0.1)
    assert FOUR_PARTS.fullmatch(str(error.value)), error.value
    assert str(error.value).startswith(f"{address}: a package for") and "'@ivi'" in str(error.value)


def test_an_instrument_behind_a_missing_package_says_so(mocker):
    lacking = ValueError("Please install PySerial (>=3.0) to use this resource type.\nNo module named 'serial'")
    mocker.patch.object(pyvisa.ResourceManager, "open_resource", side_effect=lacking)
    [source] = build_instruments(bench(), "mine.yaml", Traffic(None)).values()
    with pytest.raises(DeviceError, match=r"^ASRL1::INSTR: a package for ASRL is missing.*next: pip install pyserial"):
        source.open()


def test_other_errors_of_opening_are_not_taken_for_missing_packages():
    assert missing.package("ASRL1", "@py", ValueError("unknown protocol")) is None
    assert missing.package("TCPIP::a", "@py", ValueError("Please install more")) is None
    assert missing.package("GPIB::1", "@ivi", ValueError("Please install more")) is None


def test_a_computer_without_a_visa_library_is_told(mocker):
    mocker.patch.object(pyvisa, "ResourceManager", side_effect=OSError("Could not open VISA library:\n"))
    with pytest.raises(DeviceError, match=r"no VISA library that backend '@ivi' could use for GPIB0::24") as error:
        open_wire("GPIB0::24::INSTR", "@ivi", 0.1)
    assert FOUR_PARTS.fullmatch(str(error.value)), error.value
    assert "NI-VISA" in str(error.value) and "backend: '@py'" in str(error.value)


@pytest.mark.parametrize(
    ("backend", "said"),
    [
        ("@nowhere", r"VISA backend '@nowhere' cannot be used"),
        ("/no/lib.so@ivi", r"no VISA library that backend '/no/lib"),
    ],
)
def test_a_backend_that_is_not_there_is_told(backend, said):
    with pytest.raises(DeviceError, match=said) as error:
        open_wire("GPIB0::24::INSTR", backend, 0.1)
    assert FOUR_PARTS.fullmatch(str(error.value)), error.value


def test_pyvisa_py_that_is_not_there_is_told(monkeypatch, mocker):
    monkeypatch.setitem(sys.modules, "pyvisa_py", None)
    mocker.patch.dict("pyvisa.highlevel._WRAPPERS", clear=True)
    with pytest.raises(DeviceError, match="PyVISA-py, .* needs.*next: pip install pyvisa-py"):
        open_wire("GPIB0::24::INSTR", "@py", 0.1)


def test_what_is_no_address_is_refused_before_it_is_opened():
    with pytest.raises(DeviceError, match=r"no VISA address; seen: 192.0.2.5; allowed: TCPIP0::.*; next: "):
        open_wire("192.0.2.5", "@py", 0.1)


def test_no_visa_address_in_a_bench_file_is_refused_with_file_and_key():
    with pytest.raises(ConfigError, match=r"mine.yaml: instruments.dc.address: this is no VISA address") as error:
        bench(address="192.0.2.5")
    assert FOUR_PARTS.fullmatch(str(error.value)), error.value
    assert "GPIB0::24::INSTR" in str(error.value)


def test_names_that_an_installed_visa_or_a_driver_of_ones_own_knows_are_left_to_it():
    assert bench("@ivi", address="MySource").instruments["dc"].address == "MySource"
    assert bench(driver="my-own", address="serial number 5").instruments["dc"].driver == "my-own"


LINE = {
    "baud_rate": 19200,
    "parity": "even",
    "data_bits": 7,
    "stop_bits": 1.5,
    "flow_control": "rts_cts",
    "termination": "\r",
}


def test_a_serial_line_is_read_from_a_bench_file_and_written_back():
    settings = bench(serial=LINE)
    assert settings.instruments["dc"].serial == SerialSettings(**LINE)
    assert build(StationSettings, yaml.safe_load(settings.to_yaml()), "again.yaml") == settings
    assert bench(serial={}).instruments["dc"].serial == SerialSettings()
    assert bench().instruments["dc"].serial is None
    assert all(field.description for field in SerialSettings.model_fields.values())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"address": "GPIB0::24::INSTR"}, r"instruments.dc: serial: .*; seen: address: GPIB0::24.*ASRL3.*; next: "),
        ({"serial": {"baud": 9600}}, r"instruments.dc.serial: unknown key 'baud'; did you mean 'baud_rate'"),
        ({"serial": {"stop_bits": 3}}, r"serial.stop_bits: must be 1, 1.5 or 2"),
        ({"serial": {"parity": "some"}}, r"serial.parity: must be 'none', 'odd', 'even', 'mark' or 'space'"),
        ({"serial": {"termination": ";"}}, r"serial.termination: "),
    ],
)
def test_mistakes_in_a_serial_line_are_named(change, message):
    with pytest.raises(ConfigError, match=message):
        bench(**{"serial": {}, **change})


class FakeSerial:
    """A serial resource of PyVISA with a 6221 behind it; as its library, it gives lines up to the termination."""

    interface_type, resource_class, session = constants.InterfaceType.asrl, "INSTR", 1
    timeout = 2000

    def __init__(self):
        self.visalib, self.received, self.replies, self.attributes = self, b"", b"", {}

    def ignore_warning(self, *codes):
        return threading.Lock()

    def set_visa_attribute(self, attribute, value):
        self.attributes[attribute] = value

    def set_attribute(self, session, attribute, value):
        self.attributes[attribute] = value

    def write(self, session, data):
        self.received += data
        end = bytes([self.attributes[constants.ResourceAttribute.termchar]])
        self.replies += IDENTITY + end if data.startswith(b"*IDN?") else b""
        return len(data), constants.StatusCode.success

    def read(self, session, count):
        end = bytes([self.attributes[constants.ResourceAttribute.termchar]])
        line, _, self.replies = self.replies.partition(end)
        return line + end, constants.StatusCode.success_termination_character_read

    def close(self):
        pass


@pytest.fixture
def resource(mocker):
    fake = FakeSerial()
    mocker.patch.object(pyvisa.ResourceManager, "open_resource", return_value=fake)
    return fake


def test_a_serial_line_is_set_when_the_wire_is_opened(resource):
    [source] = build_instruments(bench(serial=LINE), "mine.yaml", Traffic(None)).values()
    assert source.open() == IDENTITY.decode()
    assert (resource.baud_rate, resource.data_bits) == (19200, 7)
    assert resource.parity is constants.Parity.even
    assert resource.stop_bits is constants.StopBits.one_and_a_half
    assert resource.flow_control == constants.ControlFlow.rts_cts
    assert resource.received == b"*IDN?\r"


@pytest.mark.parametrize("termination", ["\n", "\r", "\r\n"])
def test_lines_end_as_the_file_says_and_data_inside_stays(resource, termination):
    wire = open_wire("ASRL1::INSTR", "@py", 1.0, serial=SerialSettings(termination=termination))
    wire.send(b"A #12", b"\n\r", b"\n")
    assert resource.received == b"A #12\n\r" + termination.encode()
    assert resource.attributes[constants.ResourceAttribute.termchar] == ord(termination[-1])
    resource.replies = b"yes" + termination.encode() + b"no" + termination.encode()
    assert (wire.receive_line(), wire.receive_line()) == (b"yes", b"no")


def test_every_value_of_the_file_has_one_of_pyvisa(resource):
    for key in ("parity", "flow_control"):
        for value in SerialSettings.model_fields[key].annotation.__args__:
            open_wire("ASRL1::INSTR", "@py", 1.0, serial=SerialSettings(**{key: value}))
            assert getattr(resource, key).name == value
    for bits in (1, 1.5, 2):
        open_wire("ASRL1::INSTR", "@py", 1.0, serial=SerialSettings(stop_bits=bits))
        assert int(resource.stop_bits) == 10 * bits


def test_a_line_that_is_not_described_is_left_alone(resource):
    open_wire("ASRL1::INSTR", "@py", 1.0)
    assert not hasattr(resource, "baud_rate")


def test_wires_that_are_handed_in_have_no_line_to_set():
    def connect(address, backend, timeout_s):
        raise AssertionError

    assert over_serial(connect, SerialSettings()) is connect
    assert over_serial(open_wire, None) is open_wire


@pytest.mark.skipif(importlib.util.find_spec("serial") is None, reason="PySerial is not installed")
@pytest.mark.skipif(not hasattr(os, "openpty"), reason="no pseudo-terminals here")
@pytest.mark.parametrize("termination", ["\n", "\r"])
def test_a_true_serial_port_speaks_as_the_file_says(termination):
    ours, theirs = os.openpty()
    end = termination.encode()

    def answer():
        heard = b""
        while not heard.endswith(b"*IDN?" + end):
            heard += os.read(ours, 100)
        os.write(ours, IDENTITY + end)

    thread = threading.Thread(target=answer, daemon=True)
    thread.start()
    wire = open_wire(f"ASRL{os.ttyname(theirs)}::INSTR", "@py", 5.0, serial=SerialSettings(termination=termination))
    wire.send(b"*IDN?\n")
    assert wire.receive_line() == IDENTITY
    os.write(ours, b"#15ab\ncd" + end)
    assert bytes(wire.receive(3)) == b"#15"
    assert bytes(wire.receive(5)) == b"ab\ncd"
    wire.end_block()
    wire.close()
    thread.join(5)
    os.close(ours)
    os.close(theirs)
