"""Scopes, meters, the switch and the board: from whatever they were left in to the known state, and what each does."""

import math
import re
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spinhw.config import build
from spinhw.errors import ConfigError
from spinhw.instruments.discovery import choose
from spinhw.instruments.known import StateSetting, agrees
from spinhw.instruments.profile import Profile
from spinhw.virtual import Bench, BenchSettings
from spinhw.virtual.instruments import MODELS, Panel
from spinhw.virtual.instruments.oscilloscope import PULSE_S, SLOWED_S, Oscilloscope
from spinhw.virtual.lab import EmptyLab, Shot, Window
from spinhw.virtual.scpi import block
from spinhw.virtual.settings import load_bench

FIELDS = {"channel": "1", "lowest_v": -2.0, "highest_v": 2.0}

TEKTRONIX = {
    "header": "HEADer 1",
    "verbose": "VERBose 0",
    "frames": "HOR:FAST:STATE 1",
    "kind": "ACQ:MOD AVE",
    "stop_after": "ACQ:STOPA RUNST",
    "horizontal": "HOR:MODE AUTO",
    "delay_on": "HOR:DEL:MOD 0",
    "place": "HOR:POS 10",
    "attenuation": "CH1:PROBEF:EXTA 10",
    "coupling": "CH1:COUP AC",
    "bandwidth": "CH1:BAN 20E6",
    "inverted": "CH1:INV 1",
    "skew": "CH1:DESK 1E-9",
    "vertical_position": "CH1:POS 2",
    "second_trigger": "TRIG:B:STATE 1",
    "trigger_type": "TRIG:A:TYPE PULS",
    "trigger_source": "TRIG:A:EDGE:SOU CH1",
    "trigger_slope": "TRIG:A:EDGE:SLO FALL",
    "trigger_coupling": "TRIG:A:EDGE:COUP HFR",
    "trigger_mode": "TRIG:A:MOD AUTO",
}
# A message that brings each setting out of the known state.
WRONG: dict[str, dict[str, str]] = {
    "keysight-infiniivision": {
        "segments": "ACQ:MODE SEGM",
        "kind": "ACQ:TYPE AVER",
        "timebase": "TIM:MODE XY",
        "time_reference": "TIM:REF LEFT",
        "probe": "CHAN1:PROB 10",
        "unit": "CHAN1:UNIT AMP",
        "coupling": "CHAN1:COUP AC",
        "bandwidth_limit": "CHAN1:BWL 1",
        "inverted": "CHAN1:INV 1",
        "skew": "CHAN1:PROB:SKEW 1E-9",
        "trigger_mode": "TRIG:MODE GLIT",
        "trigger_sweep": "TRIG:SWE AUTO",
        "trigger_source": "TRIG:EDGE:SOUR CHAN1",
        "trigger_slope": "TRIG:EDGE:SLOP NEG",
        "trigger_coupling": "TRIG:EDGE:COUP AC",
        "trigger_reject": "TRIG:EDGE:REJ HFR",
        "trigger_slowed": "TRIG:HFR 1",
        "noise_reject": "TRIG:NREJ 1",
        "holdoff": "TRIG:HOLD 1",
        "zone": "TRIG:ZONE:STAT 1",
        "external_probe": "EXT:PROB 10",
        "external_range": "EXT:RANG 1.6",
        "external_unit": "EXT:UNIT AMP",
    },
    "tektronix-mso": TEKTRONIX
    | {
        "fast_acquisition": "ACQ:FASTA:STATE 1",
        "sequence": "ACQ:SEQ:NUMSEQ 3",
        "configure": "HOR:MODE:MAN:CONFIG HORIZ",
        "resampled": "DAT:RES 2",
    },
    "tektronix-dpo": TEKTRONIX
    | {"fast_acquisition": "FASTA:STATE 1", "roll": "HOR:ROLL ON", "sampling": "ACQ:SAMP ET"},
    "keithley-2182a": {
        "continuous": "INIT:CONT 1",
        "scan": "ROUT:SCAN:LSEL INT",
        "ratio": "SENS:VOLT:RAT 1",
        "delta": "SENS:VOLT:DELT 1",
        "calculation": "CALC:STAT 1",
        "function": "SENS:FUNC 'TEMP'",
        "relative": "SENS:VOLT:CHAN1:REF:STAT 1",
        "analog_filter": "SENS:VOLT:CHAN1:LPAS 1",
        "digital_filter": "SENS:VOLT:CHAN1:DFIL 1",
        "digits": "SENS:VOLT:DIG 4",
        "autozero": "SYST:AZER 0",
        "front_autozero": "SYST:FAZ 0",
        "trigger_source": "TRIG:SOUR EXT",
        "trigger_count": "TRIG:COUN 3",
        "trigger_delay_auto": "TRIG:DEL:AUTO 1",
        "trigger_delay": "TRIG:DEL 1",
        "sample_count": "SAMP:COUN 2",
        "data_format": "FORM DRE",
        "elements": "FORM:ELEM READ,UNIT",
    },
    "rohde-schwarz-fsv": {
        "mode": "INST IQ",
        "continuous": "INIT:CONT 1",
        "unit": "CALC:UNIT:POW VOLT",
        "spacing": "DISP:TRAC:Y:SPAC LIN",
        "frequency_offset": "FREQ:OFFS 1E9",
        "reference_offset": "DISP:TRAC:Y:RLEV:OFFS 10",
        "coupling": "INP:COUP DC",
        "impedance": "INP:IMP 75",
        "attenuation": "INP:ATT 0",
        "gate": "SWE:EGAT 1",
        "trigger_source": "TRIG:SOUR EXT",
        "sweep_time": "SWE:TIME 1",
        "sweep_count": "SWE:COUN 5",
        "filter": "BAND:TYPE RRC",
        "video": "BAND:VID 100",
        "noise_correction": "POW:NCOR 1",
        "trace_mode": "DISP:TRAC:MODE MAXH",
        "trace_math": "CALC:MATH:STAT 1",
        "known_detector": "DET POS",
        "power_function": "CALC:MARK:FUNC:POW:SEL OBAN",
        "channels_used": "POW:ACH:TXCH:COUN 2",
        "neighbours": "POW:ACH:ACP 1",
        "power_mode": "CALC:MARK:FUNC:POW:MODE MAXH",
        "per_hertz": "CALC:MARK:FUNC:POW:RES:PHZ 1",
    },
    "keithley-3706a": {
        "scan": "scan.background()",
        "connect_rule": "channel.connectrule = channel.MAKE_BEFORE_BREAK",
        "connect_sequential": "channel.connectsequential = channel.ON",
        "backplane": 'channel.setbackplane("1101", "1911")',
    },
    "synapse-controller": {"byte_order": "FORM:BORD NORM"},
}
# Only looked at: what brings them out of it, and what people do then.
LOOKED_AT = {"keysight-infiniivision": {"protection"}, "synapse-controller": {"limits"}}
CASES = [(name, setting) for name, settings in WRONG.items() for setting in settings]


