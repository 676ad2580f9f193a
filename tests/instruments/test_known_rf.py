"""RF sources that somebody else used before: what their profiles set and read, and what their connectors give."""

import math
import re

import pytest

from spinhw.instruments.known import agrees
from spinhw.instruments.profile import find_instrument_profile, load_profile
from spinhw.virtual.instruments import MODELS, KeysightN5173B
from spinhw.virtual.instruments.tone_source import TABLE_DB, UNLEVELLED_DB, UNLOCKED


class KeysightN5182B(KeysightN5173B):
    """A vector model of the family: a step attenuator, and no input for a detector."""

    model = " N5182B"


SMB, SGS, SMW = (f"rohde-schwarz-{name}" for name in ("smb100a", "sgs100a", "smw200a"))
KEYSIGHT = "keysight-n5173b"
PANELS = {name: (name, MODELS[name]) for name in (SMB, SGS, SMW, KEYSIGHT)} | {"n5182b": (KEYSIGHT, KeysightN5182B)}
LIMIT = {"highest_dbm": -10.0}

# What somebody may have left, by our name of the setting.
LEFT = {
    "unit": ":UNIT:POWer V",
    "frequency_mode": ":SOURce:FREQuency:MODE LIST",
    "power_control": ":SOURce:POWer:SPC:STATe 1",
    "operation_mode": ":SOURce:OPMode BBBYpass",
    "pulse_modulation": ":SOURce:PULM:STATe 1",
    "iq_modulation": ":SOURce:IQ:STATe 1",
    "iq_impairments": ":SOURce:IQ:IMPairment:STATe 1",
    "multiplier": ":SOURce:FREQuency:MULTiplier 2",
    "frequency_offset": ":SOURce:FREQuency:OFFSet 1e9",
    "frequency_reference": ":SOURce:FREQuency:REFerence 1e9;:SOURce:FREQuency:REFerence:STATe 1",
    "power_reference": ":SOURce:POWer:REFerence -20;:SOURce:POWer:REFerence:STATe 1",
    "power_offset": ":SOURce:POWer:OFFSet -20",
    "correction": ":SOURce:CORRection:STATe 1",
    "detector": ":SOURce:POWer:ALC:SOURce DIODe",
    "level_control": ":SOURce:POWer:ALC:STATe OFF",
    "power_on": ":OUTPut:STATe:PON UNCHanged",
}
LEFT_BY_MAKER = {
    SMB: {"power_mode": ":SOURce:POWer:MODE SWEep", "modulation": ":SOURce:PM:STATe 1"},
    SMW: {"power_mode": ":SOURce:POWer:MODE SWEep", "modulation": ":SOURce:PULM:STATe 1"},
    SGS: {},
    KEYSIGHT: {"power_mode": ":SOURce:POWer:MODE LIST", "modulation": ":OUTPut:MODulation:STATe 1"},
}
LEFT_BY_ROHDE = {"attenuator": ":OUTPut:AMODe FIXed", "power_limit": ":SOURce:POWer:LIMit 10"}
LEFT_BY_KEYSIGHT = {
    "attenuator": ":SOURce:POWer:ATTenuation 10",
    "power_limit": ":SOURce:POWer:USER:MAX 10",
    "power_limit_on": ":SOURce:POWer:USER:ENABle 0",
}


def left(profile, setting):
    own = LEFT_BY_KEYSIGHT if profile == KEYSIGHT else LEFT_BY_ROHDE
    return (LEFT | own | LEFT_BY_MAKER[profile])[setting]


def load(name):
    return load_profile(find_instrument_profile(name))


def say(panel, message):
    replies = []
    panel.execute(message.encode(), replies.append)
    return b"".join(replies).decode().rstrip("\n")


def errors(panel):
    return [panel.status.errors.pop()[0] for _ in range(len(panel.status.errors))]


def of_model(settings, panel):
    """Give those that the model knows."""
    return {name: one for name, one in settings.items() if one.only is None or re.search(one.only, panel.identity)}


def holds(panel, setting):
    seen = say(panel, setting.ask)
    return any(agrees(seen, reply.format(**LIMIT), setting.within) for reply in setting.replies)


def bring(panel, state):
    for setting in state.values():
        say(panel, setting.send.format(**LIMIT))


CASES = [(case, setting) for case, (name, kind) in PANELS.items() for setting in of_model(load(name).state, kind("it"))]


