"""Commands for benches: what there is, a virtual bench in a process of its own, everything off."""

import json
import re
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from fakes.processes import python
from fakes.visa import BANK_INSTRUMENTS, BANK_TRUTH, BANK_WIRING, bench_file
from spinhw.cli import devices as commands
from spinhw.device import load_device
from spinhw.instruments import Station
from spinhw.instruments.failures import LinkError
from spinhw.instruments.profile import UNTESTED, find_instrument_profile, instrument_profile_names, load_profile

SERVE = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # Under nohup and in the background it is ignored.
{before}
from spinhw.cli import main
sys.argv = ["spinhw", "virtual-bench", "serve", *sys.argv[1:]]
main()
"""
# Windows has Ctrl-Break, POSIX has not: another signal plays its part.
CTRL_BREAK = """
signal.SIGBREAK = signal.SIGUSR1
import importlib, spinhw.safety
importlib.reload(spinhw.safety)  # Which has looked for it already.
"""
# The signal arrives in the midst of what the server does when a client leaves.
WHEN_A_CLIENT_LEAVES = """
from spinhw.virtual import server
lose = server._Connection.connection_lost
def told_and_lose(self, error):
    signal.raise_signal(signal.{name})
    lose(self, error)
server._Connection.connection_lost = told_and_lose
"""


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """Locks and what was left on are kept in the user's home."""
    monkeypatch.setattr("pathlib.Path.home", lambda: tmp_path)


@contextmanager
def served(folder, before: str = "", asked: tuple[str, ...] = ()) -> Iterator[tuple[Any, dict[str, str]]]:
    """Serve the small bank, or what is asked for, in a process of its own; give it and the addresses that it prints."""
    truth = folder / "truth.yaml"
    truth.write_text(json.dumps(BANK_TRUTH), encoding="utf-8")
    child = python(SERVE.format(before=before), *(asked or (truth,)))
    addresses = {}
    for line in child.stdout:
        if line.startswith("Ctrl-C"):
            break
        name, _, address = line.partition(": ")
        addresses[name] = address.strip()
    try:
        yield child, addresses
    finally:
        with child:
            child.kill()


def say(address: str, message: str) -> str:
    """Send a message over a bare socket and give the reply, without its line feed."""
    host, port = address.split("::")[1:3]
    with socket.create_connection((host, int(port)), timeout=30) as connection:
        connection.sendall(message.encode() + b"\n")
        return connection.makefile().readline().rstrip("\n") if "?" in message else ""


def test_devices_lists_every_driver_in_full_and_says_which_was_never_tried(spinhw):
    out = spinhw("devices", columns=80).out
    rows = dict(re.findall(r"^│ ([\w-]+) +│ [\w-]+ +│ .*│ (\S[^│]*?) +│$", out, re.MULTILINE))
    statuses = {name: load_profile(find_instrument_profile(name)).status for name in instrument_profile_names()}
    for name, status in statuses.items():
        assert status.startswith(rows[name])
        assert (rows[name] == "tested") == (status != UNTESTED)
    assert ("untested" in out) == (UNTESTED in statuses.values())
    assert "Yokogawa" in out
    assert "VISA resources" not in out


def test_devices_scan_lists_what_every_installed_visa_finds(spinhw, mocker):
    def resources(backend):
        if backend == "@ivi":
            raise LinkError("VISA backend '@ivi' cannot be used")
        return ["GPIB0::24::INSTR", "USB0::1::INSTR"]

    mocker.patch.object(commands, "visa_resources", resources)
    assert "VISA resources: GPIB0::24::INSTR, USB0::1::INSTR" in spinhw("devices", "--scan").out


def test_devices_scan_asks_visa_itself(spinhw):
    done = spinhw("devices", "--scan")
    assert (done.code, done.err) == (0, "")
    assert "VISA resources: " in done.out


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
@pytest.mark.parametrize(
    ("name", "before"),
    [("SIGINT", ""), ("SIGTERM", ""), ("SIGUSR1", CTRL_BREAK)],
    ids=["SIGINT", "SIGTERM", "Ctrl-Break"],
)
def test_a_served_bench_answers_on_loopback_until_it_is_told_to_end(tmp_path, name, before):
    with served(tmp_path, before) as (child, addresses):
        assert addresses.keys() == BANK_TRUTH["instruments"].keys()
        assert all(re.fullmatch(r"TCPIP0::127\.0\.0\.1::\d+::SOCKET", one) for one in addresses.values())
        assert say(addresses["awg"], "*IDN?").startswith("Keysight Technologies,33622A")
        child.send_signal(getattr(signal, name))
        out, err = child.communicate(timeout=30)
        assert (child.returncode, out, err) == (0, "", "")
        with pytest.raises(ConnectionRefusedError):
            say(addresses["awg"], "*IDN?")


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_a_signal_that_arrives_while_a_client_leaves_ends_a_served_bench_too(tmp_path, name):
    with served(tmp_path, WHEN_A_CLIENT_LEAVES.format(name=name)) as (child, addresses):
        assert say(addresses["awg"], "*IDN?").startswith("Keysight Technologies,33622A")
        assert (*child.communicate(timeout=30), child.returncode) == ("", "", 0)


