"""PyMeasure's own drivers, through the calls that a user makes first: identify, set, read back, upload, acquire."""

import numpy as np
import pytest

pytest.importorskip("pymeasure", reason="PyMeasure is not installed: pip install pymeasure")
from pymeasure.adapters import VISAAdapter  # noqa: E402
from pymeasure.instruments.agilent import Agilent33500  # noqa: E402
from pymeasure.instruments.keithley import Keithley2182, Keithley2400, Keithley6221  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore")  # Theirs, not ours.


@pytest.fixture
def adapter(made, library):
    return lambda name: VISAAdapter(made.addresses[name], visa_library=library)


def test_agilent_33500(made, adapter):
    awg = Agilent33500(adapter("awg"))
    assert "33522B" in awg.id
    channel = awg.ch_1
    channel.shape, channel.frequency, channel.amplitude, channel.offset = "SIN", 1e6, 0.5, 0.1
    assert (channel.shape, channel.frequency, channel.amplitude, channel.offset) == ("SIN", 1e6, 0.5, 0.1)
    assert (channel.voltage_high, channel.voltage_low) == pytest.approx((0.35, -0.15))
    channel.output_load = 50
    channel.data_volatile_clear()
    codes = [0, 16384, 32767, 16384, 0, -16384, -32767, -16384]
    channel.data_arb("test", codes, data_format="DAC")
    channel.arb_file, channel.arb_srate, channel.shape, channel.arb_filter = "test", 1e6, "ARB", "OFF"
    channel.burst_state, channel.burst_ncycles, awg.trigger_source = True, 2, "BUS"
    channel.output = True
    assert (channel.arb_srate, channel.burst_ncycles, channel.output, awg.trigger_source) == (1e6, 2, True, "BUS")
    awg.trigger()
    assert awg.check_errors() == []
    played = made.instruments["awg"].played(external=False)[1]
    np.testing.assert_allclose(played.samples, np.tile(codes, 2) / 32767 * 0.25 + 0.1, atol=1e-4)
    assert made.shots == 1
    awg.write("FREQ -5")
    assert [int(error[0]) for error in awg.check_errors()] == [-222]


def test_keithley_2400(adapter):
    smu = Keithley2400(adapter("smu"))
    assert "MODEL 2400" in smu.id
    smu.source_mode, smu.source_current, smu.compliance_voltage = "current", 1e-3, 2.0
    assert (smu.source_mode, smu.source_current, smu.compliance_voltage) == ("current", 1e-3, 2.0)
    smu.source_enabled = True
    assert smu.voltage == pytest.approx(0.1)
    assert smu.current == pytest.approx(1e-3)
    smu.ramp_to_current(2e-3, steps=3, pause=0)
    assert smu.voltage == pytest.approx(0.2)
    smu.config_buffer(5)
    smu.start_buffer()
    smu.wait_for_buffer(timeout=1, interval=1e-3)
    assert smu.buffer_data.shape[0] >= 5
    assert smu.check_errors() == []
    smu.shutdown()
    assert not smu.source_enabled


def test_keithley_6221(adapter):
    source = Keithley6221(adapter("source"))
    assert "MODEL 6221" in source.id
    source.source_compliance, source.source_range, source.source_current = 10, 1e-2, 5e-3
    assert (source.source_compliance, source.source_range, source.source_current) == (10, 1e-2, 5e-3)
    source.enable_source()
    assert source.source_enabled
    source.define_arbitary_waveform(np.linspace(-1, 1, 100), location=2)
    source.waveform_amplitude, source.waveform_frequency = 1e-3, 500
    source.waveform_duration_cycles = 3
    source.waveform_arm()
    source.waveform_start()
    assert (source.waveform_function, source.waveform_frequency) == ("arbitrary2", 500)
    source.waveform_abort()
    source.delta_high_source, source.delta_low_source, source.delta_cycles = 1e-3, -1e-3, 4
    source.delta_arm()
    source.delta_start()
    np.testing.assert_allclose(source.delta_values[::2], [0.1] * 4)
    assert source.check_errors() == []
    source.shutdown()
    assert not source.source_enabled


def test_keithley_2182(adapter):
    meter = Keithley2182(adapter("nvm"))
    assert "MODEL 2182A" in meter.id
    meter.ch_1.setup_voltage(auto_range=False, nplc=1)
    meter.ch_1.voltage_range = 1.0
    assert (meter.active_channel, meter.channel_function, meter.voltage_nplc) == (1, "voltage", 1)
    assert meter.ch_1.voltage_range == 1.0
    assert 0.1 < meter.voltage < 1.1
    assert meter.mean == pytest.approx(meter.voltage)
    assert meter.check_errors() == []
