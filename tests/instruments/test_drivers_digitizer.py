"""Digitizers: exact conversations, three ways to write volts as integers, quality of samples."""

from dataclasses import replace

import numpy as np
import pytest

from fakes.lab import block, checked, conversation, wire_of
from spinhw.errors import DeviceError, LimitError, OccupiedError
from spinhw.instruments import Acquisition, LinkError
from spinhw.instruments.discovery import choose
from spinhw.instruments.roles import digitizer

CHANNELS = {1: {"lowest": "-100 mV", "highest": "300 mV"}, 2: {"lowest": "0 V", "highest": "1 V"}}
PLAN = Acquisition(("1",), 1e9, 1000, delay_s=1e-7, trigger_v=0.5)


def keysight_setup(rate="+1.0E+09", points="+1000"):
    return [
        checked(
            ":CHANnel1:DISPlay 1;:CHANnel1:RANGe 0.4;:CHANnel1:OFFSet 0.1",
        ),
        checked(
            ":TIMebase:MODE MAIN;:TIMebase:REFerence CENTer;:TIMebase:RANGe 1e-06;:TIMebase:POSition 6e-07;"
            ":ACQuire:TYPE NORMal;:TRIGger:MODE EDGE;:TRIGger:SWEep NORMal;:TRIGger:EDGE:SOURce EXTernal;"
            ":TRIGger:EDGE:SLOPe POSitive;:TRIGger:EDGE:LEVel 0.5,EXTernal"
        ),
        (":ACQuire:SRATe?", rate),
        (":ACQuire:POINts?", points),
    ]


def keysight_shot(raw, preamble="1,0,{count},1,1.0E-09,1.0E-07,0,6.25E-06,0.1,32768"):
    raw = np.asarray(raw, "<u2")
    return [
        (":AER?", "1"),
        checked(":SINGle"),
        (":AER?", "0"),
        (":AER?", "1"),
        (":OPERegister:CONDition?", "+40"),
        (":OPERegister:CONDition?", "+32"),
        checked(
            ":WAVeform:SOURce CHANnel1;:WAVeform:FORMat WORD;:WAVeform:BYTeorder LSBFirst;:WAVeform:UNSigned 1;"
            ":WAVeform:POINts:MODE RAW;:WAVeform:POINts 1000"
        ),
        (":WAVeform:PREamble?", preamble.format(count=len(raw))),
        (":WAVeform:DATA?", block(raw.tobytes())),
    ]


@pytest.mark.parametrize(
    ("profile", "question"),
    [
        ("keysight-infiniivision", ":CHANnel1:IMPedance?"),
        ("tektronix-mso", ":HEADer 0;:CH1:TERmination?"),
        ("tektronix-dpo", ":HEADer 0;:CH1:TERmination?"),
    ],
)
def test_termination_of_an_input_is_compared_and_never_set(profile, question):
    _, data, _ = choose(profile, "test")
    assert data is not None
    [(name, wired)] = [(name, one) for name, one in data.wired.items() if one.ask.format(channel="1") == question]
    right, wrong = list(wired.replies)[:2]
    with (
        pytest.raises(OccupiedError, match=f"nothing was changed; seen: it: {name}.1 is {right}, not {wrong};"),
        conversation(profile, {1: CHANNELS[1]}, [], wired={name: wrong}),
    ):
        pass  # It is refused before its state is made known.


def test_keysight_records_volts():
    started = []
    raw = [32768, 32768 + 16000, 0, 65535, 256]
    with conversation("keysight-infiniivision", CHANNELS, [*keysight_setup(), *keysight_shot(raw)]) as scope:
        applied = scope.configure(PLAN)
        assert applied == PLAN
        seen = scope.acquire(applied, lambda: started.append(1))
    assert started == [1]
    assert seen.volts[0] == pytest.approx([0.1, 0.2, np.nan, 0.1 + 32767 * 6.25e-6, 0.1 - 32512 * 6.25e-6], nan_ok=True)
    assert seen.clipped.tolist() == [[False, False, False, True, True]]
    assert (seen.interval_s, seen.start_s, seen.channels, seen.averages) == (1e-9, 1e-7, ("1",), 1)


def test_shots_are_averaged_and_clipping_in_any_of_them_is_kept():
    exchanges = [*keysight_setup(), *keysight_shot([32768, 65535]), *keysight_shot([32768 + 3200, 32768])]
    with conversation("keysight-infiniivision", CHANNELS, exchanges) as scope:
        seen = scope.acquire(scope.configure(PLAN), averages=2)
    assert seen.volts[0, 0] == pytest.approx(0.11)
    assert seen.clipped.tolist() == [[False, True]]
    assert seen.averages == 2


def test_keysight_can_record_at_once():
    exchanges = [*keysight_setup(), *keysight_shot([32768])]
    exchanges.insert(8, checked(":TRIGger:FORCe"))
    with conversation("keysight-infiniivision", CHANNELS, exchanges) as scope:
        scope.acquire(scope.configure(replace(PLAN, trigger="immediate")))


@pytest.mark.parametrize(("rate", "points"), [("5.0E+08", "1000"), ("1.0E+09", "999")])
def test_record_that_the_scope_does_not_take_is_refused(rate, points):
    with (
        conversation("keysight-infiniivision", CHANNELS, keysight_setup(rate, points)) as scope,
        pytest.raises(LimitError, match="this record cannot be taken.*at least 1e-06 s at"),
    ):
        scope.configure(PLAN)


