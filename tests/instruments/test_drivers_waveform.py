"""Waveform sources: exact conversations, and limits that no sample can pass."""

import numpy as np
import pytest

from fakes.lab import OK, block, checked, conversation, loaded, wire_of
from spinhw.errors import ConfigError, DeviceError, LimitError, OccupiedError
from spinhw.instruments import LinkError, RefusedError

KEYSIGHT = {1: {"lowest": "-200 mV", "highest": "600 mV"}, 2: {"lowest": "0 V", "highest": "1 V", "load": None}}
TEKTRONIX = {1: {"lowest": "-100 mV", "highest": "100 mV"}}
WAVE = np.linspace(-0.2, 0.6, 9)
CODES = np.rint(np.linspace(0, 1, 9) * 32767)  # 0 stands for the rest.
ON, OFF = (":OUTPut1?", "1"), (":OUTPut1?", "0")
ASK_AMPLITUDE, ASK_OFFSET = ":SOURce1:VOLTage?", ":SOURce1:VOLTage:OFFSet?"
STOP = checked(":TRIGger1:SOURce BUS")


def keysight_levels(amplitude, offset, channel=1):
    return [(f":SOURce{channel}:VOLTage?", f"{amplitude:+.15E}"), (f":SOURce{channel}:VOLTage:OFFSet?", str(offset))]


def keysight_rest(offset, channel=1):
    """The amplitude is at its smallest while the offset moves."""
    return [checked(f":SOURce{channel}:VOLTage MIN;:SOURce{channel}:VOLTage:OFFSet {offset}")]


def keysight_upload(codes, amplitude, offset, channel=1, rate="1000000"):
    data = np.asarray(codes, "<i2").tobytes()
    source = f":SOURce{channel}"
    return [
        checked(
            f"{source}:VOLTage MIN;:TRIGger{channel}:SOURce BUS;{source}:FUNCtion SIN;{source}:DATA:VOLatile:CLEar;"
            ":FORMat:BORDer SWAPped"
        ),
        (f"{source}:DATA:ARBitrary:DAC SPINHW,".encode() + block(data), ""),
        (":SYST:ERR?", OK),
        checked(
            f"{source}:FUNCtion:ARBitrary SPINHW;{source}:FUNCtion:ARBitrary:FILTer OFF;"
            f"{source}:FUNCtion:ARBitrary:SRATe {rate};"
            f"{source}:BURSt:MODE TRIGgered;{source}:BURSt:NCYCles 1;{source}:BURSt:STATe 1;"
            f"{source}:FUNCtion ARB;{source}:VOLTage {amplitude}"
        ),
        *keysight_levels(amplitude, offset, channel),
        (f"{source}:FUNCtion:ARBitrary:SRATe?", "+1.00000000000000E+06"),
        (f"{source}:DATA:ATTRibute:POINts? SPINHW", f"+{len(codes)}"),
    ]


UPLOADED = [OFF, *keysight_rest(-0.2), *keysight_upload(CODES, 0.8, -0.2)]


def keysight_on(amplitude=0.8, offset=-0.2):
    """What was uploaded is set and read back once more, since the state is made known before an output goes on."""
    source = ":SOURce1:VOLTage"
    levels = [
        checked(f"{source} MIN;{source}:OFFSet {offset};{source} {amplitude}"),
        *keysight_levels(amplitude, offset),
    ]
    return [OFF, *levels, checked(":OUTPut1 1"), ON]


@pytest.mark.parametrize("profile", ["keysight-33500", "keysight-33600"])
def test_keysight_plays_a_batch_once_for_each_trigger(profile):
    codes = CODES if profile == "keysight-33500" else np.concatenate([CODES, np.full(32 - 9, 32767)])
    exchanges = [
        OFF,
        *keysight_rest(-0.2),
        *keysight_upload(codes, 0.8, -0.2),
        *keysight_on(),
        STOP,
        checked("*TRG"),
        checked(":TRIGger1:SOURce EXT"),
        STOP,
    ]
    with conversation(profile, KEYSIGHT, exchanges) as awg:
        held = awg.upload({"1": WAVE}, 1e6)
        assert (held.rate_hz, held.points) == (1e6, len(codes))
        assert held.step_v["1"] == pytest.approx(0.8 / 65536)
        awg.set_output("1", True)
        assert wire_of(awg).asked == list(wire_of(awg).state)
        awg.arm()
        awg.trigger()
        awg.arm("external")
        awg.stop()
        assert awg.cached()["1.output"] is True


