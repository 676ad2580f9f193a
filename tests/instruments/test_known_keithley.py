"""Keithley 2400 and 6221 that somebody else used: any state becomes the known one, and what each setting does."""

import re
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spinhw.instruments.known import agrees
from spinhw.instruments.profile import find_instrument_profile, load_profile
from spinhw.virtual.instruments import MODELS, Keithley2400, Keithley6221
from spinhw.virtual.lab import EmptyLab

LIMITS = {"channel": "1", "compliance_v": 2.0, "largest_a": 0.01}
# What the drivers send after the known state, from the limits of the bench file.
PREPARED = {
    "keithley-2400": (":SOUR:CURR:RANG 0.01", ":SENS:VOLT:PROT 2", ":FORM:ELEM VOLT,CURR"),
    "keithley-6221": (":SOUR:CURR:RANG 0.01", ":SOUR:CURR:COMP 2"),
}
# How somebody else leaves each setting.
LEFT = {
    "keithley-2400": {
        "storage": ":TRAC:FEED:CONT NEXT",
        "auto_clear": ":SOUR:CLE:AUTO ON",
        "data_format": ":FORM:DATA REAL,32",
        "ohms": ":SENS:FUNC 'RES';:SENS:RES:MODE AUTO",
        "function": ":SOUR:FUNC VOLT",
        "current_mode": ":SOUR:CURR:MODE SWE",
        "triggered_current": ":SOUR:CURR:TRIG 5e-3",
        "concurrent": ":SENS:FUNC:CONC OFF",
        "sensed": ":SENS:FUNC:OFF:ALL",
        "voltage_range": ":SOUR:FUNC CURR;:SENS:VOLT:RANG 0.2",
        "voltage_protection": ":SOUR:VOLT:PROT 20",
        "fixed_range": ":SOUR:CURR:RANG:AUTO ON",
        "source_delay": ":SOUR:DEL 100",
        "arm_source": ":ARM:SOUR BUS",
        "arm_count": ":ARM:COUN INF",
        "trigger_source": ":TRIG:SOUR TLIN",
        "trigger_count": ":TRIG:COUN 100",
        "trigger_delay": ":TRIG:DEL 100",
        "arm_pulses": ":ARM:OUTP TENT",
        "trigger_pulses": ":TRIG:OUTP SENS",
        "filter": ":SENS:AVER ON",
        "power_line_cycles": ":SENS:VOLT:NPLC 0.01",
        "autozero": ":SYST:AZER OFF",
        "compliance": ":SENS:VOLT:PROT 20",
        "elements": ":FORM:ELEM TIME,STAT",
    },
    "keithley-6221": {
        "delta": ":SOUR:DELT:ARM",
        "differential_conductance": ":SOUR:DCON:ARM",
        "pulse_delta": ":SOUR:PDEL:ARM",
        "wave": ":SOUR:WAVE:ARM",
        "registers": ":FORM:SREG HEX",
        "fixed_range": ":SOUR:CURR:RANG:AUTO ON",
        "filter": ":SOUR:CURR:FILT ON",
        "compliance": ":SOUR:CURR:COMP 100",
    },
}
PROFILES = {name: load_profile(find_instrument_profile(name)) for name in LEFT}
STATES = {
    name: {
        key: one
        for key, one in profile.state.items()
        if not one.only or re.search(one.only, MODELS[name]("it").identity)
    }
    for name, profile in PROFILES.items()
}


class Watched(EmptyLab):
    """Keeps what the connectors gave whenever something was switched."""

    def __init__(self) -> None:
        super().__init__()
        self.seen = []

    def look(self) -> None:
        self.seen += [one.at_connectors()["1"] for one in self.panels]


def make(kind):
    lab = Watched()
    made = kind("it", lab=lab)
    lab.panels.append(made)
    return made


def say(panel, message: str) -> str:
    return raw(panel, message).decode("latin-1").rstrip("\n")


def raw(panel, message: str) -> bytes:
    replies: list[bytes] = []
    panel.execute(message.encode(), replies.append)
    return b"".join(replies)


