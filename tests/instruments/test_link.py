"""One instrument on a real socket that misbehaves: late, silent, gone, half a block, somebody else."""

import socket
import subprocess
import sys
import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes.lab import IDENTITY, OK, FaultyServer
from spinhw.errors import DeviceError
from spinhw.instruments import IdentityError, Link, LinkError, RefusedError, ReplayWire, blocks, wires
from spinhw.instruments.failures import error_number
from spinhw.instruments.traffic import Traffic

# Where a reply is to fail the exchange gets the short one; all others must not fail on a busy machine. What waits for
# the long one is ended by the time limit of a test.
SOON_S, TIMEOUT_S = 0.05, 1000.0


@pytest.fixture
def server():
    made = FaultyServer({b":A?": b"1\n", b":B?": b"2\n", b"*OPC?": b"1\n"})
    yield made
    made.close()


@pytest.fixture(params=["socket", "visa"])
def link(request, server, mocker):
    if request.param == "visa":  # as if PyVISA had no socket to give away
        mocker.patch.object(wires, "socket_of", return_value=None)
    made = Link("it", lambda: wires.open_wire(server.address, "@py", TIMEOUT_S), timeout_s=TIMEOUT_S)
    made.open()
    yield made
    made.close()


def soon(link):
    """Give a short timeout where the library waits for it even though the peer is gone, else the long one."""
    return 10 * SOON_S if isinstance(link.wire, wires.VisaWire) else TIMEOUT_S


def test_questions_are_answered(link, server):
    assert link.identity == IDENTITY
    assert [link.query(":A?"), link.query(":B?")] == ["1", "2"]
    assert server.received == [b"*IDN?", b":A?", b":B?"]


def test_carriage_returns_are_no_part_of_a_reply(link, server):
    server.replies[b":A?"] = b"1\r\n"
    assert link.query(":A?") == "1"


def test_closed_port_is_an_error_at_open():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    link = Link("awg", lambda: wires.open_wire(f"TCPIP0::127.0.0.1::{port}::SOCKET", "@py", TIMEOUT_S))
    with pytest.raises(LinkError, match="awg: the instrument cannot be reached.*check power, cable and address"):
        link.open()


@pytest.mark.parametrize(("address", "backend"), [("nonsense", "@py"), ("TCPIP0::1::2::SOCKET", "@nobody")])
def test_what_visa_does_not_know_is_a_link_error(address, backend):
    with pytest.raises(LinkError):
        Link("it", lambda: wires.open_wire(address, backend, TIMEOUT_S)).open()


def test_another_instrument_is_refused_at_open(server):
    link = Link("awg", lambda: wires.open_wire(server.address, "@py", TIMEOUT_S), identity="^Keysight,33522B")
    with pytest.raises(IdentityError, match="awg: another instrument answers.*ACME,FAKE 1.*33522B"):
        link.open()
    with pytest.raises(LinkError, match="not open"):
        link.query(":A?")


def test_silence_is_an_error_after_the_timeout(link, server):
    server.faults = ["silent"]
    with pytest.raises(LinkError, match=r"it: the instrument did not answer in time \(:A\?\)"):
        link.ask_once(":A?", timeout_s=SOON_S)


def test_late_reply_never_answers_another_question(link, server):
    server.faults = ["late"]
    with pytest.raises(LinkError, match="in time"):
        link.ask_once(":A?", timeout_s=SOON_S)
    assert [link.query(":B?") for _ in range(3)] == ["2", "2", "2"]
    assert link.generation == 2


def test_lost_question_is_asked_again_within_bounds(link, server):
    server.faults = ["drop"]
    assert link.query(":A?", timeout_s=soon(link)) == "1"
    server.faults = ["drop"] * 4  # Where a drop looks like silence, the error queue is asked for a reason too.
    with pytest.raises(LinkError):
        link.query(":A?", timeout_s=soon(link))
    assert server.received.count(b":A?") == 4