def test_keysight_starts_two_channels_together():
    rising = np.concatenate([np.zeros(8), [32767.0]])
    exchanges = [
        OFF,
        (":OUTPut2?", "0"),
        *keysight_rest(-0.2),
        *keysight_upload(CODES, 0.8, -0.2)[:-2],
        *keysight_upload(CODES, 0.8, -0.2)[-2:],
        *keysight_rest("0", 2),
        *keysight_upload(rising, 0.5, 0, channel=2),
        checked(":TRIGger1:SOURce BUS;:TRIGger2:SOURce BUS;:FUNCtion:ARBitrary:SYNChronize"),
    ]
    with conversation("keysight-33500", KEYSIGHT, exchanges) as awg:
        awg.upload({"1": WAVE, "2": np.concatenate([np.zeros(8), [0.5]])}, 1e6)
        awg.arm()


def test_rest_is_set_once_and_known_from_then_on():
    exchanges = [*UPLOADED, OFF, *keysight_upload(CODES, 0.8, -0.2)]
    with conversation("keysight-33500", KEYSIGHT, exchanges) as awg:
        awg.upload({"1": WAVE}, 1e6)
        awg.upload({"1": WAVE}, 1e6)


def test_keysight_range_holds_every_wave_within_the_limits():
    """The largest deviation from the rest, both ways: but never more than the limits span."""
    ranges = [
        (
            f":OUTPut{channel}:LOAD {load};{source}:OFFSet 0;{source}:RANGe:AUTO 1;{source} {amplitude};"
            f"{source}:RANGe:AUTO 0;{source} MIN;{source}:OFFSet 0"
        )
        for channel, load, amplitude in ((1, "50", 0.8), (2, "INF", 1))
        for source in [f":SOURce{channel}:VOLTage"]
    ]
    exchanges = [OFF, OFF, (":OUTPut2?", "0"), checked(":OUTPut1 1"), ON]
    with conversation("keysight-33500", KEYSIGHT, exchanges, settings=True) as awg:
        wire_of(awg).passing = {":SOURce1:VOLTage:RANGe:AUTO?": "1"}  # So that all is set again.
        awg.set_output("1", True)
        assert wire_of(awg).taken[-2:] == ranges


def test_output_that_somebody_switched_on_is_not_touched():
    found = [ON, *keysight_levels(0.1, 0.0)]
    with conversation("keysight-33500", KEYSIGHT, found * 3) as awg:
        for work in (
            lambda: awg.set_output("1", True),
            lambda: awg.set_output("1", False),
            lambda: awg.upload({"1": WAVE}, 1e6),
        ):
            with pytest.raises(
                OccupiedError, match=r"nothing was changed.*seen: it\.1 \(amplitude 0\.1 V, offset 0 V\)"
            ):
                work()
        assert awg.make_safe() == []


def test_output_found_on_keeps_everything_from_being_set():
    found = [OFF, (":OUTPut2?", "1"), *keysight_levels(0.1, 0.0, channel=2)]
    with conversation("keysight-33500", TEKTRONIX, found, known=False) as awg:
        with pytest.raises(OccupiedError, match=r"seen: it\.2 \(amplitude 0\.1 V, offset 0 V\)"):
            awg.upload({"1": np.zeros(9)}, 1e6)
        assert awg.make_safe() == []


def test_channel_set_by_hand_is_never_set():
    by_hand = {1: KEYSIGHT[1] | {"by_hand": True}, 2: KEYSIGHT[2]}
    with conversation("keysight-33500", by_hand, []) as awg:
        for work in (lambda: awg.set_output("1", True), lambda: awg.upload({"1": WAVE}, 1e6)):
            with pytest.raises(
                LimitError, match="channel 1 is set by hand and is only ever measured; nothing was sent"
            ):
                work()
        assert not any(":SOURce1" in ask or ":OUTPut1" in ask for ask in wire_of(awg).asked)
        assert awg.make_safe() == []


def test_setting_that_does_not_read_back_keeps_the_output_off():
    with conversation("keysight-33500", TEKTRONIX, [OFF, OFF, (":OUTPut2?", "0")], settings=True) as awg:
        wire_of(awg).state[":SOURce1:BURSt:STATe?"] = "0"
        with pytest.raises(DeviceError, match=r"burst_state\.1 does not read back as it must be.*seen: 0 to"):
            awg.set_output("1", True)
        assert awg.make_safe() == []


