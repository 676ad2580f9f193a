"""Benches that somebody used before: what is on is left alone, and what was set is found out before it can matter."""

import logging

import numpy as np
import pytest

from fakes.used_bench import SMU, TRUTH, Used
from fakes.visa import CHIP_WIRING, standing
from spinhw.errors import DeviceError, LimitError, OccupiedError
from spinhw.instruments import CurrentSource, LinkError, RFSource, Switch, WaveformSource
from spinhw.instruments.outputs import BroughtDown, everything, nothing_else


@pytest.fixture
def used(tmp_path):
    with standing(TRUTH, "in process", tmp_path) as (made, addresses, backend):
        yield Used(made, addresses, backend, tmp_path)


# What was on before us is not ours

ON = {
    "smu": (("SOUR:FUNC VOLT;:SOUR:VOLT 5;:SENS:CURR:PROT 0.1;:OUTP 1",), r"smu.1 \(voltage 5 V\)"),
    "dc": (("SOUR:CURR 1E-3;:OUTP 1",), r"dc.1 \(current 0.001 A\)"),
    "awg": (("OUTP2 1",), r"awg.2 \(amplitude 0.1 V, offset 0 V\)"),
    "fast": (("OUTP7:STAT 1",), r"fast.7 \(amplitude 0.5 V, offset 0 V\)"),
    "tone": (("SOUR:POW -20;:OUTP 1",), r"tone.1 \(power -20 dBm\)"),
    "board": (("OUTP 1",), r"board.all"),
    "matrix": (('channel.close("2208")',), r"matrix.matrix \(closed: 2208\)"),
}


def try_all(station):
    """Try everything that sets something, on every instrument."""
    smu, awg = station.get("smu", CurrentSource), station.get("awg", WaveformSource)
    return [
        lambda: smu.set_output("1", True),
        lambda: smu.set_current("1", 1e-3),
        lambda: awg.upload({"1": np.zeros(64)}, 1e9),
        lambda: awg.set_output("1", True),
        lambda: station.get("tone", RFSource).set_power("1", 1e-6),
        lambda: station.get("tone", RFSource).set_frequency("1", 2e9),
        lambda: station.get("matrix", Switch).connect(["1101"]),
        lambda: station.raw("fast").write(":OUTP1 1"),
        station.look_over,
    ]


@pytest.mark.parametrize("name", ON)
def test_an_output_that_was_on_refuses_everything_and_nothing_is_sent(used, name):
    left, seen = ON[name]
    used.left(name, *left)
    before = {one: panel.settings for one, panel in used.made.instruments.items()}
    with used.station() as station:
        for attempt in try_all(station):
            with pytest.raises(
                OccupiedError, match=rf"nothing was changed \(somebody may be using it\); seen: {seen};"
            ):
                attempt()
        assert [used.messages(station, one) for one in station] == [[]] * len(list(station))
    assert {one: panel.settings for one, panel in used.made.instruments.items()} == before


def test_all_that_is_on_is_named_at_once(used):
    for name, (left, _) in ON.items():
        used.left(name, *left)
    with used.station() as station, pytest.raises(OccupiedError) as error:
        station.look_over()
    for name in ON:
        assert f"{name}." in str(error.value)


def test_a_channel_that_the_file_does_not_list_counts_too(used):
    used.left("fast", "OUTP7:STAT 1")
    with used.station() as station, pytest.raises(OccupiedError, match=r"fast\.7"):
        station.get("smu", CurrentSource).set_output("1", True)
    assert used.say("fast", "OUTP7:STAT?") == "1"


def test_closing_brings_down_what_we_switched_on_and_nothing_else(used):
    with used.station() as station:
        station.get("dc", CurrentSource).set_output("1", True)
        station.get("dc", CurrentSource).set_current("1", 2e-3)
        used.left("awg", "OUTP2 1")  # Somebody begins, in the middle of our session.
        used.left("smu", "SOUR:CURR 1E-3;:OUTP 1")
    assert (used.say("dc", "OUTP?"), used.say("awg", "OUTP2?"), used.say("smu", "OUTP?")) == ("0", "1", "1")
    assert float(used.say("smu", "SOUR:CURR?")) == 1e-3


def test_opening_and_closing_changes_nothing(used):
    used.left("fast", "OUTP7:STAT 1")
    used.left("matrix", 'channel.close("2208")')
    with used.station() as station:
        pass
    assert [used.messages(station, one) for one in station] == [[]] * len(list(station))