def errors(panel) -> list[int]:
    codes = []
    while code := panel.status.errors.pop()[0]:
        codes.append(code)
    return codes


def disagreements(name: str, panel) -> list[str]:
    """List the settings that do not read back as the profile wants them."""
    return [
        key
        for key, one in STATES[name].items()
        if not any(agrees(say(panel, one.ask), reply.format(**LIMITS), one.within) for reply in one.replies)
    ]


def make_known(name: str, panel) -> None:
    for one in STATES[name].values():
        if one.send:
            say(panel, one.send.format(**LIMITS))
            assert errors(panel) == [], one.send
    for message in PREPARED[name]:
        say(panel, message)
    assert errors(panel) == []


SINGLE = [(name, key) for name, state in STATES.items() for key in state]


@pytest.mark.parametrize(("name", "key"), SINGLE)
def test_any_single_setting_left_otherwise_becomes_the_known_one(name, key):
    panel = make(MODELS[name])
    make_known(name, panel)
    say(panel, LEFT[name][key])
    assert key in disagreements(name, panel)
    errors(panel)
    make_known(name, panel)
    assert (disagreements(name, panel), errors(panel)) == ([], [])


@given(st.data())
def test_any_settings_left_otherwise_become_the_known_ones(data):
    name = data.draw(st.sampled_from(sorted(LEFT)))
    panel = make(MODELS[name])
    for message in data.draw(st.lists(st.sampled_from(sorted(LEFT[name].values())), max_size=8)):
        say(panel, message)
    errors(panel)
    make_known(name, panel)
    assert (disagreements(name, panel), errors(panel)) == ([], [])


@pytest.mark.parametrize(
    ("name", "compliance_v"),
    [*(("keithley-2400", limit) for limit in (0.2, 2, 20, 200)), *(("keithley-6221", limit) for limit in (0.1, 105))],
)
def test_no_range_and_no_compliance_that_was_left_refuses_ours(name, compliance_v):
    panel = make(MODELS[name])
    strong = ":SOUR:FUNC CURR;:SOUR:CURR:RANG 1;:SOUR:CURR 1" if name == "keithley-2400" else ":SOUR:CURR:RANG 0.1"
    say(panel, strong)
    assert errors(panel) == []
    for one in STATES[name].values():
        if one.send:
            say(panel, one.send.format(**LIMITS | {"compliance_v": compliance_v}))
    assert errors(panel) == []


@pytest.mark.parametrize("name", LEFT)
def test_what_the_driver_sends_is_only_read_back_at_the_end(name):
    sends = [one.send is not None for one in PROFILES[name].state.values()]
    assert sends == sorted(sends, reverse=True)


@pytest.mark.parametrize(("name", "key"), [(name, key) for name, profile in PROFILES.items() for key in profile.wired])
def test_every_wiring_is_told_as_it_is(name, key):
    setting, panel = PROFILES[name].wired[key], make(MODELS[name])
    for reply in setting.replies.values():
        say(panel, f"{setting.ask.removesuffix('?')} {reply}")
        assert (agrees(say(panel, setting.ask), reply), errors(panel)) == (True, [])


def test_every_setting_of_the_profiles_is_left_otherwise_by_somebody():
    assert {name: set(state) for name, state in STATES.items()} == {name: set(left) for name, left in LEFT.items()}


# 2400: what settings do at the connector


@pytest.fixture
def smu():
    """Make a 2400 in the known state, its output off, 50 ohms at its front terminals."""
    panel = make(Keithley2400)
    make_known("keithley-2400", panel)
    return panel


def level(panel) -> tuple[float, float]:
    """Give voltage and current at the connector."""
    seen = panel.at_connectors()["1"]
    assert seen.lowest_v == seen.highest_v
    return seen.highest_v, seen.current_a


def test_2400_known_state_gives_what_is_asked_for(smu):
    say(smu, ":OUTP 1;:SOUR:CURR 5e-3")
    assert level(smu) == pytest.approx((0.25, 5e-3))
    assert say(smu, ":READ?") == "+2.500000E-01,+5.000000E-03"
    say(smu, ":OUTP 0")
    assert level(smu) == (0, 0)