def test_short_waveforms_are_padded_with_their_last_value():
    codes = np.array([0, 1, 1, 1, 1, 1, 1, 1]) * 32767
    exchanges = [OFF, *keysight_rest(-0.2), *keysight_upload(codes, 0.8, -0.2)]
    with conversation("keysight-33500", KEYSIGHT, exchanges) as awg:
        assert awg.upload({"1": np.array([-0.2, 0.6])}, 1e6).points == 8


@pytest.mark.parametrize(
    ("wave", "codes", "amplitude"),
    [
        # Below and above its rest: the farthest is a full code, and the amplitude is what the points span.
        ([0.1, 0.3, 0.0, 0.1, 0.1, 0.1, 0.1, 0.1], np.array([0, 2, -1, 0, 0, 0, 0, 0]) / 2, 0.3),
        ([0.1, -0.1, 0.2, 0.1, 0.1, 0.1, 0.1, 0.1], np.array([0, -2, 1, 0, 0, 0, 0, 0]) / 2, 0.3),
        # Flat: one point before the end spans the smallest amplitude, away from the nearer limit.
        ([0.1] * 8, np.array([0, 0, 0, 0, 0, 0, 1, 0]), 0.001),
        ([0.6] * 8, np.array([0, 0, 0, 0, 0, 0, -1, 0]), 0.001),
    ],
)
def test_keysight_codes_stand_around_the_rest_and_the_amplitude_is_what_they_span(wave, codes, amplitude):
    codes = np.rint(codes * 32767)
    exchanges = [OFF, *keysight_rest(wave[0]), *keysight_upload(codes, amplitude, wave[0])]
    with conversation("keysight-33500", KEYSIGHT, exchanges) as awg:
        awg.upload({"1": np.array(wave)}, 1e6)


def test_keysight_goes_off_for_another_rest():
    other = np.concatenate([np.full(8, 0.1), [0.3]])
    exchanges = [
        *UPLOADED,
        *keysight_on(),
        ON,  # An upload starts by looking.
        ON,
        STOP,
        checked(":OUTPut1 0"),
        OFF,
        *keysight_rest(0.1),
        OFF,
        checked(":OUTPut1 1"),
        *keysight_upload(np.concatenate([np.zeros(8), [32767]]), 0.2, 0.1),
    ]
    with conversation("keysight-33500", KEYSIGHT, exchanges) as awg:
        awg.upload({"1": WAVE}, 1e6)
        awg.set_output("1", True)
        awg.upload({"1": other}, 1e6)


def test_levels_that_read_back_otherwise_are_an_error():
    upload = keysight_upload(CODES, 0.8, -0.2)
    exchanges = [OFF, *keysight_rest(-0.2), *upload[:4], (ASK_AMPLITUDE, "0.7")]
    with (
        conversation("keysight-33500", KEYSIGHT, exchanges) as awg,
        pytest.raises(DeviceError, match=r"amplitude of channel 1 does not read back as set.*0\.7 V.*0\.8 V"),
    ):
        awg.upload({"1": WAVE}, 1e6)


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
    with (
        conversation("keysight-33500", KEYSIGHT, [], known=False) as awg,
        pytest.raises(LimitError, match=message),
    ):
        awg.upload({"1": np.array(wave)}, rate_hz)


def test_channel_without_limits_cannot_be_used():
    with conversation("keysight-33500", TEKTRONIX, [], known=False) as awg:
        for work in (lambda: awg.upload({"2": np.zeros(9)}, 1e6), lambda: awg.set_output("2", True)):
            with pytest.raises(LimitError, match="channel 2 is not listed in the bench file and so has no limits"):
                work()


def test_waveforms_of_different_lengths_are_refused():
    with conversation("keysight-33500", KEYSIGHT, []) as awg, pytest.raises(ValueError, match="equally long"):
        awg.upload({"1": np.zeros(9), "2": np.zeros(8)}, 1e6)


def test_upload_that_reads_back_otherwise_is_an_error():
    exchanges = list(UPLOADED)
    exchanges[-1] = (exchanges[-1][0], "+8")
    with conversation("keysight-33500", KEYSIGHT, exchanges) as awg:
        with pytest.raises(DeviceError, match="does not read back as uploaded.*8 points at 1000000 Hz.*9 points"):
            awg.upload({"1": WAVE}, 1e6)
        with pytest.raises(DeviceError, match="nothing was uploaded"):
            awg.arm()


def test_refused_upload_is_told():
    exchanges = [
        *UPLOADED[:4],
        (":SYST:ERR?", '+781,"Not enough memory to store new arb waveform"'),
        (":SYST:ERR?", OK),
    ]
    with (
        conversation("keysight-33500", KEYSIGHT, exchanges) as awg,
        pytest.raises(RefusedError, match="uploading to channel 1.*Not enough memory"),
    ):
        awg.upload({"1": WAVE}, 1e6)