@pytest.mark.parametrize("fault", ["silent", "late", "drop", "half", "cut"])
def test_settings_and_triggers_are_never_repeated(link, server, fault):
    server.faults = [fault]
    with pytest.raises(LinkError):
        link.set_and_check(":OUTP 1", timeout_s=SOON_S)
    server.faults = [fault]
    with pytest.raises(LinkError):
        link.ask_once("*OPC?", timeout_s=SOON_S)
    assert link.query(":B?") == "2"
    assert server.received.count(b":OUTP 1;:SYST:ERR?") == 1
    assert server.received.count(b"*OPC?") == 1


def test_peer_that_went_away_is_an_error_not_a_hang(link, server):
    server.close()
    link.traffic.recent()
    with pytest.raises(LinkError):
        link.query(":A?", timeout_s=SOON_S)
    with pytest.raises(DeviceError):  # one family, whatever the socket says the second time
        link.write(":OUTP 0")
        link.query(":A?")


def test_another_instrument_after_reopening_is_refused(link, server):
    server.faults = ["drop"]
    server.replies[b"*IDN?"] = b"ACME,FAKE 2,0,1.0\n"
    with pytest.raises(IdentityError, match=r"FAKE 2.*allowed: ACME,FAKE 1"):
        link.query(":A?", timeout_s=SOON_S)


def test_setting_and_check_are_one_message(link, server):
    link.set_and_check(":SOUR:CURR 1E-3")
    assert server.received[1:] == [b":SOUR:CURR 1E-3;:SYST:ERR?"]


def test_error_queue_is_emptied_and_told(link, server):
    entries = [b'-222,"Data out of range"\n', b'-113,"Undefined header"\n', OK.encode() + b"\n"]
    server.reply = lambda message: entries.pop(0)
    with pytest.raises(RefusedError, match=r'it:.*after :VOLT 99.*-222,"Data out of range"; -113,"Undefined header"'):
        link.set_and_check(":VOLT 99")
    assert not entries
    assert link.generation == 1  # the line itself is fine


def test_odd_answer_of_the_error_queue_is_a_link_error(link, server):
    server.replies[b":SYST:ERR?"] = b"hello\n"
    with pytest.raises(LinkError, match=r"no answer of an error queue.*hello"):
        link.set_and_check(":VOLT 1")


@pytest.mark.parametrize("dtype", ["<f4", ">f4", "<i2", ">i2", "<u2"])
@pytest.mark.parametrize("count", [0, 1, 1000, 200_000])
def test_blocks_arrive_whatever_their_bytes(link, server, dtype, count):
    values = np.frombuffer(bytes([0x0A]) * count * np.dtype(dtype).itemsize, dtype)
    server.replies[b":DATA?"] = blocks.encode(values, dtype) + b"\n"
    assert np.array_equal(link.query_block(":DATA?", dtype), values)
    assert link.query(":A?") == "1"  # nothing of the block is left on the line
    link.write_block(":DATA ", values, dtype)
    assert link.query(":B?") == "2"
    assert server.received[-2] == b":DATA " + blocks.encode(values, dtype)


