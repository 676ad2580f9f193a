"""Waveform sources: exact conversations, and limits that no sample can pass."""

import numpy as np
import pytest

from fakes_lab import OK, block, checked, conversation
from spinhw.errors import DeviceError, LimitError
from spinhw.instruments import LinkError, RefusedError

KEYSIGHT = {1: {"lowest": "-200 mV", "highest": "600 mV"}, 2: {"lowest": "0 V", "highest": "1 V", "load": None}}
TEKTRONIX = {1: {"lowest": "-100 mV", "highest": "100 mV"}}
WAVE = np.linspace(-0.2, 0.6, 9)
VOLTAGE = {"amplitude": 0.8, "offset": 0.2}


def keysight_range(channel, load, amplitude, offset):
    source = f":SOURce{channel}:VOLTage"
    return [
        (f":OUTPut{channel}?", "0"),
        checked(f":OUTPut{channel}:LOAD {load};{source}:OFFSet 0;{source} {amplitude};{source}:OFFSet {offset}"),
    ]


def keysight_upload(channel, codes, rate="1000000"):
    data = np.asarray(codes, "<i2").tobytes()
    source = f":SOURce{channel}"
    return [
        checked(f":TRIGger{channel}:SOURce BUS;{source}:DATA:VOLatile:CLEar;:FORMat:BORDer SWAPped"),
        (f"{source}:DATA:ARBitrary:DAC SPINHW,".encode() + block(data), ""),
        (":SYST:ERR?", OK),
        checked(
            f"{source}:FUNCtion:ARBitrary SPINHW;{source}:FUNCtion ARB;{source}:FUNCtion:ARBitrary:FILTer OFF;"
            f"{source}:FUNCtion:ARBitrary:SRATe {rate};"
            f"{source}:BURSt:MODE TRIGgered;{source}:BURSt:NCYCles 1;{source}:BURSt:STATe 1"
        ),
        (f"{source}:FUNCtion:ARBitrary:SRATe?", "+1.00000000000000E+06"),
        (f"{source}:DATA:ATTRibute:POINts? SPINHW", f"+{len(codes)}"),
    ]


CODES = np.rint(np.linspace(-1, 1, 9) * 32767)


@pytest.mark.parametrize("profile", ["keysight-33500", "keysight-33600"])
def test_keysight_plays_a_batch_once_for_each_trigger(profile):
    codes = CODES if profile == "keysight-33500" else np.concatenate([CODES, np.full(32 - 9, 32767)])
    exchanges = [
        *keysight_range(1, 50, 0.8, 0.2),
        *keysight_upload(1, codes),
        checked(":OUTPut1 1"),
        (":OUTPut1?", "1"),
        checked(":TRIGger1:SOURce BUS"),
        checked("*TRG"),
        checked(":TRIGger1:SOURce EXT"),
        checked(":TRIGger1:SOURce BUS;:TRIGger2:SOURce BUS"),  # stop
    ]
    with conversation(profile, KEYSIGHT, exchanges) as awg:
        held = awg.upload({"1": WAVE}, 1e6)
        assert (held.rate_hz, held.points) == (1e6, len(codes))
        assert held.step_v["1"] == pytest.approx(0.8 / 65536)
        awg.set_output("1", True)
        awg.arm()
        awg.trigger()
        awg.arm("external")
        awg.stop()
        assert awg.cached()["1.output"] is True


def test_keysight_starts_two_channels_together():
    exchanges = [
        *keysight_range(1, 50, 0.8, 0.2),
        *keysight_range(2, "INF", 1, 0.5),
        *keysight_upload(1, CODES),
        *keysight_upload(2, [-32767] * 9),
        checked(":TRIGger1:SOURce BUS;:TRIGger2:SOURce BUS;:FUNCtion:ARBitrary:SYNChronize"),
    ]
    with conversation("keysight-33500", KEYSIGHT, exchanges) as awg:
        awg.upload({"1": WAVE, "2": np.zeros(9)}, 1e6)
        awg.arm()


