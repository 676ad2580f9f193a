"""Every shipped profile: the complete conversation that brings an instrument, found all wrong, into its known state."""

import re

import pytest

from fakes.lab import EMPTY_QUEUES, IDENTITIES, OK, all_off, block, conversation, known_state
from spinhw.errors import DeviceError, OccupiedError
from spinhw.instruments.discovery import choose
from spinhw.instruments.profile import instrument_profile_names

CURRENT = {1: {"lowest": "-5 mA", "highest": "10 mA", "compliance": "2 V", "ramp_step": "2 mA"}}
WAVE = {1: {"lowest": "-200 mV", "highest": "300 mV"}}
RF = {1: {"highest_power": "-10 dBm", "lowest_frequency": "1 GHz", "highest_frequency": "3 GHz"}}
INPUT = {1: {"lowest": "-100 mV", "highest": "300 mV"}}
CHANNELS = {
    "keithley-2182a": {1: {}},
    "keithley-2400": CURRENT,
    "keithley-3706a": {"matrix": {"allowed": ["1101"]}},
    "keithley-6221": CURRENT,
    "rohde-schwarz-fsv": {1: {}},
    "synapse-controller": {"all": {"lowest": "-1 V", "highest": "1 V"}},
}
ABILITIES = ":SYNapse:COUNt?;:SYNapse:LIMit?;:SYNapse:RESolution?;:SYNapse:SETTle?"
KEYSIGHT = (
    ":OUTPut1:LOAD 50;:SOURce1:VOLTage:OFFSet 0;:SOURce1:VOLTage:RANGe:AUTO 1;:SOURce1:VOLTage 0.5;"
    ":SOURce1:VOLTage:RANGe:AUTO 0;:SOURce1:VOLTage MIN;:SOURce1:VOLTage:OFFSet 0"
)
# What the driver sends behind the profile's settings, from the limits above; None where the message has no reply.
PREPARED = {
    "keithley-2400": [
        ":SOURce:FUNCtion CURRent;:SOURce:CURRent:MODE FIXed;:SENSe:VOLTage:PROTection 2;:SOURce:CURRent:RANGe 0.01;"
        ":SENSe:FUNCtion 'VOLTage:DC','CURRent:DC';:FORMat:ELEMents VOLTage,CURRent"
    ],
    "keithley-6221": [":SOURce:CURRent:RANGe 0.01;:SOURce:CURRent:COMPliance 2"],
    "keysight-33500": [KEYSIGHT],
    "keysight-33600": [KEYSIGHT],
    "tektronix-awg5200": [":OUTPut1:PATH DCHB;:SOURce1:VOLTage:AMPLitude 0.5;:SOURce1:VOLTage:OFFSet 0.05"],
    "synapse-controller": [
        (ABILITIES, "2;-2,2;1E-3;1E-4"),
        (ABILITIES, "2;-2,2;1E-3;1E-4"),
        ":FORMat:BORDer SWAPped",
        (b":SYNapse:DATA 0," + block(bytes(8)), ""),
        ":SYNapse:APPLy",
        ("*OPC?", "1"),
        ":SYNapse:LIMit -1,1",
    ],
}
PROFILES = pytest.mark.parametrize("name", instrument_profile_names())


def profile_of(name):
    _, profile, _ = choose(name, "test")
    assert profile is not None
    return profile


def channels_of(name):
    role = {"keysight-33": WAVE, "tektronix-a": WAVE, "keysight-in": INPUT, "tektronix-d": INPUT, "tektronix-m": INPUT}
    return CHANNELS.get(name) or role.get(name[:11], RF)


def setting(profile, message):
    """Give the exchanges of one setting, looked after in the same message or in one of its own."""
    ask = profile.errors.ask
    if profile.errors.joined:
        return [(f"{message};{ask}", EMPTY_QUEUES.get(ask, OK))]
    return [(message, ""), (ask, EMPTY_QUEUES[ask])]


def looked_over(name, wired=()):
    """Nothing but questions: the outputs twice, to refuse and to keep, then the wiring and the state, all wrong."""
    state = [(one.ask, "odd") for one in known_state(name, channels_of(name))]
    return [*all_off(name), *all_off(name), *wired_as(name, wired), *state]


