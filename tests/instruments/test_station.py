"""A bench: limits, ramps, safe-off on every exit, what is remembered, and one process at a time."""

import json
import os
import re
import signal
import sys
from pathlib import Path

import pytest
import yaml

from fakes.foreign.foreign_lab.source import LabSource
from fakes.lab import TinyServer, TinySource
from fakes.packages import install
from fakes.processes import python
from spinhw.config import build, load
from spinhw.errors import ConfigError, DeviceError, LimitError, OccupiedError
from spinhw.instruments import CurrentSource, LinkError, StationSettings, WaveformSource, discovery, switch_off
from spinhw.instruments.channels import CurrentOutput
from spinhw.instruments.outputs import BroughtDown, everything, nothing_else
from spinhw.instruments.station import Station

CHANNEL = {"lowest": "0 mA", "highest": "10 mA", "compliance": "2 V", "ramp_step": "5 mA", "ramp_delay": "0 s"}


def at(name):
    return f"TCPIP0::{name}::5025::SOCKET"


def source_at(address, **more):
    return {
        "role": "current-source",
        "driver": "keithley-6221",
        "address": address,
        "timeout": "20 s",
        "channels": {1: dict(CHANNEL)},
        **more,
    }


def bench(*names, **more):
    return {"kind": "bench", "id": "test", "instruments": {name: source_at(at(name)) for name in names}, **more}


class Bench:
    """A station on tiny sources that can be opened again and again."""

    def __init__(self, folder, *names):
        self.log = []
        self.sources = {name: TinySource(self.log, name) for name in names}
        self.folder, self.data = folder, bench(*names)

    def station(self, **more):
        settings = build(StationSettings, self.data, "bench.yaml")

        def connect(address, backend, timeout_s):
            return self.sources[address.split("::")[1]]

        return Station(settings, "bench.yaml", state_folder=self.folder, connect=connect, **more)


@pytest.fixture
def two(tmp_path):
    return Bench(tmp_path, "first", "second")


def test_connecting_changes_nothing_and_tells_who_answers(two):
    station = two.station()
    assert station.open() == {name: source.identity for name, source in two.sources.items()}
    assert two.log == ["first *IDN?", "second *IDN?"]
    assert station.open() == station.identities()  # again: nothing happens
    assert station["first"].identity.startswith("KEITHLEY")
    assert list(station) == ["first", "second"]
    station.close()
    station.close()


def test_leaving_ramps_down_and_switches_off_in_reverse_order(two):
    with two.station() as station:
        for name in station:
            source = station.get(name, CurrentSource)
            source.set_output("1", True)
            source.set_current("1", 0.01)
        two.log.clear()
    sent = [line for line in two.log if not line.endswith("?") or "SYST" in line]
    assert sent == [
        f"{name} {message};:SYST:ERR?"
        for name in ("second", "first")
        for message in (":SOURce:CURRent 0.005", ":SOURce:CURRent 0", ":OUTPut 0")
    ]
    assert two.log[-1] == "first :OUTPut?"
    assert not any(source.on for source in two.sources.values())


@pytest.mark.parametrize("error", [RuntimeError("oops"), KeyboardInterrupt(), SystemExit(1)])
def test_every_exception_leaves_the_bench_safe(two, error):
    with pytest.raises(type(error)), two.station() as station:
        station.get("first", CurrentSource).set_output("1", True)
        assert two.sources["first"].on
        raise error
    assert not two.sources["first"].on


def test_output_that_stays_on_is_named_remembered_and_reported(two, caplog):
    with (
        pytest.raises(DeviceError, match="test: outputs that could not be confirmed off; seen: second.1;") as error,
        two.station() as station,
    ):
        station.get("second", CurrentSource).set_output("1", True)
        two.sources["second"].stuck = True
    assert error.value.exit_code == 3
    two.sources["second"].stuck = False
    with two.station() as station:
        assert station.left.unconfirmed == ("second.1",)
        assert "the last session left the bench unsafe: outputs not confirmed off: second.1" in caplog.text
        with pytest.raises(OccupiedError, match=r"an earlier session of spinhw left second.1 on"):
            station.get("first", CurrentSource).set_output("1", True)
    assert two.station().bring_down(nothing_else) == BroughtDown((), ())  # It is ours: nobody need be asked.
    assert not two.sources["second"].on
    with two.station() as station:
        assert not station.left