def tone(times_s: np.ndarray) -> np.ndarray:
    return 0.1 + 0.05 * np.sin(2 * np.pi * 47.3e6 * times_s)


class Tone(Shot):
    def sample(self, panel: Panel, channel: int, window: Window) -> np.ndarray:
        return tone(window.start_s + np.arange(window.points) * window.interval_s)


class Strong(Shot):
    """10 mW into 50 ohms, steady."""

    def sample(self, panel: Panel, channel: int, window: Window) -> np.ndarray:
        return np.full(window.points, math.sqrt(10e-3 * 50))


class Table(EmptyLab):
    """A tone at every input, and a steady voltage that tests change."""

    def __init__(self) -> None:
        super().__init__([])
        self.volts, self.ohm, self.signal = {1: 1.5e-3, 2: 3e-3}, 50.0, Tone()

    def shot(self) -> Shot:
        return self.signal

    def voltage(self, panel: Panel, channel: int) -> float:
        return self.volts[channel]

    def load_ohm(self, panel: Panel, channel: int) -> float:
        return self.ohm


def make(model: str) -> Panel:
    lab = Table()
    made = MODELS[model]("it", lab=lab)
    lab.panels.append(made)
    return made


def say(panel: Panel, message: str) -> str:
    replies: list[bytes] = []
    panel.execute(message.encode("latin-1"), replies.append)
    return b"".join(replies).decode("latin-1").rstrip("\n")


def errors(panel: Panel) -> list[int]:
    return [code for code, _ in iter(panel.status.errors.pop, (0, "No error"))]


def profile_of(name: str) -> Profile:
    data = choose(name, "test")[1]
    assert data is not None
    return data


def applying(name: str, panel: Panel) -> Iterator[tuple[str, StateSetting]]:
    """List what this model has of the known state."""
    for key, setting in profile_of(name).state.items():
        if setting.only is None or re.search(setting.only, panel.identity):
            yield key, setting


def reply_to(panel: Panel, setting: StateSetting) -> str:
    return say(panel, setting.ask.format(**FIELDS))


