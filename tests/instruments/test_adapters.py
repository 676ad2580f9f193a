"""Other people's drivers behind our limits: light fakes with the attributes of PyMeasure and QCoDeS instruments."""

import sys
from types import ModuleType, SimpleNamespace

import pytest

from spinhw.config import build
from spinhw.errors import ConfigError, DeviceError, LimitError
from spinhw.instruments import CurrentSource, LinkError, RFSource, StationSettings
from spinhw.instruments.adapters import ForeignVoltmeter, PyMeasurePort
from spinhw.instruments.channels import VoltmeterInput
from spinhw.instruments.roles import Build
from spinhw.instruments.station import Station


class FakeYokogawaGS200:
    """Properties, an `id`, an adapter that is closed: as PyMeasure instruments have them."""

    def __init__(self, address, visa_library):
        self.log = []
        self.id = "YOKOGAWA,GS210,91T012345,2.02"
        self.adapter = SimpleNamespace(close=lambda: self.log.append("closed"))
        self.source_level, self.source_enabled = 0.0, False
        self.fails = False
        made.append(self)

    def __setattr__(self, name, value):
        if self.__dict__.get("fails"):
            raise OSError("VI_ERROR_TMO")
        self.__dict__[name] = value
        if name.startswith(("source", "voltage")):
            self.log.append((name, value))


class FakeParameter:
    def __init__(self, value):
        self.value = value

    def __call__(self, *value):
        if value:
            (self.value,) = value
        return self.value


class FakeSGS100A:
    """Parameters that are called, and `get_idn`: as QCoDeS instruments have them."""

    def __init__(self, name, address, visalib):
        self.frequency, self.power, self.status = FakeParameter(1e9), FakeParameter(-60.0), FakeParameter(False)
        self.closed = False
        made.append(self)

    def get_idn(self):
        return {"vendor": "Rohde&Schwarz", "model": "SGS100A", "serial": "1", "firmware": "4.2"}

    def close(self):
        self.closed = True


made = []


@pytest.fixture
def packages(monkeypatch):
    made.clear()

    def put(name, **members):
        module = ModuleType(name)
        module.__dict__.update(members)
        monkeypatch.setitem(sys.modules, name, module)

    put("pymeasure")
    put("pymeasure.instruments")
    put("pymeasure.instruments.yokogawa", YokogawaGS200=FakeYokogawaGS200)
    put("qcodes")
    put("qcodes.instrument_drivers")
    put("qcodes.instrument_drivers.rohde_schwarz", RohdeSchwarzSGS100A=FakeSGS100A)


SOURCE = {
    "role": "current-source",
    "driver": "pymeasure-yokogawa-gs200",
    "address": "GPIB::1::INSTR",
    "channels": {
        1: {"lowest": "0 mA", "highest": "10 mA", "compliance": "2 V", "ramp_step": "5 mA", "ramp_delay": "0 s"}
    },
}
RF = {
    "role": "rf-source",
    "driver": "qcodes-rohde-schwarz-sgs100a",
    "address": "TCPIP::1::INSTR",
    "channels": {1: {"highest_power": "1 mW", "lowest_frequency": "1 GHz", "highest_frequency": "2 GHz"}},
}


def station(folder, **instruments):
    settings = build(StationSettings, {"kind": "bench", "instruments": instruments}, "bench.yaml")
    return Station(settings, "bench.yaml", state_folder=folder)


def test_pymeasure_source_is_ramped_within_limits_and_switched_off(packages, tmp_path):
    with station(tmp_path, dc=SOURCE) as bench:
        source = bench.get("dc", CurrentSource)
        assert source.identity == "YOKOGAWA,GS210,91T012345,2.02"
        assert made[0].log == [("source_level", 0.0), ("source_enabled", False)]  # as it was made; nothing since
        source.set_output("1", True)
        made[0].log.clear()
        assert source.set_current("1", 0.01) == 0.01
        assert made[0].log == [("source_level", 0.005), ("source_level", 0.01)]
        assert source.measure("1").current_a == 0.01
        with pytest.raises(LimitError, match="dc: current of channel 1"):
            source.set_current("1", 0.02)
        made[0].log.clear()
    assert made[0].log == [("source_level", 0.005), ("source_level", 0.0), ("source_enabled", False), "closed"]


def test_output_goes_on_after_mode_and_compliance_are_set(packages, tmp_path):
    with station(tmp_path, dc=SOURCE) as bench:
        made[0].log.clear()
        bench.get("dc", CurrentSource).set_output("1", True)
        assert made[0].log == [
            ("source_mode", "current"),
            ("voltage_limit", 2.0),
            ("source_level", 0.0),
            ("source_enabled", True),
        ]


def test_qcodes_source_is_set_within_limits_and_switched_off(packages, tmp_path):
    with station(tmp_path, rf=RF) as bench:
        source = bench.get("rf", RFSource)
        assert source.identity == "Rohde&Schwarz,SGS100A,1,4.2"
        assert source.set_frequency("1", 1.5e9) == 1.5e9
        assert source.set_power("1", 1e-4) == pytest.approx(1e-4)
        source.set_output("1", True)
        assert made[0].status()
        with pytest.raises(LimitError, match="rf: power of channel 1"):
            source.set_power("1", 1e-2)
    assert not made[0].status()
    assert made[0].closed


def test_failures_of_foreign_drivers_are_link_errors(packages, tmp_path):
    with pytest.raises(DeviceError, match="not be confirmed off; seen: dc.1"), station(tmp_path, dc=SOURCE) as bench:
        bench.get("dc", CurrentSource).set_output("1", True)
        made[0].fails = True
        with pytest.raises(LinkError, match=r"GPIB::1::INSTR by pymeasure: the driver failed \(source_level\).*TMO"):
            bench.get("dc", CurrentSource).set_current("1", 1e-3)


def test_missing_package_is_told(monkeypatch, tmp_path):
    for name in ("pymeasure", "pymeasure.instruments", "pymeasure.instruments.yokogawa"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ConfigError, match=r"not installed.*pip install .spinhw\[pymeasure\]."):
        station(tmp_path, dc=SOURCE).open()


def test_parts_of_an_instrument_are_named_with_dots():
    class Meter(ForeignVoltmeter):
        voltage = "ch1.voltage"

    port = PyMeasurePort("somewhere", lambda: SimpleNamespace(id="me", ch1=SimpleNamespace(voltage=0.25)))
    meter = Meter(Build("meter", port, {"1": VoltmeterInput()}))
    with pytest.raises(LinkError, match="not open"):
        meter.measure_voltage("1")
    meter.open()
    assert meter.measure_voltage("1") == 0.25
