"""Waveform generators that somebody else left in some state: what a profile sends brings each setting back."""

import re
from itertools import pairwise

import numpy as np
import pytest

from spinhw.instruments.known import agrees
from spinhw.instruments.profile import find_instrument_profile, load_profile
from spinhw.virtual.instruments import MODELS, Panel
from spinhw.virtual.lab import EmptyLab
from spinhw.virtual.scpi import block

PROFILES = {
    name: load_profile(find_instrument_profile(name)) for name in MODELS if re.match("keysight-33|tektr.*awg", name)
}
# What the bench file of these tests says of each channel, and what the driver sends from it.
FIELDS = {"lowest_v": -0.1, "highest_v": 0.3, "amplitude_v": 0.4, "middle_v": 0.1, "load": "50"}
SETTINGS = [(name, setting) for name, profile in PROFILES.items() for setting in profile.state]
SENT = [(name, setting) for name, setting in SETTINGS if PROFILES[name].state[setting].send]
CHANNELS = ("1", "2")


def make(name: str) -> Panel:
    lab = EmptyLab()
    panel = MODELS[name]("it", lab=lab)
    lab.panels.append(panel)
    return panel


def say(panel: Panel, *messages: str | bytes) -> str:
    replies: list[bytes] = []
    for message in messages:
        panel.execute(message.encode("latin-1") if isinstance(message, str) else message, replies.append)
    return b"".join(replies).decode("latin-1").rstrip("\n")


def errors(panel: Panel) -> list[int]:
    codes = []
    while code := panel.status.errors.pop()[0]:
        codes.append(code)
    return codes


def has(panel: Panel, only: str | None) -> bool:
    return only is None or re.search(only, panel.identity) is not None


def lines(text: str) -> list[str]:
    """Fill in a template, once for each channel that it names."""
    places = CHANNELS if "{channel" in text else ("1",)
    return [text.format(channel=channel, **FIELDS) for channel in places]


# What a driver sends behind the known state for these limits, by the first word of the profile's name: as `_set_range`.
PREPARED = {
    "keysight": [
        ("load", {"ohm": "50"}),
        ("offset", {"value": 0.0}),
        ("choose_range", {}),
        ("amplitude", {"value": 0.4}),
        ("hold_range", {}),
        ("least_amplitude", {}),
        ("offset", {"value": 0.0}),
    ],
    "tektronix": [("path", {}), ("amplitude", {"value": 0.4}), ("offset", {"value": 0.1})],
}


def bring_back(panel: Panel, name: str) -> None:
    """Send what a profile says, and then what its driver does."""
    profile = PROFILES[name]
    for setting in profile.state.values():
        if setting.send and has(panel, setting.only):
            say(panel, *lines(setting.send))
    for channel in CHANNELS:
        for command, values in PREPARED[name.partition("-")[0]]:
            say(panel, profile.commands[command].send.format(channel=channel, **values))


def disagreements(panel: Panel, name: str) -> list[str]:
    wrong = []
    for key, setting in PROFILES[name].state.items():
        if has(panel, setting.only):
            for place, ask in enumerate(lines(setting.ask)):
                wanted = [lines(one)[min(place, len(lines(one)) - 1)] for one in setting.replies]
                if not any(agrees(say(panel, ask), one, setting.within) for one in wanted):
                    wrong.append(key)
    return wrong


# What stands instead of the value that is wanted.
WRONG = {
    "0": "1",
    "1": "0",
    "VPP": "VRMS",
    "NONE": "CH2",
    "CW": "LIST",
    "SIN": "DC",
    "1000": "2e6",
    "OFF": "ON",
    "SRATe": "TRIG",
    "BUS": "IMM",
    "POSitive": "NEG",
    "TRIGgered": "GAT",
    "NORMal": "INV",
    "3.3": "1.0",
    "AWG": "FGEN",
    "ATRigger": "BTR",
    "16": "12",
    "NRZ": "RZ",
    "FIRSt": "ZERO",
    "ZERO": "OFF",
}
OTHERS = {
    "output_mode": "GAT",
    "sync_mode": "CARR",
    "arb_filter": "NORM",
    "burst_cycles": "7",
    "trigger_count": "3",
    "trigger_delay": "0.5",
    "phase": "40",
    "arb_phase": "40",
    "burst_phase": "90",
    "coupled": "ALL",
    "clock_phase": "1e-9",
    "skew": "1e-9",
    "trigger_level": "2.5",
}