@pytest.mark.parametrize(("case", "setting"), CASES)
def test_the_known_state_follows_whatever_was_left(case, setting):
    name, kind = PANELS[case]
    panel = kind("it")
    state = of_model(load(name).state, panel)
    say(panel, left(name, setting))
    assert not holds(panel, state[setting])
    bring(panel, state)
    assert [one for one in state if not holds(panel, state[one])] == []
    assert errors(panel) == []


@pytest.mark.parametrize("case", PANELS)
def test_the_known_state_follows_everything_at_once_and_the_connector_gives_what_is_set(case):
    name, kind = PANELS[case]
    panel = kind("it")
    profile = load(name)
    state = of_model(profile.state, panel)
    say(panel, ":SOURce:POWer 10")
    for setting in reversed(state):
        say(panel, left(name, setting))
    bring(panel, state)
    assert [one for one in state if not holds(panel, state[one])] == []
    commands = profile.commands
    say(panel, commands["frequency"].send.format(value=2e9) + ";" + commands["power"].send.format(value=-20.0))
    say(panel, commands["output"].send.format(value=1))
    assert errors(panel) == []
    assert float(say(panel, commands["read_power"].send)) == pytest.approx(-20)
    assert panel.tone_hz() == pytest.approx(2e9)
    assert panel.peak_w() == panel.power_w() == pytest.approx(1e-5)
    assert panel.at_connectors()["1"].power_w == pytest.approx(1e-5)


@pytest.mark.parametrize("case", PANELS)
def test_every_question_of_a_profile_is_answered_without_an_error(case):
    name, kind = PANELS[case]
    panel, profile = kind("it"), load(name)
    asked = [*profile.state.values(), *profile.wired.values(), *profile.other_outputs.values()]
    for one in of_model(dict(enumerate(asked)), panel).values():
        assert say(panel, one.ask) != ""
        assert errors(panel) == [], one.ask


@pytest.mark.parametrize(
    ("case", "wire", "called"),
    [(c, w, called) for c, (n, _) in PANELS.items() for w, one in load(n).wired.items() for called in one.replies],
)
def test_every_wiring_that_a_profile_names_exists_and_reads_as_it_says(case, wire, called):
    name, kind = PANELS[case]
    panel, wired = kind("it"), load(name).wired[wire]
    if name == KEYSIGHT:  # Its reference is what it finds at its input.
        panel.store("reference", 1, wired.replies[called])
    else:
        say(panel, f"{wired.ask.removesuffix('?')} {wired.replies[called]}")
    assert agrees(say(panel, wired.ask), wired.replies[called])
    assert errors(panel) == []


@pytest.mark.parametrize(("case", "output"), [(c, o) for c, (n, _) in PANELS.items() for o in load(n).other_outputs])
def test_outputs_that_no_role_uses_are_seen_at_their_connector_and_go_off(case, output):
    name, kind = PANELS[case]
    panel, other = kind("it"), load(name).other_outputs[output]
    before = panel.at_connectors()[output]
    say(panel, f"{other.ask.removesuffix('?')} 1")
    assert say(panel, other.ask) == "1"
    assert panel.at_connectors()[output] != before
    say(panel, other.send)
    assert (say(panel, other.ask), panel.at_connectors()[output], errors(panel)) == ("0", before, [])


def dbm(level):
    return 1e-3 * 10 ** (level / 10)


