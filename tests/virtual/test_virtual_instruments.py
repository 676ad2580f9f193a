"""Every dialect of the virtual bench: settings, read-back, blocks, and what each instrument does."""

import numpy as np
import pytest

from spinhw.virtual.instruments import (
    MODELS,
    Keithley2182,
    Keithley2400,
    Keithley3706A,
    Keithley6221,
    Keysight33500,
    Keysight33600,
    KeysightInfiniiVision,
    Panel,
    RohdeFSV,
    RohdeSMB100A,
    SynapseController,
    TektronixAWG5200,
    TektronixDPO,
    TektronixMSO,
)
from spinhw.virtual.lab import EmptyLab, Shot, Window
from spinhw.virtual.scpi import block


class Sine(Shot):
    """A sine of 1 MHz and 0.1 V, other phases on other channels."""

    def sample(self, panel: Panel, channel: int, window: Window) -> np.ndarray:
        times = window.start_s + np.arange(window.points) * window.interval_s
        return 0.1 * np.sin(2 * np.pi * 1e6 * times + channel)


class Table(EmptyLab):
    def shot(self) -> Shot:
        return Sine()

    def voltage(self, panel: Panel, channel: int) -> float:
        return 1.5e-3 * channel


def make(kind):
    lab = Table()
    made = kind("it", lab=lab)
    lab.panels.append(made)
    return made


def say(panel: Panel, message: str | bytes) -> str:
    return raw(panel, message).decode("latin-1").rstrip("\n")


def raw(panel: Panel, message: str | bytes) -> bytes:
    replies: list[bytes] = []
    panel.execute(message.encode("latin-1") if isinstance(message, str) else message, replies.append)
    return b"".join(replies)


def numbers(reply: bytes, dtype: str) -> np.ndarray:
    digits = int(reply[1:2])
    return np.frombuffer(reply[2 + digits : -1], dtype)


def errors(panel: Panel) -> list[int]:
    codes = []
    while code := panel.status.errors.pop()[0]:
        codes.append(code)
    return codes


@pytest.mark.parametrize("model", MODELS)
def test_every_model_says_who_it_is_and_starts_well(model):
    panel = make(MODELS[model])
    assert len(say(panel, "*IDN?").split(",")) == 4
    panel.reboot()
    assert errors(panel) == []


@pytest.mark.parametrize("model", [name for name in MODELS if name != "keithley-3706a"])
def test_every_setting_takes_back_what_it_answers(model):
    panel = make(MODELS[model])
    if isinstance(panel, TektronixMSO):
        say(panel, "HEADer 0")
    for command in panel.commands:
        if (
            command.name
            and command.write
            and command.ask
            and "DIAG" not in command.header
            and "COUNt" != command.header
        ):
            header = plain(command.header)
            answer = say(panel, header + "?")
            if answer in {"", '""'} or "9.9" in answer or "nan" in answer:
                continue
            say(panel, f"{header} {answer}")
            assert (say(panel, header + "?"), errors(panel)) == (answer, []), command.header


def plain(header: str) -> str:
    """Write a header as it is in a manual without its optional parts, with channel 1 and short forms."""
    while "[" in header:
        start = header.index("[")
        depth, end = 0, start
        for end in range(start, len(header)):
            depth += {"[": 1, "]": -1}.get(header[end], 0)
            if depth == 0:
                break
        header = header[:start] + header[end + 1 :]
    nodes = [node.split("|")[0] for node in header.split(":")]
    return ":".join("".join(letter for letter in node if not letter.islower()).replace("#", "1") for node in nodes)


# Sources


