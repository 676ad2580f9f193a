"""The SCPI engine of the virtual bench: framing, headers, parameters, error queue, status."""

from typing import ClassVar

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from spinhw.virtual.scpi import (
    Arguments,
    Call,
    Command,
    Framer,
    Instrument,
    ScpiError,
    block,
    both,
    choice,
    do,
    number,
    switch,
    text,
)
from spinhw.virtual.scpi.errors import ErrorQueue, event_bit
from spinhw.virtual.scpi.framing import split_parameters, split_units
from spinhw.virtual.scpi.headers import Headers


class Box(Instrument):
    """A few settings of each kind, and something that takes time."""

    channels = 2

    def __init__(self) -> None:
        self.is_busy = False
        self.data = b""
        super().__init__("box")

    @property
    def busy(self) -> bool:
        return self.is_busy

    def keep(self, call: Call) -> None:
        self.data = bytes(call.args.block(1))

    def finish(self) -> None:
        self.is_busy = False
        self.proceed()

    commands: ClassVar[tuple[Command, ...]] = (
        number("[SOURce#:]FREQuency[:CW|FIXed]", "frequency_hz", 1e3, 1.0, 1e9, "HZ"),
        number("[SOURce#:]VOLTage:LEVel", "level_v", 0.0, -5, 5, "V"),
        number("[SOURce#:]VOLTage:OFFSet", "offset_v", 0.0, -5, 5, "V"),
        choice("TRIGger:SOURce", "source", ("IMMediate", "EXTernal", "BUS")),
        switch("OUTPut#[:STATe]", "on"),
        text("NAME", "name", "none"),
        both("DATA", keep, lambda self, call: block(self.data)),
        do("WORK", lambda self, call: setattr(self, "is_busy", True)),
    )


def say(box: Instrument, message: str | bytes) -> bytes:
    replies: list[bytes] = []
    box.execute(message.encode() if isinstance(message, str) else message, replies.append)
    assert len(replies) <= 1
    return replies[0] if replies else b""


def errors(box: Instrument) -> list[int]:
    codes = []
    while code := box.status.errors.pop()[0]:
        codes.append(code)
    return codes


@pytest.mark.parametrize(
    "header", ["SOUR2:FREQ", "source2:frequency:cw", "Sour2:Freq:Fix", ":SOURCE2:FREQ:FIXED", "sour2:FREQUENCY"]
)
def test_headers_come_in_short_and_long_form_in_any_case(header):
    box = Box()
    assert say(box, f"{header} 5e3") == b""
    assert float(say(box, f"{header}?")) == 5e3
    assert float(say(box, "FREQ?")) == 1e3  # The other channel, which is number 1 when none is written.


@pytest.mark.parametrize("header", ["FREQU", "SOUR:FR", "FREQ:CWX", "SOURC:FREQ", "BLA", "TRIG", "OUTP:STA"])
def test_headers_in_between_are_undefined(header):
    box = Box()
    say(box, header + "?")
    assert errors(box) == [-113]


def test_suffix_out_of_range_is_refused():
    box = Box()
    say(box, "SOUR3:FREQ 5")
    say(box, "TRIG2:SOUR?")
    assert errors(box) == [-114, -114]


def test_relative_headers_follow_the_path_and_absolute_ones_do_not():
    box = Box()
    assert say(box, "SOUR2:VOLT:LEV 1;OFFS 2;:SOUR2:VOLT:LEV?;OFFS?;*OPC?;LEV?") == (
        b"1.000000E+00;2.000000E+00;1;1.000000E+00\n"
    )
    say(box, "SOUR2:VOLT:LEV 1;VOLT:OFFS 2")  # The path has VOLTage in it already.
    assert errors(box) == [-113]


def test_queries_of_one_message_are_answered_in_one_line():
    assert say(Box(), "*IDN?;:FREQ?;:SYST:ERR?") == b'SPINHW,VIRTUAL,0001,1.0;1.000000E+03;0,"No error"\n'


