"""Current sources: exact conversations; ramps from what was read back, and down before the output goes off."""

import math

import pytest

from fakes.lab import OK, checked, conversation, loaded, wire_of
from spinhw.errors import ConfigError, DeviceError, LimitError, OccupiedError
from spinhw.instruments import LinkError
from spinhw.instruments.ramp import steps

CHANNELS = {
    1: {"lowest": "0 mA", "highest": "10 mA", "compliance": "2 V", "ramp_step": "2 mA", "ramp_delay": "0 s"},
}
BY_HAND = {1: CHANNELS[1] | {"by_hand": True}}
PREPARED = {
    "keithley-2400": (
        ":SOURce:FUNCtion CURRent;:SOURce:CURRent:MODE FIXed;:SENSe:VOLTage:PROTection 2;:SOURce:CURRent:RANGe 0.01;"
        ":SENSe:FUNCtion 'VOLTage:DC','CURRent:DC';:FORMat:ELEMents VOLTage,CURRent"
    ),
    "keithley-6221": ":SOURce:CURRent:RANGe 0.01;:SOURce:CURRent:COMPliance 2",
}
PROFILES = pytest.mark.parametrize("profile", ["keithley-2400", "keithley-6221"])
OFF, ON = (":OUTPut?", "0"), (":OUTPut?", "1")
ASK_CURRENT = ":SOURce:CURRent?"
# What a way down asks first: a 2400 may be a source of voltage.
SOURCES = {"keithley-2400": [(":SOURce:FUNCtion?", "CURR")], "keithley-6221": []}


def current(value):
    return checked(f":SOURce:CURRent {value}")


SWITCHED_ON = [OFF, current(0), (ASK_CURRENT, "0"), checked(":OUTPut 1"), ON]
SWITCHED_OFF = [checked(":OUTPut 0"), OFF]


@PROFILES
def test_output_goes_on_at_zero_with_its_state_verified_anew(profile):
    with conversation(profile, CHANNELS, [*SWITCHED_ON, ON]) as source:
        source.set_output("1", True)
        assert wire_of(source).asked == list(wire_of(source).state)
        source.set_output("1", True)  # is on already: nothing is asked or set again
        assert wire_of(source).asked == list(wire_of(source).state)


@PROFILES
def test_current_is_ramped_from_the_value_read_back(profile):
    exchanges = [
        OFF,
        (ASK_CURRENT, "+1.000000E-03"),
        current("0.0026666667"),
        current("0.0043333333"),
        current(0.006),
        (ASK_CURRENT, "+6.000000E-03"),
    ]
    with conversation(profile, CHANNELS, exchanges) as source:
        assert source.set_current("1", 6e-3) == 6e-3
        assert source.cached() == {"1.output": False, "1.current_a": 6e-3}


@PROFILES
def test_ramps_down_before_it_switches_off(profile):
    down = [(ASK_CURRENT, "4.0E-03"), current(0.002), current(0), *SWITCHED_OFF]
    with conversation(profile, CHANNELS, [*SWITCHED_ON, ON, *SOURCES[profile], *down]) as source:
        source.set_output("1", True)
        assert source.make_safe() == []
        assert source.make_safe() == []  # is no longer ours: not even asked


@PROFILES
def test_switching_off_ramps_down_too(profile):
    exchanges = [*SWITCHED_ON, ON, (ASK_CURRENT, "4.0E-03"), current(0.002), current(0), *SWITCHED_OFF, OFF]
    with conversation(profile, CHANNELS, exchanges) as source:
        source.set_output("1", True)
        source.set_output("1", False)


@PROFILES
@pytest.mark.parametrize("seen", ["what", "9.91E37", "NAN", "INF", "-9.9E37"])
def test_way_down_starts_at_the_last_value_set_where_none_can_be_read(profile, seen):
    up = [ON, (ASK_CURRENT, "0"), current(0.002), current(0.004), (ASK_CURRENT, "4E-3")]
    down = [ON, *SOURCES[profile], (ASK_CURRENT, seen), current(0.002), current(0), *SWITCHED_OFF]
    with conversation(profile, CHANNELS, [*SWITCHED_ON, *up, *down]) as source:
        source.set_output("1", True)
        source.set_current("1", 4e-3)
        assert source.make_safe() == []


@PROFILES
def test_output_is_cut_where_nothing_can_be_read_and_nothing_was_set(profile):
    exchanges = [ON, *SOURCES[profile], (ASK_CURRENT, "what"), *SWITCHED_OFF]
    with conversation(profile, CHANNELS, exchanges) as source:
        assert source.bring_down("1")


@PROFILES
def test_way_down_goes_on_after_a_step_that_is_refused(profile):
    refused = [checked(":SOURce:CURRent 0.004", reply='-222,"Data out of range"'), (":SYST:ERR?", OK)]
    down = [*SOURCES[profile], (ASK_CURRENT, "6.0E-03"), *refused, current(0.002), current(0), *SWITCHED_OFF]
    with conversation(profile, CHANNELS, [*SWITCHED_ON, ON, *down]) as source:
        source.set_output("1", True)
        assert source.make_safe() == []