def wired_as(name, changed=()):
    profile, questions = profile_of(name), []
    for key, one in profile.wired.items():
        if one.only is None or re.search(one.only, IDENTITIES[name]):
            for channel in channels_of(name) if one.of_channel else [None]:
                reply = list(one.replies.values())[1 if key in changed else 0]
                questions.append((one.ask.format(channel=channel), reply))
    return questions


def emptied(name):
    profile = profile_of(name)
    left = {":SYST:ERR?": '-113,"Undefined header"', ":HEADer 0;*ESR?;:EVMsg?": '32;113,"Undefined header"'}
    error = left.get(profile.errors.ask, "1.11500e+03\tparameter error\t2.00000e+01\t1")
    return [(profile.errors.ask, error), (profile.errors.ask, EMPTY_QUEUES.get(profile.errors.ask, OK))]


def made_known(name):
    """Settings in the order of the profile, each read back at once; then the driver's own; then all read back."""
    profile, state = profile_of(name), known_state(name, channels_of(name))
    exchanges = [(one.ask, "odd") for one in state] + all_off(name)
    for one in state:
        if one.send is not None:
            exchanges += [*setting(profile, one.send), (one.ask, one.reply)]
    for message in PREPARED.get(name, []):
        exchanges += setting(profile, message) if isinstance(message, str) else [message]
    return exchanges + [(one.ask, one.reply) for one in state]


@PROFILES
def test_instrument_that_was_found_all_wrong_is_made_known_whole_and_in_order(name, caplog):
    exchanges = [*looked_over(name), *emptied(name), *made_known(name)]
    with conversation(name, channels_of(name), exchanges, known=False) as instrument:
        instrument.ready()
        instrument.ready()  # It is known: nothing is asked again.
        assert set(instrument.found) == {"outputs", "wired", "state"}
        assert set(instrument.found["state"].values()) <= {"odd"}
    assert "was in the error queue before anything was set here" in caplog.text


@PROFILES
def test_nothing_is_set_where_a_wiring_is_otherwise_than_the_bench_file_says(name):
    profile = profile_of(name)
    keys = [key for key, one in profile.wired.items() if len(one.replies) > 1 and one.only is None]
    if not keys:
        pytest.skip("its profile compares no wiring")
    key, one = keys[0], profile.wired[keys[0]]
    stated, seen = list(one.replies)[:2]
    with conversation(
        name, channels_of(name), looked_over(name, [key]), known=False, wired={key: stated}
    ) as instrument:
        with pytest.raises(OccupiedError, match=f"nothing was changed; seen: it: {key}.* is {seen}, not {stated}"):
            instrument.ready()
        assert instrument.make_safe() == []


@PROFILES
def test_every_output_of_a_model_is_looked_at_before_anything_is_set(name):
    outputs = all_off(name)
    for place, (ask, off) in enumerate(outputs):
        found = [*outputs[:place], (ask, "1101" if off == "nil" else "1"), *outputs[place + 1 :]]
        with conversation(name, channels_of(name), found, known=False) as instrument:
            # What it gives is asked for the message; here the conversation has nothing more, and says so.
            with pytest.raises(OccupiedError, match="outputs are on that this session did not switch on; nothing was"):
                instrument.ready()


@PROFILES
def test_the_first_setting_that_does_not_read_back_is_the_last_that_is_sent(name):
    state = known_state(name, channels_of(name))
    first = next((one for one in state if one.send is not None), None)
    if first is None:
        pytest.skip("its profile sends nothing")
    wanted = made_known(name)
    start = len(state) + len(all_off(name))
    sent = setting(profile_of(name), first.send)
    exchanges = [*looked_over(name), *emptied(name), *wanted[:start], *sent, (first.ask, "odd")]
    with (
        conversation(name, channels_of(name), exchanges, known=False) as instrument,
        pytest.raises(DeviceError, match="does not read back as it must be before an output is switched on.*seen: odd"),
    ):
        instrument.ready()
