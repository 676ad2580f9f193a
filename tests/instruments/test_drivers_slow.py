"""Voltmeter, switch, synapse controller: exact conversations. And every shipped profile."""

import math
import re
from pathlib import Path

import numpy as np
import pytest
import yaml

from fakes.lab import IDENTITIES, OK, block, checked, conversation, wire_of
from spinhw.config import shipped
from spinhw.errors import ConfigError, DeviceError, LimitError, OccupiedError
from spinhw.instruments.discovery import SHIPPED, choose
from spinhw.instruments.profile import instrument_profile_names, load_profile

TUNING = {"all": {"lowest": "-1 V", "highest": "1 V"}}
ASK_ABILITIES = ":SYNapse:COUNt?;:SYNapse:LIMit?;:SYNapse:RESolution?;:SYNapse:SETTle?"
ABILITIES = (ASK_ABILITIES, "4;-1,1;1E-3;1E-4")
SWAPPED = checked(":FORMat:BORDer SWAPped")
ON, OFF = (":OUTPut?", "1"), (":OUTPut?", "0")


def board(channels, exchanges, **more):
    return conversation("synapse-controller", channels, exchanges, answers=dict([ABILITIES]), **more)


def floats(values):
    return block(np.asarray(values, "<f4").tobytes())


def programming(values):
    """All addresses are staged, since whatever is staged at one is applied with the others."""
    whole = [*values, 0, 0, 0, 0][:4]
    return [
        ABILITIES,
        SWAPPED,
        (b":SYNapse:DATA 0," + floats(whole), ""),
        checked(":SYNapse:APPLy"),
        ("*OPC?", "1"),
    ]


def reading(values):
    return [SWAPPED, (f":SYNapse:DATA? 0,{len(values)}", floats(values))]


SWITCHED_ON = [OFF, ABILITIES, *reading([0, 0, 0, 0]), checked(":OUTPut 1"), ON]


def test_synapses_are_programmed_as_a_block_of_all_addresses_and_read_back():
    values = [0.5, -0.25, 1.0]
    exchanges = [ABILITIES, OFF, *programming(values), *reading([0.5, -0.25, 0.9996])]
    with board(TUNING, exchanges) as it:
        assert it.program(np.array(values)) == pytest.approx([0.5, -0.25, 0.9996], rel=1e-7)


def test_synapses_that_read_back_otherwise_are_an_error():
    exchanges = [ABILITIES, OFF, *programming([0.5]), *reading([0.502])]
    with (
        board(TUNING, exchanges) as it,
        pytest.raises(DeviceError, match="programming of channel all does not read back"),
    ):
        it.program(np.array([0.5]))


@pytest.mark.parametrize("value", [1.01, -1.01, math.nan])
def test_synapse_beyond_its_limit_is_refused_and_nothing_is_sent(value):
    with (
        board(TUNING, [], known=False) as it,
        pytest.raises(LimitError, match="it: synapse 1 is beyond its limit.*allowed: -1 to 1 V"),
    ):
        it.program(np.array([0.0, value]))


def test_more_synapses_than_outputs_are_refused():
    with (
        board(TUNING, [ABILITIES]) as it,
        pytest.raises(DeviceError, match="too few outputs.*seen: 4.*5 or more"),
    ):
        it.program(np.zeros(5))


def test_limits_of_the_board_that_became_narrower_are_told():
    narrow = (ASK_ABILITIES, "4;-0.1,0.1;1E-3;1E-4")
    with (
        board(TUNING, [narrow, OFF, narrow]) as it,
        pytest.raises(DeviceError, match="board's own limits are narrower"),
    ):
        it.program(np.array([0.5]))


LIMITS = ":SYNapse:LIMit?"


def found(limits, off=OFF):
    """The look-over, the error queue, and the known state of a board with other limits."""
    state = [(":FORMat:BORDer?", "SWAP"), (LIMITS, limits)]
    setting = [SWAPPED, (":FORMat:BORDer?", "SWAP")]
    abilities = (ASK_ABILITIES, f"4;{limits};1E-3;1E-4")
    return [off, off, *state, (":SYST:ERR?", OK), *state, off, *setting, abilities]


def test_limits_of_a_board_are_narrowed_to_those_of_the_bench_while_it_holds_zeros():
    wide = (ASK_ABILITIES, "4;-2,2;1E-3;1E-4")
    exchanges = [
        *found("-2,2"),
        wide,
        *programming([0])[1:],
        checked(":SYNapse:LIMit -1,1"),
        (":FORMat:BORDer?", "SWAP"),
        (LIMITS, "-1,1"),
    ]
    with board(TUNING, exchanges, known=False) as it:
        it.ready()