def test_commands_after_an_error_are_carried_out():
    assert say(Box(), "BLA 1;:FREQ 5;:FREQ?;:SYST:ERR?") == b'5.000000E+00;-113,"Undefined header"\n'


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("5e3", 5e3),
        ("5 KHZ", 5e3),
        ("5khz", 5e3),
        ("2 MHZ", 2e6),
        ("2MAHZ", 2e6),
        ("0.5 GHZ", 5e8),
        (" +7.5 ", 7.5),
        ("#H10", 16.0),
        ("MAX", 1e9),
        ("MINimum", 1.0),
        ("DEF", 1e3),
    ],
)
def test_numbers_are_read_with_their_units(written, value):
    box = Box()
    say(box, f"FREQ {written}")
    assert (box.get("frequency_hz"), errors(box)) == (value, [])


@pytest.mark.parametrize(
    ("written", "code"), [("", -109), ("five", -104), ("5 V", -131), ("5 XHZ", -131), ("2e9", -222), ("nan", -222)]
)
def test_wrong_numbers_are_refused_and_change_nothing(written, code):
    box = Box()
    say(box, f"FREQ {written}")
    assert (box.get("frequency_hz"), errors(box)) == (1e3, [code])


def test_millivolts_are_not_megavolts():
    box = Box()
    say(box, "VOLT:LEV 5 MV")
    assert box.get("level_v") == pytest.approx(5e-3)


def test_bounds_can_be_asked_for():
    assert say(Box(), "FREQ? MAX;FREQ? MIN;FREQ? DEF") == b"1.000000E+09;1.000000E+00;1.000000E+03\n"


def test_words_and_switches():
    box = Box()
    assert say(box, "TRIG:SOUR external;SOUR?;:OUTP ON;:OUTP?;:OUTP 0;:OUTP?;:OUTP2:STAT 1;STAT?") == b"EXT;1;0;1\n"
    say(box, "TRIG:SOUR exte;:OUTP maybe")
    assert errors(box) == [-224, -104]


def test_text_keeps_separators_and_doubled_quotes():
    box = Box()
    assert say(box, 'NAME "a;b,c ""d""";:NAME?') == b'"a;b,c "d""\n'
    say(box, 'NAME "open')
    assert errors(box) == [-151]


def test_reset_brings_settings_back_and_keeps_errors():
    box = Box()
    say(box, "FREQ 5;BLA;*RST")
    assert (box.get("frequency_hz"), errors(box)) == (1e3, [-113])


# Error queue and status


def test_error_queue_is_first_in_first_out_and_overflows():
    queue = ErrorQueue(3)
    for code in (-100, -102, -104, -108):
        queue.push(ScpiError(code))
    assert [queue.pop()[0] for _ in range(4)] == [-100, -102, -350, 0]


@pytest.mark.parametrize(("code", "bit"), [(-113, 32), (-222, 16), (-310, 8), (-410, 4), (785, 8)])
def test_errors_set_their_event_bit(code, bit):
    assert event_bit(code) == bit


def test_status_registers():
    box = Box()
    assert say(box, "*ESR?") == b"128\n"  # Power on, cleared by reading.
    say(box, "*ESE 32;*SRE 32;BLA;*OPC")
    assert say(box, "*STB?;*ESR?;*ESR?") == b"100;33;0\n"  # 4 error available + 32 event summary + 64 service.
    say(box, "BLA;*CLS")
    assert say(box, "*STB?;*ESR?;:SYST:ERR:COUN?") == b"0;0;0\n"


def test_opc_waits_for_an_operation_and_messages_keep_their_order():
    box, replies = Box(), []
    box.execute(b"WORK;*OPC?;FREQ?", replies.append)
    box.execute(b"*IDN?", replies.append)
    assert (replies, box.waiting) == ([], True)
    box.finish()
    assert replies == [b"1;1.000000E+03\n", b"SPINHW,VIRTUAL,0001,1.0\n"]