def test_33500_plays_blocks_in_both_byte_orders_and_text():
    awg = make(Keysight33500)
    codes = np.array([0, 32767, -32767, 16384, 0, 0, 0, 1], np.int16)
    raw(awg, b"SOUR1:DATA:ARB:DAC big," + block(codes.astype(">i2").tobytes()))
    raw(awg, b"FORM:BORD SWAP;:SOUR1:DATA:ARB:DAC little," + block(codes.astype("<i2").tobytes()))
    raw(awg, b"SOUR1:DATA:ARB floats," + block((codes / 32767).astype("<f4").tobytes()))
    say(awg, "SOUR1:DATA:ARB:DAC text, " + ", ".join(map(str, codes)))
    say(awg, "SOUR1:FUNC ARB;:SOUR1:FUNC:ARB:FILT OFF;SRAT 1e6;:SOUR1:VOLT 2;:SOUR1:VOLT:OFFS 0.5;:OUTP1 1")
    for name in ("big", "little", "floats", "text"):
        say(awg, f"SOUR1:FUNC:ARB {name}")
        played = awg.played(external=False)[1]
        np.testing.assert_allclose(played.samples, codes / 32767 + 0.5, atol=1e-4)
        assert played.rate_hz == 1e6
    assert say(awg, "SOUR1:DATA:VOL:CAT?").endswith('"big","little","floats","text"')
    assert errors(awg) == []


def test_33500_refuses_what_the_real_one_refuses():
    awg = make(Keysight33500)
    say(awg, "SOUR1:FUNC:ARB nothing")
    say(awg, "SOUR1:DATA:ARB a, 0,0,0,0,0,0,0,2")
    say(awg, "SOUR1:DATA:ARB a, 0,0,0,0,0,0,0,1")
    say(awg, "SOUR1:DATA:ARB a, 0,0,0,0,0,0,0,1")
    say(awg, "SOUR1:VOLT 9;:SOUR1:VOLT:OFFS 3")
    raw(awg, b"SOUR1:DATA:ARB:DAC b,#13abc")
    assert errors(awg) == [786, -222, 785, -221, -161]


def test_33500_load_changes_what_is_shown_but_not_what_is_played():
    awg = make(Keysight33500)
    say(awg, "FUNC DC;:VOLT:OFFS 1;:OUTP 1")
    before = awg.played(external=False)[1].samples
    assert say(awg, "OUTP:LOAD INF;:VOLT:OFFS?;:OUTP:LOAD?").startswith("+2.0")
    np.testing.assert_allclose(awg.played(external=False)[1].samples, before)


def test_33500_burst_waits_for_its_trigger():
    awg = make(Keysight33600)
    say(awg, "FUNC SIN;:FREQ 1e6;:BURS:STAT 1;NCYC 3;:OUTP 1;:TRIG:SOUR EXT")
    assert awg.played(external=False).keys() == awg.played(external=True).keys() == {1}
    say(awg, "TRIG:SOUR BUS")
    assert (awg.runs_freely, awg.played(external=True)) == (False, {})
    assert len(awg.played(external=False)[1].samples) == 3000
    say(awg, "BURS:STAT 0")
    assert awg.runs_freely


def test_33500_sequence_repeats_its_parts():
    awg = make(Keysight33500)
    for name, level in (("a", 0.5), ("b", -0.5)):
        say(awg, f"DATA:ARB {name}, " + ",".join([str(level)] * 8))
    steps = b'"seq","a",2,repeat,maintain,10,"b",1,repeat,maintain,10'
    raw(awg, b"DATA:SEQ " + block(steps))
    say(awg, "FUNC:ARB seq;:FUNC:ARB:FILT OFF;:FUNC ARB;:VOLT 1;:OUTP 1")  # What its points span.
    np.testing.assert_allclose(awg.played(False)[1].samples, [0.5] * 16 + [-0.5] * 8, atol=1e-4)