def test_first_error_stays_the_one_people_see(two):
    with pytest.raises(RuntimeError, match="oops") as error, two.station() as station:
        station.get("second", CurrentSource).set_output("1", True)
        two.sources["second"].stuck = True
        raise RuntimeError("oops")
    assert "second.1" in error.value.__notes__[0]


def test_instrument_that_broke_does_not_keep_the_others_on(two):
    with pytest.raises(DeviceError, match="seen: second.1;"), two.station() as station:
        for name in station:
            station.get(name, CurrentSource).set_output("1", True)
        two.sources["second"].broken = True
    assert not two.sources["first"].on


def test_instrument_that_does_not_answer_lets_go_of_everything(two):
    two.sources["second"].broken = True
    with pytest.raises(LinkError, match="second: the instrument cannot be reached"):
        two.station().open()
    two.sources["second"].broken = False
    with two.station():
        pass


def test_another_model_than_configured_is_refused(two):
    two.sources["second"].identity = "KEITHLEY INSTRUMENTS INC.,MODEL 2400,1,1"
    with pytest.raises(LinkError, match="second: another instrument answers than configured; seen: KEITHLEY.*2400"):
        two.station().open()


def test_bench_is_for_one_at_a_time(two):
    with two.station():
        with pytest.raises(
            DeviceError, match=rf"at TCPIP0::first::5025::SOCKET is in use.*process {os.getpid()} on .*\(bench test\)"
        ):
            two.station().open()
        other = Bench(two.folder, "second")  # another file, one instrument of it the same
        with pytest.raises(DeviceError, match="TCPIP0::second::5025::SOCKET is in use"):
            other.station().open()
    with two.station():
        pass


def test_bench_of_a_process_that_was_killed_is_free_and_reported(tmp_path):
    server = TinyServer()
    file = tmp_path / "bench.yaml"
    file.write_text(
        yaml.safe_dump(bench() | {"guard": False, "instruments": {"source": source_at(server.address)}}),
        encoding="utf-8",
    )
    child = start(file, tmp_path)
    with pytest.raises(DeviceError, match=rf"in use by another process; seen: process {child.pid} on"):
        open_here(file, tmp_path).open()
    child.kill()
    child.communicate()
    assert server.source.on
    with open_here(file, tmp_path) as station:
        assert f"process {child.pid} on" in station.left.died
        with pytest.raises(OccupiedError, match=r"left source.1 on.*seen: source.1 \(current 0.01 A\)"):
            station.get("source", CurrentSource).set_current("1", 0.0)
    assert server.source.on  # What was on before a session is not that session's.
    assert switch_off(file, state_folder=tmp_path) == BroughtDown((), ())
    assert (server.source.on, server.source.current_a) == (False, 0.0)
    server.close()


def open_here(file, folder):
    return Station(load(StationSettings, file), str(file), state_folder=folder)


CHILD = """
import signal, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # Under nohup and in the background they are ignored.
if hasattr(signal, "SIGHUP"):
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
from pathlib import Path
from spinhw.instruments import CurrentSource, open_station
with open_station(sys.argv[1], state_folder=Path(sys.argv[2])) as station:
    source = station.get("source", CurrentSource)
    source.set_output("1", True)
    source.set_current("1", 0.01)
    print("ready", flush=True)
    time.sleep(60)
"""


def start(file, folder):
    child = python(CHILD, file, folder)
    assert child.stdout.readline() == "ready\n", child.communicate()
    return child


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT", "SIGHUP"])
def test_signals_leave_the_bench_safe(tmp_path, name):
    server = TinyServer()
    file = tmp_path / "bench.yaml"
    file.write_text(yaml.safe_dump(bench() | {"instruments": {"source": source_at(server.address)}}), encoding="utf-8")
    child = start(file, tmp_path)
    assert (server.source.on, server.source.current_a) == (True, 0.01)
    child.send_signal(getattr(signal, name))
    child.communicate(timeout=30)
    assert (server.source.on, server.source.current_a) == (False, 0.0)
    with open_here(file, tmp_path) as station:
        assert not station.left
    server.close()