@PROFILES
def test_output_that_is_not_listed_goes_down_in_a_hundred_equal_steps(profile):
    path = [current(f"{0.005 * (100 - k) / 100:.8g}") for k in range(1, 101)]
    exchanges = [ON, *SOURCES[profile], (ASK_CURRENT, "5.0E-03"), *path, *SWITCHED_OFF]
    with conversation(profile, CHANNELS, exchanges) as source:
        del source.channels["1"]  # As where 'spinhw off --all' brings down what no bench file limits.
        assert source.bring_down("1")


@PROFILES
def test_output_that_stays_on_is_named_and_never_raises(profile):
    down = [*SOURCES[profile], (ASK_CURRENT, "0"), checked(":OUTPut 0"), ON]
    with conversation(profile, CHANNELS, [*SWITCHED_ON, ON, *down, *[checked(":OUTPut 0"), ON] * 2]) as source:
        source.set_output("1", True)
        assert source.make_safe() == ["it.1"]


@PROFILES
def test_output_that_is_on_and_not_ours_is_refused_and_left_as_it_is(profile):
    found = [ON, *SOURCES[profile], (ASK_CURRENT, "4E-3")]
    with conversation(profile, CHANNELS, found * 3) as source:
        works = (
            lambda: source.set_output("1", True),
            lambda: source.set_output("1", False),
            lambda: source.set_current("1", 1e-3),
        )
        for work in works:
            with pytest.raises(OccupiedError, match=r"nothing was changed.*seen: it\.1 \(current 0\.004 A\)"):
                work()
        assert source.make_safe() == []


@PROFILES
def test_nothing_is_set_where_an_output_is_found_on(profile):
    exchanges = [ON, *SOURCES[profile], (ASK_CURRENT, "4E-3")]
    with conversation(profile, CHANNELS, exchanges, known=False) as source:
        with pytest.raises(OccupiedError, match=r"nothing was changed.*seen: it\.1 \(current 0\.004 A\)"):
            source.set_output("1", True)
        assert source.make_safe() == []


@PROFILES
def test_output_that_went_off_by_itself_is_told_and_made_known_anew(profile):
    with conversation(profile, CHANNELS, [*SWITCHED_ON, OFF]) as source:
        source.set_output("1", True)
        with pytest.raises(DeviceError, match="output 1 is off though it was switched on here.*look for a short"):
            source.set_current("1", 1e-3)
        assert source.make_safe() == []
        assert source.cached() == {}


@PROFILES
def test_channel_that_is_set_by_hand_is_measured_and_never_set(profile):
    with conversation(profile, BY_HAND, [OFF]) as source:
        for work in (lambda: source.set_output("1", True), lambda: source.set_current("1", 1e-3)):
            with pytest.raises(
                LimitError, match="channel 1 is set by hand and is only ever measured; nothing was sent"
            ):
                work()
        assert source.make_safe() == []
        assert not source.output_enabled("1")


@PROFILES
def test_setting_that_does_not_read_back_keeps_the_output_off(profile):
    setting = {"keithley-2400": ":SENSe:VOLTage:PROTection?", "keithley-6221": ":SOURce:CURRent:COMPliance?"}[profile]
    with conversation(profile, CHANNELS, [OFF, OFF], settings=True) as source:
        wire_of(source).state[setting] = "20"
        with pytest.raises(DeviceError, match="compliance does not read back as it must be.*seen: 20 to.*allowed: 2;"):
            source.set_output("1", True)
        assert source.make_safe() == []


@PROFILES
def test_setting_that_was_changed_at_the_front_panel_is_set_again_before_the_output_goes_on(profile):
    setting = {"keithley-2400": ":SENSe:VOLTage:PROTection?", "keithley-6221": ":SOURce:CURRent:COMPliance?"}[profile]
    with conversation(profile, CHANNELS, [OFF, OFF, *SWITCHED_ON[1:]], settings=True) as source:
        wire_of(source).passing = {setting: "20"}
        source.set_output("1", True)
        assert PREPARED[profile] in wire_of(source).taken


@PROFILES
@pytest.mark.parametrize("seen", ["9.91E37", "NAN", "INF", "-INF", "+9.900000E+37"])
def test_current_that_is_no_number_keeps_the_output_off(profile, seen):
    with (
        conversation(profile, CHANNELS, [OFF, current(0), (ASK_CURRENT, seen)]) as source,
        pytest.raises(LinkError, match="odd reply to 'read_current'.*allowed: a number"),
    ):
        source.set_output("1", True)


@PROFILES
@pytest.mark.parametrize("value", [0.0101, -1e-6, math.nan, math.inf])
def test_current_beyond_its_limit_is_refused_and_nothing_is_sent(profile, value):
    with (
        conversation(profile, CHANNELS, [], known=False) as source,
        pytest.raises(LimitError, match="it: current of channel 1 is beyond its limit.*allowed: 0 to 0.01 A"),
    ):
        source.set_current("1", value)