def test_awg5200_waveform_list_and_run_state():
    awg = make(TektronixAWG5200)
    wave = np.linspace(-1, 1, 3000).astype("<f4")
    say(awg, 'WLIS:WAV:NEW "w",3000;:CLOC:SRAT 2.5e9')
    raw(awg, b'WLIS:WAV:DATA "w",0,3000,' + block(wave.tobytes()))
    np.testing.assert_array_equal(numbers(raw(awg, 'WLIS:WAV:DATA? "w",10,5'), "<f4"), wave[10:15])
    say(awg, 'SOUR1:CASS:WAV "w";:SOUR1:RMOD TRIG;:SOUR1:VOLT 0.5;:OUTP1 1')
    assert say(awg, "AWGC:RST?;:WLIS:LIST?;:WLIS:SIZE?") == '0;"w";1'
    say(awg, "AWGC:RUN")
    assert say(awg, "AWGC:RST?") == "1"  # Waits for its trigger.
    np.testing.assert_allclose(awg.played(False)[1].samples, 0.25 * wave, atol=1e-5)
    say(awg, "SOUR1:RMOD CONT")
    assert say(awg, "AWGC:RST?;:SYST:ERR?") == '2;0,"No error"'
    say(awg, 'WLIS:WAV:DEL ALL;:SOUR1:CASS:WAV "w"')
    assert errors(awg) == [-224]


def test_awg5200_opens_wfmx_files():
    awg = make(TektronixAWG5200)
    data = np.arange(4, dtype="<f4") / 4
    head = b'<DataFile offset="000000075"><NumberSamples>4</NumberSamples></DataFile>'
    head = head.ljust(75)
    raw(awg, b'MMEM:DEL "w.wfmx"')
    raw(awg, b'MMEM:DATA "w.wfmx",' + block(head + data.tobytes()))
    say(awg, 'MMEM:OPEN "C:\\w.wfmx"')
    assert errors(awg) == [-256]  # Only the file that was to be deleted did not exist.
    np.testing.assert_array_equal(awg.waveforms["w"], data)


def test_2400_measures_what_it_drives_and_complies():
    smu = make(Keithley2400)
    say(smu, ":SOUR:FUNC CURR;:SOUR:CURR 10e-3;:SENS:VOLT:PROT 2;:SENS:FUNC 'VOLT';:FORM:ELEM VOLT,CURR")
    assert say(smu, ":READ?") == ""
    assert errors(smu) == [803]  # The output is off.
    say(smu, ":OUTP ON")
    assert say(smu, ":READ?;:SENS:VOLT:PROT:TRIP?") == "+5.000000E-01,+1.000000E-02;0"
    say(smu, ":SENS:VOLT:PROT 0.2")
    assert say(smu, ":READ?;:SENS:VOLT:PROT:TRIP?") == "+2.000000E-01,+4.000000E-03;1"
    smu.disturb("overload")
    assert (say(smu, ":OUTP?;:READ?"), say(smu, ":OUTP?")) == ("1;+0.000000E+00,+0.000000E+00", "0")
    assert errors(smu) == [802]


def test_2400_buffer():
    smu = make(Keithley2400)
    say(smu, ":SOUR:FUNC CURR;:SOUR:CURR 1e-3;:OUTP 1;:FORM:ELEM CURR")
    say(smu, ":STAT:PRES;*CLS;*SRE 1;:STAT:MEAS:ENAB 512;:TRAC:POIN 3;FEED SENS;:TRAC:FEED:CONT NEXT;:INIT")
    assert say(smu, "*STB?") == "65"
    assert say(smu, ":TRAC:DATA?") == ",".join(["+1.000000E-03"] * 3)
    assert errors(smu) == []


def test_6221_waveform_needs_its_points_in_pieces():
    source = make(Keithley6221)
    say(source, ":SOUR:WAVE:ARB:DATA " + ",".join(["0.5"] * 100))
    say(source, ":SOUR:WAVE:ARB:APP " + ",".join(["-0.5"] * 50) + ";COPY 1")
    say(source, ":SOUR:WAVE:ARB:DATA " + ",".join(["0"] * 101))
    assert errors(source) == [-223]
    say(source, ":SOUR:WAVE:FUNC ARB1;FREQ 1e3;AMPL 2e-3;DUR:CYCL 2;:SOUR:WAVE:ARM;INIT")
    played = source.played(external=False)[1]
    assert (len(played.samples), played.rate_hz, played.samples[0]) == (300, 150e3, 1e-3)
    say(source, ":SOUR:WAVE:ABOR")
    assert (say(source, "OUTP?"), errors(source)) == ("0", [])


