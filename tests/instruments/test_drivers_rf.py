"""RF sources and RF power meters: exact conversations."""

import numpy as np
import pytest

from fakes.lab import OK, all_off, block, checked, conversation, wire_of
from spinhw.errors import DeviceError, LimitError, OccupiedError
from spinhw.instruments import LinkError

RF = {1: {"highest_power": "-10 dBm", "lowest_frequency": "1 GHz", "highest_frequency": "3 GHz"}}
PROFILES = pytest.mark.parametrize(
    "profile", ["rohde-schwarz-smb100a", "rohde-schwarz-sgs100a", "rohde-schwarz-smw200a", "keysight-n5173b"]
)


ON, OFF = (":OUTPut:STATe?", "1"), (":OUTPut:STATe?", "0")
ASK_POWER, ASK_FREQUENCY = ":SOURce:POWer?", ":SOURce:FREQuency?"
SWITCHED_ON = [OFF, (ASK_POWER, "-20"), (ASK_FREQUENCY, "2E9"), checked(":OUTPut:STATe 1"), ON]
SWITCHED_OFF = [checked(":OUTPut:STATe 0"), OFF]


def power(dbm):
    return checked(f":SOURce:POWer {dbm:.2f}")


def way_down(start, end):
    return [power(start + (end - start) * (k / 100)) for k in range(1, 100)] + [power(end)]


@PROFILES
def test_tone_is_set_and_read_back(profile):
    exchanges = [
        OFF,
        checked(":SOURce:FREQuency 2000000000.25"),
        (ASK_FREQUENCY, "2000000000.25"),
        OFF,
        power(-15),
        (ASK_POWER, "-15.00"),
        OFF,
        (ASK_POWER, "-15"),
        (ASK_FREQUENCY, "2E9"),
        checked(":OUTPut:STATe 1"),
        ON,
        ON,
        (ASK_POWER, "-15"),
        *way_down(-15.0, -60.0),
        *SWITCHED_OFF,
    ]
    with conversation(profile, RF, exchanges) as source:
        assert source.set_frequency("1", 2000000000.25) == 2000000000.25
        assert source.set_power("1", 1e-3 * 10**-1.5) == pytest.approx(1e-3 * 10**-1.5)
        source.set_output("1", True)
        assert wire_of(source).asked == list(wire_of(source).state)
        assert source.cached() == {
            "1.frequency_hz": 2e9,
            "1.power_w": pytest.approx(3.16e-5, rel=1e-2),
            "1.output": True,
        }
        assert source.make_safe() == []


@PROFILES
def test_tone_beyond_a_limit_is_refused_and_nothing_is_sent(profile):
    with conversation(profile, RF, [], known=False) as source:
        with pytest.raises(LimitError, match=r"frequency of channel 1.*3\.1e\+09 Hz.*1e\+09 to 3e\+09 Hz"):
            source.set_frequency("1", 3.1e9)
        with pytest.raises(LimitError, match="power of channel 1.*0.001 W.*0 to 0.0001 W"):
            source.set_power("1", 1e-3)
        with pytest.raises(ValueError, match="switch the output off instead"):
            source.set_power("1", 0.0)


@pytest.mark.parametrize(
    ("held", "message"),
    [
        ([(ASK_POWER, "10")], "power of channel 1.*0.01 W"),
        ([(ASK_POWER, "-20"), (ASK_FREQUENCY, "5E9")], r"frequency of channel 1.*5e\+09 Hz"),
    ],
)
def test_output_stays_off_while_what_it_holds_is_beyond_a_limit(held, message):
    with (
        conversation("rohde-schwarz-sgs100a", RF, [OFF, *held]) as source,
        pytest.raises(LimitError, match=message),
    ):
        source.set_output("1", True)


@pytest.mark.parametrize("seen", ["9.91E37", "NAN", "INF"])
def test_power_that_is_no_number_keeps_the_output_off(seen):
    with (
        conversation("rohde-schwarz-sgs100a", RF, [OFF, (ASK_POWER, seen)]) as source,
        pytest.raises(LinkError, match="odd reply to 'read_power'.*allowed: a number"),
    ):
        source.set_output("1", True)


def test_power_that_reads_back_otherwise_is_an_error():
    exchanges = [OFF, power(-20), (ASK_POWER, "-21")]
    with (
        conversation("rohde-schwarz-sgs100a", RF, exchanges) as source,
        pytest.raises(DeviceError, match="power of channel 1 does not read back as set.*-21 dBm.*-20 dBm"),
    ):
        source.set_power("1", 1e-5)


@PROFILES
def test_tone_that_is_on_and_not_ours_is_refused_and_left_as_it_is(profile):
    found = [ON, (ASK_POWER, "-30")]
    with conversation(profile, RF, found * 4) as source:
        for work in (
            lambda: source.set_output("1", True),
            lambda: source.set_output("1", False),
            lambda: source.set_power("1", 1e-5),
            lambda: source.set_frequency("1", 2e9),
        ):
            with pytest.raises(OccupiedError, match=r"nothing was changed.*seen: it\.1 \(power -30 dBm\)"):
                work()
        assert source.make_safe() == []


@PROFILES
def test_tone_that_is_set_by_hand_is_never_set(profile):
    with conversation(profile, {1: RF[1] | {"by_hand": True}}, []) as source:
        for work in (
            lambda: source.set_output("1", True),
            lambda: source.set_power("1", 1e-5),
            lambda: source.set_frequency("1", 2e9),
        ):
            with pytest.raises(LimitError, match="set by hand and is only ever measured; nothing was sent"):
                work()
        assert source.make_safe() == []


@PROFILES
def test_setting_that_does_not_read_back_keeps_the_output_off(profile):
    with conversation(profile, RF, [OFF, *all_off(profile)], settings=True) as source:
        ask = next(one for one in wire_of(source).state if "LIMit" in one or "USER:MAX" in one)
        wire_of(source).state[ask] = "20"
        with pytest.raises(DeviceError, match="power_limit does not read back as it must be.*seen: 20 to"):
            source.set_output("1", True)
        assert source.make_safe() == []


def test_tone_goes_down_by_the_step_of_the_bench_file_even_where_its_power_cannot_be_read():
    channels = {1: RF[1] | {"ramp_step_db": 20}}
    exchanges = [
        OFF,
        power(-20),
        (ASK_POWER, "-20.00"),
        *SWITCHED_ON,
        ON,
        (ASK_POWER, "9.91E37"),
        checked(":SOURce:POWer -40.00", reply='-222,"Data out of range"'),
        (":SYST:ERR?", OK),
        power(-60),
        *SWITCHED_OFF,
    ]
    with conversation("rohde-schwarz-sgs100a", channels, exchanges) as source:
        source.set_power("1", 1e-5)
        source.set_output("1", True)
        assert source.make_safe() == []


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
    with (
        conversation("rohde-schwarz-fsv", {1: {}}, [], known=False) as meter,
        pytest.raises(LimitError, match="band edge"),
    ):
        meter.tune("1", 44e9, 10e6, 10e3)