@pytest.mark.parametrize(
    ("plan", "message"),
    [
        (replace(PLAN, rate_hz=1e12), "sample rate of channel 1"),
        (replace(PLAN, points=10**8), "record length of channel 1"),
        (replace(PLAN, channels=("1", "3")), "channel 3 is not listed"),
    ],
)
def test_plan_beyond_the_scope_is_refused_and_nothing_is_sent(plan, message):
    with (
        conversation("keysight-infiniivision", CHANNELS, [], known=False) as scope,
        pytest.raises(LimitError, match=message),
    ):
        scope.configure(plan)


def test_odd_preamble_is_a_link_error():
    shot = keysight_shot([1], preamble="1,2,3")[:-1]
    with (
        conversation("keysight-infiniivision", CHANNELS, [*keysight_setup(), *shot]) as scope,
        pytest.raises(LinkError, match="odd preamble"),
    ):
        scope.acquire(scope.configure(PLAN))


def test_trigger_that_never_comes_is_an_error_and_the_scope_is_stopped(mocker):
    mocker.patch.object(digitizer, "PATIENCE_S", 0.0)
    waiting = [(":OPERegister:CONDition?", "+8")] * 2000
    exchanges = [*keysight_setup(), *keysight_shot([1])[:4]]
    with conversation("keysight-infiniivision", CHANNELS, exchanges) as scope:
        applied = scope.configure(replace(PLAN))
        wire_of(scope).go_on([(a.encode() + b"\n", b.encode() + b"\n") for a, b in waiting])
        with pytest.raises(DeviceError, match="acquisition was not done in time.*check the trigger cable"):
            scope.acquire(applied)
        wire_of(scope).stop()


def tektronix(message, ask=":HEADer 0;*ESR?;:EVMsg?"):
    return checked(message, ask, '0;0,"No events to report - queue empty"')


def tektronix_record(profile, raw, scaling="6.25E-6;-32;0.1;1.0E-9;1.0E-7"):
    mso = profile == "tektronix-mso"
    show = ":DISplay:GLObal:CH1:STATE 1" if mso else ":SELect:CH1 1"
    manual = ":HORizontal:MODE MANual" + (";:HORizontal:MODE:MANual:CONFIGure RECORDLength" if mso else "")
    level = ":TRIGger:AUXLevel 0.5" if mso else ":TRIGger:A:LEVel 0.5"
    return [
        tektronix(":HEADer 0"),
        tektronix(f"{show};:CH1:POSition 0;:CH1:SCAle 0.05;:CH1:OFFSet 0.1"),
        tektronix(
            f"{manual};:HORizontal:MODE:SAMPLERate 1000000000;:HORizontal:MODE:RECOrdlength 1000;"
            ":HORizontal:POSition 50;:HORizontal:DELay:MODe 1;:HORizontal:DELay:TIMe 6e-07"
        ),
        tektronix(
            ":ACQuire:MODe SAMple;:ACQuire:STOPAfter SEQuence;:TRIGger:A:TYPe EDGE;"
            f":TRIGger:A:EDGE:SOUrce AUXiliary;:TRIGger:A:EDGE:SLOpe RISe;:TRIGger:A:MODe NORMal;{level}"
        ),
        (":HORizontal:MODE:SAMPLERate?", "1.0E9"),
        (":HORizontal:MODE:RECOrdlength?", "1000"),
        tektronix(":ACQuire:STATE RUN"),
        (":TRIGger:STATE?", "ARMED"),
        (":TRIGger:STATE?", "READY"),
        (":ACQuire:STATE?", "1"),
        (":ACQuire:STATE?", "0"),
        tektronix(
            ":DATa:SOUrce CH1;:DATa:ENCdg SRIbinary;:WFMOutpre:BYT_Nr 2;:DATa:STARt 1;:DATa:STOP 1000",
        ),
        (":WFMOutpre:YMUlt?;:WFMOutpre:YOFf?;:WFMOutpre:YZEro?;:WFMOutpre:XINcr?;:WFMOutpre:XZEro?", scaling),
        (":CURVe?", block(np.asarray(raw, "<i2").tobytes())),
    ]


@pytest.mark.parametrize("profile", ["tektronix-mso", "tektronix-dpo"])
def test_tektronix_records_volts(profile):
    raw = [-32, 16000 - 32, 32512, -32768]
    with conversation(profile, CHANNELS, tektronix_record(profile, raw)) as scope:
        seen = scope.acquire(scope.configure(PLAN))
    assert seen.volts[0] == pytest.approx([0.1, 0.2, 0.1 + 32544 * 6.25e-6, 0.1 - 32736 * 6.25e-6])
    assert seen.clipped.tolist() == [[False, False, True, True]]
    assert (seen.interval_s, seen.start_s) == (1e-9, 1e-7)


def test_tektronix_events_are_errors():
    exchanges = [
        checked(":HEADer 0", ":HEADer 0;*ESR?;:EVMsg?", '32;113,"Undefined header; HEADer"'),
        (":HEADer 0;*ESR?;:EVMsg?", '0;0,"No events to report - queue empty"'),
    ]
    with (
        conversation("tektronix-mso", CHANNELS, exchanges) as scope,
        pytest.raises(DeviceError, match='113,"Undefined header'),
    ):
        scope.configure(PLAN)