def is_known(panel: Panel, setting: StateSetting) -> bool:
    seen = reply_to(panel, setting)
    return any(agrees(seen, reply.format(**FIELDS), setting.within) for reply in setting.replies)


def bring_back(name: str, panel: Panel) -> None:
    for _, setting in applying(name, panel):
        if setting.send is not None:
            say(panel, setting.send.format(**FIELDS))


def unknown(name: str, panel: Panel) -> list[str]:
    return [key for key, setting in applying(name, panel) if not is_known(panel, setting)]


# Every setting


@pytest.mark.parametrize(("name", "setting"), CASES)
def test_a_setting_left_wrong_is_seen_and_brought_back(name, setting):
    panel = make(name)
    bring_back(name, panel)
    say(panel, WRONG[name][setting])
    assert errors(panel) == []
    assert not is_known(panel, profile_of(name).state[setting])
    bring_back(name, panel)
    assert set(unknown(name, panel)) <= LOOKED_AT.get(name, set())
    assert errors(panel) == []


@settings(max_examples=20)
@given(st.lists(st.sampled_from(CASES), max_size=12))
def test_whatever_was_left_wrong_together_is_brought_back(cases):
    for name in {name for name, _ in cases}:
        panel = make(name)
        for other, setting in cases:
            if other == name:
                say(panel, WRONG[name][setting])
        errors(panel)  # What one wrong setting forbids another is their business.
        bring_back(name, panel)
        assert set(unknown(name, panel)) <= LOOKED_AT.get(name, set())
        assert errors(panel) == []


@pytest.mark.parametrize("name", WRONG)
def test_every_setting_of_the_known_state_can_be_left_wrong_here(name):
    assert {key for key, _ in applying(name, make(name))} == set(WRONG[name]) | LOOKED_AT.get(name, set())


@pytest.mark.parametrize("name", WRONG)
def test_every_question_is_answered_by_a_fresh_instrument(name):
    panel, profile = make(name), profile_of(name)
    for key, wired in profile.wired.items():
        seen = say(panel, wired.ask.format(**FIELDS))
        assert [word for word, reply in wired.replies.items() if agrees(seen, reply)] != [], key
    for output in profile.other_outputs.values():
        assert say(panel, output.ask) == "0"
    for _, setting in applying(name, panel):
        assert reply_to(panel, setting)
    assert errors(panel) == []


def test_a_protected_input_is_seen_and_stays():
    scope = make("keysight-infiniivision")
    assert is_known(scope, profile_of("keysight-infiniivision").state["protection"])
    say(scope, "TRIG:SOUR EXT;:SING")
    scope.disturb("overload")
    scope.lab.trigger(scope)
    bring_back("keysight-infiniivision", scope)
    assert unknown("keysight-infiniivision", scope) == ["protection"]


@pytest.mark.parametrize(("limits", "known"), [("-2,2", True), ("-2.5,2.5", False), ("-2,1", False)])
def test_limits_of_the_board_are_those_of_the_bench_file_or_stay(limits, known):
    board = make("synapse-controller")
    board.range_v = (-2.5, 2.5)
    say(board, f"SYN:LIM {limits}")
    bring_back("synapse-controller", board)
    assert (unknown("synapse-controller", board) == []) is known
    assert (say(board, "SYN:LIM?"), errors(board)) == (limits, [])


# Wiring


@pytest.mark.parametrize(
    ("name", "key", "message", "word"),
    [
        ("keysight-infiniivision", "termination", "CHAN1:IMP FIFT", "50 ohm"),
        ("keysight-infiniivision", "termination", "CHAN1:IMP ONEM", "1 Mohm"),
        ("keysight-infiniivision", "reference", "TIM:REFC 1", "external"),
        ("tektronix-mso", "termination", "CH1:TER 50", "50 ohm"),
        ("tektronix-mso", "termination", "CH1:TER 1E6", "1 Mohm"),
        ("tektronix-mso", "reference", "ROS:SOU EXT", "external"),
        ("tektronix-mso", "aux_out", "AUX:SOU AFG", "generator"),
        ("tektronix-dpo", "termination", "CH1:TER 50", "50 ohm"),
        ("tektronix-dpo", "reference", "ROS:SOU EXT", "external"),
        ("keithley-2182a", "analog_output", "OUTP 0", "off"),
    ],
)
def test_wiring_is_read_as_the_bench_file_calls_it_and_left_alone(name, key, message, word):
    panel, wired = make(name), profile_of(name).wired[key]
    say(panel, message)
    bring_back(name, panel)
    seen = say(panel, wired.ask.format(**FIELDS))
    assert [known for known, reply in wired.replies.items() if agrees(seen, reply)] == [word]
    assert errors(panel) == []