def spoil(panel: Panel, name: str, setting: str) -> None:
    """Leave one setting as somebody else would: by the same command, with another value."""
    send = PROFILES[name].state[setting].send
    for line in lines(send):
        header, value = line.split(" ", 1)
        value, _, last = value.partition(",")
        other = OTHERS.get(setting) or WRONG[value]
        if setting == "pwm":
            say(panel, header.replace("PWM:STATe", "FUNCtion PULS"))
        say(panel, f"{header} {other}" + (f",{last}" if last else ""))
    assert errors(panel) == []


@pytest.mark.parametrize(("name", "setting"), SENT)
def test_each_setting_comes_back_from_a_wrong_value(name, setting):
    panel = make(name)
    bring_back(panel, name)
    assert (disagreements(panel, name), errors(panel)) == ([], [])
    if not has(panel, PROFILES[name].state[setting].only):
        pytest.skip("this model does not know it")
    spoil(panel, name, setting)
    assert setting in disagreements(panel, name)
    bring_back(panel, name)
    assert (disagreements(panel, name), errors(panel)) == ([], [])


@pytest.mark.parametrize("name", PROFILES)
def test_every_setting_wrong_at_once_comes_back_without_an_error(name):
    panel = make(name)
    for _, setting in [one for one in SENT if one[0] == name]:
        if has(panel, PROFILES[name].state[setting].only):
            spoil(panel, name, setting)
    bring_back(panel, name)
    assert (disagreements(panel, name), errors(panel)) == ([], [])


@pytest.mark.parametrize("name", PROFILES)
def test_every_question_is_answered(name):
    panel, profile = make(name), PROFILES[name]
    asked = [one for one in (*profile.state.values(), *profile.wired.values()) if has(panel, one.only)]
    for one in asked:
        for ask in lines(one.ask):
            assert say(panel, ask) != ""
    assert errors(panel) == []


@pytest.mark.parametrize("name", PROFILES)
def test_what_the_bench_file_calls_each_wiring_is_something_the_model_answers(name):
    panel = make(name)
    for one in PROFILES[name].wired.values():
        if has(panel, one.only):
            assert any(agrees(say(panel, lines(one.ask)[0]), reply) for reply in one.replies.values())


@pytest.mark.parametrize(
    ("name", "identity", "outputs"),
    [
        ("keysight-33500", "Agilent Technologies,33521A,MY1,3", 1),
        ("keysight-33500", "Agilent Technologies,33512B,MY1,3", 2),
        ("keysight-33600", "Keysight Technologies,33611A,MY1,A", 1),
        ("tektronix-awg5200", "TEKTRONIX,AWG5204,B1,F", 4),
    ],
)
def test_smaller_models_have_fewer_outputs(name, identity, outputs):
    profile = PROFILES[name]
    assert re.search(profile.identity, identity)
    fewer = [those for pattern, those in profile.fewer_outputs.items() if re.search(pattern, identity)]
    assert len(fewer[0] if fewer else profile.outputs) == outputs


# What each does at the connector of a 33500


def ramp(panel: Panel, codes: np.ndarray | None = None) -> None:
    """Bring a 33500 back, give it a rising waveform from -0.1 to 0.3 V, and let it wait for the bus."""
    bring_back(panel, "keysight-33500")
    codes = np.linspace(-1, 1, 64) if codes is None else codes
    for channel in CHANNELS:
        data = np.rint(codes * 32767).astype("<i2").tobytes()
        say(panel, "FORM:BORD SWAP", f"SOUR{channel}:DATA:ARB:DAC ramp,".encode() + block(data))
        say(panel, f"SOUR{channel}:FUNC:ARB ramp;:SOUR{channel}:FUNC ARB;:SOUR{channel}:FUNC:ARB:SRAT 1e6")
        say(panel, f"SOUR{channel}:VOLT:OFFS 0.1;:SOUR{channel}:VOLT 0.4")
    say(panel, "OUTP1 1")
    assert errors(panel) == []


