"""The drivers of `spinhw.instruments` on the virtual bench, through the true VISA stack, by both doors."""

from functools import partial

import numpy as np
import pytest
import pyvisa
import yaml

from fakes.bench import ADDRESSES, FIFTY_OHMS, SMALL_NETWORK
from spinhw.config import build
from spinhw.errors import DeviceError
from spinhw.instruments import (
    Acquisition,
    CurrentSource,
    DCVoltmeter,
    Digitizer,
    Link,
    LinkError,
    PowerReadout,
    RefusedError,
    RFSource,
    Station,
    StationSettings,
    Switch,
    SynapseController,
    WaveformSource,
)
from spinhw.instruments.wires import open_wire
from spinhw.streams import numpy_stream
from spinhw.virtual import Bench, BenchSettings, serving

REST, TIMES, BATCH = 80, 6, 3

BENCH = {
    "id": "small",
    "network": SMALL_NETWORK,
    "chip": {"spread": {"gamma": 0.1, "sigma": 0.1}, "synapses": {"limit": 4.0}},
    "conversion": {"input": "50 mV", "weight": "500 mV", "bias": "500 mV", "power": "100 mV", "output": "50 mV"},
    "instruments": {
        "awg": {"model": "keysight-33600"},
        "scope": {"model": "keysight-infiniivision", "power_on": FIFTY_OHMS},
        "tek": {"model": "tektronix-mso", "power_on": [":CH1:TER 50"]},
        "matrix": {"model": "keithley-3706a"},
        "board": {"model": "synapse-controller", "outputs": ADDRESSES, "power_on": [":SYN:LIM -2,2"]},
        "supply": {"model": "keithley-6221"},
        "smu": {"model": "keithley-2400"},
        "nvm": {"model": "keithley-2182a"},
        "tone": {"model": "rohde-schwarz-sgs100a"},
        "fsv": {"model": "rohde-schwarz-fsv"},
        "fast": {"model": "tektronix-awg5200"},
    },
    "wiring": {
        "kind": "chip",
        "inputs": ["awg:1"],
        "controller": "board",
        "gate": {"kind": "rests", "rest": "80 ns"},
        "supply": "supply",
    },
    "probes": [
        {"signal": "power", "to": "matrix:1"},
        {"signal": "power", "numbers": [2], "to": "tek:1"},
        {"signal": "power", "numbers": [3], "to": "nvm:1"},
        {"signal": "power", "numbers": [3], "to": "fsv:1"},
    ],
    "switch": {"instrument": "matrix", "rows": ["scope:1", "scope:2"]},
}
VOLTS = {"lowest": "-0.45 V", "highest": "0.45 V"}
CURRENT = {"lowest": "0 mA", "highest": "20 mA", "compliance": "5 V", "ramp_step": "5 mA", "ramp_delay": "0 s"}
SCREEN = {"lowest": "-10 mV", "highest": "110 mV"}
STATION = {
    "awg": ("waveform-source", "keysight-33600", {"1": VOLTS}),
    "fast": ("waveform-source", "tektronix-awg5200", {"2": {"lowest": "-0.2 V", "highest": "0.2 V"}}),
    "scope": ("digitizer", "keysight-infiniivision", {"1": SCREEN, "2": SCREEN}),
    "tek": ("digitizer", "tektronix-mso", {"1": SCREEN}),
    "matrix": ("switch", "keithley-3706a", {"matrix": {"allowed": ["1101", "1206"]}}),
    "board": ("synapse-controller", "synapse-controller", {"all": {"lowest": "-2 V", "highest": "2 V"}}),
    "supply": ("current-source", "keithley-6221", {"1": CURRENT}),
    "smu": ("current-source", "keithley-2400", {"1": CURRENT}),
    "nvm": ("dc-voltmeter", "keithley-2182a", {"1": {}}),
    "tone": (
        "rf-source",
        "rohde-schwarz-sgs100a",
        {"1": {"highest_power": "1 uW", "lowest_frequency": "1 GHz", "highest_frequency": "3 GHz"}},
    ),
    "fsv": ("power-readout", "rohde-schwarz-fsv", {"1": {}}),
}


@pytest.fixture(params=["in process", "TCP"])
def bench_and_station(request, tmp_path):
    """Open all instruments through one of the doors."""
    if request.param == "TCP":
        made = Bench(build(BenchSettings, BENCH, "test"))
        with serving(made) as addresses, station_at(addresses, "@py", tmp_path) as station:
            yield made, station
        return
    path = tmp_path / "bench.yaml"
    path.write_text(yaml.safe_dump(BENCH), encoding="utf-8")
    backend = f"{path}@spinhw"
    manager = pyvisa.ResourceManager(backend)
    made = manager.visalib.bench
    with station_at(made.addresses, backend, tmp_path) as station:
        yield made, station
    manager.close()


def station_at(addresses, backend, folder) -> Station:
    instruments = {
        name: {"role": role, "driver": driver, "address": addresses[name], "channels": channels}
        for name, (role, driver, channels) in STATION.items()
    }
    settings = build(StationSettings, {"kind": "bench", "backend": backend, "instruments": instruments}, "test")
    return Station(settings, "test", state_folder=folder / "state")