def test_6221_says_when_it_is_in_compliance():
    source = make(Keithley6221)
    say(source, ":SOUR:CURR 0.1;:SOUR:CURR:COMP 1;:OUTP 1")
    assert say(source, ":STAT:MEAS:COND?;:SOUR:CURR?") == "8;+1.000000E-01"
    say(source, ":SOUR:CURR 0.01")
    assert say(source, ":STAT:MEAS:COND?") == "0"


def test_6221_delta_readings():
    source = make(Keithley6221)
    say(source, ":SOUR:DELT:HIGH 1e-3;COUN 3;:SOUR:DELT:ARM;:INIT")
    values = np.array(say(source, ":TRAC:DATA?").split(","), float)
    np.testing.assert_allclose(values[::2], [0.05] * 3)


def test_rf_source_keeps_its_range_and_its_power():
    tone = make(RohdeSMB100A)
    say(tone, "SOUR:FREQ 2.5 GHZ;:SOUR:POW -10;:OUTP:STAT ON")
    assert say(tone, "SOUR:FREQ?;:SOUR:POW?;:OUTP?") == "2500000000;-10;1"
    assert tone.power_w() == pytest.approx(1e-4)
    say(tone, "FREQ 7 GHZ")
    assert errors(tone) == [-222]


# Meters


def trace(scope, query: str, dtype: str) -> np.ndarray:
    return numbers(raw(scope, query), dtype)


@pytest.mark.parametrize(
    ("form", "order", "dtype"), [("BYTE", "MSBF", "u1"), ("WORD", "MSBF", ">u2"), ("WORD", "LSBF", "<u2")]
)
def test_infiniivision_waveforms_scale_back_to_volts(form, order, dtype):
    scope = make(KeysightInfiniiVision)
    say(scope, ":TIM:RANG 2e-6;REF LEFT;:CHAN2:IMP FIFT;RANG 0.4;OFFS 0.02;:ACQ:SRAT 1e9;:DIG CHAN2")
    say(scope, f":WAV:SOUR CHAN2;FORM {form};BYT {order}")
    preamble = [float(part) for part in say(scope, ":WAV:PRE?").split(",")]
    codes = trace(scope, ":WAV:DATA?", dtype).astype(float)
    assert preamble[:4] == [{"BYTE": 0, "WORD": 1}[form], 0, 2000, 1]
    volts = (codes - preamble[9]) * preamble[7] + preamble[8]
    times = preamble[5] + np.arange(2000) * preamble[4]
    np.testing.assert_allclose(volts, 0.1 * np.sin(2 * np.pi * 1e6 * times + 2), atol=0.51 * 0.4 / 256)
    say(scope, ":WAV:SOUR CHAN1")
    say(scope, ":WAV:DATA?")
    assert errors(scope) == [-230]  # Not acquired.


def test_infiniivision_text_points_and_streaming():
    scope = make(KeysightInfiniiVision)
    say(scope, ":TIM:RANG 1e-6;:CHAN1:RANG 0.4;:ACQ:SRAT 1e9;:DIG CHAN1;:WAV:FORM ASC;:WAV:POIN 100")
    reply = say(scope, ":WAV:DATA?")
    assert reply.startswith("#8")
    assert len(reply[10:].split(",")) == int(say(scope, ":WAV:POIN?")) == 100
    say(scope, ":WAV:FORM BYTE;STR 1")
    assert len(raw(scope, ":WAV:DATA?")) == 2 + 100 + 1
    assert raw(scope, ":WAV:DATA?")[:2] == b"#0"