def test_reboot_loses_settings_queue_and_what_waits():
    box, replies = Box(), []
    say(box, "FREQ 5;BLA")
    box.execute(b"WORK;*OPC?", replies.append)
    box.reboot()
    box.finish()
    assert (replies, say(box, "FREQ?;*ESR?"), errors(box)) == ([], b"1.000000E+03;128\n", [])


# Blocks and framing


@settings(max_examples=30)
@given(st.binary(max_size=60), st.integers(1, 50), st.sampled_from([b"\n", b"\r\n"]))
@example(b"\r", 50, b"\n")  # The last byte of a block ends no line.
@example(b"a\r", 3, b"\n")
def test_blocks_of_any_bytes_arrive_whole_in_any_pieces(data, size, end):
    stream = b"DATA 0," + block(data) + end + b"*IDN?\n"
    framer, messages = Framer(), []
    for start in range(0, len(stream), size):
        messages += framer.feed(stream[start : start + size])
    assert messages == [b"DATA 0," + block(data), b"*IDN?"]
    box = Box()
    say(box, messages[0])
    assert (box.data, errors(box), say(box, "DATA?")) == (data, [], block(data) + b"\n")


def test_block_without_line_feed_ends_where_the_next_header_begins():
    framer = Framer()
    assert framer.feed(b"DATA 0,#13abcMMEM:OPEN?\n") == [b"DATA 0,#13abc", b"MMEM:OPEN?"]


def test_command_may_follow_a_block():
    box = Box()
    assert say(box, b"DATA 0,#13a;b;:DATA?;:SYST:ERR?") == b'#13a;b;0,"No error"\n'


def test_line_feed_ends_a_string_that_was_left_open():
    assert Framer().feed(b'NAME "open\n*IDN?\n') == [b'NAME "open', b"*IDN?"]


def test_hash_in_a_string_or_a_number_is_no_block():
    assert Framer().feed(b'NAME "#15";FREQ #H10\nA?\n') == [b'NAME "#15";FREQ #H10', b"A?"]


def test_indefinite_block_runs_to_the_line_feed():
    box = Box()
    say(box, b"DATA 0,#0abc")
    assert box.data == b"abc"


@pytest.mark.parametrize("written", [b"#15abc", b"#1xabc", b"#9", b"#13abcd"])
def test_blocks_of_wrong_length_are_refused(written):
    box = Box()
    say(box, b"DATA 0," + written)
    assert errors(box) == [-161]


def test_numbers_where_a_block_is_wanted_are_refused():
    box = Box()
    say(box, "DATA 0,5")
    assert errors(box) == [-104]


def test_units_and_parameters_are_cut_outside_of_strings_and_parentheses():
    assert split_units(b"A 'x;y';B #13;;;;C") == [b"A 'x;y'", b"B #13;;;", b"C"]
    assert split_parameters(b"1, 'a,b' ,(@101,102), #12,,") == [b"1", b"'a,b'", b"(@101,102)", b"#12,,"]


def test_channel_lists():
    assert Arguments(b"(@101,103:105)").channels() == [101, 103, 104, 105]


@settings(max_examples=30)
@given(st.binary(max_size=60))
def test_garbage_never_raises_and_never_stops_the_next_message(data):
    framer, box = Framer(), Box()
    for message in framer.feed(data.replace(b"#", b"") + b"\n"):
        box.execute(message, lambda reply: None)
        box.finish()
    errors(box)
    assert say(box, "*IDN?").startswith(b"SPINHW")


def test_first_of_two_headers_with_the_same_spelling_wins():
    headers: Headers[str] = Headers()
    headers.add("A[:B]", "first")
    headers.add("A", "second")
    assert headers.find("A") == ("first", ())


def test_a_bound_that_is_not_there_is_no_number():
    with pytest.raises(ScpiError, match="-224"):
        Arguments(b"MAX").number()