@pytest.mark.parametrize("name", ["tektronix-mso", "tektronix-dpo"])
def test_tektronix_questions_about_wiring_work_with_headers_and_short_words(name):
    scope, profile = make(name), profile_of(name)
    say(scope, ":HEADer 1;:VERBose 0")
    for wired in profile.wired.values():
        seen = say(scope, wired.ask.format(**FIELDS))
        assert any(agrees(seen, reply) for reply in wired.replies.values())
        say(scope, ":HEADer 1;:VERBose 0")
    assert say(scope, ":CH1:COUP?") == ":CH1:COUP DC"


# Scopes


KEYSIGHT = (":TIM:RANG 2E-6;:CHAN1:IMP FIFT;RANG 1;OFFS 0;:TRIG:SWE NORM;SOUR EXT;:TRIG:EDGE:LEV 1", ":SING")
TEK = (
    ":HEAD 0;:HOR:MODE:SAMPLER 5E9;RECO 10000;:CH1:TER 50;SCA 0.1;:TRIG:A:EDGE:SOU AUX;:TRIG:A:LEV 1;MOD NORM;"
    ":ACQ:STOPA SEQ",
    ":ACQ:STATE RUN",
)
SETUP = {"keysight-infiniivision": KEYSIGHT, "tektronix-mso": TEK, "tektronix-dpo": TEK}


def ready(name: str, change: str = "") -> Oscilloscope:
    scope = make(name)
    assert isinstance(scope, Oscilloscope)
    setup, arm = SETUP[name]
    for message in (setup, change, arm):
        say(scope, message)
    assert errors(scope) == []
    return scope


def recorded(name: str, change: str = "") -> tuple[np.ndarray, np.ndarray]:
    """Record with one change to the settings, and give times and volts."""
    scope = ready(name, change)
    scope.lab.trigger(scope)
    assert not scope.armed
    trace = scope.traces[1]
    times = trace.window.start_s + np.arange(trace.window.points) * trace.window.interval_s
    return times, trace.codes * trace.step_v + trace.centre_v


FACTORS = [
    ("keysight-infiniivision", "", 1.0),
    ("keysight-infiniivision", ":CHAN1:INV 1", -1.0),
    ("keysight-infiniivision", ":CHAN1:PROB 10", 10.0),
    ("keysight-infiniivision", ":CHAN1:IMP ONEM", 2.0),
    ("tektronix-mso", "", 1.0),
    ("tektronix-mso", ":CH1:INV 1", -1.0),
    ("tektronix-mso", ":CH1:PROBEF:EXTA 10;:CH1:SCA 1", 10.0),
    ("tektronix-mso", ":CH1:TER 1E6", 2.0),
    ("tektronix-dpo", ":CH1:INV 1", -1.0),
    ("tektronix-dpo", ":CH1:PROBEF:EXTA 0.1;:CH1:SCA 0.01", 0.1),
]


@pytest.mark.parametrize(("name", "change", "factor"), FACTORS)
def test_volts_are_scaled_by_what_an_input_is_set_to(name, change, factor):
    times, volts = recorded(name, change)
    np.testing.assert_allclose(volts, factor * tone(times), atol=abs(factor) * 3e-3)


DELAYS = [
    ("keysight-infiniivision", ":CHAN1:PROB:SKEW 4E-9", 4e-9),
    ("keysight-infiniivision", ":TRIG:EDGE:SLOP NEG", PULSE_S),
    ("keysight-infiniivision", ":TRIG:HFR 1", SLOWED_S),
    ("keysight-infiniivision", ":TRIG:EDGE:REJ HFR", SLOWED_S),
    ("tektronix-mso", ":CH1:DESK 4E-9", 4e-9),
    ("tektronix-mso", ":TRIG:A:EDGE:SLO FALL", PULSE_S),
    ("tektronix-dpo", ":TRIG:A:EDGE:COUP HFR", SLOWED_S),
]


@pytest.mark.parametrize(("name", "change", "late_s"), DELAYS)
def test_records_begin_later_than_they_say(name, change, late_s):
    times, volts = recorded(name, change)
    np.testing.assert_allclose(volts, tone(times + late_s), atol=3e-3)