@pytest.mark.parametrize("limits", ["-0.5,1", "-1,0.5", "-0.5,0.5", "-2,0.5"])
def test_limits_of_a_board_are_never_widened_and_keep_it_shut(limits):
    exchanges = [*found(limits), (":FORMat:BORDer?", "SWAP"), (LIMITS, limits)]
    with (
        board(TUNING, exchanges, known=False) as it,
        pytest.raises(DeviceError, match=f"limits does not read back as it must be.*seen: {limits} .*allowed: -1,1;"),
    ):
        it.set_output(True)


def test_synapses_go_in_steps_where_a_ramp_is_asked_for():
    channels = {"all": {"lowest": "-1 V", "highest": "1 V", "ramp_step": "250 mV"}}
    exchanges = [
        *SWITCHED_ON,
        ABILITIES,
        ON,
        *reading([0.0, 0.5]),
        *programming([0.25, 0.25]),
        *programming([0.5, 0.0]),
        *reading([0.5, 0.0]),
    ]
    with board(channels, exchanges) as it:
        it.set_output(True)
        it.program(np.array([0.5, 0.0]))


def test_board_is_connected_only_with_values_within_limits():
    exchanges = [OFF, ABILITIES, *reading([0, 0, 1.5, 0])]
    with (
        board(TUNING, exchanges) as it,
        pytest.raises(LimitError, match="synapse 2 is beyond its limit"),
    ):
        it.set_output(True)


def test_board_is_connected_brought_down_in_a_hundred_steps_and_read_back():
    held = np.array([0.5, -0.25, 0, 0], np.float32).astype(np.float64)
    steps = [programming(held * ((0.5 - 0.5 * k / 100) / 0.5)) for k in range(1, 100)] + [programming([-0.0] * 4)]
    steps[-1] = programming(held * 0.0)
    exchanges = [
        *SWITCHED_ON,
        ON,
        ABILITIES,
        *reading(held),
        *[exchange for step in steps for exchange in step],
        checked(":OUTPut 0"),
        OFF,
    ]
    with board(TUNING, exchanges) as it:
        it.set_output(True)
        assert wire_of(it).asked == list(wire_of(it).state)
        assert it.make_safe() == []


def test_board_whose_outputs_cannot_be_read_is_cut_and_never_raises():
    odd = (ASK_ABILITIES, "what")
    with board(TUNING, [*SWITCHED_ON, ON, odd, checked(":OUTPut 0"), OFF]) as it:
        it.set_output(True)
        assert it.make_safe() == []


def test_board_goes_down_by_its_ramp_and_comes_back_by_one():
    channels = {"all": {"lowest": "-1 V", "highest": "1 V", "ramp_step": "500 mV"}}
    held = [1.0, -0.5, 0.0, 0.0]
    exchanges = [
        *SWITCHED_ON,
        ON,
        ABILITIES,
        *reading(held),
        ABILITIES,
        *reading(held),
        *programming([0.5, -0.25, 0.0, 0.0]),
        *programming([0.0, -0.0, 0.0, 0.0]),
        checked(":OUTPut 0"),
        OFF,
        OFF,
        *SWITCHED_ON,
        ABILITIES,
        ON,
        *reading([0.0, 0.0, 0.0, 0.0]),
        *programming([0.5, -0.25, 0.0, 0.0]),
        *programming(held),
        *reading(held),
    ]
    with board(channels, exchanges) as it:
        it.set_output(True)
        it.set_output(False)
        it.set_output(True)


def test_board_that_is_on_and_not_ours_is_refused_and_left_as_it_is():
    with board(TUNING, [ON, ON, ABILITIES, ON]) as it:
        for work in (lambda: it.set_output(True), lambda: it.set_output(False), lambda: it.program(np.zeros(4))):
            with pytest.raises(OccupiedError, match=r"seen: it\.all;"):
                work()
        assert it.make_safe() == []


def test_board_that_is_set_by_hand_is_never_set():
    with board({"all": TUNING["all"] | {"by_hand": True}}, []) as it:
        for work in (lambda: it.set_output(True), lambda: it.program(np.zeros(4))):
            with pytest.raises(LimitError, match="set by hand and is only ever measured; nothing was sent"):
                work()
        assert it.make_safe() == []


