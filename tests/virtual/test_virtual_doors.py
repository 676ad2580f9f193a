"""Both doors of the virtual bench: the same conversation gives the same bytes, over real sockets and without any."""

import socket
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
import pyvisa

from fakes.bench import ADDRESSES, bank, bench
from fakes.jam_doors import connect
from spinhw.errors import DeviceError
from spinhw.virtual import Bench, serve, serving
from spinhw.virtual.backend import VirtualLibrary
from spinhw.virtual.scpi import block

TIMEOUT_MS = 50
LINES = {"read_termination": "\n", "write_termination": "\n", "timeout": TIMEOUT_MS}

VOLTS = np.linspace(-1, 1, ADDRESSES).astype(">f4")
CONVERSATION: list[tuple[str, bytes]] = [
    ("awg", b"*IDN?\n"),
    ("awg", b"SOUR1:VOLT 1;:SYST:ERR?\n"),
    ("awg", b"source2:voltage:offset 100 mv;offset?;:bla;:SYST:ERR?;:SYST:ERR?\r\n"),
    ("synapses", b"SYN:COUN?;:SYN:LIM?;:SYST:ERR?\n"),
    ("synapses", b"SYN:DATA 0," + block(VOLTS.tobytes()) + b"\n"),
    ("synapses", b":SYN:APPL;:SYST:ERR?\n"),
    ("synapses", b"SYN:DATA? 0,%d\n" % ADDRESSES),
    ("synapses", b"SYN:DATA 0,#14" + b"\n\n\n\n" + b"\n"),
    ("synapses", b"SYN:STAG? 0,1\n"),
    ("scope", b":TIM:RANG 1e-6;:TRIG:SWE NORM;:SING;*OPC?\n"),
    ("awg", b"*TRG\n"),
    ("scope", b":WAV:SOUR CHAN1;:WAV:FORM BYTE;:WAV:PRE?\n"),
    ("scope", b":WAV:DATA?\n"),
    ("scope", b"*ESR?;*STB?\n"),
]


def in_process(made: Bench) -> dict[str, bytes]:
    manager = pyvisa.ResourceManager(VirtualLibrary.of(made))
    opened = {name: manager.open_resource(address, **LINES) for name, address in made.addresses.items()}
    heard = dict.fromkeys(opened, b"")
    for name, message in CONVERSATION:
        opened[name].write_raw(message)
    for name, resource in opened.items():
        resource.read_termination = None
        resource.set_visa_attribute(pyvisa.constants.ResourceAttribute.suppress_end_enabled, False)
        while True:
            try:
                heard[name] += resource.read_raw()
            except pyvisa.errors.VisaIOError:
                break
    manager.close()
    return heard


def over_tcp(made: Bench, wanted: dict[str, int]) -> dict[str, bytes]:
    with serving(made) as addresses:
        connections = {name: connect(address) for name, address in addresses.items()}
        heard = dict.fromkeys(connections, b"")
        for name, message in CONVERSATION:
            before = made.ports[name].handled
            connections[name].sendall(message)
            wait_until_handled(made, name, before + 1)
        for name, connection in connections.items():
            while len(heard[name]) < wanted[name]:
                heard[name] += connection.recv(1 << 16)
            connection.close()
    return heard


def wait_until_handled(made: Bench, name: str, count: int) -> None:
    """Wait until an instrument has carried out so many messages, for another one speaks next."""
    while made.ports[name].handled < count:
        time.sleep(1e-4)
    with made.lock:  # It is held while a message is carried out.
        pass


def test_same_conversation_gives_the_same_bytes_through_both_doors():
    inside = in_process(bench())
    outside = over_tcp(bench(), {name: len(heard) for name, heard in inside.items()})
    assert inside == outside
    assert inside["scope"].startswith(b"1\n")  # *OPC? was answered once the trigger had come.


def test_numbers_and_blocks_pass_through_pyvisa():
    made = bench()
    manager = pyvisa.ResourceManager(VirtualLibrary.of(made))
    board = manager.open_resource(made.addresses["synapses"], **LINES)
    board.write_binary_values("SYN:DATA 0,", VOLTS, datatype="f", is_big_endian=True)
    assert board.query(":SYN:APPL;:SYST:ERR?") == '0,"No error"'
    held = board.query_binary_values(f"SYN:DATA? 0,{ADDRESSES}", datatype="f", is_big_endian=True)
    assert held == pytest.approx(VOLTS.tolist(), abs=1e-4)
    assert board.query_ascii_values("SYN:LIM?") == [-2.5, 2.5]
    assert set(manager.list_resources("?*")) == set(made.addresses.values())
    manager.close()