@pytest.mark.parametrize(
    ("name", "change"),
    [("keysight-infiniivision", ":CHAN1:IMP ONEM;COUP AC"), ("tektronix-mso", ":CH1:TER 1E6;COUP AC")],
)
def test_a_capacitor_takes_the_mean_off(name, change):
    _, volts = recorded(name, change)
    assert volts.mean() == pytest.approx(0, abs=3e-3)
    assert np.ptp(volts) == pytest.approx(0.2, abs=0.01)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("keysight-infiniivision", ":CHAN1:BWL 1"),
        ("keysight-infiniivision", ":ACQ:TYPE HRES"),
        ("tektronix-mso", ":CH1:BAN 20E6"),
        ("tektronix-dpo", ":CH1:BAN TWE"),
        ("tektronix-mso", ":ACQ:MOD HIR"),
    ],
)
def test_what_is_fast_is_smoothed(name, change):
    _, volts = recorded(name, change)
    assert np.ptp(volts[1000:]) < 0.98 * 0.1


@pytest.mark.parametrize(
    ("name", "change"), [("keysight-infiniivision", ":ACQ:TYPE PEAK"), ("tektronix-mso", ":ACQ:MOD PEAK")]
)
def test_peak_detection_gives_pairs_instead_of_samples(name, change):
    _, volts = recorded(name, change)
    assert (volts[0::2] <= volts[1::2]).all()


def test_a_termination_that_is_tied_to_a_voltage_adds_half_of_it():
    times, volts = recorded("tektronix-dpo", ":CH1:VTER:BIAS 0.2")
    np.testing.assert_allclose(volts, tone(times) + 0.1, atol=3e-3)


def test_a_50_ohm_input_has_no_capacitor():
    scope = make("keysight-infiniivision")
    say(scope, "CHAN1:COUP AC;IMP FIFT")
    assert say(scope, "CHAN1:COUP?") == "DC"
    say(scope, "CHAN1:COUP AC")
    assert errors(scope) == [-221]


WAITS = [
    ("keysight-infiniivision", ":TRIG:ZONE:STAT 1", 3),
    ("keysight-infiniivision", ":TRIG:MODE GLIT", 3),
    ("keysight-infiniivision", ":EXT:PROB 0.1", 3),
    ("keysight-infiniivision", ":ACQ:TYPE AVER;COUN 4", 3),
    ("keysight-infiniivision", ":ACQ:MODE SEGM", 1),
    ("tektronix-mso", ":TRIG:B:STATE 1", 1),
    ("tektronix-mso", ":ACQ:SEQ:NUMSEQ 3", 2),
    ("tektronix-mso", ":ACQ:FASTA:STATE 1", 20),
    ("tektronix-dpo", ":ACQ:SAMP ET", 15),
    ("tektronix-dpo", ":TRIG:A:LEV 5", 3),
]


@pytest.mark.parametrize(("name", "change", "pulses"), WAITS)
def test_pulses_that_do_not_finish_an_acquisition(name, change, pulses):
    scope = ready(name, change)
    for _ in range(pulses):
        scope.lab.trigger(scope)
        assert scope.armed


@pytest.mark.parametrize(
    ("name", "change"), [("keysight-infiniivision", ":TIM:MODE ROLL"), ("tektronix-dpo", ":HOR:ROLL ON")]
)
def test_a_rolling_scope_does_not_wait(name, change):
    assert not ready(name, change).armed


def test_what_is_not_over_time_is_no_record():
    scope = ready("keysight-infiniivision", ":TIM:MODE XY")
    scope.lab.trigger(scope)
    assert say(scope, ":WAV:PRE?") == ""
    assert errors(scope) == [-230]


def test_resampling_sends_every_so_many_samples():
    scope = ready("tektronix-mso", ":DAT:RES 4;STOP 10000")
    scope.lab.trigger(scope)
    assert say(scope, ":WFMO:NR_P?;:WFMO:XIN?") == "2500;8.000000E-10"


@pytest.mark.parametrize("name", ["keysight-infiniivision", "tektronix-mso"])
@pytest.mark.parametrize(("shown", "load_ohm", "factor"), [("FIF", 50, 1.0), ("FIF", 1e9, 2.0), ("HIGH", 50, 0.5)])
def test_generators_of_scopes_are_seen_at_their_connectors(name, shown, load_ohm, factor):
    scope = make(name)
    scope.lab.ohm = load_ohm
    assert all((level.lowest_v, level.highest_v) == (0, 0) for level in scope.at_connectors().values())
    if name == "tektronix-mso":
        shown = {"FIF": "FIFty", "HIGH": "HIGHZ"}[shown]
        say(scope, f"AFG:OUTP:LOA:IMPED {shown};:AFG:AMPL 1;OFFS 0.25;:AFG:OUTP:STATE 1;:AUXout:SOU AFG")
        outputs = ["generator", "aux"]
    else:
        shown = {"FIF": "FIFTy", "HIGH": "ONEMeg"}[shown]
        say(scope, f"WGEN2:OUTP:LOAD {shown};:WGEN2:VOLT 1;VOLT:OFFS 0.25;:WGEN2:OUTP 1")
        outputs = ["generator2"]
    for output in outputs:
        level = scope.at_connectors()[output]
        assert (level.lowest_v, level.highest_v) == pytest.approx((-0.25 * factor, 0.75 * factor), rel=1e-4)
    assert errors(scope) == []


