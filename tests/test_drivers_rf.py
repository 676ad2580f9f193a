"""RF sources and RF power meters: exact conversations."""

import numpy as np
import pytest

from fakes_lab import block, checked, conversation
from spinhw.errors import DeviceError, LimitError

RF = {1: {"highest_power": "-10 dBm", "lowest_frequency": "1 GHz", "highest_frequency": "3 GHz"}}
PROFILES = pytest.mark.parametrize(
    "profile", ["rohde-schwarz-smb100a", "rohde-schwarz-sgs100a", "rohde-schwarz-smw200a", "keysight-n5173b"]
)


@PROFILES
def test_tone_is_set_and_read_back(profile):
    exchanges = [
        checked(":SOURce:FREQuency 2000000000.25"),
        (":SOURce:FREQuency?", "2000000000.25"),
        checked(":SOURce:POWer -20.00"),
        (":SOURce:POWer?", "-20.00"),
        (":SOURce:POWer?", "-20"),
        (":SOURce:FREQuency?", "2E9"),
        checked(":OUTPut:STATe 1"),
        (":OUTPut:STATe?", "1"),
        checked(":OUTPut:STATe 0"),
        (":OUTPut:STATe?", "0"),
    ]
    with conversation(profile, RF, exchanges) as source:
        assert source.set_frequency("1", 2000000000.25) == 2000000000.25
        assert source.set_power("1", 1e-5) == pytest.approx(1e-5)
        source.set_output("1", True)
        assert source.cached() == {"1.frequency_hz": 2e9, "1.power_w": pytest.approx(1e-5), "1.output": True}
        assert source.make_safe() == []


@PROFILES
def test_tone_beyond_a_limit_is_refused_and_nothing_is_sent(profile):
    with conversation(profile, RF, []) as source:
        with pytest.raises(LimitError, match=r"frequency of channel 1.*3\.1e\+09 Hz.*1e\+09 to 3e\+09 Hz"):
            source.set_frequency("1", 3.1e9)
        with pytest.raises(LimitError, match="power of channel 1.*0.001 W.*0 to 0.0001 W"):
            source.set_power("1", 1e-3)
        with pytest.raises(ValueError, match="switch the output off instead"):
            source.set_power("1", 0.0)


def test_output_stays_off_while_the_power_it_holds_is_too_much():
    with (
        conversation("rohde-schwarz-sgs100a", RF, [(":SOURce:POWer?", "10")]) as source,
        pytest.raises(LimitError, match="power of channel 1.*0.01 W"),
    ):
        source.set_output("1", True)


def test_power_that_reads_back_otherwise_is_an_error():
    exchanges = [checked(":SOURce:POWer -20.00"), (":SOURce:POWer?", "-21")]
    with (
        conversation("rohde-schwarz-sgs100a", RF, exchanges) as source,
        pytest.raises(DeviceError, match="power of channel 1 does not read back as set.*-21 dBm.*-20 dBm"),
    ):
        source.set_power("1", 1e-5)


TUNED = checked(
    ":INITiate:CONTinuous 0;:SENSe:FREQuency:CENTer 2e+09;:CALCulate:MARKer:FUNCtion:POWer:SELect CPOWer;"
    ":SENSe:POWer:ACHannel:ACPairs 0;:SENSe:POWer:ACHannel:BANDwidth:CHANnel 10000000;"
    ":SENSe:FREQuency:SPAN 10000000;:SENSe:BANDwidth:RESolution 10000;:DISPlay:TRACe:Y:RLEVel -30.00;"
    ":SENSe:DETector RMS"
)


def test_fsv_measures_the_power_of_a_band():
    exchanges = [
        TUNED,
        (":INITiate;*OPC?", "1"),
        (":CALCulate:MARKer:FUNCtion:POWer:RESult? CPOWer", "-30.0"),
    ]
    with conversation("rohde-schwarz-fsv", {1: {"reference": "1 uW"}}, exchanges) as meter:
        meter.tune("1", 2e9, 10e6, 10e3)
        assert meter.measure_power() == pytest.approx(1e-6)


def test_fsv_measures_a_spectrum():
    trace = np.array([-60.0, -30.0, -60.0], "<f4")
    exchanges = [
        TUNED,
        (":INITiate;*OPC?", "1"),
        checked(":FORMat REAL,32"),
        (":TRACe1? TRACE1", block(trace.tobytes())),
    ]
    with conversation("rohde-schwarz-fsv", {1: {"reference": "1 uW"}}, exchanges) as meter:
        meter.tune("1", 2e9, 10e6, 10e3)
        seen = meter.measure_spectrum()
    assert seen.frequency_hz.tolist() == [1.995e9, 2e9, 2.005e9]
    assert seen.power_w == pytest.approx([1e-9, 1e-6, 1e-9])


def test_fsv_refuses_a_band_beyond_its_range():
    with conversation("rohde-schwarz-fsv", {1: {}}, []) as meter, pytest.raises(LimitError, match="band edge"):
        meter.tune("1", 44e9, 10e6, 10e3)