def test_2400_left_as_a_source_of_voltage_that_is_on():
    smu = make(Keithley2400)
    say(smu, ":SOUR:VOLT 5;:SENS:CURR:PROT 0.1;:OUTP 1")
    assert level(smu) == pytest.approx((5, 0.1))
    say(smu, ":SOUR:FUNC CURR")
    assert (say(smu, ":OUTP?"), level(smu)) == ("0", (0, 0))


def test_2400_readings_switch_the_output_where_it_clears_itself(smu):
    say(smu, ":SOUR:CURR 5e-3;:SOUR:CLE:AUTO ON")
    smu.lab.seen.clear()
    assert say(smu, ":READ?") == "+2.500000E-01,+5.000000E-03"
    assert [one.current_a for one in smu.lab.seen] == [5e-3, 0]
    assert say(smu, ":OUTP?") == "0"


def test_2400_measurement_by_name_switches_the_output_on(smu):
    assert say(smu, ":OUTP?;:MEAS:VOLT?;:OUTP?").split(";")[::2] == ["0", "1"]


def test_2400_level_that_waits_for_a_trigger_comes_with_the_next_reading(smu):
    say(smu, ":OUTP 1;:SOUR:CURR 1e-3;:SOUR:CURR:TRIG 8e-3")
    assert level(smu)[1] == 1e-3
    say(smu, ":READ?")
    assert level(smu)[1] == 8e-3


def test_2400_known_state_forgets_a_level_that_waits_for_a_trigger(smu):
    say(smu, ":SOUR:CURR:TRIG 8e-3")
    make_known("keithley-2400", smu)
    say(smu, ":OUTP 1;:SOUR:CURR 1e-3;:READ?")
    assert level(smu)[1] == 1e-3


@pytest.mark.parametrize("mode", ["SWE", "LIST"])
def test_2400_readings_step_through_sweeps_and_lists(smu, mode):
    say(smu, f":SOUR:CURR:STAR 1e-3;STOP 9e-3;:SOUR:LIST:CURR 1e-3,9e-3;:SOUR:CURR:MODE {mode};:OUTP 1")
    assert level(smu)[1] == 1e-3
    say(smu, ":READ?;:SOUR:CURR 2e-3")
    assert (level(smu)[1], errors(smu)) == (9e-3, [-221])


def test_2400_measurement_of_resistance_chooses_the_current(smu):
    say(smu, ":SENS:FUNC 'RES';:SENS:RES:MODE AUTO;:SENS:RES:RANG 20;:OUTP 1")
    assert level(smu) == pytest.approx((2.0, 0.04))  # 0.1 A, but for the compliance of 2 V.
    say(smu, ":SOUR:FUNC VOLT;:SOUR:CURR 0")
    assert errors(smu) == [825, 825]


@pytest.mark.parametrize(
    ("left", "limit"), [(":SENS:VOLT:PROT 20", 20), (":SENS:VOLT:PROT 20;:SENS:VOLT:RANG 0.2", 0.21)]
)
def test_2400_fixed_range_limits_the_voltage_and_does_not_tell(smu, left, limit):
    say(smu, f"{left};:SOUR:CURR:RANG 1;:SOUR:CURR 1;:OUTP 1")
    assert level(smu)[0] == pytest.approx(limit)
    assert say(smu, ":SENS:VOLT:PROT:TRIP?") == ("1" if limit == 20 else "0")


def test_2400_protection_limits_the_current_source_and_does_not_tell(smu):
    say(smu, ":SOUR:CURR:RANG 0.1;:SENS:VOLT:PROT 100;:SOUR:CURR 1;:SOUR:CURR 0.1;:OUTP 1;:SOUR:VOLT:PROT 39")
    assert errors(smu) == [-222]
    smu.lab.load_ohm = lambda panel, channel: 500.0
    assert level(smu)[0] == 20
    assert say(smu, ":SOUR:VOLT:PROT?;:SENS:VOLT:PROT:TRIP?") == "+2.000000E+01;0"