def test_what_was_switched_on_since_is_not_taken_over(used):
    with used.station() as station:
        station.look_over()
        used.left("smu", "OUTP 1")
        smu = station.get("smu", CurrentSource)
        for attempt in (
            lambda: smu.set_output("1", True),
            lambda: smu.set_current("1", 1e-3),
            lambda: smu.set_output("1", False),
        ):
            with pytest.raises(OccupiedError, match=r"smu\.1"):
                attempt()
    assert used.say("smu", "OUTP?") == "1"


# Set by hand


@pytest.mark.parametrize(
    "changes",
    [
        {"wiring": {key: value for key, value in CHIP_WIRING.items() if key != "supply_current"}},
        {"smu": {"channels": {"1": SMU | {"by_hand": True}}}, "wiring": None},
    ],
    ids=["a supply without a current", "a channel marked so"],
)
def test_what_is_set_by_hand_is_only_measured(used, changes):
    used.left("smu", "SOUR:FUNC CURR;:SENS:FUNC 'VOLT'", "SENS:VOLT:PROT 5;:SOUR:CURR 5E-3;:OUTP 1")
    with used.station(**changes) as station:
        smu = station.get("smu", CurrentSource)
        station.get("dc", CurrentSource).set_output("1", True)
        assert smu.measure("1").current_a == pytest.approx(5e-3)
        station.get("dc", CurrentSource).set_output("1", False)
        assert station.get("matrix", Switch).connect(["1101"]) == ("1101",)
        for attempt in (lambda: smu.set_current("1", 0.0), lambda: smu.set_output("1", False)):
            with pytest.raises(LimitError, match="set by hand and is only ever measured; nothing was sent"):
                attempt()
    assert (used.say("smu", "OUTP?"), float(used.say("smu", "SOUR:CURR?"))) == ("1", 5e-3)
    assert used.station(**changes).bring_down(everything) == BroughtDown((), ())
    assert used.say("smu", "OUTP?") == "1"


def test_a_reading_that_would_switch_is_refused(used):
    used.left("smu", "SOUR:FUNC CURR;:SOUR:CLE:AUTO 1;:OUTP 1")
    with used.station(smu={"channels": {"1": SMU | {"by_hand": True}}}, wiring=None) as station:
        with pytest.raises(DeviceError, match="a reading would switch output 1 off afterwards; nothing was sent"):
            station.get("smu", CurrentSource).measure("1")
    assert used.say("smu", "OUTP?") == "1"


# A known state


def test_a_source_of_voltage_becomes_a_source_of_current_before_it_goes_on(used):
    used.left("smu", "SOUR:FUNC VOLT;:SOUR:VOLT 5;:SENS:CURR:PROT 0.1", "SENS:VOLT:PROT 20")
    with used.station() as station:
        smu = station.get("smu", CurrentSource)
        smu.set_output("1", True)
        assert smu.set_current("1", 1e-3) == pytest.approx(1e-3)
        panel = used.made.instruments["smu"]
        assert (panel.get("function"), panel.get("compliance_v")) == ("CURR", 0.5)
        volts, amperes = panel.voltage_and_current()
        assert (amperes, volts) == (pytest.approx(1e-3), pytest.approx(0.05))
        found = station.snapshot()["smu"]["found"]["state"]
        assert (found["function"], float(found["compliance"])) == ("VOLT", 20.0)


LEVELS = {
    "unit": "VOLT:UNIT VRMS",
    "polarity": "OUTP:POL INV",
    "delay": "TRIG:DEL 0.5",
    "phase": "BURS:PHAS 90",
    "gated": "BURS:MODE GAT;:BURS:STAT 1",
    "modulated": "AM:STAT 1",
    "limited": "VOLT:LIM:LOW -0.1;:VOLT:LIM:HIGH 0.1;:VOLT:LIM:STAT 1",
    "other load": "OUTP:LOAD INF",
}


@pytest.mark.parametrize("left", LEVELS.values(), ids=LEVELS)
def test_a_waveform_comes_out_as_it_was_asked_for(used, left):
    used.left("awg", left)
    wave = np.zeros(64)
    wave[10:20], wave[20:30] = 0.4, -0.2
    with used.station() as station:
        awg = station.get("awg", WaveformSource)
        awg.upload({"1": wave}, 1e9)
        awg.set_output("1", True)
        awg.arm()
        played = used.made.instruments["awg"].played(external=False)[1]
        np.testing.assert_allclose(played.samples, wave, atol=1e-4)
        assert played.delay_s == 0.0