# Meters


READINGS = [
    ("", 1.5e-3),
    ("SENS:VOLT:CHAN1:REF 1E-3;REF:STAT 1", 0.5e-3),
    ("CALC:KMAT:MMF 2;MBF 1;:CALC:STAT 1", 1.003),
    ("CALC:FORM PERC;KMAT:PERC 3E-3;:CALC:STAT 1", -50.0),
    ("SENS:VOLT:RAT 1", 0.5),
    ("SENS:VOLT:DELT 1", 0.75e-3),
    ("SENS:VOLT:CHAN1:LPAS 1", 1.35e-3),
    ("SYST:AZER 0", 1.504e-3),
    ("SYST:FAZ 0", 1.502e-3),
    ("SENS:FUNC 'TEMP'", 23.0),
]


@pytest.mark.parametrize(("change", "reading"), READINGS)
def test_a_reading_of_the_nanovoltmeter_means_what_it_is_set_to(change, reading):
    meter = make("keithley-2182a")
    say(meter, change)
    assert float(say(meter, "READ?")) == pytest.approx(reading, rel=1e-6)
    assert errors(meter) == []


def test_a_digital_filter_holds_on_to_what_was():
    meter = make("keithley-2182a")
    say(meter, "READ?")
    meter.lab.volts[1] += 1e-4
    assert float(say(meter, "READ?")) == pytest.approx(1.55e-3)
    say(meter, "SENS:VOLT:DFIL 0")
    assert float(say(meter, "READ?")) == pytest.approx(1.6e-3)


def test_few_digits_are_few():
    meter = make("keithley-2182a")
    meter.lab.volts[1] = 1.23456e-3
    say(meter, "SENS:VOLT:CHAN1:RANG 0.01;:SENS:VOLT:DIG 4")
    assert float(say(meter, "READ?")) == pytest.approx(1.23e-3)


@pytest.mark.parametrize(
    ("change", "replies"),
    [
        ("TRIG:COUN 2;:SAMP:COUN 3", 6),
        ("FORM:ELEM READ,CHAN,UNIT", 3),
        ("TRIG:SOUR EXT", 0),
        ("TRIG:SOUR BUS", 0),
        ("INIT:CONT 1", 0),
    ],
)
def test_trigger_model_and_elements_change_what_a_reading_is_answered_with(change, replies):
    meter = make("keithley-2182a")
    say(meter, change)
    assert len([part for part in say(meter, "READ?").split(",") if part]) == replies


def test_a_scan_reads_the_other_input_too():
    meter = make("keithley-2182a")
    say(meter, "ROUT:SCAN:LSEL INT;:SENS:VOLT:CHAN1:DFIL 0")
    assert [float(say(meter, "READ?")) for _ in range(3)] == pytest.approx([1.5e-3, 3e-3, 1.5e-3])


def power_dbm(change: str, sweeps: int = 1) -> float:
    analyser = make("rohde-schwarz-fsv")
    say(analyser, "FREQ:CENT 2E9;:DISP:TRAC:Y:RLEV -10;:BAND:RES 1E6;:POW:ACH:BAND:CHAN 1E6;:POW:ACH:ACP 0")
    say(analyser, change)
    for _ in range(sweeps):
        say(analyser, "INIT")
    assert errors(analyser) == []
    return float(say(analyser, "CALC:MARK:FUNC:POW:RES? CPOW"))


TRUE_DBM = 10 * math.log10(np.mean(tone(np.arange(691) * 1e-6 / 691) ** 2) / 50 / 1e-3)
POWERS = [
    ("", 0.0),
    ("DISP:TRAC:Y:RLEV:OFFS 10", 10.0),
    ("CALC:UNIT:POW DBUV", 106.99),
    ("INP:IMP 75", -1.761),
    ("CALC:MARK:FUNC:POW:RES:PHZ 1", -60.0),
    ("FREQ:CENT 1E6", -3.01),
    ("FREQ:CENT 1E6;:FREQ:OFFS -2E9", 0.0),
    ("INP:COUP DC;:FREQ:CENT 1E6", 0.0),
]