def test_infiniivision_waits_averages_and_segments():
    scope = make(KeysightInfiniiVision)
    say(scope, ":TIM:RANG 1e-6;:ACQ:TYPE AVER;COUN 3;:TRIG:SWE NORM;SOUR EXT;:SING")
    for left in (True, True, False):
        scope.lab.trigger(scope)
        assert scope.armed is left
    say(scope, ":ACQ:TYPE NORM;MODE SEGM;SEGM:COUN 2;:SING")
    scope.lab.trigger(scope)
    scope.lab.trigger(scope)
    assert say(scope, ":WAV:SEGM:COUN?;:OPER:COND?;:AER?;:AER?") == "2;0;1;0"
    say(scope, ":ACQ:SEGM:IND 1")
    assert len(trace(scope, ":WAV:DATA?", "u1")) > 100
    assert errors(scope) == []


def test_infiniivision_memory_bounds_its_rate():
    scope = make(KeysightInfiniiVision)
    say(scope, ":TIM:RANG 1")
    assert say(scope, ":ACQ:SRAT?;POIN?") == "+4.0000000000E+06;4000000"


@pytest.mark.parametrize("kind", [TektronixMSO, TektronixDPO])
@pytest.mark.parametrize(
    ("encoding", "width", "dtype"),
    [("RIB", 1, "i1"), ("RIB", 2, ">i2"), ("SRI", 2, "<i2"), ("RPB", 1, "u1"), ("SRP", 2, "<u2")],
)
def test_tektronix_curves_scale_back_to_volts(kind, encoding, width, dtype):
    scope = make(kind)
    say(scope, ":HEAD 0;:HOR:MODE MAN;:HOR:MODE:SAMPLER 1e9;:HOR:MODE:RECO 2000;:HOR:POS 10")
    say(scope, ":CH2:TER 50;SCA 0.05;OFFS 0.02")
    say(scope, ":ACQ:STOPA SEQ;:ACQ:STATE RUN;:CH2:POS 1;POS 0")
    say(scope, f":DAT:SOU CH2;ENC {encoding};STAR 1;STOP 2000;:WFMO:BYT_N {width}")
    fields = say(scope, ":WFMO:YMU?;:WFMO:YOF?;:WFMO:YZE?;:WFMO:XIN?;:WFMO:XZE?;:WFMO:NR_P?").split(";")
    step, offset, zero, interval, start, points = map(float, fields)
    codes = trace(scope, ":CURV?", dtype).astype(float)
    assert len(codes) == points == 2000
    volts = (codes - offset) * step + zero
    times = start + np.arange(2000) * interval
    np.testing.assert_allclose(volts, 0.1 * np.sin(2 * np.pi * 1e6 * times + 2), atol=0.51 * 0.05 / 25)
    assert errors(scope) == []


def test_tektronix_trigger_states():
    scope = make(TektronixMSO)
    say(scope, ":HEAD 0;:TRIG:A:EDGE:SOU AUX;:TRIG:A:MOD NORM;:ACQ:STOPA SEQ;:ACQ:STATE RUN")
    assert say(scope, ":TRIG:STATE?;:ACQ:STATE?;:BUSY?") == "READY;1;1"
    say(scope, ":TRIG FORC")
    assert say(scope, ":TRIG:STATE?;:ACQ:STATE?;:ACQ:NUMAC?;*ESR?;:EVM?") == (
        'SAVE;0;1;128;0,"No events to report - queue empty"'
    )


def test_2182_reads_both_channels_and_overflows():
    meter = make(Keithley2182)
    assert float(say(meter, ":SENS:CHAN 2;:READ?")) == pytest.approx(3e-3)
    assert float(say(meter, ":SENS:VOLT:CHAN2:RANG 0.001;:READ?;")) == pytest.approx(3e-3)  # 10 mV is the smallest.
    meter.disturb("nan")
    assert float(say(meter, ":READ?")) == pytest.approx(9.91e37)
    assert say(meter, ":SENS:FUNC 'TEMP';FUNC?") == '"TEMP"'