def level(panel: Panel) -> tuple[float, float]:
    one = panel.at_connectors()["1"]
    return one.lowest_v, one.highest_v


def test_a_known_33500_waits_at_its_first_point_and_plays_what_it_was_given():
    awg = make("keysight-33500")
    ramp(awg)
    assert level(awg) == pytest.approx((-0.1, -0.1), abs=1e-4)
    assert awg.played(external=True) == {}
    played = awg.played(external=False)[1]
    np.testing.assert_allclose(played.samples, np.linspace(-0.1, 0.3, 64), atol=1e-4)
    assert (played.rate_hz, played.delay_s) == (1e6, 0)
    assert level(awg) == pytest.approx((-0.1, -0.1), abs=1e-4)  # After the burst as before it.
    assert awg.at_connectors()["2"].highest_v == 0


def test_a_known_33500_gives_its_offset_until_it_has_a_waveform():
    awg = make("keysight-33500")
    bring_back(awg, "keysight-33500")
    say(awg, "OUTP1 1")
    assert level(awg) == (0.0, 0.0)
    say(awg, "VOLT:OFFS 0.1")
    assert level(awg) == pytest.approx((0.1, 0.1))


CONNECTOR = {
    # An amplitude of 0.4 becomes 0.4 effective volts, whatever the shape; this one has its own crest factor.
    "VOLT:UNIT VRMS;:VOLT 0.4": lambda low, high: low < -0.5,
    "OUTP:POL INV": lambda low, high: low == pytest.approx(0.3, abs=1e-4),
    "BURS:PHAS 90": lambda low, high: low == pytest.approx(0.0, abs=5e-3),
    "OUTP:LOAD INF;:VOLT 0.4;VOLT:OFFS 0.1": lambda low, high: low == pytest.approx(-0.05, abs=1e-4),
    "OUTP:MODE GAT": lambda low, high: (low, high) == (0, 0),
    "BURS:STAT 0": lambda low, high: (low, high) == pytest.approx((-0.1, 0.3), abs=1e-4),
    "BURS:MODE GAT;:BURS:GATE:POL INV": lambda low, high: (low, high) == pytest.approx((-0.1, 0.3), abs=1e-4),
    "TRIG:SOUR IMM": lambda low, high: high == pytest.approx(0.3, abs=1e-4),
    "AM:STAT 1": lambda low, high: high == pytest.approx(0.3, abs=1e-4),  # Burst went off with it.
    "FM:STAT 1": lambda low, high: high == pytest.approx(0.3, abs=1e-4),
    "PM:STAT 1": lambda low, high: high == pytest.approx(0.3, abs=1e-4),
    "BPSK:STAT 1": lambda low, high: high == pytest.approx(0.3, abs=1e-4),
    "FSK:STAT 1": lambda low, high: high == pytest.approx(0.3, abs=1e-4),
    "SUM:STAT 1;:SUM:AMPL 50": lambda low, high: high - low > 0.4,
    "SWE:STAT 1": lambda low, high: high == pytest.approx(0.3, abs=1e-4),
    "FREQ:MODE LIST": lambda low, high: high == pytest.approx(0.3, abs=1e-4),
    "COMB:FEED CH2": lambda low, high: low == pytest.approx(-0.2, abs=1e-4),
    "SOUR2:TRAC ON;:SOUR2:VOLT:OFFS 0": lambda low, high: low == pytest.approx(-0.2, abs=1e-4),
    "SOUR2:TRAC INV": lambda low, high: low == pytest.approx(0.3, abs=1e-4),
    "VOLT:COUP 1;:SOUR2:VOLT:OFFS 0": lambda low, high: low == pytest.approx(-0.2, abs=1e-4),
    "FUNC DC": lambda low, high: (low, high) == pytest.approx((0.1, 0.1)),
    "FUNC:ARB:FILT NORM": lambda low, high: low != pytest.approx(-0.1, abs=1e-3),
    "DATA:VOL:CLE": lambda low, high: low == pytest.approx(0.1, abs=1e-3),  # The built-in one is selected again.
    "OUTP 0": lambda low, high: (low, high) == (0, 0),
}