@pytest.mark.parametrize(("change", "more_db"), POWERS)
def test_a_power_of_the_analyser_means_what_it_is_set_to(change, more_db):
    assert power_dbm(change) == pytest.approx(TRUE_DBM + more_db, abs=2e-2)


@pytest.mark.parametrize("change", ["CALC:UNIT:POW VOLT", "DISP:TRAC:Y:SPAC LIN"])
def test_powers_may_be_told_in_volts(change):
    assert power_dbm(change) == pytest.approx(math.sqrt(50e-3 * 10 ** (TRUE_DBM / 10)), rel=1e-2)


def test_too_little_attenuation_flattens_what_is_strong():
    assert power_dbm("CALC:UNIT:POW WATT") < 1e-3
    analyser = make("rohde-schwarz-fsv")
    analyser.lab.signal = Strong()
    say(analyser, "CALC:UNIT:POW WATT;:INP:COUP DC;:INP:ATT 0;:INIT")
    assert float(say(analyser, "CALC:MARK:Y?")) == pytest.approx(1e-3, rel=1e-6)
    say(analyser, "INP:ATT:AUTO 1;:DISP:TRAC:Y:RLEV 10;:INIT")
    assert float(say(analyser, "CALC:MARK:Y?")) == pytest.approx(10e-3, rel=1e-6)


def test_a_positive_peak_detector_and_an_average_of_decibels_are_off():
    assert power_dbm("DET POS") > TRUE_DBM + 0.1
    assert power_dbm("BAND:VID 10") < TRUE_DBM - 0.1


def traces(change: str, sweeps: int) -> np.ndarray:
    analyser = make("rohde-schwarz-fsv")
    say(analyser, "SWE:POIN 101")
    for number in range(sweeps):
        say(analyser, change if number == sweeps - 1 else "")
        say(analyser, f"DISP:TRAC:Y:RLEV:OFFS {-10 * number}")
        say(analyser, "INIT")
    return np.array(say(analyser, "TRAC? TRACE1").split(","), float)


def test_a_trace_keeps_what_its_mode_says():
    fresh = traces("", 2)
    np.testing.assert_allclose(traces("DISP:TRAC:MODE MAXH", 2), fresh + 10, atol=1e-6)
    np.testing.assert_allclose(traces("DISP:TRAC:MODE VIEW", 2), fresh + 10, atol=1e-6)
    np.testing.assert_allclose(traces("DISP:TRAC:MODE AVER", 2), fresh + 5, atol=1e-6)
    np.testing.assert_allclose(traces("DISP:TRAC:MODE MINH", 2), fresh, atol=1e-6)
    np.testing.assert_allclose(traces("CALC:MATH:STAT 1", 2), fresh + 120, atol=1e-6)


def test_a_power_that_is_held_stays_at_its_highest():
    analyser = make("rohde-schwarz-fsv")
    say(analyser, "CALC:MARK:FUNC:POW:MODE MAXH;:INIT;:DISP:TRAC:Y:RLEV:OFFS -30;:INIT")
    held = float(say(analyser, "CALC:MARK:FUNC:POW:RES? CPOW"))
    say(analyser, "CALC:MARK:FUNC:POW:MODE WRIT;:INIT")
    assert float(say(analyser, "CALC:MARK:FUNC:POW:RES? CPOW")) == pytest.approx(held - 30, abs=1e-6)


def test_each_channel_of_a_power_measurement_has_its_number():
    analyser = make("rohde-schwarz-fsv")
    say(analyser, "POW:ACH:TXCH:COUN 3;:INIT")
    assert len(say(analyser, "CALC:MARK:FUNC:POW:RES? CPOW").split(",")) == 3


def test_noise_correction_takes_the_floor_off():
    analyser = make("rohde-schwarz-fsv")
    analyser.lab.shot = EmptyLab().shot
    say(analyser, "INIT")
    assert float(say(analyser, "CALC:MARK:FUNC:POW:RES? CPOW")) == pytest.approx(-120)
    say(analyser, "POW:NCOR 1;:INIT")
    assert float(say(analyser, "CALC:MARK:FUNC:POW:RES? CPOW")) < -140


@pytest.mark.parametrize(
    ("change", "pulses"), [("SWE:EGAT 1", 1), ("TRIG:SOUR EXT", 1), ("TRIG:SOUR EXT;:SWE:COUN 3", 3)]
)
def test_an_analyser_that_waits_needs_a_pulse_for_each_sweep(change, pulses):
    analyser = make("rohde-schwarz-fsv")
    say(analyser, f"{change};:INIT")
    for _ in range(pulses):
        assert analyser.armed
        analyser.lab.trigger(analyser)
    assert not analyser.armed


