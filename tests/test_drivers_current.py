"""Current sources: exact conversations; ramps from what was read back, and down before the output goes off."""

import math

import pytest

from fakes_lab import checked, conversation
from spinhw.errors import DeviceError, LimitError
from spinhw.instruments.ramp import steps

CHANNELS = {
    1: {"lowest": "0 mA", "highest": "10 mA", "compliance": "2 V", "ramp_step": "2 mA", "ramp_delay": "0 s"},
}
PREPARED = {
    "keithley-2400": (
        ":SOURce:FUNCtion CURRent;:SOURce:CURRent:MODE FIXed;:SOURce:CURRent:RANGe 0.01;"
        ":SENSe:FUNCtion 'VOLTage:DC','CURRent:DC';:SENSe:VOLTage:PROTection 2;:FORMat:ELEMents VOLTage,CURRent"
    ),
    "keithley-6221": ":SOURce:CURRent:RANGe 0.01;:SOURce:CURRent:COMPliance 2",
}
PROFILES = pytest.mark.parametrize("profile", sorted(PREPARED))


def current(value):
    return checked(f":SOURce:CURRent {value}")


@PROFILES
def test_output_goes_on_at_zero_with_its_compliance_set(profile):
    exchanges = [
        (":OUTPut?", "0"),
        current(0),
        checked(PREPARED[profile]),
        checked(":OUTPut 1"),
        (":OUTPut?", "1"),
        (":OUTPut?", "1"),
        (":OUTPut?", "1"),
    ]
    with conversation(profile, CHANNELS, exchanges) as source:
        source.set_output("1", True)
        source.set_output("1", True)  # is on already: nothing is set again


@PROFILES
def test_current_is_ramped_from_the_value_read_back(profile):
    exchanges = [
        (":SOURce:CURRent?", "+1.000000E-03"),
        current("0.0026666667"),
        current("0.0043333333"),
        current(0.006),
        (":SOURce:CURRent?", "+6.000000E-03"),
    ]
    with conversation(profile, CHANNELS, exchanges) as source:
        assert source.set_current("1", 6e-3) == 6e-3
        assert source.cached() == {"1.current_a": 6e-3}


@PROFILES
def test_ramps_down_before_it_switches_off(profile):
    exchanges = [
        (":OUTPut?", "1"),
        (":SOURce:CURRent?", "4.0E-03"),
        current(0.002),
        current(0),
        checked(":OUTPut 0"),
        (":OUTPut?", "0"),
    ]
    with conversation(profile, CHANNELS, exchanges) as source:
        assert source.make_safe() == []


@PROFILES
def test_output_goes_off_even_where_the_ramp_fails(profile):
    exchanges = [
        (":OUTPut?", "1"),
        (":SOURce:CURRent?", "what"),
        checked(":OUTPut 0"),
        (":OUTPut?", "0"),
    ]
    with conversation(profile, CHANNELS, exchanges) as source:
        assert source.make_safe() == []


@PROFILES
@pytest.mark.parametrize("value", [0.0101, -1e-6, math.nan, math.inf])
def test_current_beyond_its_limit_is_refused_and_nothing_is_sent(profile, value):
    with (
        conversation(profile, CHANNELS, []) as source,
        pytest.raises(LimitError, match="it: current of channel 1 is beyond its limit.*allowed: 0 to 0.01 A"),
    ):
        source.set_current("1", value)


@PROFILES
def test_current_that_reads_back_otherwise_is_an_error(profile):
    exchanges = [(":SOURce:CURRent?", "0"), current(0.002), (":SOURce:CURRent?", "1.5E-3")]
    with (
        conversation(profile, CHANNELS, exchanges) as source,
        pytest.raises(DeviceError, match="does not read back as set.*0.0015 A.*0.002 A"),
    ):
        source.set_current("1", 2e-3)


def test_keithley_2400_measures_at_its_output():
    exchanges = [
        checked(":FORMat:ELEMents VOLTage,CURRent"),
        (":READ?", "+4.987E-01,+5.0001E-03"),
        (":SENSe:VOLTage:PROTection:TRIPped?", "1"),
    ]
    with conversation("keithley-2400", CHANNELS, exchanges) as source:
        seen = source.measure("1")
    assert (seen.current_a, seen.voltage_v, seen.in_compliance) == (5.0001e-3, 0.4987, True)


def test_overflow_is_not_a_number():
    exchanges = [
        checked(":FORMat:ELEMents VOLTage,CURRent"),
        (":READ?", "+9.910000E+37,+5.0E-03"),
        (":SENSe:VOLTage:PROTection:TRIPped?", "0"),
    ]
    with conversation("keithley-2400", CHANNELS, exchanges) as source:
        assert math.isnan(source.measure("1").voltage_v)


@pytest.mark.parametrize(("register", "tripped"), [("0", False), ("8", True), ("41", True), ("32", False)])
def test_keithley_6221_knows_its_compliance(register, tripped):
    exchanges = [(":STATus:MEASurement:CONDition?", register), (":SOURce:CURRent?", "5E-3")]
    with conversation("keithley-6221", CHANNELS, exchanges) as source:
        seen = source.measure("1")
    assert seen.in_compliance is tripped
    assert seen.current_a == 5e-3
    assert math.isnan(seen.voltage_v)


@pytest.mark.parametrize(("start", "target"), [(0.0, 1.0), (1.0, -0.35), (0.3, 0.3), (0.0, 1e-12)])
def test_ramps_have_no_step_above_the_largest_and_end_where_they_should(start, target):
    path = [start, *steps(start, target, 0.1)]
    assert path[-1] == target
    assert max(abs(b - a) for a, b in zip(path, path[1:], strict=False)) <= 0.1 * (1 + 1e-9)
    assert all(min(start, target) <= value <= max(start, target) for value in path)