def test_a_served_bench_writes_the_bench_file_for_it(spinhw, tmp_path):
    file = tmp_path / "served.yaml"
    with served(tmp_path, asked=("oscillators", "--write", str(file))) as (_, addresses):
        assert addresses.pop("bench file") == str(file)
        bench = load_device(str(file))
        written = {name: one.address for name, one in bench.instruments.items()}
        assert written.items() <= addresses.items()
        with Station(bench, str(file)) as station:
            assert station["awg"].identity.startswith("Keysight Technologies,33622A")
    again = spinhw("virtual-bench", "serve", "oscillators", "--write", file)
    assert again.code == 2
    assert "this file exists; next: choose another name" in again.err


def test_a_bench_file_is_written_for_shipped_benches_only(spinhw, tmp_path):
    truth, file = tmp_path / "truth.yaml", tmp_path / "served.yaml"
    truth.write_text(json.dumps(BANK_TRUTH), encoding="utf-8")
    done = spinhw("virtual-bench", "serve", truth, "--write", file)
    assert done.code == 2
    assert "allowed: chip, flipflop, oscillators, resonators; next: copy one of devices/" in done.err
    assert not file.exists()


def test_off_brings_a_bench_down_and_names_what_it_could_not_reach(spinhw, tmp_path):
    with served(tmp_path) as (_, addresses):
        file = tmp_path / "mine.yaml"

        def write(addresses):
            data = bench_file(BANK_INSTRUMENTS, BANK_WIRING, addresses, "@py", timeout="20 s")
            file.write_text(json.dumps(data), encoding="utf-8")

        write(addresses)
        say(addresses["bias"], ":SOUR:FUNC CURR;:SOUR:CURR 5e-3;:OUTP 1;:OUTP?")
        say(addresses["awg"], ":OUTP1 1;:OUTP1?")
        asked = spinhw("off", "--device", file)
        assert asked.code == 3
        assert "spinhw did not switch on; they were left alone; seen: bias.1 (current 0.005 A), awg.1 (" in asked.err
        assert say(addresses["bias"], ":OUTP?") == "1"
        done = spinhw("off", "--device", file, "--all")
        assert (done.code, done.err) == (0, "")
        assert f"{file}: every output is off, and reads back as off" in done.out
        assert [say(addresses[one], ask) for one, ask in (("bias", ":OUTP?"), ("awg", ":OUTP1?"))] == ["0", "0"]
        assert float(say(addresses["bias"], ":SOUR:CURR?")) == 0

        say(addresses["bias"], ":OUTP 1;:OUTP?")
        with socket.create_server(("127.0.0.1", 0)) as closed:
            port = closed.getsockname()[1]
        write(addresses | {"awg": f"TCPIP0::127.0.0.1::{port}::SOCKET"})
        failed = spinhw("off", "--device", file, "--all")
        assert failed.code == 3
        assert "could not be confirmed off; seen: awg.2, awg.1; allowed: every output off; next: " in failed.err
        assert say(addresses["bias"], ":OUTP?") == "0"