@given(data=st.binary(max_size=300), order=st.sampled_from("<>"))
def test_blocks_read_back_as_written(data, order):
    values = np.frombuffer(data[: len(data) // 2 * 2], f"{order}i2")
    whole = blocks.encode(values, f"{order}i2")
    place = 0

    def receive(count):
        nonlocal place
        place += count
        return whole[place - count : place]

    assert np.array_equal(np.frombuffer(blocks.read(receive), f"{order}i2"), values)
    assert place == len(whole)


def test_indefinite_blocks_need_a_length_asked_for_beforehand(link, server):
    server.replies[b":DATA?"] = b"#0" + bytes(range(8, 16)) + b"\n"
    assert link.query_block(":DATA?", "<i2", count=4).tobytes() == bytes(range(8, 16))
    with pytest.raises(LinkError, match=r"no length \(#0\)"):
        link.query_block(":DATA?", "<i2", timeout_s=SOON_S)
    assert link.query(":A?") == "1"


@pytest.mark.parametrize("reply", [b"ERROR\n", b"#x\n", b"#3ab\n", b"#14abcdef\n", b"#15abc\n"])
def test_what_is_no_block_is_an_error_and_leaves_nothing_behind(link, server, reply):
    server.replies[b":DATA?"] = reply
    with pytest.raises(LinkError):
        link.query_block(":DATA?", "<i2", timeout_s=SOON_S)
    assert link.query(":A?") == "1"


@pytest.mark.parametrize("fault", ["half", "cut"])
def test_half_a_block_is_an_error_and_leaves_nothing_behind(link, server, fault):
    server.replies[b":DATA?"] = blocks.encode(np.arange(1000), "<i2") + b"\n"
    server.faults = [fault]
    with pytest.raises(LinkError):
        link.query_block(":DATA?", "<i2", timeout_s=SOON_S)
    assert link.query(":A?") == "1"


def test_block_of_another_length_than_wanted_is_an_error(link, server):
    server.replies[b":DATA?"] = blocks.encode(np.arange(3), "<i2") + b"\n"
    with pytest.raises(LinkError, match="announces 6 bytes instead of 8"):
        link.query_block(":DATA?", "<i2", count=4)


@pytest.mark.parametrize("limits", [{"count": 4}, {"most": 4}, {}])
def test_a_block_that_announces_too_much_is_refused_at_its_header(limits):
    asked = []

    def receive(count):
        asked.append(count)
        return b"#9999999999"[sum(asked[:-1]) : sum(asked)]

    expected = limits["count"] * 2 if "count" in limits else None
    most = limits["most"] * 2 if "most" in limits else blocks.MOST_BYTES
    with pytest.raises(ValueError, match="announces 999999999 bytes"):
        blocks.read(receive, expected, most)
    assert asked == [2, 9]  # Nothing behind the header was read, and no room was made for it.


def test_a_block_that_announces_too_much_leaves_nothing_behind(link, server):
    server.replies[b":DATA?"] = b"#9999999999" + bytes(64)
    for limits in ({"count": 4}, {"most": 4}, {}):
        with pytest.raises(LinkError, match="announces 999999999 bytes"):
            link.query_block(":DATA?", "<i2", **limits)
        assert link.query(":A?") == "1"


@pytest.mark.parametrize("odd", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", ["<f4", ">f4", "<f8"])
def test_a_float_of_a_block_that_is_no_number_is_an_error(link, server, odd, dtype):
    server.replies[b":DATA?"] = blocks.encode(np.array([0.0, 1.0, odd]), dtype) + b"\n"
    with pytest.raises(LinkError, match="no numbers, the first at 2"):
        link.query_block(":DATA?", dtype)
    assert link.query(":A?") == "1"


@pytest.mark.parametrize("entry", ['0.3,"Half"', '-0.5,"Half"', '-113.5,"X"', '1e999,"Huge"', '9e18,"Huge"', "1e-3,x"])
def test_an_error_number_that_is_none_is_an_error_and_never_all_well(link, server, entry):
    server.replies[b":OUTP 1;:SYST:ERR?"] = entry.encode() + b"\n"
    with pytest.raises(LinkError, match="gave no answer of an error queue"):
        link.set_and_check(":OUTP 1")
    assert error_number(entry) is None


def test_error_numbers_may_be_written_as_floats():
    assert [error_number(one) for one in ("0.00000e+00\tQueue Is Empty", "-2.85e2\tTSP", '+0,"x"')] == [0, -285, 0]


def test_bytes_that_are_no_text_are_an_error(link, server):
    server.replies[b":A?"] = b"\xff\xfe\n"
    with pytest.raises(LinkError, match="no text"):
        link.ask_once(":A?")


def test_threads_get_their_own_replies(link, server):
    wrong = []

    def ask(question, answer):
        wrong.extend(1 for _ in range(200) if link.query(question) != answer)

    threads = [threading.Thread(target=ask, args=pair) for pair in ((":A?", "1"), (":B?", "2"))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_write_then_query_does_not_wait_for_acknowledgements(server, mocker):
    """Nagle's algorithm would hold the second message back for 40 ms, and it's off."""
    made = mocker.patch.object(wires, "SocketWire", side_effect=wires.SocketWire)
    wire = wires.open_wire(server.address, "@py", TIMEOUT_S)
    [(_, connection, _)] = [call.args for call in made.call_args_list]
    assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
    wire.close()


def test_peer_that_takes_nothing_is_an_error_not_a_hang(server):
    link = Link("it", lambda: wires.open_wire(server.address, "@py", TIMEOUT_S), timeout_s=TIMEOUT_S)
    link.open()
    server.reads = False
    with pytest.raises(LinkError, match="in time"):
        for _ in range(2):  # what the system takes on its own account is unknown
            link.write_bytes(":DATA ", bytes(64 << 20), timeout_s=SOON_S)
    server.reads = True
    link.close()


def test_interrupted_reply_does_not_answer_the_next_question(link, mocker):
    mocker.patch.object(link.wire, "receive_line", side_effect=KeyboardInterrupt)
    with pytest.raises(KeyboardInterrupt):
        link.query(":A?")
    assert link.query(":B?") == "2"


def test_traffic_is_kept_and_can_be_replayed(server, tmp_path):
    file = tmp_path / "traffic.jsonl"
    server.replies[b":DATA?"] = blocks.encode(np.arange(300), "<i2") + b"\n"
    traffic = Traffic(file)
    link = Link("it", lambda: wires.open_wire(server.address, "@py", TIMEOUT_S), timeout_s=TIMEOUT_S, traffic=traffic)

    def talk(one):
        one.open()
        seen = one.query(":A?")
        one.write_block(":DATA ", np.arange(300), "<i2")
        one.set_and_check(":VOLT 1")
        return seen, one.query_block(":DATA?", "<i2").tolist()

    first = talk(link)
    link.close()
    traffic.close()
    texts = [message.text() for message in traffic.recent("it")]
    assert texts[:4] == ["it > *IDN?", f"it < {IDENTITY}", "it > :A?", "it < 1"]
    assert texts[-1] == "it ! closed"
    assert traffic.recent("somebody else") == []
    wire = ReplayWire.of_recording(file, "it")
    assert talk(Link("it", lambda: wire)) == first
    wire.finish()


def test_replay_refuses_other_words_and_leftovers():
    wire = ReplayWire([(b"*IDN?\n", b"me\n"), (b":A?\n", b"1\n")])
    link = Link("it", lambda: wire, retries=0)
    link.open()
    with pytest.raises(LinkError, match=r"sent b':B\?\\n'; the conversation goes on with b':A\?\\n'"):
        link.query(":B?")
    with pytest.raises(ValueError, match=r"never sent: \[b':A\?\\n'\]"):
        wire.finish()


def test_pyvisa_is_imported_when_a_wire_is_opened_and_not_before():
    code = "import sys, spinhw.instruments, spinhw.instruments.wires; sys.exit('pyvisa' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_importing_spinhw_costs_nothing_beside_torch():
    """Half a second is allowed; with no module but its own and the one that finds its names it takes a thousandth."""
    code = "import sys, torch; before = set(sys.modules); import spinhw\n"
    code += "print(sorted({name.partition('.')[0] for name in set(sys.modules) - before}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['lazy_loader', 'spinhw']"


def test_networks_devices_and_benches_are_loaded_without_pyvisa():
    code = "import sys\nfrom spinhw.device import load_device, open_device\n"
    code += "from spinhw.network import NetworkSettings\n"
    code += "open_device(load_device('bench-virtual'), NetworkSettings(readout='hardware'), 1e-9)\n"
    code += "sys.exit(' '.join(name for name in ('pyvisa', 'pyvisa_py') if name in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr.strip() == ""