# What is left, and what the connector gives then at -20 dBm as sent: highest and mean power.
LEVELS = [
    (SMB, ":POW:OFFS -20", dbm(0), dbm(0)),
    (SGS, ":POW:OFFS -20", dbm(0), dbm(0)),
    (SMW, ":POW:OFFS -20", dbm(0), dbm(0)),
    (KEYSIGHT, ":POW:OFFS -20", dbm(0), dbm(0)),
    (KEYSIGHT, ":POW:REF 10;:POW:REF:STAT 1", dbm(-10), dbm(-10)),
    (SMB, ":POW:LIM -30", dbm(-30), dbm(-30)),
    (SGS, ":POW:LIM -30", dbm(-30), dbm(-30)),
    (KEYSIGHT, ":POW:USER:MAX -30;:POW:USER:ENAB 1", dbm(-30), dbm(-30)),
    (SMB, ":CORR 1", dbm(-20 + TABLE_DB), dbm(-20 + TABLE_DB)),
    (KEYSIGHT, ":CORR 1", dbm(-20 + TABLE_DB), dbm(-20 + TABLE_DB)),
    (SMB, ":POW:ALC OFF", dbm(-20 + UNLEVELLED_DB), dbm(-20 + UNLEVELLED_DB)),
    (SGS, ":POW:ALC OFF", dbm(-20 + UNLEVELLED_DB), dbm(-20 + UNLEVELLED_DB)),
    (KEYSIGHT, ":POW:ALC 0", dbm(-20 + UNLEVELLED_DB), dbm(-20 + UNLEVELLED_DB)),
    (KEYSIGHT, ":POW:ALC:SOUR DIOD", dbm(19), dbm(19)),
    (SMB, ":POW 10;:OUTP:AMOD FIX", dbm(-10), dbm(-10)),
    ("n5182b", ":POW:ATT 10", dbm(-11), dbm(-11)),
    (SMB, ":POW:SPC:TARG -5;:POW:SPC:STAT 1", dbm(-5), dbm(-5)),
    (SMB, ":POW:STOP 5;:POW:MODE SWE", dbm(5), dbm(5)),
    (SMB, ":LIST:POW 3;:FREQ:MODE LIST", dbm(3), dbm(3)),
    (KEYSIGHT, ":POW:STOP 5;:POW:MODE LIST", dbm(5), dbm(5)),
    (SMB, ":AM 100;:AM:STAT 1", 4 * dbm(-20), 1.5 * dbm(-20)),
    (KEYSIGHT, ":AM 100;:AM:STAT 1", 4 * dbm(-20), 1.5 * dbm(-20)),
    (KEYSIGHT, ":AM 100;:AM:STAT 1;:OUTP:MOD 0", dbm(-20), dbm(-20)),
    (SGS, ":PULM:STAT 1", dbm(-20), 0.2 * dbm(-20)),
    (SMB, ":PULM:SOUR EXT;STAT 1", 0.0, 0.0),
    (SMB, ":PULM:SOUR EXT;POL INV;STAT 1", dbm(-20), dbm(-20)),
    (SGS, ":IQ:STAT 1", dbm(-80), dbm(-80)),
    (SMW, ":IQ:STAT 1", dbm(-80), dbm(-80)),
    (SGS, ":IQ:STAT 1;IMP 1;IMP:LEAK:I 10", dbm(-40), dbm(-40)),
    (SGS, ":OPM BBBY", 0.0, 0.0),
    (SGS, ":LOSC:SOUR EXT", 0.0, 0.0),
    (SMW, ":FREQ:LOSC:MODE EXT", 0.0, 0.0),
]


@pytest.mark.parametrize(("case", "message", "highest_w", "mean_w"), LEVELS)
def test_what_was_left_counts_at_the_connector_and_the_read_back_looks_right(case, message, highest_w, mean_w):
    panel = PANELS[case][1]("it")
    say(panel, f"{message};:SOUR:POW -20;:OUTP 1")
    assert errors(panel) == []
    assert float(say(panel, ":SOUR:POW?")) == pytest.approx(-20)
    assert panel.at_connectors()["1"].power_w == pytest.approx(highest_w, rel=1e-6)
    assert panel.power_w() == pytest.approx(mean_w, rel=1e-6)
    say(panel, ":OUTP 0")
    assert panel.at_connectors()["1"].power_w == panel.power_w() == 0


@pytest.mark.parametrize(
    ("case", "message", "tone_hz"),
    [
        (SMB, ":FREQ:MULT 2", 1e9),
        (SMB, ":FREQ:OFFS 0.5e9", 1.5e9),
        (SGS, ":FREQ:OFFS 0.5e9", 1.5e9),
        (SMW, ":FREQ:MULT 4;OFFS 1e9", 0.25e9),
        (SMB, ":FREQ:STAR 3e9;MODE SWE", 3e9),
        (SMB, ":LIST:FREQ 4e9;:FREQ:MODE LIST", 4e9),
        (SMB, ":FM 1e6;:FM:STAT 1", 2.001e9),
        (SMB, ":PM 10;:LFO:FREQ 1e5;:PM:STAT 1", 2.001e9),
        (KEYSIGHT, ":FREQ:MULT 2", 1e9),
        (KEYSIGHT, ":FREQ:OFFS 0.5e9", 1.5e9),
        (KEYSIGHT, ":FREQ:REF 0.5e9;REF:STAT 1", 2.5e9),
        (SGS, ":ROSC:SOUR EXT", 2e9 * (1 + UNLOCKED)),
    ],
)
def test_what_was_left_moves_the_tone_and_the_read_back_looks_right(case, message, tone_hz):
    panel = PANELS[case][1]("it")
    say(panel, f"{message};:SOUR:FREQ 2e9")
    assert float(say(panel, ":SOUR:FREQ?")) == pytest.approx(2e9)
    assert panel.tone_hz() == pytest.approx(tone_hz, rel=1e-9)
    assert errors(panel) == []