def test_range_is_set_once_and_known_from_then_on():
    exchanges = [*keysight_range(1, 50, 0.8, 0.2), *keysight_upload(1, CODES), *keysight_upload(1, CODES)]
    with conversation("keysight-33500", KEYSIGHT, exchanges) as awg:
        awg.upload({"1": WAVE}, 1e6)
        awg.upload({"1": WAVE}, 1e6)


def test_output_found_on_with_an_unknown_range_goes_off_first():
    exchanges = [
        (":OUTPut1?", "1"),
        checked(":TRIGger1:SOURce BUS;:TRIGger2:SOURce BUS"),
        checked(":OUTPut1 0"),
        *keysight_range(1, 50, 0.8, 0.2)[1:],
        checked(":OUTPut1 1"),
        (":OUTPut1?", "1"),
    ]
    with conversation("keysight-33500", KEYSIGHT, exchanges) as awg:
        awg.set_output("1", True)


def test_short_waveforms_are_padded_with_their_last_value():
    codes = np.rint(np.array([-1, 1, 1, 1, 1, 1, 1, 1]) * 32767)
    with conversation(
        "keysight-33500", KEYSIGHT, [*keysight_range(1, 50, 0.8, 0.2), *keysight_upload(1, codes)]
    ) as awg:
        assert awg.upload({"1": np.array([-0.2, 0.6])}, 1e6).points == 8


@pytest.mark.parametrize(
    ("wave", "rate_hz", "message"),
    [
        ([0.0, 0.61], 1e6, r"voltage of channel 1 is beyond its limit.*0.61 V.*-0.2 to 0.6 V"),
        ([0.0, -0.21], 1e6, "-0.21 V"),
        ([0.0, float("nan")], 1e6, "nan V"),
        ([0.0, float("inf")], 1e6, "inf V"),
        ([0.0] * 9, 1e9, r"sample rate.*1e\+09 Hz.*allowed: 1e-06 to 2.5e\+08 Hz"),
        ([0.0] * 1000001, 1e6, "length of channel 1 is beyond.*1e[+]06 points"),
    ],
)
def test_batch_beyond_a_limit_is_refused_and_nothing_is_sent(wave, rate_hz, message):
    with conversation("keysight-33500", KEYSIGHT, []) as awg, pytest.raises(LimitError, match=message):
        awg.upload({"1": np.array(wave)}, rate_hz)


def test_channel_without_limits_cannot_be_used():
    with conversation("keysight-33500", TEKTRONIX, []) as awg:
        for work in (lambda: awg.upload({"2": np.zeros(9)}, 1e6), lambda: awg.set_output("2", True)):
            with pytest.raises(LimitError, match="channel 2 is not listed in the bench file and so has no limits"):
                work()


def test_waveforms_of_different_lengths_are_refused():
    with conversation("keysight-33500", KEYSIGHT, []) as awg, pytest.raises(ValueError, match="equally long"):
        awg.upload({"1": np.zeros(9), "2": np.zeros(8)}, 1e6)


def test_upload_that_reads_back_otherwise_is_an_error():
    exchanges = [*keysight_range(1, 50, 0.8, 0.2), *keysight_upload(1, CODES)]
    exchanges[-1] = (exchanges[-1][0], "+8")
    with conversation("keysight-33500", KEYSIGHT, exchanges) as awg:
        with pytest.raises(DeviceError, match="does not read back as uploaded.*8 points at 1000000 Hz.*9 points"):
            awg.upload({"1": WAVE}, 1e6)
        with pytest.raises(DeviceError, match="nothing was uploaded"):
            awg.arm()


def test_refused_upload_is_told():
    exchanges = [*keysight_range(1, 50, 0.8, 0.2), *keysight_upload(1, CODES)[:3]]
    exchanges[-1:] = [(":SYST:ERR?", '+781,"Not enough memory to store new arb waveform"'), (":SYST:ERR?", OK)]
    with (
        conversation("keysight-33500", KEYSIGHT, exchanges) as awg,
        pytest.raises(RefusedError, match="uploading to channel 1.*Not enough memory"),
    ):
        awg.upload({"1": WAVE}, 1e6)