def test_read_without_anything_to_come_times_out_at_once():
    made = bench()
    manager = pyvisa.ResourceManager(VirtualLibrary.of(made))
    longer_than_a_test_ms = 1_000_000
    board = manager.open_resource(made.addresses["synapses"], **(LINES | {"timeout": longer_than_a_test_ms}))
    with pytest.raises(pyvisa.errors.VisaIOError, match="VI_ERROR_TMO"):
        board.read()
    manager.close()


def test_reader_of_a_pending_answer_is_woken_by_another_thread():
    made = bench()
    manager = pyvisa.ResourceManager(VirtualLibrary.of(made))
    scope = manager.open_resource(made.addresses["scope"], **(LINES | {"timeout": 30_000}))
    awg = manager.open_resource(made.addresses["awg"], **LINES)
    scope.write(":TIM:RANG 1e-6;:TRIG:SWE NORM;:SING;*OPC?")
    later = threading.Timer(0.02, awg.write, ["*TRG"])
    later.start()
    assert scope.read() == "1"
    later.join()
    manager.close()


def test_message_based_addresses_follow_ieee_488():
    instruments = {"awg": {"model": "keysight-33500", "address": "GPIB0::10::INSTR"}}
    made = bank(
        instruments=instruments, probes=[], wiring={"kind": "oscillators", "drives": ["awg:1"]}, network={"layers": [1]}
    )
    manager = pyvisa.ResourceManager(VirtualLibrary.of(made))
    awg = manager.open_resource("GPIB0::10::INSTR", timeout=TIMEOUT_MS, write_termination="")
    assert awg.query("*IDN?").startswith("Agilent")  # END closes messages and replies, without any terminator.
    awg.write("FREQ?")
    assert awg.query("VOLT?").startswith("+1.0")  # The reply to the first was never read, and is gone.
    assert awg.query("SYST:ERR?") == '-410,"Query INTERRUPTED"\n'
    with pytest.raises(pyvisa.errors.VisaIOError, match="VI_ERROR_TMO"):
        awg.read()
    assert awg.query("SYST:ERR?") == '-420,"Query UNTERMINATED"\n'
    manager.close()


def test_unknown_addresses_are_not_found():
    manager = pyvisa.ResourceManager(VirtualLibrary.of(bench()))
    with pytest.raises(pyvisa.errors.VisaIOError, match="VI_ERROR_RSRC_NFOUND"):
        manager.open_resource("TCPIP0::nobody::5025::SOCKET")
    manager.close()


def test_pyvisa_py_reaches_the_tcp_door():
    with serving(bench()) as addresses:
        manager = pyvisa.ResourceManager("@py")
        board = manager.open_resource(addresses["synapses"], **(LINES | {"timeout": 5000}))
        assert board.query("*IDN?") == "SPINHW,SYNAPSE-CONTROLLER,small-synapses,1.0"
        board.close()


def test_two_clients_of_one_instrument_get_their_own_answers():
    with serving(bench()) as addresses:
        first, second = connect(addresses["awg"]), connect(addresses["awg"])
        first.sendall(b"SOUR1:VOLT 0.5;:SOUR1:VOLT?\n")
        assert first.recv(100) == b"+5.000000000000000E-01\n"
        second.sendall(b"SOUR1:VOLT?\n")
        assert second.recv(100) == b"+5.000000000000000E-01\n"
        first.close()
        second.close()


def test_server_listens_on_loopback_and_names_a_port_that_is_taken():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        number = taken.getsockname()[1]
        instruments = {"awg": {"model": "keysight-33600", "port": number}}
        settings = bank(
            instruments=instruments,
            probes=[],
            wiring={"kind": "oscillators", "drives": ["awg:1"]},
            network={"layers": [1]},
        ).settings
        with pytest.raises(DeviceError, match=rf"awg cannot listen on 127.0.0.1, port {number}.*port: 0"):
            serve(settings)
        with pytest.raises(DeviceError, match="cannot listen"), serving(settings):
            pass


def test_a_server_for_the_whole_network_is_announced_by_the_name_of_its_machine():
    with serving(bench(), "0.0.0.0") as addresses:
        hosts = {address.split("::")[1] for address in addresses.values()}
    assert hosts == {socket.gethostname()}


def test_serving_ends_when_its_block_does():
    with serving(bench()) as addresses:
        connection = connect(addresses["awg"])
        connection.sendall(b"*IDN?\n")
        assert connection.recv(100).startswith(b"Keysight")
        assert all("::127.0.0.1::" in address for address in addresses.values())
    assert connection.recv(10) == b""
    connection.close()
    with pytest.raises(OSError, match="refused"):
        connect(addresses["awg"])


def test_bench_and_server_need_no_pyvisa():
    command = "import sys, spinhw.virtual; sys.exit('pyvisa' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", command], timeout=100).returncode == 0
