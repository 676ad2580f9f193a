"""Faults on demand: each kind does what it says, and follows from seed and message number."""

import socket
import time
from threading import Condition

import pytest
import pyvisa

from fakes.bench import bench
from fakes.jam_doors import connect
from spinhw.virtual import serving
from spinhw.virtual.backend import VirtualLibrary
from spinhw.virtual.faults import KINDS, Faults, FaultSettings

LINES = {"read_termination": "\n", "write_termination": "\n", "timeout": 50}
ALWAYS = {"late_delay": "500 ms", "slow_delay": "1 ms"}


@pytest.fixture(autouse=True)
def clock(mocker):
    """Without sockets, time passes while somebody waits for it and not while a busy machine does something else."""
    now = [0.0]

    class Waiting(Condition):
        def wait(self, timeout=None):
            now[0] += timeout

    class Clock:
        monotonic = staticmethod(lambda: now[0])

    mocker.patch("spinhw.virtual.visa_session.time", Clock)
    mocker.patch("spinhw.virtual.visa_session.Condition", Waiting)


def client(name="synapses", **rates):
    made = bench(faults=ALWAYS | {"instruments": [name]} | rates)
    manager = pyvisa.ResourceManager(VirtualLibrary.of(made))
    return made, manager.open_resource(made.addresses[name], **LINES)


def test_without_rates_nothing_goes_wrong():
    made, board = client()
    assert [board.query("SYN:COUN?") for _ in range(20)] == ["54"] * 20
    assert made.faults.log == []


def test_faults_follow_from_seed_and_message_number():
    rates = dict.fromkeys(KINDS, 0.05)

    def drawn(seed):
        faults = Faults(FaultSettings(seed=seed, **rates))
        return [faults.draw("awg", number, b"*IDN?") for number in range(200)], faults.log

    first, log = drawn(1)
    assert first == drawn(1)[0] != drawn(2)[0]
    assert [(fault.number, fault.kind) for fault in log] == [pair for pair in enumerate(first) if pair[1]]
    assert {fault.kind for fault in log} == set(KINDS)


def test_number_of_faults_is_bounded():
    made, board = client(error=1.0, most=2)
    assert [board.query("SYST:ERR?") for _ in range(3)] == ['-310,"System error"'] * 2 + ['0,"No error"']
    assert [fault.kind for fault in made.faults.log] == ["error", "error"]


def test_silence_ends_in_a_timeout():
    _, board = client(silent=1.0, most=1)
    with pytest.raises(pyvisa.errors.VisaIOError, match="VI_ERROR_TMO"):
        board.query("SYN:COUN?")
    assert board.query("SYN:COUN?") == "54"


def test_slow_answers_arrive():
    _, board = client(slow=1.0, most=1)
    assert board.query("SYN:COUN?") == "54"


def test_late_answers_shift_those_after_them():
    _, board = client(late=1.0, most=1)
    with pytest.raises(pyvisa.errors.VisaIOError, match="VI_ERROR_TMO"):
        board.query("SYN:COUN?")
    board.timeout = 10_000
    assert board.query("*IDN?") == "54"  # The trap that a link must know.


def test_half_an_answer_has_no_end():
    _, board = client(half=1.0, most=1)
    with pytest.raises(pyvisa.errors.VisaIOError, match="VI_ERROR_TMO"):
        board.query("*IDN?")


def test_dropped_connection_is_an_error_until_it_is_opened_again():
    made, board = client(dropped=1.0, most=1)
    with pytest.raises(pyvisa.errors.VisaIOError, match="VI_ERROR_CONN_LOST"):
        board.query("*IDN?")
    with pytest.raises(pyvisa.errors.VisaIOError, match="VI_ERROR_CONN_LOST"):
        board.write("*IDN?")
    again = pyvisa.ResourceManager(VirtualLibrary.of(made)).open_resource(made.addresses["synapses"], **LINES)
    assert again.query("SYN:COUN?") == "54"


def test_dropped_connection_is_the_end_of_a_socket():
    with serving(bench(faults={"dropped": 1.0, "most": 1})) as addresses:
        connection = connect(addresses["awg"])
        connection.sendall(b"*IDN?\n")
        assert connection.recv(100) == b""
        connection.close()


def test_wrong_identity_befalls_only_its_query():
    made, board = client(identity=1.0)
    assert board.query("SYN:COUN?") == "54"
    assert board.query("*IDN?") == "SOMEBODY,ELSE,0,0"
    assert len(made.faults.log) == 1


def test_reboot_loses_settings_and_all_connections():
    made, board = client(reboot=1.0, most=1)
    made.instruments["synapses"].store("on", 1, True)
    with pytest.raises(pyvisa.errors.VisaIOError, match="VI_ERROR_CONN_LOST"):
        board.query("OUTP?")
    assert made.instruments["synapses"].get("on") is False


@pytest.mark.parametrize("kind", ["nan", "clipped", "stuck", "overload"])
def test_acquisitions_go_wrong_once(kind):
    made, scope = client("scope", **{kind: 1.0}, most=1)
    scope.write(":WAV:FORM BYTE;:TIM:RANG 1e-6")
    scope.write(":TRIG:SWE AUTO;:TRIG:EDGE:SOUR CHAN1;:DIG")
    codes = scope.query_binary_values(":WAV:DATA?", datatype="B")
    low, hole, high = 1, 0, 255
    if kind == "nan":
        assert hole in codes
    elif kind in {"clipped", "overload"}:
        assert high in codes or low in codes
    else:
        assert len(set(codes)) == 1
    assert (scope.query(":OVLR?") != "0") == (kind == "overload")
    scope.write(":DIG")
    assert hole not in scope.query_binary_values(":WAV:DATA?", datatype="B")


def test_slow_and_late_keep_their_order_over_a_socket():
    with serving(bench(faults=ALWAYS | {"late": 1.0, "most": 1})) as addresses:
        connection = connect(addresses["synapses"])
        connection.sendall(b"SYN:COUN?\n*IDN?\n")
        heard = b""
        while heard.count(b"\n") < 2:
            heard += connection.recv(100)
        assert heard == b"54\nSPINHW,SYNAPSE-CONTROLLER,small-synapses,1.0\n"
        connection.shutdown(socket.SHUT_RDWR)
        connection.close()


def test_faults_befall_only_what_can_suffer_them():
    rates = dict.fromkeys(("nan", "clipped", "stuck"), 1.0)
    made, board = client(**rates)
    assert board.query("SYN:COUN?") == "54"
    assert made.faults.log == []
    made, scope = client("scope", **rates)
    scope.query("*IDN?")
    assert [fault.kind for fault in made.faults.log] == ["nan"]


def test_trigger_from_one_door_answers_through_the_other():
    made = bench()
    manager = pyvisa.ResourceManager(VirtualLibrary.of(made))
    awg = manager.open_resource(made.addresses["awg"], **LINES)
    with serving(made) as addresses:
        scope = connect(addresses["scope"])
        scope.sendall(b":TIM:RANG 1e-6;:TRIG:SWE NORM;:SING;*ESR?;*OPC?\n")
        while not made.instruments["scope"].waiting:
            time.sleep(1e-3)
        awg.write("*TRG")
        assert scope.recv(100) == b"128;1\n"
        scope.close()
    manager.close()