@pytest.mark.parametrize("left", CONNECTOR)
def test_what_is_left_on_a_33500_is_seen_at_its_connector(left):
    awg = make("keysight-33500")
    ramp(awg)
    say(awg, left)
    assert errors(awg) == []
    assert CONNECTOR[left](*level(awg)), level(awg)


def test_delay_slope_and_count_change_when_a_33600_plays():
    awg = make("keysight-33600")
    ramp(awg)
    say(awg, "TRIG:DEL 0.5;SOUR EXT")
    assert awg.played(external=True)[1].delay_s == 0.5
    say(awg, "TRIG:SLOP NEG")
    assert awg.played(external=True) == {}
    say(awg, "TRIG:SLOP POS;LEV 3.8")
    assert awg.played(external=True) == {}
    say(awg, "TRIG:LEV 3.3;COUN 2;:INIT:CONT 0")
    assert awg.played(external=True) == {}
    say(awg, "INIT")
    assert [len(awg.played(external=True)) for _ in range(3)] == [1, 1, 0]


def test_cycles_rate_coupling_and_advance_by_triggers_change_what_a_33500_plays():
    awg = make("keysight-33500")
    ramp(awg)
    say(awg, "BURS:NCYC 7")
    assert len(awg.played(external=False)[1].samples) == 7 * 64
    say(awg, "RATE:COUP 1;:SOUR2:FUNC:ARB:SRAT 2e6")
    assert awg.played(external=False)[1].rate_hz == 2e6
    say(awg, "FREQ:COUP 1;:SOUR2:FUNC:ARB:SRAT 3e6;:BURS:NCYC 1;:FUNC:ARB:ADV TRIG")
    steps = [awg.played(external=False)[1] for _ in range(3)]
    assert steps[0].rate_hz == 3e6
    assert all(before.samples < after.samples for before, after in pairwise(steps))


@pytest.mark.parametrize("kind", ["AM", "FM", "PM", "BPSK", "FSK", "SUM"])
def test_modulation_changes_what_a_33500_plays(kind):
    awg = make("keysight-33500")
    ramp(awg)
    say(awg, "BURS:STAT 0")
    plain = awg.played(external=False)[1]
    say(awg, f"{kind}:STAT 1")
    changed = awg.played(external=False)[1]
    assert changed.rate_hz != plain.rate_hz or len(changed.samples) != len(plain.samples)


def test_pulse_width_modulation_and_phase_change_a_function():
    awg = make("keysight-33500")
    say(awg, "FUNC PULS;:OUTP 1")
    plain = awg.played(external=False)[1].samples
    say(awg, "PWM:STAT 1;:PWM:DCYC 20")
    assert (awg.played(external=False)[1].samples != plain).any()
    say(awg, "PWM:STAT 0;:PHAS 90")
    assert (awg.played(external=False)[1].samples != plain).any()
    say(awg, "FUNC SIN;:PWM:STAT 1")
    assert errors(awg) == [-221]


def test_phase_of_an_arbitrary_waveform_moves_its_start():
    awg = make("keysight-33600")
    ramp(awg)
    say(awg, "PHAS:ARB 90")
    assert level(awg)[0] == pytest.approx(0.0, abs=5e-3)


def test_a_late_trigger_is_late_in_the_record():
    awg = make("keysight-33500")
    ramp(awg)
    say(awg, "TRIG:DEL 10e-6")
    played = awg.played(external=False)[1]
    on_grid = played.at(1e6, played.points_at(1e6))
    np.testing.assert_array_equal(on_grid, np.concatenate([np.full(10, played.samples[0]), played.samples]))