@pytest.mark.parametrize(
    ("message", "code"),
    [
        (":SOUR:CURR 0.02", -222),  # beyond the range
        (":SENS:VOLT:RANG 21", 824),
        (":SENS:VOLT:PROT 200;:SENS:VOLT:RANG 200;:SENS:VOLT:PROT 0.1", 822),
        (":SENS:VOLT:PROT 30;:SOUR:CURR:RANG 1", 826),
        (":SOUR:CURR:RANG 1;:SENS:VOLT:PROT 30", 826),
        (":SOUR:FUNC VOLT;:SENS:VOLT:RANG:AUTO OFF", 823),
        (":SYST:GUAR OHMS;:SOUR:CURR:RANG 1", 827),
        (":SOUR:CURR:RANG 1;:SYST:GUAR OHMS", 828),
        (":OUTP:ENAB ON;:OUTP ON", 802),
        (":TRAC:FEED:CONT NEXT;:FORM:ELEM TIME", 800),
        (":SENS:FUNC:CONC OFF;:SENS:FUNC 'VOLT','CURR'", -108),
        (":OUTP 1;:ARM:COUN INF;:READ?", 830),
    ],
)
def test_2400_refuses_what_the_real_one_refuses(smu, message, code):
    say(smu, message)
    assert errors(smu) == [code]


def test_2400_compliance_bounds_the_voltage(smu):
    say(smu, ":SOUR:CURR 10e-3;:SENS:VOLT:PROT 0.1;:OUTP 1")
    assert level(smu) == pytest.approx((0.1, 2e-3))
    assert say(smu, ":SENS:VOLT:PROT:TRIP?") == "1"


def test_2400_load_hangs_on_one_pair_of_terminals(smu):
    say(smu, ":OUTP 1;:ROUT:TERM REAR")
    assert say(smu, ":OUTP?") == "0"
    say(smu, ":SOUR:CURR 1e-3;:OUTP 1")
    assert level(smu) == pytest.approx((2.0, 0.0), abs=1e-9)


def test_2400_enable_line_switches_off(smu):
    say(smu, ":SOUR:CURR 1e-3;:OUTP 1;:OUTP:ENAB ON")
    assert (level(smu), errors(smu)) == ((0, 0), [])
    smu.enable_line_closed = True
    say(smu, ":OUTP 1")
    assert (say(smu, ":OUTP:ENAB:TRIP?"), level(smu)[1]) == ("1", 1e-3)


@pytest.mark.parametrize(("state", "reply"), [("NORM", ""), ("ZERO", "+0.000000E+00,+0.000000E+00")])
def test_2400_measures_while_off_in_one_off_state_alone(smu, state, reply):
    assert say(smu, f":OUTP:SMOD {state};:READ?") == reply


# 2400: what settings do to a reading


def voltage(panel) -> float:
    return float(say(panel, ":READ?").split(",")[0])


@pytest.mark.parametrize(
    "left", [":ARM:SOUR BUS", ":TRIG:SOUR TLIN", ":TRIG:DEL 100", ":SOUR:DEL 100", ":ARM:COUN 2500;:TRIG:DEL 1"]
)
def test_2400_reading_does_not_come_where_it_waits(smu, left):
    say(smu, f":OUTP 1;{left}")
    assert (raw(smu, ":READ?"), errors(smu)) == (b"", [])


def test_2400_counts_multiply_the_numbers_of_a_reading(smu):
    assert len(say(smu, ":OUTP 1;:ARM:COUN 2;:TRIG:COUN 3;:READ?").split(",")) == 12


def test_2400_reading_as_a_block(smu):
    reply = raw(smu, ":SOUR:CURR 1e-3;:OUTP 1;:FORM:DATA REAL,32;:READ?")
    assert struct.unpack(">2f", reply[2:-1]) == pytest.approx((0.05, 1e-3))
    say(smu, ":FORM:BORD SWAP")
    assert struct.unpack("<2f", raw(smu, ":READ?")[2:-1]) == pytest.approx((0.05, 1e-3))


