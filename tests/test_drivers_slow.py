"""Voltmeter, switch, synapse controller: exact conversations. And every shipped profile."""

import math
import re
from pathlib import Path

import numpy as np
import pytest
import yaml

from fakes_lab import IDENTITIES, block, checked, conversation
from spinhw.config import shipped
from spinhw.errors import ConfigError, DeviceError, LimitError
from spinhw.instruments.discovery import SHIPPED, choose
from spinhw.instruments.profile import instrument_profile_names, load_profile

TUNING = {"all": {"lowest": "-1 V", "highest": "1 V"}}
ABILITIES = (":SYNapse:COUNt?;:SYNapse:LIMit?;:SYNapse:RESolution?;:SYNapse:SETTle?", "4;-2,2;1E-3;1E-4")
SWAPPED = checked(":FORMat:BORDer SWAPped")


def floats(values):
    return block(np.asarray(values, "<f4").tobytes())


def programming(values, kept=None):
    return [
        ABILITIES,
        SWAPPED,
        (b":SYNapse:DATA 0," + floats(values), ""),
        checked(":SYNapse:APPLy"),
        ("*OPC?", "1"),
    ]


def reading(values):
    return [SWAPPED, (f":SYNapse:DATA? 0,{len(values)}", floats(values))]


def test_synapses_are_programmed_as_a_block_and_read_back():
    values = [0.5, -0.25, 1.0]
    exchanges = [ABILITIES, *programming(values), *reading([0.5, -0.25, 0.9996])]
    with conversation("synapse-controller", TUNING, exchanges) as board:
        assert board.program(np.array(values)) == pytest.approx([0.5, -0.25, 0.9996], rel=1e-7)


def test_synapses_that_read_back_otherwise_are_an_error():
    exchanges = [ABILITIES, *programming([0.5]), *reading([0.502])]
    with (
        conversation("synapse-controller", TUNING, exchanges) as board,
        pytest.raises(DeviceError, match="programming of channel all does not read back"),
    ):
        board.program(np.array([0.5]))


@pytest.mark.parametrize("value", [1.01, -1.01, math.nan])
def test_synapse_beyond_its_limit_is_refused_and_nothing_is_sent(value):
    with (
        conversation("synapse-controller", TUNING, []) as board,
        pytest.raises(LimitError, match="it: synapse 1 is beyond its limit.*allowed: -1 to 1 V"),
    ):
        board.program(np.array([0.0, value]))


def test_more_synapses_than_outputs_are_refused():
    with (
        conversation("synapse-controller", TUNING, [ABILITIES]) as board,
        pytest.raises(DeviceError, match="too few outputs.*seen: 4.*5 or more"),
    ):
        board.program(np.zeros(5))


def test_narrower_limits_of_the_board_are_told():
    narrow = (ABILITIES[0], "4;-0.1,0.1;1E-3;1E-4")
    with (
        conversation("synapse-controller", TUNING, [narrow, narrow]) as board,
        pytest.raises(DeviceError, match="board's own limits are narrower"),
    ):
        board.program(np.array([0.5]))


def test_synapses_go_in_steps_where_a_ramp_is_asked_for():
    channels = {"all": {"lowest": "-1 V", "highest": "1 V", "ramp_step": "250 mV"}}
    exchanges = [
        ABILITIES,
        (":OUTPut?", "1"),
        *reading([0.0, 0.5]),
        *programming([0.25, 0.25]),
        *programming([0.5, 0.0]),
        *reading([0.5, 0.0]),
    ]
    with conversation("synapse-controller", channels, exchanges) as board:
        board.program(np.array([0.5, 0.0]))


def test_board_is_connected_only_with_values_within_limits():
    exchanges = [ABILITIES, *reading([0, 0, 1.5, 0])]
    with (
        conversation("synapse-controller", TUNING, exchanges) as board,
        pytest.raises(LimitError, match="synapse 2 is beyond its limit"),
    ):
        board.set_output(True)


def test_board_is_connected_switched_off_and_read_back():
    exchanges = [
        ABILITIES,
        *reading([0, 0, 0, 0]),
        checked(":OUTPut 1"),
        (":OUTPut?", "1"),
        checked(":OUTPut 0"),
        (":OUTPut?", "0"),
    ]
    with conversation("synapse-controller", TUNING, exchanges) as board:
        board.set_output(True)
        assert board.make_safe() == []


@pytest.mark.parametrize(("reply", "addresses"), [("NONE", ()), ("3", (3,)), ("1,7", (1, 7))])
def test_overloads_are_read(reply, addresses):
    with conversation("synapse-controller", TUNING, [(":SYNapse:OVERload?", reply)]) as board:
        assert board.overloads() == addresses


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


def tsp(message):
    return [(message, ""), ("print(errorqueue.next())", "0.00000e+00\tQueue Is Empty\t0.00000e+00\t0")]


def test_switch_opens_before_it_closes():
    done = ("waitcomplete() print(1)", "1.00000e+00")
    exchanges = [
        (CLOSED, "1101;1102"),
        *tsp('channel.open("1102")'),
        done,
        *tsp('channel.close("1203")'),
        done,
        (CLOSED, "1101;1203"),
        (CLOSED, "1101;1203"),
        (CLOSED, "1101;1203"),
        *tsp('channel.open("allslots")'),
        done,
        (CLOSED, "nil"),
    ]
    with conversation("keithley-3706a", MATRIX, exchanges) as switch:
        assert switch.connect(["1203", "1101"]) == ("1101", "1203")
        switch.connect(["1203", "1101"])
        assert switch.make_safe() == []


@pytest.mark.parametrize("routes", [["1301"], ["1101", "1102", "1203"]])
def test_crosspoint_that_is_not_allowed_is_refused_and_nothing_is_sent(routes):
    with (
        conversation("keithley-3706a", MATRIX, []) as switch,
        pytest.raises(LimitError, match="must not be closed and nothing was sent"),
    ):
        switch.connect(routes)


def test_crosspoint_that_stays_closed_is_an_error():
    exchanges = [(CLOSED, "1101"), *tsp('channel.open("1101")'), ("waitcomplete() print(1)", "1"), (CLOSED, "1101")]
    with (
        conversation("keithley-3706a", MATRIX, exchanges) as switch,
        pytest.raises(DeviceError, match="does not read back as set"),
    ):
        switch.connect([])


def test_errors_of_a_script_language_are_told():
    exchanges = [
        (CLOSED, "nil"),
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