def test_keysight_comes_down_in_a_hundred_steps_each_of_amplitude_and_offset():
    """The amplitude ends at its smallest, and the offset, then free to move, at zero."""
    amplitudes = [checked(f":SOURce1:VOLTage {0.8 + (0.001 - 0.8) * (k / 100):.6g}") for k in range(1, 100)]
    offsets = [checked(f":SOURce1:VOLTage:OFFSet {-0.2 + 0.2 * (k / 100):.6g}") for k in range(1, 100)]
    exchanges = [
        *UPLOADED,
        *keysight_on(),
        ON,
        STOP,
        keysight_levels(0.8, -0.2)[0],
        *amplitudes,
        checked(":SOURce1:VOLTage 0.001"),
        keysight_levels(0.8, -0.2)[1],
        *offsets,
        checked(":SOURce1:VOLTage:OFFSet 0"),
        checked(":OUTPut1 0"),
        ON,  # once more, without the ceremony
        checked(":OUTPut1 0"),
        OFF,
    ]
    with conversation("keysight-33500", KEYSIGHT, exchanges) as awg:
        awg.upload({"1": WAVE}, 1e6)
        awg.set_output("1", True)
        assert awg.make_safe() == []


def test_keysight_comes_down_by_the_step_of_the_bench_file_and_goes_on_after_a_refusal():
    channels = {1: KEYSIGHT[1] | {"ramp_step": "300 mV"}}
    exchanges = [
        *UPLOADED,
        *keysight_on(),
        ON,
        STOP,
        (ASK_AMPLITUDE, "0.8"),
        checked(":SOURce1:VOLTage 0.533667"),
        checked(":SOURce1:VOLTage 0.267333", reply='-221,"Settings conflict"'),
        (":SYST:ERR?", OK),
        checked(":SOURce1:VOLTage 0.001"),
        (ASK_OFFSET, "-0.2"),
        checked(":SOURce1:VOLTage:OFFSet 0"),
        checked(":OUTPut1 0"),
        OFF,
    ]
    with conversation("keysight-33500", channels, exchanges) as awg:
        awg.upload({"1": WAVE}, 1e6)
        awg.set_output("1", True)
        assert awg.make_safe() == []


@pytest.mark.parametrize("seen", ["9.91E37", "NAN", "what"])
def test_keysight_whose_levels_cannot_be_read_is_cut_and_never_raises(seen):
    down = [ON, STOP, (ASK_AMPLITUDE, seen), (ASK_OFFSET, seen), checked(":OUTPut1 0"), OFF]
    with conversation("keysight-33500", KEYSIGHT, [*UPLOADED, *keysight_on(), *down]) as awg:
        awg.upload({"1": WAVE}, 1e6)
        awg.set_output("1", True)
        assert awg.make_safe() == []


def test_keysight_that_rests_at_zero_goes_off_at_once():
    channels = {1: {"lowest": "-500 mV", "highest": "500 mV"}}
    codes = np.concatenate([np.zeros(8), [32767]])
    exchanges = [
        OFF,
        *keysight_rest("0"),
        *keysight_upload(codes, 0.5, 0),
        *keysight_on(0.5, 0),
        ON,
        STOP,
        checked(":OUTPut1 0"),
        OFF,
    ]
    with conversation("keysight-33500", channels, exchanges) as awg:
        awg.upload({"1": np.concatenate([np.zeros(8), [0.5]])}, 1e6)
        awg.set_output("1", True)
        assert awg.make_safe() == []


def test_output_that_stays_on_is_named():
    off = [checked(":OUTPut1 0"), ON]
    exchanges = [OFF, checked(":OUTPut1 1"), ON, ON, STOP, *keysight_levels(0.001, 0), *off * 3]
    with conversation("keysight-33500", TEKTRONIX, exchanges) as awg:
        awg.set_output("1", True)
        assert awg.make_safe() == ["it.1"]


TEK_ON, TEK_OFF = (":OUTPut1:STATe?", "1"), (":OUTPut1:STATe?", "0")


