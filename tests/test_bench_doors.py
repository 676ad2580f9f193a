"""Our drivers, over both doors of the virtual bench: identify, upload, trigger, record, program, switch, measure."""

import numpy as np
import pytest

from spinhw.config import build
from spinhw.instruments import (
    Acquisition,
    CurrentSource,
    DCVoltmeter,
    Digitizer,
    PowerReadout,
    RFSource,
    StationSettings,
    Switch,
    SynapseController,
    WaveformSource,
)
from spinhw.instruments.station import Station
from spinhw.virtual import Bench, load_bench, serving

VOLTS = {"lowest": "0 V", "highest": "1 V"}
CURRENT = {"lowest": "0 mA", "highest": "10 mA", "compliance": "2 V", "ramp_step": "5 mA", "ramp_delay": "0 s"}
RF = {"highest_power": "10 uW", "lowest_frequency": "1 GHz", "highest_frequency": "6 GHz"}
KINDS = {
    "keysight-33600": ("waveform-source", {1: VOLTS, 2: VOLTS}),
    "keysight-infiniivision": ("digitizer", {n: {"lowest": "-200 mV", "highest": "300 mV"} for n in (1, 2, 3, 4)}),
    "tektronix-mso": ("digitizer", {n: {"lowest": "-200 mV", "highest": "300 mV"} for n in (1, 2, 3, 4)}),
    "keithley-2400": ("current-source", {1: CURRENT}),
    "keithley-6221": ("current-source", {1: CURRENT}),
    "keithley-3706a": ("switch", {"matrix": {"allowed": ["1101", "1202"]}}),
    "synapse-controller": ("synapse-controller", {"all": {"lowest": "-2 V", "highest": "2 V"}}),
    "rohde-schwarz-fsv": ("power-readout", {1: {}}),
    "rohde-schwarz-smb100a": ("rf-source", {1: RF}),
    "keithley-2182a": ("dc-voltmeter", {1: {}}),
}


@pytest.fixture(params=["in-process", "tcp"])
def opened(request, tmp_path):
    """Open a station on a shipped virtual bench, by the name of its file."""
    left = []

    def opening(name):
        settings = load_bench(name)
        addresses = {one: f"TCPIP0::{one}::5025::SOCKET" for one in settings.instruments}
        backend = f"{name}@spinhw"
        if request.param == "tcp":
            server = serving(Bench(settings))
            addresses = server.__enter__()
            left.append(server)
            backend = "@py"
        instruments = {
            one: dict(zip(("role", "channels"), KINDS[about.model], strict=True))
            | {"driver": about.model, "address": addresses[one], "timeout": "100 s"}
            for one, about in settings.instruments.items()
        }
        data = {"kind": "bench", "backend": backend, "instruments": instruments}
        station = Station(build(StationSettings, data, "bench.yaml"), "bench.yaml", state_folder=tmp_path)
        station.open()
        left.append(station)
        return station

    yield opening
    for one in reversed(left):
        one.__exit__(None, None, None)


def test_drives_are_played_and_powers_recorded(opened):
    bench = opened("oscillators")
    awg, scope = bench.get("awg", WaveformSource), bench.get("scope", Digitizer)
    held = awg.upload({"1": np.full(2000, 0.2), "2": np.full(2000, 0.2)}, 1e9)
    assert held.points == 2000
    for channel in "12":
        awg.set_output(channel, True)
    applied = scope.configure(Acquisition(("1",), 1e9, 2000))
    awg.arm()
    seen = scope.acquire(applied, awg.trigger)
    assert seen.volts.shape[1] >= 2000
    assert np.isfinite(seen.volts).all()
    bias = bench.get("bias", CurrentSource)
    bias.set_output("1", True)
    assert bias.set_current("1", 5e-3) == pytest.approx(5e-3)
    assert bias.measure("1").current_a == pytest.approx(5e-3, rel=0.01)
    analyser = bench.get("analyser", PowerReadout)
    analyser.tune("1", 2e9, 100e6, 1e6)
    assert analyser.measure_power() >= 0
    assert len(analyser.measure_spectrum().power_w) > 10
    assert bench.make_safe() == []


def test_whole_networks_are_programmed_played_and_observed(opened):
    bench = opened("chip")
    board, switch = bench.get("synapses", SynapseController), bench.get("switch", Switch)
    wanted = np.random.default_rng(0).uniform(-1, 1, board.abilities().count)
    assert board.program(wanted) == pytest.approx(wanted, abs=0.1)
    board.set_output(True)
    assert board.overloads() == ()
    assert switch.connect(["1101"]) == ("1101",)
    supply = bench.get("supply", CurrentSource)
    supply.set_output("1", True)
    supply.set_current("1", 5e-3)
    awg, outputs = bench.get("awg", WaveformSource), bench.get("outputs", Digitizer)
    awg.upload({"1": np.full(4000, 0.05), "2": np.r_[np.ones(3990), np.zeros(10)]}, 1e9)
    for channel in "12":
        awg.set_output(channel, True)
    awg.arm()
    seen = outputs.acquire(outputs.configure(Acquisition(("1",), 1e9, 4000)), awg.trigger)
    assert seen.volts.shape == (1, 4000)
    assert bench.make_safe() == []


def test_resonators_are_tuned_and_read(opened):
    bench = opened("resonators")
    tone, meter = bench.get("tone", RFSource), bench.get("nvm", DCVoltmeter)
    bench.get("board", SynapseController).program(np.zeros(8))
    tone.set_frequency("1", 2e9)
    tone.set_power("1", 1e-6)
    tone.set_output("1", True)
    assert np.isfinite(meter.measure_voltage("1"))
    assert bench.make_safe() == []