@pytest.mark.parametrize("left", ["SOUR:POW:OFFS -20", "SOUR:POW:OFFS 10", "SOUR:FREQ:MULT 4", "SOUR:PULM:STAT 1"])
def test_the_power_that_counts_is_that_at_the_connector(used, left):
    used.left("tone", left)
    with used.station() as station:
        tone = station.get("tone", RFSource)
        tone.set_frequency("1", 2e9)
        tone.set_power("1", 1e-5)
        tone.set_output("1", True)
        assert used.made.instruments["tone"].at_connectors()["1"].power_w == pytest.approx(1e-5, rel=0.01)


def test_an_old_error_belongs_to_nobody_here_and_stops_no_ramp(used, caplog):
    used.left("dc", "SOUR:CURR 2E-3;:OUTP 1", "NONSENSE")
    used.left("smu", "NONSENSE")
    with caplog.at_level(logging.WARNING):
        assert used.station().bring_down(everything) == BroughtDown((), ())
        with used.station() as station:
            station.get("smu", CurrentSource).set_output("1", True)
            station.get("smu", CurrentSource).set_current("1", 1e-3)
    assert "was in the error queue before anything was set here: -113" in caplog.text
    assert "on the way down" not in caplog.text and "cut at once" not in caplog.text


def test_a_wiring_that_differs_is_refused_and_never_changed(used):
    used.left("smu", "ROUT:TERM REAR;:SYST:RSEN 1")
    wired = {"wired": {"terminals": "front", "wires": 2, "off_state": "normal"}}
    with used.station(smu=wired) as station:
        with pytest.raises(OccupiedError, match="smu: terminals is rear, not front; smu: wires is 4, not 2;"):
            station.get("dc", CurrentSource).set_output("1", True)
        assert used.messages(station, "smu") == []
    with used.station(smu={"wired": {"terminals": "rear", "wires": "4"}}) as station:
        station.get("smu", CurrentSource).set_output("1", True)
    assert (used.say("smu", "ROUT:TERM?"), used.say("smu", "SYST:RSEN?")) == ("REAR", "1")


# A known state belongs to a connection


@pytest.mark.parametrize("door", ["noticed", "unnoticed"])
def test_an_instrument_that_was_restarted_while_on_is_told_and_made_known_anew(used, door):
    with used.station() as station:
        smu = station.get("smu", CurrentSource)
        smu.set_output("1", True)
        smu.set_current("1", 1e-3)
        used.made.instruments["smu"].reboot()  # As over GPIB: nobody tells.
        if door == "noticed":
            smu.port.link.close()
            smu.port.link.open()
        with pytest.raises(DeviceError, match=r"restarted"):
            smu.set_current("1", 2e-3)
        panel = used.made.instruments["smu"]
        assert (panel.get("on"), panel.get("current_a")) == (False, 0.0)
        smu.set_output("1", True)
        assert smu.set_current("1", 2e-3) == pytest.approx(2e-3)
        assert (panel.get("function"), panel.get("compliance_v")) == ("CURR", 0.5)


def test_an_output_of_ours_on_a_new_connection_is_brought_down_and_made_again(used):
    with used.station() as station:
        dc = station.get("dc", CurrentSource)
        dc.set_output("1", True)
        dc.set_current("1", 4e-3)
        station.disconnect()
        station.connect()
        dc.set_output("1", True)
        assert used.say("dc", "OUTP?") == "1"
        assert dc.current_setpoint("1") == 0.0


def test_a_setting_that_somebody_changed_since_is_found_at_the_next_switch_on(used):
    with used.station() as station:
        smu = station.get("smu", CurrentSource)
        smu.set_output("1", True)
        smu.set_output("1", False)
        used.left("smu", "SENS:VOLT:PROT 20")
        smu.set_output("1", True)
        assert used.made.instruments["smu"].get("compliance_v") == 0.5


# Readings and ways down


def test_measuring_with_the_output_off_is_refused_in_words(used):
    with used.station() as station:
        smu = station.get("smu", CurrentSource)
        with pytest.raises(DeviceError, match="nothing can be measured at output 1 while it is off; nothing was sent"):
            smu.measure("1")
        assert used.say("smu", "SYST:ERR?").startswith("0,")