HOLDER = """
import signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_DFL)
from spinhw.instruments import CurrentSource, open_station
with open_station(sys.argv[1]) as station:
    source = station.get("bias", CurrentSource)
    source.set_output("1", True)
    source.set_current("1", 5e-3)
    print("ready", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def mine(tmp_path):
    """Give a bench file on a served bench, and its addresses."""
    with served(tmp_path) as (_, addresses):
        file = tmp_path / "mine.yaml"
        data = bench_file(BANK_INSTRUMENTS, BANK_WIRING, addresses, "@py", timeout="2 s")
        file.write_text(json.dumps(data), encoding="utf-8")
        yield file, addresses


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_off_names_the_process_that_has_a_bench_and_ends_it_when_told_to(spinhw, mine):
    file, addresses = mine
    with python(HOLDER, file) as child:
        assert child.stdout.readline() == "ready\n"
        for words in (("off",), ("check",)):
            refused = spinhw(*words, "--device", file)
            assert refused.code == 3
            assert f"in use by another process; seen: process {child.pid} on" in refused.err
        assert say(addresses["bias"], ":OUTP?") == "1"
        done = spinhw("off", "--device", file, "--stop")
        assert (done.code, done.err) == (0, "")
        assert f"asked process {child.pid} to end" in done.out
        child.communicate(timeout=30)
    assert [say(addresses["bias"], ask) for ask in (":OUTP?", ":SOUR:CURR?")] == ["0", "+0.000000E+00"]


def test_what_a_killed_process_left_on_comes_down_without_being_asked(spinhw, mine):
    file, addresses = mine
    file.write_text(json.dumps(json.loads(file.read_text(encoding="utf-8")) | {"guard": False}), encoding="utf-8")
    with python(HOLDER, file) as child:
        assert child.stdout.readline() == "ready\n"
        child.kill()
    refused = spinhw("check", "--device", file)
    assert refused.code == 3
    assert "an earlier session of spinhw left bias.1 on" in refused.err
    done = spinhw("off", "--device", file)
    assert (done.code, "spinhw's" in done.out) == (0, True)
    assert say(addresses["bias"], ":OUTP?") == "0"


def test_off_works_where_no_lock_can_be_kept(spinhw, mine, tmp_path, monkeypatch, caplog):
    file, addresses = mine
    say(addresses["bias"], ":SOUR:FUNC CURR;:SOUR:CURR 5e-3;:OUTP 1;:OUTP?")
    (tmp_path / "a file").touch()
    monkeypatch.setenv("SPINHW_SHARED", str(tmp_path / "a file" / "folder"))
    monkeypatch.delenv("HOME", raising=False)
    done = spinhw("off", "--device", file, "--all")
    assert done.code == 0
    assert "going on without a lock" in caplog.text
    assert say(addresses["bias"], ":OUTP?") == "0"
    refused = spinhw("check", "--device", file)
    assert refused.code == 3 and "next:" in refused.err


def test_check_reads_a_bench_and_switches_nothing_without_being_told_to(spinhw, mine):
    file, addresses = mine
    done = spinhw("check", "--device", file)
    assert done.code == 0, done.err
    assert f"nothing was switched on; the contract is checked by: spinhw check --device {file} --play" in done.out
    say(addresses["awg"], ":OUTP2 1;:OUTP2?")
    refused = spinhw("check", "--device", file, "--play")
    assert refused.code == 3
    assert "seen: awg.2 (amplitude 0.1 V, offset 0 V)" in refused.err
    assert say(addresses["awg"], ":OUTP2?") == "1"


def test_check_sums_up_and_shows_every_message_when_asked_to(spinhw, tmp_path):
    recipe = tmp_path / "run.yaml"
    recipe.write_text("task: {sample_interval: 3 ns}\n", encoding="utf-8")
    short = spinhw("check", "--device", "bank-virtual", "--config", recipe)
    assert short.code == 0, short.err
    line = short.out.splitlines()[0]
    assert re.match(r"dry run: \d+ messages \(--verbose prints them\) that one small batch would send with ", line)
    assert "samples of 3 ns: " in line
    assert "bank-virtual may be used: every instrument answers as configured" in short.out
    assert "*IDN?" not in short.out
    long = spinhw("check", "--device", "bank-virtual", "--interval", "2 ns", "--verbose")
    assert "samples of 2 ns: " in long.out
    dry, _, read = long.out.partition("messages to and from the bench:")
    assert dry.count("\n  bias > ") > 50
    assert "  bias > *IDN?" in read and "  bias < KEITHLEY" in read


def test_check_stops_at_the_first_instrument_that_is_another(spinhw, tmp_path):
    shipped = load_device("bank-virtual").model_dump(mode="json", by_alias=True)
    shipped["instruments"]["awg"]["address"] = shipped["instruments"]["scope"]["address"]
    shipped["instruments"]["scope"]["address"] = "TCPIP0::awg::5025::SOCKET"
    file = tmp_path / "crossed.yaml"
    file.write_text(json.dumps(shipped), encoding="utf-8")
    refused = spinhw("check", "--device", file, "--verbose")
    assert refused.code == 3
    assert "awg does not answer as configured, and no instrument after it was asked" in refused.err
    verdicts = re.findall("as configured|FAILED|not asked", refused.out.partition("limits")[0])
    assert verdicts == ["as configured", "FAILED", "not asked"]
    assert "  scope >" not in refused.out.partition("messages to and from the bench:")[2]


def test_the_interval_of_a_check_is_refused_in_one_line(spinhw):
    refused = spinhw("check", "--device", "bank-virtual", "--interval", "3 MHz")
    assert (refused.code, refused.err.count("\n")) == (2, 1)
    assert "--interval: the unit MHz is not one of s" in refused.err


def test_a_recipe_that_does_not_fit_the_bench_is_refused_before_anybody_is_asked(spinhw, tmp_path, mocker):
    asked = mocker.patch("spinhw.cli.bench.show_bench")
    recipe = tmp_path / "small.yaml"
    recipe.write_text("network: {layers: [8, 8]}", encoding="utf-8")
    shown = spinhw("check", "--device", "bench-virtual", "--config", recipe)
    assert shown.code == 2 and len(shown.err.splitlines()) == 1
    assert "wiring.layers: the network does not fit on the chip; seen: network.layers [8, 8]; allowed: " in shown.err
    assert not asked.called