def test_another_application_of_the_analyser_does_not_sweep():
    analyser = make("rohde-schwarz-fsv")
    say(analyser, "INST IQ;:INIT")
    assert errors(analyser) == [-221]


def test_the_supply_for_noise_sources_is_seen_at_its_connector():
    analyser = make("rohde-schwarz-fsv")
    assert analyser.at_connectors()["noise_source"].highest_v == 0
    say(analyser, "DIAG:SERV:NSO 1")
    assert analyser.at_connectors()["noise_source"].highest_v == 28
    assert say(analyser, profile_of("rohde-schwarz-fsv").other_outputs["noise_source"].ask) == "1"
    say(analyser, profile_of("rohde-schwarz-fsv").other_outputs["noise_source"].send)
    assert analyser.at_connectors()["noise_source"].highest_v == 0


# The switch and the board


@pytest.mark.parametrize(("rule", "most"), [("BREAK_BEFORE_MAKE", 1), ("MAKE_BEFORE_BREAK", 2), ("OFF", 2)])
def test_only_break_before_make_keeps_two_sources_apart(rule, most):
    switch = make("keithley-3706a")
    say(switch, f"channel.connectrule = channel.{rule}")
    say(switch, 'channel.exclusiveclose("1101")')
    say(switch, 'channel.exclusiveclose("1102")')
    assert (switch.closed, switch.most_closed) == ({"1102"}, most)


def test_a_relay_of_the_backplane_closes_with_its_channel():
    switch = make("keithley-3706a")
    say(switch, WRONG["keithley-3706a"]["backplane"])
    say(switch, 'channel.close("1101")')
    assert say(switch, 'print(channel.getclose("allslots"))') == "1101;1911"


def test_nothing_closes_while_a_scan_goes_on():
    switch = make("keithley-3706a")
    say(switch, "scan.background()")
    say(switch, 'channel.close("1101")')
    assert (switch.closed, errors(switch)) == (set(), [5521])


def test_the_worst_of_all_outputs_of_the_board_is_seen():
    board = make("synapse-controller")
    data = block(np.array([0.5, -1.0, 0.0], ">f4").tobytes())
    board.execute(b"SYN:DATA 0," + data, lambda reply: None)
    say(board, "SYN:APPL")
    assert (board.at_connectors()["all"].lowest_v, board.at_connectors()["all"].highest_v) == (0, 0)
    say(board, "OUTP 1")
    level = board.at_connectors()["all"]
    assert (level.lowest_v, level.highest_v) == pytest.approx((-1, 0.5), abs=1e-4)


# How a virtual bench comes up


def bench(**scope: object) -> Bench:
    data = {
        "network": {"layers": [1]},
        "instruments": {"awg": {"model": "keysight-33600"}, "scope": {"model": "keysight-infiniivision"} | scope},
        "wiring": {"kind": "oscillators", "drives": ["awg:1"]},
    }
    return Bench(build(BenchSettings, data, "test"))


def test_an_instrument_comes_up_as_the_bench_file_says_also_after_a_power_cut():
    scope = bench(power_on=[":CHANnel2:IMPedance FIFTy", ":CHAN3:PROB 10"]).instruments["scope"]
    assert say(scope, "CHAN1:IMP?;:CHAN2:IMP?") == "ONEM;FIFT"
    say(scope, "CHAN2:IMP ONEM;:CHAN3:PROB 1")
    scope.reboot()
    assert say(scope, "CHAN1:IMP?;:CHAN2:IMP?") == "ONEM;FIFT"
    assert float(say(scope, "CHAN3:PROB?")) == 10
    say(scope, "*RST")
    assert say(scope, "CHAN2:IMP?") == "ONEM"


def test_what_an_instrument_refuses_when_it_comes_up_is_told():
    with pytest.raises(ConfigError, match=r"instruments.scope.power_on: the instrument refuses it; seen: -113"):
        bench(power_on=[":NONSENSE 1"])


@pytest.mark.parametrize("name", ["chip", "oscillators", "resonators"])
def test_scopes_of_shipped_virtual_benches_come_up_with_50_ohms(name):
    made = Bench(load_bench(name))
    for panel in made.instruments.values():
        if isinstance(panel, Oscilloscope):
            assert all(panel.input(channel).ohm == 50 for channel in range(1, panel.channels + 1))