def test_33500_refuses_levels_loads_and_modes_that_do_not_go_together():
    awg = make("keysight-33500")
    say(awg, "VOLT:LIM:HIGH 0.2;LOW -0.2;STAT 1;:VOLT 0.5")
    assert errors(awg) == [-221]
    say(awg, "OUTP:LOAD INF")  # Not while limits are on.
    assert (errors(awg), say(awg, "VOLT?;:OUTP:LOAD?")) == ([-221], "+1.000000000000000E-01;+5.000000000000000E+01")
    say(awg, "VOLT:LIM:STAT 0;:OUTP:LOAD INF;:VOLT:UNIT DBM")
    assert errors(awg) == [-221]
    say(awg, "OUTP:LOAD 50;:VOLT 11;:FUNC DC;:BURS:STAT 1")
    assert errors(awg) == [-222, -221]


@pytest.mark.parametrize(("unit", "shown"), [("VPP", 1.0), ("VRMS", 8**-0.5), ("DBM", 3.979)])
def test_33500_shows_its_amplitude_in_the_unit_that_was_chosen(unit, shown):
    awg = make("keysight-33500")
    say(awg, f"VOLT 1 VPP;:VOLT:UNIT {unit}")
    assert float(say(awg, "VOLT?")) == pytest.approx(shown, abs=1e-3)
    say(awg, f"VOLT {say(awg, 'VOLT?')};:VOLT:UNIT VPP")
    assert float(say(awg, "VOLT?")) == pytest.approx(1.0)


def test_amplitude_is_the_span_of_the_data_where_a_model_takes_it_so():
    awg = make("keysight-33500")
    awg.spans_data = True
    ramp(awg, np.linspace(0, 0.5, 64))
    played = awg.played(external=False)[1].samples
    np.testing.assert_allclose([played.min(), played.max()], [0.1, 0.5], atol=1e-4)  # Its own 0.4 V, from the offset.


@pytest.mark.parametrize("spans_data", [False, True])
@pytest.mark.parametrize("name", ["keysight-33500", "keysight-33600"])
def test_a_33500_rests_at_its_offset_while_its_memory_is_replaced(name, spans_data):
    """After each message, output on: whatever the memory holds, a trigger by mistake gives a millivolt at most."""
    awg, rest = make(name), 0.1
    awg.spans_data = spans_data
    bring_back(awg, name)
    say(awg, f"VOLT:OFFS {rest}")
    data = np.rint(np.sin(np.linspace(0, 2 * np.pi, 64)) * 32767).astype("<i2").tobytes()
    messages = [
        "SOUR1:VOLT 0.001",
        "TRIG1:SOUR BUS",
        "SOUR1:FUNC SIN",
        "SOUR1:DATA:VOL:CLE",
        "FORM:BORD SWAP",
        b"SOUR1:DATA:ARB:DAC batch," + block(data),
        "SOUR1:FUNC:ARB batch",
        "SOUR1:FUNC:ARB:FILT OFF;SRAT 1e6",
        "SOUR1:FUNC ARB",
    ]
    say(awg, "OUTP1 1")
    for _ in range(3):
        for place, message in enumerate(messages):
            say(awg, message)
            assert level(awg) == pytest.approx((rest, rest), abs=1e-6)
            if place:  # Before, the last batch can still be played.
                assert np.ptp(awg.played(external=False)[1].samples) <= 0.001 + 1e-9
        say(awg, "SOUR1:VOLT 0.4")
        assert level(awg) == pytest.approx((rest, rest), abs=1e-6)
        played = awg.played(external=False)[1].samples
        np.testing.assert_allclose([played.min(), played.max()], [rest - 0.2, rest + 0.2], atol=1e-3)
    assert errors(awg) == []


# What each does at the connector of an AWG5200


def tektronix() -> Panel:
    awg = make("tektronix-awg5200")
    bring_back(awg, "tektronix-awg5200")
    data = np.linspace(-1, 1, 64).astype("<f4").tobytes()
    say(awg, 'WLIS:WAV:NEW "w",64', b'WLIS:WAV:DATA "w",0,64,' + block(data))
    say(awg, 'SOUR1:CASS:WAV "w";:SOUR2:CASS:WAV "w";:OUTP1 1;:AWGC:RUN')
    assert errors(awg) == []
    return awg