def test_unreadable_memory_counts_as_unsafe(two):
    with two.station():
        pass
    [memory] = two.folder.glob("*.json")
    assert json.loads(memory.read_text(encoding="utf-8")) == {"open": None, "unconfirmed": [], "ours": []}
    memory.write_text("{", encoding="utf-8")
    with two.station() as station:
        assert "cannot be read" in station.left.died


def test_bench_can_be_brought_down_by_itself(two):
    for source in two.sources.values():
        source.on, source.current_a = True, 0.01
    two.sources["first"].broken = True
    done = two.station().bring_down(everything)
    assert (done.unconfirmed, done.left) == (("first.1",), ())
    assert (two.sources["second"].on, two.sources["second"].current_a) == (False, 0.0)
    two.sources["first"].broken = False
    done = two.station().bring_down(nothing_else)
    assert [one.name for one in done.left] == ["first.1"]
    assert two.sources["first"].on


def test_switch_off_takes_a_file(tmp_path):
    server = TinyServer()
    server.source.on, server.source.current_a = True, 0.01
    file = tmp_path / "bench.yaml"
    file.write_text(yaml.safe_dump(bench() | {"instruments": {"source": source_at(server.address)}}), encoding="utf-8")
    shown = []
    [left] = switch_off(file, state_folder=tmp_path, show=shown.extend).left
    assert (left.name, left.on, left.ours, left.gives) == ("source.1", True, False, "current 0.01 A")
    assert shown == [left]
    assert server.source.on
    assert switch_off(file, state_folder=tmp_path, choose=everything) == BroughtDown((), ())
    assert not server.source.on
    server.close()


def test_snapshot_is_cached_and_a_survey_reads_it(two):
    with two.station() as station:
        two.log.clear()
        assert station.snapshot()["first"]["settings"] == {}
        assert two.log == []
        settings = station.survey()["first"]["settings"]
        assert settings == {"1.current_a": 0.0, "1.output": False}
        station.get("first", CurrentSource).set_current("1", 0.001)
        two.log.clear()
        assert station.snapshot()["first"]["settings"]["1.current_a"] == 0.001
        assert two.log == []
        json.dumps(station.snapshot())


def test_settings_are_forgotten_when_the_line_was_opened_again(two):
    with two.station() as station:
        station.survey()
        two.sources["first"].broken = True
        with pytest.raises(LinkError):
            station["first"].port.link.check()
        two.sources["first"].broken = False
        station.get("first", CurrentSource).output_enabled("1")
        assert station["first"].cached() == {}


def test_own_messages_are_logged_and_make_the_snapshot_worthless(two, tmp_path):
    with two.station(traffic_file=tmp_path / "traffic.jsonl") as station:
        station.survey()
        raw = station.raw("first")
        raw.write(":OUTPut 1")
        assert station["first"].cached() == {}
        assert raw.query(":OUTPut?") == "1"
        assert [message.text() for message in station.traffic.recent("first")][-2:] == ["first > :OUTPut?", "first < 1"]
    assert not two.sources["first"].on
    assert ":OUTPut 1;:SYST:ERR?" in (tmp_path / "traffic.jsonl").read_text(encoding="utf-8")


def test_own_messages_make_every_output_of_the_model_ours(two):
    with two.station() as station:
        assert station.custody.ours() == []
        station.raw("first").query("*IDN?")
        assert station.custody.ours() == [("first", "1")]
        two.sources["first"].on = True
    assert not two.sources["first"].on


def test_own_messages_are_refused_where_something_is_on_that_is_not_ours(two):
    with two.station() as station:
        two.sources["second"].on = True
        two.log.clear()
        with pytest.raises(OccupiedError, match=r"seen: second.1 \(current 0 A\)"):
            station.raw("first").write(":OUTPut 1")
        assert all(line.endswith("?") for line in two.log)
    assert two.sources["second"].on