@pytest.mark.parametrize(("reply", "addresses"), [("NONE", ()), ("3", (3,)), ("1,7", (1, 7))])
def test_overloads_are_read(reply, addresses):
    with board(TUNING, [(":SYNapse:OVERload?", reply)], known=False) as it:
        assert it.overloads() == addresses


def test_nanovoltmeter_measures_one_input_after_another():
    channels = {1: {"range": "10 mV", "power_line_cycles": 5}, 2: {}}
    start = ":INITiate:CONTinuous 0;:SENSe:FUNCtion 'VOLTage';"
    first = checked(
        start + ":SENSe:CHANnel 1;:SENSe:VOLTage:NPLCycles 5;:SENSe:VOLTage:CHANnel1:RANGe 0.01",
    )
    second = checked(
        start + ":SENSe:CHANnel 2;:SENSe:VOLTage:NPLCycles 1;:SENSe:VOLTage:CHANnel2:RANGe:AUTO 1",
    )
    exchanges = [
        first,
        (":READ?", "+1.2345E-06"),
        (":READ?", "+1.2346E-06"),
        second,
        (":READ?", "0.5"),
        first,
        (":READ?", "9.9E37"),
    ]
    with conversation("keithley-2182a", channels, exchanges) as meter:
        assert [meter.measure_voltage(channel) for channel in "112"] == [1.2345e-6, 1.2346e-6, 0.5]
        with pytest.raises(DeviceError, match="input 1 is overloaded.*up to 0.01 V"):
            meter.measure_voltage("1")
        assert meter.make_safe() == []


MATRIX = {"matrix": {"allowed": ["1101", "1102", "1203"], "most_closed": 2}}
CLOSED = 'print(channel.getclose("allslots"))'
DONE = ("waitcomplete() print(1)", "1.00000e+00")


def tsp(message):
    return [(message, ""), ("print(errorqueue.next())", "0.00000e+00\tQueue Is Empty\t0.00000e+00\t0")]


def closed(*routes):
    return (CLOSED, ";".join(routes) or "nil")


def test_switch_opens_before_it_closes():
    exchanges = [
        closed(),
        *tsp('channel.close("1101,1102")'),
        DONE,
        closed("1101", "1102"),
        closed("1101", "1102"),
        *tsp('channel.open("1102")'),
        DONE,
        *tsp('channel.close("1203")'),
        DONE,
        closed("1101", "1203"),
        closed("1101", "1203"),
        closed("1101", "1203"),
        closed("1101", "1203"),
        closed("1101", "1203"),
        *tsp('channel.open("1101,1203")'),
        DONE,
        closed(),
    ]
    with conversation("keithley-3706a", MATRIX, exchanges) as switch:
        switch.connect(["1101", "1102"])
        assert switch.connect(["1203", "1101"]) == ("1101", "1203")
        switch.connect(["1203", "1101"])
        assert switch.make_safe() == []
        assert switch.make_safe() == []


@pytest.mark.parametrize("routes", [["1301"], ["1101", "1102", "1203"]])
def test_crosspoint_that_is_not_allowed_is_refused_and_nothing_is_sent(routes):
    with (
        conversation("keithley-3706a", MATRIX, [], known=False) as switch,
        pytest.raises(LimitError, match="must not be closed and nothing was sent"),
    ):
        switch.connect(routes)


def test_crosspoint_that_stays_closed_is_an_error():
    exchanges = [
        closed(),
        *tsp('channel.close("1101")'),
        DONE,
        closed("1101"),
        closed("1101"),
        *tsp('channel.open("1101")'),
        DONE,
        closed("1101"),
    ]
    with conversation("keithley-3706a", MATRIX, exchanges) as switch:
        switch.connect(["1101"])
        with pytest.raises(DeviceError, match="does not read back as set"):
            switch.connect([])


def test_crosspoint_that_somebody_closed_is_not_moved():
    with conversation("keithley-3706a", MATRIX, [closed("1102"), closed("1102")]) as switch:
        with pytest.raises(OccupiedError, match=r"nothing was changed.*seen: it\.matrix \(closed: 1102\)"):
            switch.connect(["1101"])
        assert switch.make_safe() == []


def test_crosspoint_that_is_set_by_hand_stays_closed():
    channels = {"matrix": MATRIX["matrix"] | {"by_hand": ["1304"]}}
    exchanges = [
        closed("1304"),
        *tsp('channel.close("1101")'),
        DONE,
        closed("1101", "1304"),
        closed("1101", "1304"),
        closed("1101", "1304"),
        *tsp('channel.open("1101")'),
        DONE,
        closed("1304"),
    ]
    with conversation("keithley-3706a", channels, exchanges) as switch:
        assert switch.connect(["1101"]) == ("1101",)
        assert switch.make_safe() == []