@PROFILES
def test_current_that_reads_back_otherwise_is_an_error(profile):
    exchanges = [OFF, (ASK_CURRENT, "0"), current(0.002), (ASK_CURRENT, "1.5E-3")]
    with (
        conversation(profile, CHANNELS, exchanges) as source,
        pytest.raises(DeviceError, match="does not read back as set.*0.0015 A.*0.002 A"),
    ):
        source.set_current("1", 2e-3)


@PROFILES
def test_nothing_is_measured_while_the_output_is_off(profile):
    with (
        conversation(profile, CHANNELS, [OFF]) as source,
        pytest.raises(DeviceError, match="nothing can be measured at output 1 while it is off; nothing was sent"),
    ):
        source.measure("1")


@pytest.mark.parametrize(
    ("reading", "setpoint", "tripped", "in_compliance"),
    [("5.0001E-03", "5E-3", "1", True), ("5.0001E-03", "5E-3", "0", False), ("4.0E-03", "5E-3", "0", True)],
)
def test_keithley_2400_measures_at_its_output(reading, setpoint, tripped, in_compliance):
    exchanges = [
        ON,
        (":SOURce:CLEar:AUTO?", "0"),
        checked(":FORMat:ELEMents VOLTage,CURRent"),
        (":READ?", f"+4.987E-01,+{reading}"),
        (ASK_CURRENT, setpoint),
        (":SENSe:VOLTage:PROTection:TRIPped?", tripped),
    ]
    with conversation("keithley-2400", CHANNELS, exchanges) as source:
        seen = source.measure("1")
    assert (seen.current_a, seen.voltage_v, seen.in_compliance) == (float(reading), 0.4987, in_compliance)


def test_overflow_is_not_a_number():
    exchanges = [
        ON,
        (":SOURce:CLEar:AUTO?", "0"),
        checked(":FORMat:ELEMents VOLTage,CURRent"),
        (":READ?", "+9.910000E+37,+5.0E-03"),
        (ASK_CURRENT, "5E-3"),
        (":SENSe:VOLTage:PROTection:TRIPped?", "0"),
    ]
    with conversation("keithley-2400", CHANNELS, exchanges) as source:
        assert math.isnan(source.measure("1").voltage_v)


def test_keithley_2400_takes_no_reading_that_would_switch_its_output():
    with (
        conversation("keithley-2400", BY_HAND, [ON, (":SOURce:CLEar:AUTO?", "1")]) as source,
        pytest.raises(DeviceError, match="a reading would switch output 1 off afterwards; nothing was sent"),
    ):
        source.measure("1")


def test_keithley_2400_that_sources_voltage_is_brought_down_in_volts():
    path = [checked(f":SOURce:VOLTage {5 * (100 - k) / 100:.8g}") for k in range(1, 101)]
    exchanges = [ON, (":SOURce:FUNCtion?", "VOLT"), (":SOURce:VOLTage?", "+5.0E+00"), *path, *SWITCHED_OFF]
    with conversation("keithley-2400", CHANNELS, exchanges) as source:
        assert source.bring_down("1")


@pytest.mark.parametrize(("register", "tripped"), [("0", False), ("8", True), ("41", True), ("32", False)])
def test_keithley_6221_knows_its_compliance(register, tripped):
    exchanges = [ON, (":STATus:MEASurement:CONDition?", register), (ASK_CURRENT, "5E-3")]
    with conversation("keithley-6221", CHANNELS, exchanges) as source:
        seen = source.measure("1")
    assert seen.in_compliance is tripped
    assert seen.current_a == 5e-3
    assert math.isnan(seen.voltage_v)


@pytest.mark.parametrize(
    ("profile", "change", "message"),
    [
        ("keithley-2400", {"highest": "10 A"}, r"highest: .*seen: 10 A; allowed: -3\.15 to 3\.15 A"),
        ("keithley-6221", {"lowest": "-200 mA"}, r"lowest: .*seen: -0\.2 A; allowed: -0\.105 to 0\.105 A"),
        ("keithley-6221", {"compliance": "110 V"}, r"compliance: .*seen: 110 V; allowed: 0\.1 to 105 V"),
    ],
)
def test_limits_that_no_model_can_be_set_to_are_refused_when_the_bench_file_is_loaded(profile, change, message):
    with pytest.raises(ConfigError, match=r"bench\.yaml: instruments\.dc\.channels\.1: " + message):
        loaded("dc", profile, {1: CHANNELS[1] | change})
    loaded("dc", profile, {1: CHANNELS[1] | change | {"by_hand": True}})


@pytest.mark.parametrize(("start", "target"), [(0.0, 1.0), (1.0, -0.35), (0.3, 0.3), (0.0, 1e-12)])
def test_ramps_have_no_step_above_the_largest_and_end_where_they_should(start, target):
    path = [start, *steps(start, target, 0.1)]
    assert path[-1] == target
    assert max(abs(b - a) for a, b in zip(path, path[1:], strict=False)) <= 0.1 * (1 + 1e-9)
    assert all(min(start, target) <= value <= max(start, target) for value in path)