def test_names_and_roles_are_checked(two):
    station = two.station()
    with pytest.raises(ConfigError, match="there is no instrument 'frist'.*did you mean 'first'"):
        station["frist"]
    with pytest.raises(ConfigError, match="instruments.first: a waveform-source is needed; seen: current-source"):
        station.get("first", WaveformSource)
    with pytest.raises(LimitError, match="channel 2 is not listed"):
        station.get("first", CurrentSource).set_current("2", 0.0)
    with pytest.raises(LinkError, match="not open"):
        station.get("first", CurrentSource).set_current("1", 0.0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda d: d["a"].update(role="current-sauce"),
            "bench.yaml: instruments.a.role: this role is not known",
        ),
        (
            lambda d: d["a"].pop("role"),
            "instruments.a.role: this key is missing; allowed: waveform-source, c",
        ),
        (
            lambda d: d["a"].update(driver="keithley-6222"),
            "a.driver: there is no such driver.*keithley-6221",
        ),
        (lambda d: d["a"].update(driver="os.system"), "instruments.a.driver: there is no such driver"),
        (lambda d: d["a"].update(driver="no.yaml"), "no.yaml: there is no such instrument profile"),
        (lambda d: d["a"].update(driver="keysight-33500"), "instruments.a.role: the driver is for another role"),
        (lambda d: d["a"].pop("channels"), "instruments.a.channels: this key is missing"),
        (lambda d: d["a"].update(channels={}), "instruments.a.channels: "),
        (lambda d: d["a"]["channels"][1].pop("highest"), "instruments.a.channels.1.highest: this key is missing"),
        (lambda d: d["a"]["channels"][1].update(highest="10"), "a.channels.1.highest: a unit is needed"),
        (lambda d: d["a"]["channels"][1].update(highest="-1 mA"), "lowest must be below highest"),
        (
            lambda d: d["a"]["channels"].update({2: CHANNEL}),
            "a.channels.2: the instrument has no such output",
        ),
        (
            lambda d: d.update(b=source_at("tcpip::A::05025::SOCKET")),
            "instruments 'a' and 'b' have one address; seen: .*, two spellings of one",
        ),
        (
            lambda d: d["a"].update(address="192.0.2.5"),
            "instruments.a.address: this is no VISA address; seen: 192.0.2.5; allowed: TCPIP0::.*; next: correct it",
        ),
        (lambda d: d["a"].update(colour="red"), "unknown key 'colour'"),
    ],
)
def test_mistakes_in_a_bench_file_are_named(tmp_path, change, message):
    data = bench("a")
    change(data["instruments"])
    with pytest.raises(ConfigError, match=message):
        Station(build(StationSettings, data, "bench.yaml"), "bench.yaml", state_folder=tmp_path)


SCOPE = {
    "role": "digitizer",
    "driver": "tektronix-mso",
    "address": at("scope"),
    "channels": {1: {"lowest": "0 V", "highest": "1 V"}, 2: {"lowest": "0 V", "highest": "1 V"}},
}
AWG = {
    "role": "waveform-source",
    "driver": "tektronix-awg5200",
    "address": at("awg"),
    "channels": {1: {"lowest": "0 V", "highest": "500 mV"}, 2: {"lowest": "0 V", "highest": "500 mV"}},
}
BOARD = {
    "role": "synapse-controller",
    "driver": "synapse-controller",
    "address": at("board"),
    "channels": {"all": {"lowest": "-2 V", "highest": "2 V"}},
}
MATRIX = {
    "role": "switch",
    "driver": "keithley-3706a",
    "address": at("matrix"),
    "channels": {"matrix": {"allowed": ["1101", "1102"]}},
}
TIMING = {"source_rate": "1 GHz", "digitizer_rate": "5 GHz", "latency": "3 ns", "rest": "60 ns"}
CHIP = {
    "kind": "chip",
    "inputs": ["awg.1"],
    "synapses": "board.all",
    "neurons": ["scope.1", "scope.2"],
    "timing": TIMING,
}
OSCILLATORS = {
    "kind": "oscillators",
    "drives": ["awg.1", "awg.2"],
    "transconductance": "20 mS",
    "powers": ["scope.1 via matrix.1101", "scope.1 via matrix.1102"],
    "timing": TIMING,
}