def test_crosspoints_do_not_move_while_a_source_is_on():
    limits = {1: {"lowest": "0 mA", "highest": "10 mA", "compliance": "2 V", "ramp_step": "2 mA"}}
    wired = [(":OUTPut:LTEarth?", "1"), (":OUTPut:ISHield?", "OLOW"), (":OUTPut:RESPonse?", "FAST")]
    with (
        conversation("keithley-3706a", MATRIX, [closed(), *[closed("1101")] * 4]) as switch,
        conversation("keithley-6221", limits, [OFF, OFF, *wired, *[ON] * 4]) as source,
    ):
        source.name = "dc"
        switch.custody.join(source)
        with pytest.raises(DeviceError, match=r"must not move while a source is on; nothing was sent.*seen: dc\.1"):
            switch.connect(["1101"])
        assert not switch.bring_down("matrix")  # Nor on the way down, at any attempt.


def test_errors_of_a_script_language_are_told():
    exchanges = [
        closed(),
        ('channel.close("1101")', ""),
        ("print(errorqueue.next())", "1.11500e+03\tparameter error\t2.00000e+01\t1"),
        ("print(errorqueue.next())", "0.00000e+00\tQueue Is Empty\t0.00000e+00\t0"),
    ]
    with (
        conversation("keithley-3706a", MATRIX, exchanges) as switch,
        pytest.raises(DeviceError, match="parameter error"),
    ):
        switch.connect(["1101"])


# A manual, and where in it; or the page of the documentation that defines our own dialect.
CITATION = re.compile(r"(Manual|Guide|Reference)\b[^;,]*, [^;]{5}|docs/\S+\.md")


@pytest.mark.parametrize("name", instrument_profile_names())
def test_shipped_profiles_fit_their_drivers_and_their_models(name):
    driver, profile, source = choose(name, "test")
    assert profile is not None
    assert profile.driver in SHIPPED

    assert re.search(profile.identity, IDENTITIES[name])
    others = {other for other, identity in IDENTITIES.items() if re.search(profile.identity, identity)}
    assert others == {name}
    assert [key for key, command in profile.commands.items() if not CITATION.search(command.source)] == []
    assert load_profile(Path(source)) == profile
    assert driver.role


def test_every_tested_profile_has_its_conversation():
    texts = "".join(path.read_text(encoding="utf-8") for path in Path(__file__).parent.glob("test_drivers_*.py"))
    for name in instrument_profile_names():
        profile = load_profile(shipped("devices") / "instruments" / f"{name}.yaml")
        assert profile.status != "tested" or f'"{name}"' in texts, name


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"commands": {"current": None}}, "commands.current: this command is missing"),
        (
            {"commands": {"curent": ":X"}},
            "commands.curent: the driver has no such command; next: did you mean 'current'",
        ),
        ({"commands": {"current": ":C {value"}}, "commands.current.send: broken template"),
        ({"commands": {"current": ":C {volts}"}}, r"commands.current.send: broken template.*allowed: {value}"),
        ({"commands": {"current": ":C {value.real}"}}, "broken template"),
        ({"commands": {"current": ":C {value:d}"}}, "broken template"),
        ({"commands": {"current": ":C"}}, r"broken template \({value} is not in it\)"),
        ({"commands": {"current": ":C {value}\n:D"}}, "commands.current.send: a command is one line of ASCII"),
        ({"identity": "("}, "identity: must be a regular expression"),
        ({"driver": "keithley-2401"}, "driver: there is no such driver.*did you mean 'keithley-2400'"),
        ({"status": "perhaps"}, "status: must be 'tested' or 'from manual, untested'"),
        ({"colour": "grey"}, "unknown key 'colour'"),
    ],
)
def test_broken_profiles_are_refused_with_file_and_key(tmp_path, change, message):
    data = yaml.safe_load((shipped("devices") / "instruments" / "keithley-2400.yaml").read_text(encoding="utf-8"))
    for name, send in change.pop("commands", {}).items():
        data["commands"].pop(name, None)
        if send is not None:
            data["commands"][name] = {"send": send, "source": "some manual"}
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(data | change), encoding="utf-8")
    with pytest.raises(ConfigError, match=message) as error:
        choose("mine.yaml", "bench.yaml", tmp_path)
    assert str(tmp_path / "mine.yaml") in str(error.value)