@pytest.mark.parametrize("reply", ["9.91E37", "NAN", "INF"])
def test_a_setpoint_that_is_no_number_comes_down_from_what_was_set_last(used, reply, caplog):
    with used.station() as station:
        dc = station.get("dc", CurrentSource)
        dc.set_output("1", True)
        dc.set_current("1", 4e-3)
        asked, link = dc.port.link.query, dc.port.link
        link.query = lambda message, **more: reply if message == ":SOURce:CURRent?" else asked(message, **more)
        with pytest.raises(LinkError, match="odd reply to 'read_current'|reads back as no number"):
            dc.current_setpoint("1")
        before = len(used.messages(station, "dc"))
    sent = [line for line in used.messages(station, "dc")[before:] if "CURRent" in line]
    assert sent[0].startswith(":SOURce:CURRent 0.0035")
    assert (used.say("dc", "OUTP?"), float(used.say("dc", "SOUR:CURR?"))) == ("0", 0.0)


@pytest.mark.parametrize(
    ("name", "left", "ask", "start", "step"),
    [
        ("smu", "SOUR:FUNC VOLT;:SOUR:VOLT 5;:OUTP 1", "SOUR:VOLT?", 5.0, None),
        ("dc", "SOUR:CURR 2E-3;:OUTP 1", "SOUR:CURR?", 2e-3, 5e-4),
        ("awg", "FUNC DC;:VOLT:OFFS 2;:OUTP 1", "VOLT:OFFS?", 2.0, None),
    ],
)
def test_every_quantity_is_ramped_down_from_where_it_was_found(used, name, left, ask, start, step):
    used.left(name, left)
    seen, panel = [], used.made.instruments[name]
    execute = panel.execute

    def watched(message, *more):
        execute(message, *more)
        if panel.get("on"):
            seen.append(float(used_say(execute, ask)))

    panel.execute = watched
    assert used.station().bring_down(everything) == BroughtDown((), ())
    panel.execute = execute
    steps = np.diff(seen)
    assert seen[0] == pytest.approx(start)
    assert (steps <= 1e-12).all() and seen[-1] == pytest.approx(0.0, abs=1e-9)
    assert np.abs(steps).max() <= (step or start / 100) * 1.01
    assert used.say(name, "OUTP1?" if name == "awg" else "OUTP?") == "0"


def used_say(execute, message):
    replies = []
    execute(message.encode(), replies.append)
    return b"".join(replies).decode()


def test_what_is_not_ours_stays_on_until_it_is_chosen(used):
    used.left("dc", "SOUR:CURR 2E-3;:OUTP 1")
    done = used.station().bring_down(nothing_else)
    assert [(one.name, one.gives, one.ours) for one in done.left] == [("dc.1", "current 0.002 A", False)]
    assert used.say("dc", "OUTP?") == "1"


def test_limits_that_an_instrument_cannot_be_set_to_are_refused_on_loading(used):
    with pytest.raises(Exception, match=r"instruments.awg.channels.1: highest: the instrument cannot be set to this"):
        used.station(awg={"channels": {"1": {"lowest": "0 V", "highest": "450 V"}}}, wiring=None)


@pytest.mark.parametrize("arrives", [False, True])
def test_a_connection_that_fails_on_the_way_down_is_made_again_and_the_way_goes_on(used, arrives, mocker):
    panel, given = used.made.instruments["dc"], []
    with used.station() as station:
        dc = station.get("dc", CurrentSource)
        dc.set_output("1", True)
        dc.set_current("1", 4e-3)
        send, failures, connections = dc.port.link.wire.send, [ConnectionResetError("it is gone")], dc.generation

        def fails_once(*parts):
            fails = failures and b"".join(parts).startswith(b":SOURce:CURRent 0.0025")
            if arrives or not fails:
                send(*parts)
            if fails:
                raise failures.pop()

        mocker.patch.object(dc.port.link.wire, "send", fails_once)
        panel.observer = lambda: given.append(panel.at_connectors()["1"].current_a)
    assert not failures and given[-1] == 0.0 and dc.generation == connections + 1
    assert np.diff(given).max() <= 0.0 and np.diff(given).min() >= -0.5e-3 * (1 + 1e-9)