def test_keysight_is_switched_off_and_read_back():
    stop = checked(":TRIGger1:SOURce BUS;:TRIGger2:SOURce BUS")
    exchanges = [
        stop,
        checked(":OUTPut2 0"),
        (":OUTPut2?", "0"),
        stop,
        checked(":OUTPut1 0"),
        (":OUTPut1?", "1"),  # once more, without the ceremony
        checked(":OUTPut1 0"),
        (":OUTPut1?", "0"),
    ]
    with conversation("keysight-33500", KEYSIGHT, exchanges) as awg:
        assert awg.make_safe() == []


def test_output_that_stays_on_is_named():
    stop = checked(":TRIGger1:SOURce BUS")
    off = [checked(":OUTPut1 0"), (":OUTPut1?", "1")]
    with conversation("keysight-33500", TEKTRONIX, [stop, *off * 3]) as awg:
        assert awg.make_safe() == ["it.1"]


def tektronix_upload(present):
    data = np.linspace(-1, 1, 2400).astype("<f4").tobytes()
    delete = ':WLISt:WAVeform:DELete "spinhw1";' if present else ""
    return [
        (":OUTPut1:STATe?", "0"),
        checked(":OUTPut1:PATH DCHB;:SOURce1:VOLTage:AMPLitude 0.2;:SOURce1:VOLTage:OFFSet 0"),
        checked(":AWGControl:STOP"),
        (":WLISt:LIST?", '"*Sine100,spinhw1"' if present else '"*Sine100"'),
        checked(delete + ':WLISt:WAVeform:NEW "spinhw1",2400'),
        (b':WLISt:WAVeform:DATA "spinhw1",0,2400,' + block(data), ""),
        (":SYST:ERR?", OK),
        checked(":CLOCk:SRATe 1000000000"),
        checked(':SOURce1:CASSet:WAVeform "spinhw1"'),
        ("*OPC?", "1"),
        (':WLISt:WAVeform:LENGth? "spinhw1"', "2400"),
        (":CLOCk:SRATe?", "1.0000000000E+9"),
    ]


@pytest.mark.parametrize("present", [False, True])
def test_tektronix_plays_a_batch_once_for_each_trigger(present):
    exchanges = [
        *tektronix_upload(present),
        checked(":OUTPut1:STATe 1"),
        (":OUTPut1:STATe?", "1"),
        checked(":SOURce1:RMODe TRIGgered;:SOURce1:TINPut ATRigger"),
        checked(":AWGControl:RUN"),
        (":AWGControl:RSTate?", "2"),
        (":AWGControl:RSTate?", "1"),
        checked(":TRIGger:IMMediate ATRigger"),
        checked(":AWGControl:STOP"),
        checked(":OUTPut1:STATe 0"),
        (":OUTPut1:STATe?", "0"),
    ]
    with conversation("tektronix-awg5200", TEKTRONIX, exchanges) as awg:
        awg.upload({"1": np.linspace(-0.1, 0.1, 2400)}, 1e9)
        awg.set_output("1", True)
        awg.arm()
        awg.trigger()
        assert awg.make_safe() == []


def test_tektronix_refuses_limits_wider_than_its_range():
    wide = {1: {"lowest": "-1 V", "highest": "1 V"}}
    with (
        conversation("tektronix-awg5200", wide, [(":OUTPut1:STATe?", "0")]) as awg,
        pytest.raises(LimitError, match="span of the limits of channel 1.*2 V.*0.025 to 0.75 V"),
    ):
        awg.upload({"1": np.zeros(2400)}, 1e9)


def test_garbled_number_is_a_link_error():
    with (
        conversation(
            "tektronix-awg5200", TEKTRONIX, [(":OUTPut1:STATe?", "maybe"), (":OUTPut1:STATe?", "maybe")]
        ) as awg,
        pytest.raises(LinkError, match="odd reply to 'read_output'.*maybe"),
    ):
        awg.output_enabled("1")
