"""QCoDeS' own drivers, through the calls that a user makes first: identify, set, read back, upload, acquire."""

import numpy as np
import pytest

pytest.importorskip("qcodes", reason="QCoDeS is not installed: pip install qcodes")
from qcodes.instrument_drivers.Keithley import Keithley2400  # noqa: E402
from qcodes.instrument_drivers.Keysight import Keysight33522B  # noqa: E402
from qcodes.instrument_drivers.rohde_schwarz import RohdeSchwarzSGS100A  # noqa: E402
from qcodes.instrument_drivers.tektronix import TektronixAWG5208  # noqa: E402
from qcodes.instrument_drivers.tektronix.DPO7200xx import TektronixDPO7000xx  # noqa: E402

from spinhw.virtual import serving  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore")  # Theirs, not ours.


@pytest.fixture
def driver(resource):
    opened = []

    def open_driver(kind, name):
        opened.append(kind(f"test_{name}", None, resource=resource(name)))
        return opened[-1]

    yield open_driver
    for one in opened:
        one.close()


def test_keysight_33522(made, driver):
    awg = driver(Keysight33522B, "awg")
    assert awg.get_idn()["model"] == "33522B"
    awg.ch1.function_type("SQU")
    awg.ch1.frequency(2e6)
    awg.ch1.amplitude(0.4)
    awg.ch1.burst_state("ON")
    awg.ch1.burst_ncycles(5)
    awg.ch1.trigger_source("BUS")
    awg.ch1.output("ON")
    assert (awg.ch1.function_type(), awg.ch1.frequency(), awg.ch1.burst_ncycles()) == ("SQU", 2e6, 5)
    assert awg.ch1.output() == "ON"
    awg.force_trigger()
    assert (awg.error(), made.shots) == ((0, "No error"), 1)
    snapshot = awg.snapshot(update=True)
    assert snapshot["submodules"]["ch1"]["parameters"]["amplitude"]["value"] == 0.4


def test_keithley_2400(driver):
    smu = driver(Keithley2400, "smu")
    smu.mode("CURR")
    smu.compliancev(5)
    smu.curr(2e-3)
    smu.output(1)
    assert smu.volt() == pytest.approx(0.2)
    assert smu.compliancev() == 5
    smu.output(0)


def test_sgs100a(driver):
    tone = driver(RohdeSchwarzSGS100A, "tone")
    tone.frequency(2.5e9)
    tone.power(-12.5)
    tone.status(True)
    tone.pulsemod_state(True)
    assert (tone.frequency(), tone.power(), tone.status(), tone.pulsemod_state()) == (2.5e9, -12.5, True, True)
    tone.snapshot(update=True)
    assert tone.ask("SYST:ERR?") == '0,"No error"'


def test_awg5208_sends_and_plays_a_waveform(made, driver):
    awg = driver(TektronixAWG5208, "fast")
    shape = np.sin(np.linspace(0, 2 * np.pi, 2400))
    data = np.stack([shape, np.zeros(2400), np.zeros(2400)])
    awg.sendWFMXFile(awg.makeWFMXFile(data, 2.0), "wave.wfmx")
    awg.loadWFMXFile("wave.wfmx")
    assert awg.waveformList == ["wave"]
    awg.sample_rate(2.5e9)
    awg.ch1.setWaveform("wave")
    awg.ch1.awg_amplitude(0.5)
    awg.ch1.state(1)
    awg.play()
    assert awg.run_state() == "Running"
    played = made.instruments["fast"].played(external=False)[1]
    np.testing.assert_allclose(played.samples, 0.25 * shape, atol=1e-4)
    awg.stop()
    assert awg.run_state() == "Stopped"


def test_dpo_acquires_a_trace(driver):
    scope = driver(TektronixDPO7000xx, "scope")
    scope.channel[0].scale(0.2)
    scope.channel[0].offset(0.5)
    scope.horizontal.mode("manual")
    scope.horizontal.sample_rate(1e9)
    scope.horizontal.record_length(1000)
    scope.data.start_index(1)
    scope.data.stop_index(1000)
    scope.waveform.data_format("signed_integer")
    scope.waveform.bytes_per_sample(2)
    scope.waveform.is_big_endian(True)
    scope.trigger.source("CH1")
    scope.write("ACQuire:STOPAfter SEQuence")
    scope.write("ACQuire:STATE RUN")
    trace = scope.channel[0].waveform.trace()
    assert trace.shape == (1000,)
    assert np.ptp(trace) < 0.02
    assert trace.mean() == pytest.approx(0.5, abs=0.01)


def test_sgs100a_over_tcp(made):
    with serving(made) as addresses:
        tone = RohdeSchwarzSGS100A("test_over_tcp", addresses["tone"], visalib="@py", terminator="\n")
        tone.frequency(3e9)
        assert tone.frequency() == 3e9
        tone.close()