def tektronix_upload(present):
    data = np.linspace(-1, 1, 2400).astype("<f4").tobytes()
    delete = ':WLISt:WAVeform:DELete "spinhw1";' if present else ""
    return [
        TEK_OFF,
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


def tektronix_down(amplitude_v, offset_v, rest_v):
    """Where it waits comes down to 0 V by its offset alone."""
    levels = [rest_v + (0.0 - rest_v) * (k / 100) for k in range(1, 100)] + [0.0]
    exchanges = [(":SOURce1:VOLTage:AMPLitude?", str(amplitude_v)), (":SOURce1:VOLTage:OFFSet?", str(offset_v))]
    return [*exchanges, *[checked(f":SOURce1:VOLTage:OFFSet {offset_v - rest_v + level:.6g}") for level in levels]]


@pytest.mark.parametrize("present", [False, True])
def test_tektronix_plays_a_batch_once_for_each_trigger(present):
    exchanges = [
        *tektronix_upload(present),
        TEK_OFF,
        checked(":OUTPut1:STATe 1"),
        TEK_ON,
        checked(":SOURce1:RMODe TRIGgered;:SOURce1:TINPut ATRigger"),
        checked(":AWGControl:RUN"),
        (":AWGControl:RSTate?", "2"),
        (":AWGControl:RSTate?", "1"),
        checked(":TRIGger:IMMediate ATRigger"),
        TEK_ON,
        *tektronix_down(0.2, 0.01, -0.1),
        checked(":OUTPut1:STATe 0"),
        TEK_OFF,
    ]
    with conversation("tektronix-awg5200", TEKTRONIX, exchanges) as awg:
        awg.upload({"1": np.linspace(-0.1, 0.1, 2400)}, 1e9)
        awg.set_output("1", True)
        awg.arm()
        awg.trigger()
        assert awg.make_safe() == []


def test_tektronix_stops_only_what_is_ours():
    found = [TEK_ON, (":SOURce1:VOLTage:AMPLitude?", "0.5"), (":SOURce1:VOLTage:OFFSet?", "0")]
    with conversation("tektronix-awg5200", TEKTRONIX, found) as awg:
        with pytest.raises(OccupiedError, match=r"seen: it\.1 \(amplitude 0\.5 V, offset 0 V\)"):
            awg.upload({"1": np.zeros(2400)}, 1e9)
        assert awg.make_safe() == []


def test_tektronix_refuses_a_load_that_it_does_not_know():
    open_end = {1: TEKTRONIX[1] | {"load": None}}
    with pytest.raises(LimitError, match="load of channel 1 must be 50 ohm"):
        with conversation("tektronix-awg5200", open_end, []):
            pass  # It is refused when its state is made known.


def test_garbled_number_is_a_link_error():
    with (
        conversation("tektronix-awg5200", TEKTRONIX, [(":OUTPut1:STATe?", "maybe")]) as awg,
        pytest.raises(LinkError, match="odd reply to ':OUTPut1:STATe[?]'.*MAYBE"),
    ):
        awg.output_enabled("1")


@pytest.mark.parametrize(
    ("profile", "channel", "message"),
    [
        ("keysight-33600", {"highest": "450 V"}, r"awg\.channels\.1: highest: .*seen: 450 V; allowed: -5 to 5 V"),
        ("keysight-33500", {"lowest": "-5.1 V"}, r"awg\.channels\.1: lowest: .*seen: -5\.1 V; allowed: -5 to 5 V"),
        ("keysight-33500", {"highest": "10.1 V", "load": None}, r"awg\.channels\.1: highest: .*seen: 5\.05 V"),
        (
            "keysight-33500",
            {"lowest": "0 V", "highest": "0.5 mV"},
            r"awg\.channels\.1: span: .*seen: 0\.0005 V; allowed: 0\.001",
        ),
        (
            "tektronix-awg5200",
            {"lowest": "-1 V", "highest": "1 V"},
            r"awg\.channels\.1: span: .*seen: 2 V; allowed: 0\.025 to",
        ),
    ],
)
def test_limits_that_no_model_can_be_set_to_are_refused_when_the_bench_file_is_loaded(profile, channel, message):
    channels = {1: {"lowest": "0 V", "highest": "1 V"} | channel}
    with pytest.raises(ConfigError, match=r"bench\.yaml: instruments\." + message):
        loaded("awg", profile, channels)


def test_limits_of_a_channel_set_by_hand_may_be_any():
    loaded("awg", "keysight-33600", {1: {"lowest": "0 V", "highest": "450 V", "by_hand": True}})


def test_tektronix_channels_are_all_set_by_hand_or_none():
    channels = {1: TEKTRONIX[1], 2: TEKTRONIX[1] | {"by_hand": True}}
    with pytest.raises(ConfigError, match=r"channels\.2: by_hand: the channels .* start and stop together"):
        loaded("fast", "tektronix-awg5200", channels)