def test_2400_reading_has_no_number_for_what_is_not_measured(smu):
    say(smu, ":SOUR:CURR 1e-3;:OUTP 1;:SENS:FUNC:OFF 'VOLT'")
    assert say(smu, ":READ?") == "+9.910000E+37,+1.000000E-03"
    say(smu, ":SENS:FUNC 'VOLT';:SENS:FUNC:CONC OFF;:SENS:FUNC 'VOLT';:SENS:VOLT:PROT 0.02")
    assert say(smu, ":READ?") == "+2.000000E-02,+1.000000E-03"  # The current is not measured but what was asked for.


def test_2400_storing_fills_its_buffer_once(smu):
    say(smu, ":OUTP 1;:TRAC:POIN 2;:TRAC:FEED:CONT NEXT;:INIT")
    assert len(say(smu, ":TRAC:DATA?").split(",")) == 4
    assert say(smu, ":TRAC:FEED:CONT?") == "NEV"


def test_2400_filter_mixes_older_readings_in(smu):
    say(smu, ":SENS:AVER:TCON MOV;COUN 2;:SENS:AVER ON;:OUTP 1;:READ?;:SOUR:CURR 2e-3")
    assert [voltage(smu), voltage(smu)] == pytest.approx([0.05, 0.1])


def test_2400_hum_averages_out_over_whole_cycles_of_the_mains(smu):
    smu.hum_v = 1.0
    say(smu, ":OUTP 1")
    assert voltage(smu) == pytest.approx(0, abs=1e-9)
    say(smu, ":SENS:VOLT:NPLC 0.01")
    assert voltage(smu) == pytest.approx(1, abs=1e-3)
    say(smu, ":SENS:VOLT:NPLC 1;:SYST:LFR 60")
    assert abs(voltage(smu)) > 0.1


def test_2400_drifts_unless_it_looks_at_its_zero(smu):
    smu.drift_v = 0.1
    say(smu, ":OUTP 1")
    assert voltage(smu) == 0
    say(smu, ":SYST:AZER OFF")
    assert voltage(smu) == 0.1


def test_2400_two_wires_measure_the_leads_too(smu):
    smu.leads_ohm = 10.0
    say(smu, ":SOUR:CURR 1e-3;:OUTP 1")
    assert voltage(smu) == pytest.approx(0.06)
    say(smu, ":SYST:RSEN ON")
    assert voltage(smu) == pytest.approx(0.05)


def test_2400_readings_put_pulses_on_the_trigger_link(smu):
    say(smu, ":OUTP 1;:READ?")
    assert smu.trigger_pulses == {}
    say(smu, ":ARM:OUTP TENT;OLIN 3;:TRIG:OUTP SENS;OLIN 4;:TRIG:COUN 2;:READ?")
    assert smu.trigger_pulses == {3: 1, 4: 2}


# 6221


@pytest.fixture
def source():
    """Make a 6221 in the known state, its output off, 50 ohms at its connector."""
    panel = make(Keithley6221)
    make_known("keithley-6221", panel)
    return panel


def test_6221_known_state_gives_what_is_asked_for(source):
    say(source, ":OUTP 1;:SOUR:CURR 5e-3")
    assert level(source) == pytest.approx((0.25, 5e-3))
    say(source, ":OUTP 0")
    assert level(source) == (0, 0)


def test_6221_compliance_bounds_the_voltage(source):
    say(source, ":OUTP 1;:SOUR:CURR 5e-3;:SOUR:CURR:COMP 0.1")
    assert level(source) == pytest.approx((0.1, 2e-3))


@pytest.mark.parametrize("mode", ["DELT", "PDEL", "DCON", "WAVE", "SWE"])
def test_6221_refuses_settings_while_a_mode_is_armed(source, mode):
    say(source, f":SOUR:{mode}:ARM;:SOUR:CURR 1e-3")
    assert errors(source) == [403]
    make_known("keithley-6221", source)
    say(source, ":SOUR:CURR 1e-3")
    assert errors(source) == []