def wired(wiring):
    instruments = {"awg": AWG, "board": BOARD, "scope": SCOPE, "matrix": MATRIX, "dc": source_at(at("dc"))}
    return {"kind": "bench", "instruments": instruments, "wiring": wiring, "conversion": {"threshold": "4 mA"}}


@pytest.mark.parametrize("wiring", [CHIP, OSCILLATORS, CHIP | {"supply": ["dc.1"]}])
def test_wired_benches_load_and_write_back(wiring):
    settings = build(StationSettings, wired(wiring), "bench.yaml")
    assert settings.conversion.threshold_a == 4e-3
    assert settings.wiring.timing.latency_s == pytest.approx(3e-9)
    again = build(StationSettings, yaml.safe_load(settings.to_yaml()), "again.yaml")
    assert again == settings


@pytest.mark.parametrize(
    ("wiring", "message"),
    [
        (CHIP | {"inputs": ["agw.1"]}, r"wiring.inputs\[0\]: there is no instrument 'agw'"),
        (CHIP | {"inputs": ["awg.3"]}, r"wiring.inputs\[0\]: 'awg' has no channel '3' in this file, only 1, 2"),
        (CHIP | {"inputs": ["scope.1"]}, r"inputs\[0\]: 'scope' is a digitizer; a waveform-source is needed here"),
        (CHIP | {"inputs": ["awg"]}, r"wiring.inputs.0: must be INSTRUMENT.CHANNEL"),
        (
            CHIP | {"inputs": ["awg.1", "awg.1"]},
            r"inputs\[0\] and inputs\[1\] are on one output of a source; seen: awg.1",
        ),
        (
            CHIP | {"neurons": ["scope.1", "scope.1"]},
            r"neurons\[0\] and neurons\[1\] are on one channel without a switch; seen: scope.1",
        ),
        (CHIP | {"neurons": ["scope.1 via matrix.1103"]}, "crosspoint '1103' is not listed under 'matrix'"),
        (
            CHIP | {"neurons": ["scope.1 via matrix.1101", "scope.2 via matrix.1101"]},
            "on one channel; seen: matrix.1101",
        ),
        (CHIP | {"neurons": ["scope.1 over matrix.1101"]}, "must be INSTRUMENT.CHANNEL, or 'scope.1 via matrix.1101'"),
        (OSCILLATORS | {"drives": ["awg.1"]}, "there are 1 drives and 2 powers"),
        (OSCILLATORS | {"kind": "bank"}, "wiring.kind: this kind is not known; seen: bank; allowed: chip, oscillators"),
        (OSCILLATORS | {"transconductance": "20 ohm"}, "wiring.transconductance: the unit .* is not one of S"),
        (
            CHIP | {"supply": ["dc.1"], "supply_current": "5 A"},
            r"wiring.supply_current: this is beyond the limits of dc.1 in this file; seen: 5 A; allowed: 0 A to 10 mA; "
            "next: correct it, or the limits under instruments.dc.channels",
        ),
        (
            OSCILLATORS | {"supply": ["dc.1"], "supply_current": "-5 A"},
            "wiring.supply_current: this is beyond the limits",
        ),
        (
            CHIP | {"inputs": ["awg.2"], "gate": "awg.1", "gate_open": "30 V"},
            r"wiring.gate_open: this is beyond the limits of awg.1 in this file; seen: 30 V",
        ),
    ],
)
def test_mistakes_in_the_wiring_are_named(wiring, message):
    with pytest.raises(ConfigError, match=message):
        build(StationSettings, wired(wiring), "bench.yaml")


def test_a_gate_must_be_able_to_shut():
    bench = wired(CHIP | {"inputs": ["awg.2"], "gate": "awg.1", "gate_open": "0.5 V"})
    channels = bench["instruments"]["awg"]["channels"]
    bench["instruments"]["awg"] = AWG | {"channels": channels | {1: channels[1] | {"lowest": "0.2 V"}}}
    with pytest.raises(ConfigError, match=r"wiring.gate \(shut\): this is beyond the limits of awg.1 .*seen: 0 V"):
        build(StationSettings, bench, "bench.yaml")