def test_station_runs_a_batch_and_leaves_the_bench_safe(bench_and_station):
    made, station = bench_and_station
    assert len(station.identities()) == len(STATION)
    board, supply = station.get("board", SynapseController), station.get("supply", CurrentSource)
    volts = numpy_stream("test weights").uniform(-1, 1, ADDRESSES)
    matrix = station.get("matrix", Switch)
    assert matrix.connect(["1101", "1206"]) == ("1101", "1206")
    board.set_output(True)
    np.testing.assert_allclose(board.program(volts), volts, atol=1e-4)
    supply.set_output("1", True)
    assert supply.set_current("1", 10e-3) == pytest.approx(10e-3)
    assert not supply.measure("1").in_compliance
    with pytest.raises(DeviceError, match="crosspoints must not move while a source is on.*seen: board.all, supply.1"):
        matrix.connect(["1101"])

    awg, scope = station.get("awg", WaveformSource), station.get("scope", Digitizer)
    wave = np.zeros((BATCH, REST + TIMES))
    wave[:, REST:] = numpy_stream("test inputs").uniform(-0.4, 0.4, (BATCH, TIMES))
    awg.upload({"1": wave.ravel()}, 1e9)
    awg.set_output("1", True)
    awg.arm()
    plan = scope.configure(Acquisition(("1", "2"), 2e9, 560))
    record = scope.acquire(plan, start=awg.trigger)
    times = record.start_s + np.arange(record.volts.shape[1]) * record.interval_s
    assert len(made.response.starts_s) == BATCH
    for row, neuron in ((0, 0), (1, 5)):
        wanted = 0.1 * made.response.signal("power", neuron, times)
        np.testing.assert_allclose(record.volts[row], wanted, atol=0.51 * 0.12 / 256 + 1e-6)
    assert not record.clipped.any()

    tek = station.get("tek", Digitizer)
    plan = tek.configure(Acquisition(("1",), 1e9, 1000))
    record = tek.acquire(plan, start=awg.trigger)
    times = record.start_s + np.arange(1000) * record.interval_s
    wanted = 0.1 * made.response.signal("power", 2, times)
    np.testing.assert_allclose(record.volts[0], wanted, atol=0.51 * 0.12 / 8 / 25 + 1e-6)

    station.close()
    assert station.unconfirmed == ()
    assert not any(made.instruments[name].get("on") for name in ("awg", "supply", "board"))
    assert made.instruments["matrix"].closed == set()


def test_every_other_role_is_lifelike_too(bench_and_station):
    made, station = bench_and_station
    smu = station.get("smu", CurrentSource)
    smu.set_output("1", True)
    smu.set_current("1", 10e-3)
    measured = smu.measure("1")
    assert (measured.current_a, measured.voltage_v, measured.in_compliance) == pytest.approx((10e-3, 0.5, False))
    tone = station.get("tone", RFSource)
    tone.set_frequency("1", 2e9)
    tone.set_power("1", 1e-7)
    tone.set_output("1", True)
    assert made.instruments["tone"].power_w() == pytest.approx(1e-7)
    supply = station.get("supply", CurrentSource)
    supply.set_output("1", True)
    supply.set_current("1", 10e-3)
    made.trigger(made.instruments["board"])
    power = made.response.signal("power", 3, np.zeros(1))[0]
    assert station.get("nvm", DCVoltmeter).measure_voltage("1") == pytest.approx(0.1 * power, rel=1e-4)
    fsv = station.get("fsv", PowerReadout)
    fsv.tune("1", 2e9, 1e6, 1e4)
    assert fsv.measure_power() == pytest.approx(power * 1e-6, rel=1e-2)
    fast = station.get("fast", WaveformSource)
    fast.upload({"2": np.linspace(-0.2, 0.2, 2400)}, 2.5e9)
    fast.set_output("2", True)
    fast.arm()
    fast.trigger()
    played = made.instruments["fast"].played(external=False)[2]
    np.testing.assert_allclose(played.samples, np.linspace(-0.2, 0.2, 2400), atol=1e-4)


@pytest.mark.parametrize("door", ["in process", "TCP"])
def test_link_never_gives_a_wrong_answer_whatever_goes_wrong(door, tmp_path):
    rates = dict.fromkeys(("slow", "silent", "dropped", "late", "half", "identity", "error", "reboot"), 0.04)
    faults = (
        {"seed": 3, "slow_delay": "1 ms", "late_delay": "150 ms", "instruments": ["board"]} | rates | {"identity": 0.3}
    )
    path = tmp_path / "bench.yaml"
    path.write_text(yaml.safe_dump(BENCH | {"faults": faults}), encoding="utf-8")
    manager = pyvisa.ResourceManager(f"{path}@spinhw")
    made = manager.visalib.bench
    with serving(made) as addresses:
        address, backend = (addresses, "@py") if door == "TCP" else (made.addresses, f"{path}@spinhw")
        link = Link("board", partial(open_wire, address["board"], backend, 0.1), identity="^SPINHW", timeout_s=0.1)
        right, failed, everything = 0, 0, set(rates)
        for number in range(1000):  # 100 are enough on most machines: the busier one is, the more run out of time.
            if right >= 40 and failed >= 6 and {fault.kind for fault in made.faults.log} == everything:
                break
            asked = 1 + number % 8  # So that the answer to the question before is another one.
            try:
                link.open()
                reply = link.ask_once(":SYN:COUN?;" * asked + f":SYN:STAG? {number % 8},0;:SYST:VERS?")
                assert reply == f"{ADDRESSES};" * asked + "#10;SPINHW-SYNAPSE-1"
                right += 1
            except (LinkError, RefusedError):
                failed += 1
        link.close()
    manager.close()
    assert right >= 40
    assert failed >= 6
    assert {fault.kind for fault in made.faults.log} == everything