@pytest.mark.parametrize(
    ("left", "currents"),
    [
        (":SOUR:DELT:HIGH 2e-3;ARM;:INIT", (-2e-3, 2e-3)),
        (":SOUR:PDEL:LOW -1e-3;HIGH 3e-3;ARM;:INIT", (-1e-3, 3e-3)),
        (":SOUR:DCON:STAR -4e-3;STOP 1e-3;ARM;:INIT", (-4e-3, 1e-3)),
        (":SOUR:CURR:STAR 1e-3;STOP 9e-3;:SOUR:SWE:ARM;:INIT", (1e-3, 9e-3)),
        (":SOUR:WAVE:AMPL 2e-3;OFFS 1e-3;ARM;INIT", (-1e-3, 3e-3)),
    ],
)
def test_6221_modes_that_run_swing_at_the_connector(source, left, currents):
    say(source, left)
    seen = source.at_connectors()["1"]
    assert (seen.lowest_v, seen.highest_v) == pytest.approx((50 * currents[0], 50 * currents[1]))
    assert seen.current_a == pytest.approx(max(currents[::-1], key=abs))
    say(source, ":SOUR:SWE:ABOR;:SOUR:WAVE:ABOR")
    assert (level(source), errors(source)) == ((0, 0), [])


@pytest.mark.parametrize(("form", "reply"), [("ASC", "8"), ("HEX", "#H8"), ("OCT", "#Q10"), ("BIN", "#B1000")])
def test_6221_tells_compliance_in_the_format_of_registers(source, form, reply):
    say(source, f":OUTP 1;:SOUR:CURR 5e-3;:SOUR:CURR:COMP 0.1;:FORM:SREG {form}")
    assert say(source, ":STAT:MEAS:COND?") == reply


@pytest.mark.parametrize(("automatic", "gaps"), [("OFF", 0), ("ON", 1)])
def test_6221_current_is_zero_while_the_range_changes(source, automatic, gaps):
    say(source, f":OUTP 1;:SOUR:CURR 1e-3;:SOUR:CURR:RANG:AUTO {automatic}")
    source.lab.seen.clear()
    say(source, ":SOUR:CURR 1.5e-3;:SOUR:CURR 5e-3")
    assert [one.current_a for one in source.lab.seen] == [0.0] * gaps
    assert level(source)[1] == 5e-3


@pytest.mark.parametrize("left", [":SOUR:CURR:FILT ON", ":OUTP:RESP SLOW"])
def test_6221_filter_and_slow_response_flatten_waves(source, left):
    say(source, ":SOUR:WAVE:FREQ 50e3;AMPL 2e-3;DUR:CYCL 20")
    amplitudes = []
    for message in ("", left):
        say(source, f"{message};:SOUR:WAVE:ARM;:SOUR:WAVE:INIT")
        played = source.played(external=False)[1].samples
        amplitudes.append(np.ptp(played[-1000:]) / 2)
        say(source, ":SOUR:WAVE:ABOR")
    assert amplitudes[0] == pytest.approx(2e-3, rel=1e-3)
    assert amplitudes[1] < 0.2 * amplitudes[0]


def test_6221_low_terminal_floats_unless_it_is_connected_to_earth(source):
    source.floats_at_v = 3.0
    say(source, ":OUTP 1;:SOUR:CURR 5e-3")
    assert level(source)[0] == pytest.approx(0.25)
    say(source, ":OUTP:LTE OFF")
    assert level(source)[0] == pytest.approx(3.25)


def test_6221_shield_takes_current_unless_it_is_guarded(source):
    source.leak_ohm = 50.0
    say(source, ":OUTP 1;:SOUR:CURR 4e-3")
    assert level(source)[1] == pytest.approx(2e-3)
    say(source, ":OUTP:ISH GUAR")
    assert level(source)[1] == pytest.approx(4e-3)


def test_6221_open_interlock_keeps_the_output_off(source):
    source.interlock_closed = False
    say(source, ":OUTP 1")
    assert (say(source, ":OUTP?;:OUTP:INT:TRIP?"), errors(source)) == ("0;0", [-221])