def test_numbers_without_a_unit_are_in_the_unit_of_the_instrument():
    panel = MODELS[SMB]("it")
    say(panel, ":UNIT:POW V;:POW 0.1;:OUTP 1")
    assert panel.power_w() == pytest.approx(0.1**2 / 50)
    say(panel, ":POW:EMF:STAT 1;:POW 0.1")
    assert panel.power_w() == pytest.approx(0.05**2 / 50)
    say(panel, ":POW -20 DBM")
    assert panel.power_w() == pytest.approx(1e-5)
    say(panel, ":POW:EMF:STAT 0;:UNIT:POW DBUV")
    assert float(say(panel, ":POW?")) == pytest.approx(20 * math.log10(math.sqrt(1e-5 * 50) / 1e-6))


def test_taking_an_offset_off_changes_what_is_read_and_not_what_is_given():
    panel = MODELS[SMB]("it")
    say(panel, ":POW:OFFS -20;:POW -20;:FREQ:MULT 2;:FREQ 4e9;:OUTP 1")
    say(panel, ":POW:OFFS 0;:FREQ:MULT 1")
    assert (say(panel, ":POW?;:POW:POW?;:FREQ?"), panel.power_w()) == ("0;0;2000000000", pytest.approx(1e-3))


@pytest.mark.parametrize(("word", "on"), [("UNCH", True), ("OFF", False)])
def test_after_a_power_cut_the_output_comes_back_where_it_was_told_to(word, on):
    panel = MODELS[SMB]("it")
    say(panel, f":OUTP:PON {word};:OUTP 1")
    panel.reboot()
    assert bool(panel.at_connectors()["1"].power_w) is on


def test_a_reset_leaves_the_power_limit_as_it_is():
    panel = MODELS[SMB]("it")
    say(panel, ":POW:LIM -30;*RST")
    assert say(panel, ":POW:LIM?") == "-30"


def test_modulations_that_were_switched_off_at_once_come_back_at_once():
    panel = MODELS[SMW]("it")
    say(panel, ":AM:STAT 1;:PULM:STAT 1;:MOD:STAT 0")
    assert say(panel, ":AM:STAT?;:PULM:STAT?;:IQ:STAT?;:MOD:STAT?") == "0;0;0;0"
    say(panel, ":MOD:STAT 1")
    assert say(panel, ":AM:STAT?;:PULM:STAT?;:IQ:STAT?;:MOD:STAT?") == "1;1;0;1"


def test_the_second_path_of_an_smw200a_is_its_own():
    panel = MODELS[SMW]("it")
    say(panel, ":SOUR2:POW:OFFS -20;:SOUR2:POW -20;:OUTP2 1")
    assert [panel.at_connectors()[path].power_w for path in ("1", "2")] == [0, pytest.approx(1e-3)]


@pytest.mark.parametrize(("word", "power_w"), [("REF", 5e-3), ("LO", 10e-3), ("OFF", 0.0)])
def test_the_reference_connector_of_an_sgs100a_gives_what_it_is_told(word, power_w):
    panel = MODELS[SGS]("it")
    say(panel, f":CONN:REFL:OUTP {word}")
    assert panel.at_connectors()["ref_lo"].power_w == power_w


@pytest.mark.parametrize(
    ("case", "message", "code"),
    [
        (SMB, ":POW:OFFS 20;:POW 60", -222),
        (SGS, ":POW 26", -222),
        (SGS, ":POW -121", -222),
        (SMB, ":FREQ:MULT 2;:FREQ 13e9", -222),
        (SMB, ":POW:OFFS 101", -222),
        (SMB, ":UNIT:POW V;:POW 0", -222),
        (KEYSIGHT, ":OUTP:AMOD AUTO", -113),
        (SGS, ":UNIT:POW DBM", -113),
        (SMW, ":OUTP3 1", -114),
    ],
)
def test_what_a_model_does_not_do_is_an_error(case, message, code):
    panel = PANELS[case][1]("it")
    say(panel, message)
    assert errors(panel) == [code]
