"""No message takes an instrument out: whatever is sent to one, every instrument says who it is afterwards.

The campaign: pytest tests/virtual/test_virtual_jam.py --campaign -n 2 --timeout 3600. Its messages are numbered: a
chunk that failed runs again by itself.
"""

import logging
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fakes.jam_doors import OSCILLATORS, RESONATORS, door, every_instrument
from fakes.jam_grammar import message
from spinhw.virtual.instruments import MODELS
from spinhw.virtual.scpi.errors import as_error

NAMES = tuple(MODELS)
# 100 000 messages: 60 000 without sockets, 40 000 with.
CHUNK = 5000
CHUNKS = [("in process", number) for number in range(12)] + [("over TCP", number) for number in range(12, 20)]

JAMS = [
    ("keysight-33500", b"SOUR1:FUNC:PULS:TRAN? FOO", -224),
    ("keithley-2400", b"SOUR:VOLT:RANG:AUTO 9E999", -222),
    ("synapse-controller", b"OUTP NAN", -222),
    ("keysight-infiniivision", b"CHAN0:PROT?", -114),
    ("tektronix-mso", b"CH0:OVER?", -114),
    ("keithley-3706a", b"*SRE #H" + 300 * b"F", -124),
    ("rohde-schwarz-smb100a", b"FREQ? FOO", -224),
    ("keysight-33600", b"VOLT? FOO", -224),
    ("tektronix-awg5200", b"MMEM:DATA", -109),
    ("keithley-6221", b"SOUR:WAVE:ARB:DATA", -109),
    ("keithley-6221", b"SOUR:WAVE:ARB:DATA 1,NAN", -222),
    ("keysight-n5173b", b"POW 1E400DBM", -222),
    ("tektronix-awg5200", b"WLIS:WAV:NEW 'a',67108864;:WLIS:WAV:NEW 'b',1", -225),
    ("keithley-2182a", b"A" * 300, -112),
    ("keithley-2400", b"ARM:COUN 2500;:TRIG:COUN 2500;:SOUR:FUNC CURR;:OUTP 1;:READ?", -221),
    ("rohde-schwarz-smb100a", b"UNIT:POW DBUV;:POW:POW 1e308", -222),
    ("keysight-33500", b"VOLT 1e308DBM", -222),
    ("keysight-infiniivision", b"DIG CHAN\xb2", -224),
    ("tektronix-mso", b"HOR:RECO 62500000;:ACQ:STATE RUN", -225),
    ("keysight-33600", b"BURS:STAT 1;NCYC 1e8;:FREQ 1e-6;:TRIG:SOUR BUS;:OUTP 1;*TRG;:FOO", -113),
    ("rohde-schwarz-fsv", b"SWE:COUN 32767;POIN 32001;:TRIG:SOUR IMM;:INIT;:FOO", -113),
    ("keithley-3706a", b'print(string.find(string.find(1,"%d"),"%d"))', -285),
]


@pytest.fixture(scope="module", params=["in process", "over TCP"])
def opened(request):
    with door(request.param) as made:
        yield made


@pytest.mark.parametrize(("name", "jam", "code"), JAMS, ids=[name for name, _, _ in JAMS])
def test_what_jammed_an_instrument_is_an_entry_in_its_queue(opened, name, jam, code):
    panel = opened.bench.instruments[name]
    panel.reboot()
    opened.send(name, jam)
    assert set(opened.identities()) == set(NAMES)
    assert panel.status.errors.pop()[0] == code


@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow])
@given(random=st.randoms(use_true_random=False), name=st.sampled_from(NAMES))
def test_every_instrument_answers_after_any_message(opened, random, name):
    opened.send(name, message(random, MODELS[name]))
    assert all(opened.identities().values())


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (KeyError("x"), -224), (IndexError(), -224), (ValueError(), -224), (UnicodeError(), -224),
        (OverflowError(), -222), (ZeroDivisionError(), -222), (MemoryError(), -225), (TypeError(), -300),
        (RecursionError(), -300), (AttributeError(), -300),
    ],
)  # fmt: skip
def test_whatever_leaves_a_handler_is_an_entry_and_is_logged(error, code, caplog, mocker):
    def broken():
        raise error

    panel = every_instrument(RESONATORS).instruments["keysight-33500"]
    mocker.patch.object(panel, "self_test", broken)
    replies = []
    with caplog.at_level(logging.DEBUG, "spinhw.virtual"):
        panel.execute(b"*TST?;*IDN?;:SYST:ERR?", replies.append)
    assert as_error(error).code == code
    assert replies[0].startswith(b"Agilent") and replies[0].split(b";")[1].startswith(b"%+d," % code)
    assert caplog.records[-1].exc_info[1] is error


def test_an_instrument_that_cannot_record_keeps_its_trouble_to_itself(mocker):
    made = every_instrument(RESONATORS)
    scope, meter, source = (
        made.instruments[name] for name in ("keysight-infiniivision", "rohde-schwarz-fsv", "keysight-33600")
    )
    meter.execute(b":TRIG:SOUR EXT;:INIT", print)
    scope.execute(b":TIM:RANG 1e-6;:TRIG:SWE NORM;:SING", print)
    mocker.patch.object(scope, "vertical", side_effect=ZeroDivisionError)
    source.execute(b":FUNC DC;:OUTP1 1;*TRG", print)
    assert scope.status.errors.pop()[0] == -222
    assert not len(source.status.errors)
    assert not scope.armed and not meter.armed and made.shots


@pytest.mark.campaign
@pytest.mark.timeout(3600)
@pytest.mark.parametrize(("kind", "number"), CHUNKS)
def test_campaign(kind, number, caplog):
    slow = []
    wired = OSCILLATORS if number % 5 == 4 else RESONATORS  # What oscillators do takes its time.
    with caplog.at_level(logging.DEBUG, "spinhw.virtual.scpi"), door(kind, wired) as made:
        expected = made.identities()
        for seed in range(number * CHUNK, (number + 1) * CHUNK):
            random = Random(seed)
            name = NAMES[seed % len(NAMES)]
            sent = message(random, MODELS[name])
            taken_s, allowed_s = made.send(name, sent)
            if taken_s > allowed_s:  # Once more: now and then somebody else, or a collection of garbage, takes time.
                taken_s, allowed_s = made.send(name, sent)
            if taken_s > allowed_s:
                slow.append((taken_s, allowed_s, seed, name, sent[:100]))
            assert made.identities() == expected, (seed, name, sent[:200])
    # The net caught nothing: every refusal was meant.
    assert not [record.getMessage()[:200] for record in caplog.records if record.exc_info][:20]
    assert not slow, sorted(slow, reverse=True)[:20]