def test_a_known_awg5200_waits_at_its_first_point_and_plays_what_it_was_given():
    awg = tektronix()
    assert level(awg) == pytest.approx((-0.1, -0.1))
    for external in (False, True):
        np.testing.assert_allclose(awg.played(external)[1].samples, np.linspace(-0.1, 0.3, 64), atol=1e-4)
    assert level(awg) == pytest.approx((-0.1, -0.1))
    say(awg, "AWGC:STOP")
    assert level(awg) == (0, 0)


AWG5200 = {
    "OUTP1:WVAL ZERO": lambda low, high: (low, high) == (0, 0),
    "OUTP:OFF 1": lambda low, high: (low, high) == (0, 0),
    "SOUR1:RMOD CONT": lambda low, high: (low, high) == pytest.approx((-0.1, 0.3)),
    "SOUR1:TINP ITR": lambda low, high: (low, high) == pytest.approx((-0.1, 0.3)),
    "INST:COUP:SOUR ALL;:SOUR2:VOLT:OFFS 0": lambda low, high: low == pytest.approx(-0.2),
    "INST:COUP:SOUR PAIR;:SOUR2:VOLT:OFFS 0": lambda low, high: low == pytest.approx(-0.2),
    "INST:MODE FGEN": lambda low, high: (low, high) == pytest.approx((-0.25, 0.25), abs=1e-3),
    "OUTP1:PATH ACD": lambda low, high: low == pytest.approx(-0.2),
    "SOUR1:VOLT 0.2": lambda low, high: low == pytest.approx(0.0),
    'AWGC:ARS 1;:WLIS:WAV:AMPL "w",0.2;:SOUR1:CASS:WAV "w"': lambda low, high: low == pytest.approx(0.0),
}


@pytest.mark.parametrize("left", AWG5200)
def test_what_is_left_on_an_awg5200_is_seen_at_its_connector(left):
    awg = tektronix()
    say(awg, left)
    assert errors(awg) == []
    assert AWG5200[left](*level(awg)), level(awg)


@pytest.mark.parametrize("left", ["SOUR1:DMOD RZ", "SOUR1:DMOD MIX", "SOUR1:DDR 1", "SOUR1:DAC:RES 12"])
def test_modes_of_the_converter_change_what_an_awg5200_plays(left):
    awg = tektronix()
    before = awg.played(external=False)[1]
    say(awg, left)
    after = awg.played(external=False)[1]
    assert errors(awg) == []
    assert before.rate_hz != after.rate_hz or (before.samples != after.samples).any()


def test_interpolation_overshoots_at_steps():
    awg = tektronix()
    say(
        awg,
        'WLIS:WAV:NEW "step",64',
        b'WLIS:WAV:DATA "step",0,64,' + block(np.repeat([-1, 1], 32).astype("<f4").tobytes()),
    )
    say(awg, 'SOUR1:DDR 1;:SOUR1:CASS:WAV "step"')
    assert awg.played(external=False)[1].samples.max() > 0.31


@pytest.mark.parametrize("left", ["SOUR1:SKEW 1e-9", "CLOC:PHAS:ADJ:TIM 1e-9"])
def test_skew_and_clock_phase_make_an_awg5200_late(left):
    awg = tektronix()
    say(awg, left)
    assert awg.played(external=False)[1].delay_s == 1e-9


@pytest.mark.parametrize("left", ["TRIG:SLOP NEG,ATR", "TRIG:LEV 4", "SOUR1:TINP BTR"])
def test_triggers_that_an_awg5200_does_not_hear_play_nothing(left):
    awg = tektronix()
    say(awg, left)
    assert awg.played(external=True) == {}


def test_one_trigger_sets_an_awg5200_going_that_was_left_so():
    awg = tektronix()
    say(awg, "SOUR1:RMOD TCON")
    assert not awg.runs_freely
    awg.played(external=True)
    assert (awg.runs_freely, level(awg)) == (True, pytest.approx((-0.1, 0.3)))


def test_awg5200_forces_the_input_that_is_named():
    awg = tektronix()
    say(awg, "SOUR1:TINP BTR;:TRIG ATR")
    assert awg.played(external=False) == {}