@pytest.fixture
def offer(tmp_path, monkeypatch):
    """Install a package that offers a driver under the name my-source."""

    def offering(target, code=None):
        if code is not None:
            (tmp_path / f"{target.partition(':')[0]}.py").write_text(code, encoding="utf-8")
        install(tmp_path, "lab", {"spinhw.drivers": {"my-source": target}})
        monkeypatch.syspath_prepend(str(tmp_path))

    return offering


def test_driver_of_another_package_is_found_by_its_entry_point(tmp_path, offer):
    offer(f"{LabSource.__module__}:LabSource")
    data = bench("a")
    data["instruments"]["a"]["driver"] = "my-source"
    with Station(build(StationSettings, data, "bench.yaml"), "bench.yaml", state_folder=tmp_path) as station:
        source = station.get("a", CurrentSource)
        assert isinstance(source, LabSource)
        source.set_output("1", True)
        assert source.set_current("1", 0.01) == 0.01
        with pytest.raises(LimitError):
            source.set_current("1", 0.02)
        with pytest.raises(DeviceError, match="no messages of its own"):
            station.raw("a")
    assert not source.on


@pytest.mark.parametrize(
    ("target", "code", "message"),
    [
        ("broken_lab:Own", "raise OSError('no lab')", r"'my-source' \(package lab\) cannot be loaded; .* no lab"),
        ("poor_lab:Own", "import labtools.scope", r"needs another package; .* next: pip install labtools"),
        ("builtins:int", None, "entry point 'my-source' is no driver"),
    ],
)
def test_broken_entry_points_are_told(tmp_path, offer, target, code, message):
    offer(target, code)
    data = bench("a")
    data["instruments"]["a"]["driver"] = "my-source"
    with pytest.raises(ConfigError, match=message):
        Station(build(StationSettings, data, "bench.yaml"), "bench.yaml", state_folder=tmp_path)


def test_profile_beside_the_bench_file_is_used(tmp_path):
    shipped = Path(discovery.find_instrument_profile("keithley-6221")).read_text(encoding="utf-8")
    (tmp_path / "mine.yaml").write_text(shipped.replace("622[01]", "6999"), encoding="utf-8")
    data = bench("a")
    data["instruments"]["a"]["driver"] = "mine.yaml"
    source = TinySource([])
    source.identity = "KEITHLEY INSTRUMENTS INC.,MODEL 6999,1,1"
    path = str(tmp_path / "bench.yaml")
    settings = build(StationSettings, data, path)
    with Station(settings, path, state_folder=tmp_path, connect=lambda *_: source) as station:
        assert "6999" in station["a"].identity


def test_roles_have_few_hooks():
    for driver in discovery.SHIPPED.values():
        role = [one for one in driver.__mro__ if "role" in vars(one)][-1]
        assert 1 <= len(role.__abstractmethods__) <= 8, role


def test_channel_settings_are_frozen_and_described():
    assert CurrentOutput.model_config["frozen"]
    assert all(field.description for field in CurrentOutput.model_fields.values())


@pytest.mark.parametrize(
    ("left_out", "missing"),
    [((), ""), (("wave", "registers"), "registers, wave"), (None, "compliance, .*wave")],
    ids=["nothing", "two settings", "everything"],
)
def test_what_a_profile_of_ones_own_cannot_make_known_is_warned_of_by_name(tmp_path, caplog, left_out, missing):
    shipped = yaml.safe_load(Path(discovery.find_instrument_profile("keithley-6221")).read_text(encoding="utf-8"))
    state = shipped.pop("state")
    kept = {} if left_out is None else {name: one for name, one in state.items() if name not in left_out}
    mine = shipped | {"state": kept, "reviewed": []}
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(mine, sort_keys=False), encoding="utf-8")
    data, path = bench("a"), str(tmp_path / "bench.yaml")
    data["instruments"]["a"]["driver"] = "mine.yaml"
    source = TinySource([], "a")
    with Station(build(StationSettings, data, path), path, state_folder=tmp_path, connect=lambda *_: source):
        said = [line for line in caplog.messages if "taken as found" in line]
    assert len(said) == bool(missing)
    assert all(re.search(f"a: mine.yaml does not say .* taken as found: {missing} ", line) for line in said)