def test_fsv_sweeps_and_reads_its_trace():
    analyser = make(RohdeFSV)
    say(analyser, ":INIT:CONT 0;:SWE:POIN 101;TIME 1e-6;:FORM REAL,32")
    assert say(analyser, ":INIT;*OPC?") == "1"
    power = trace(analyser, ":TRAC1? TRACE1", "<f4")
    assert len(power) == 101
    mean_w = np.mean((0.1 * np.sin(2 * np.pi * 1e6 * np.arange(101) / 101e6 + 1)) ** 2) / 50
    assert float(say(analyser, ":CALC:MARK:FUNC:POW:RES? CPOW")) == pytest.approx(
        10 * np.log10(mean_w / 1e-3), abs=1e-3
    )
    assert float(say(analyser, ":CALC:MARK1:MAX;:CALC:MARK1:Y?")) == pytest.approx(power.max(), abs=1e-3)


# The board and the switch


def test_board_stages_applies_and_refuses_whole_blocks():
    board = make(SynapseController)
    good, bad = np.array([0.5, -0.5], ">f4"), np.array([0.1, 9.0], ">f4")
    raw(board, b"SYN:DATA 3," + block(good.tobytes()))
    assert numbers(raw(board, "SYN:DATA? 3,2"), ">f4").tolist() == [0, 0]
    say(board, "SYN:APPL")
    np.testing.assert_allclose(numbers(raw(board, "SYN:DATA? 3,2"), ">f4"), good, atol=board.resolution_v)
    raw(board, b"SYN:DATA 3," + block(bad.tobytes()))
    raw(board, b"SYN:DATA 63," + block(good.tobytes()))
    say(board, "SYN:LIM -0.1,0.1")
    raw(board, b"SYN:DATA 0,#13abc")
    assert errors(board) == [-222, -222, -222, -161]
    np.testing.assert_allclose(numbers(raw(board, "SYN:STAG? 3,2"), ">f4"), good)
    assert say(board, "FORM:BORD SWAP;BORD?;:SYST:VERS?;:SYN:OVER?") == "SWAP;SPINHW-SYNAPSE-1;NONE"
    np.testing.assert_allclose(numbers(raw(board, "SYN:STAG? 3,2"), "<f4"), good)


def test_board_gives_nothing_while_it_is_off():
    board = make(SynapseController)
    raw(board, b"SYN:DATA 0," + block(np.array([1.0], ">f4").tobytes()))
    say(board, "SYN:APPL")
    assert board.outputs_v.max() == 0
    say(board, "OUTP 1")
    assert board.outputs_v[0] == pytest.approx(1.0, abs=board.resolution_v)
    say(board, "*RST")
    assert say(board, "OUTP?") == "0"


def test_switch_speaks_tsp():
    switch = make(Keithley3706A)
    say(switch, 'channel.close("1101,1203")')
    assert say(switch, 'print(channel.getclose("allslots"))') == "1101;1203"
    assert say(switch, 'channel.open("1101") waitcomplete() print(1)') == "1.00000e+00"
    assert say(switch, 'print(channel.getclose("slot1"))') == "1203"
    say(switch, 'channel.open("allslots")')
    assert say(switch, 'print(channel.getclose("allslots"))') == "nil"
    say(switch, 'channel.close("99")')
    say(switch, "nonsense.here()")
    assert say(switch, "print(errorqueue.count)") == "2.00000e+00"
    assert say(switch, "print(errorqueue.next())").split("\t")[0] == "1.11400e+03"
    assert say(switch, "errorqueue.clear() print(errorqueue.next())").startswith("0.00000e+00\tQueue Is Empty")
    assert say(switch, "*IDN?").startswith("KEITHLEY INSTRUMENTS INC.,MODEL 3706A")


def test_a_current_wave_that_is_armed_keeps_a_shape_that_has_points():
    panel, replies = MODELS["keithley-6221"]("dc"), []
    panel.execute(b"SOUR:WAVE:ARM;:SOUR:WAVE:FUNC ARB1;:SOUR:WAVE:FUNC ARB0;:SOUR:WAVE:INIT", replies.append)
    assert panel.get("wave_function") == "SIN"
    assert panel.at_connectors()["1"].current_a > 0
