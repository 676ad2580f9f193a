"""Any state, any exit: on a bench that anybody left in any state, nothing ever goes beyond its limits or is left on."""

import numpy as np
import pytest

from fakes.proof.bench import Rig
from fakes.proof.campaign import CHUNK, Found, hurry, search
from fakes.proof.faults import FAULTS
from fakes.proof.recorder import Limits, Recorder

# So many seeds, and so many states in all: 2 000. Some of them in every run, all of them with --campaign.
SEEDS, ALWAYS = 20, 1
# After how many states each planted fault was found.
FOUND_AFTER: dict[str, int] = {
    "a level offset is not set": 47,
    "a coupling of channels is not set": 38,
    "a polarity is not set": 38,
    "a modulation is not switched off": 14,
    "compliance is not set": 60,
    "switched on before it is where it shall begin": 60,
    "switched on without a known state": 16,
    "a limit is not looked at": 7,
    "wiring is not compared": 13,
    "a look over of the listed channels alone": 18,
    "a look over that is made once": 163,
    "a recovery that trusts": 45,
    "a restart that goes unnoticed": 16,
    "a reset at the beginning": 4,
    "what is set by hand is switched": 18,
    "crosspoints move under current": 120,
    "crosspoints open before the sources are off": 97,
    "a ramp from a guess": 16,
    "a way down that begins at a guess": 6,
    "a way down that stops at an error": 108,
    "no way down at all": 7,
    "a close that takes too much": 6,
    "a close that forgets one": 17,
    "a close that believes": 29,
    "a close that Ctrl-C cuts short": 850,
    "a memory that forgets": 29,
    "an off that takes what others switched on": 6,
    "a wave of another amplitude": 84,
}
# Those that are found sooner are looked for in every run.
_SOON = 20


@pytest.fixture(autouse=True)
def hurried(mocker, caplog):
    hurry(mocker)
    caplog.set_level("CRITICAL")


def explained(found: Found | None) -> str:
    return "" if found is None else f"state {found.after}: {found.wrong[:3]}\n{found.case}"


@pytest.mark.parametrize(
    "seed", [pytest.param(one, marks=[] if one < ALWAYS else pytest.mark.campaign) for one in range(SEEDS)]
)
def test_whatever_was_left_nothing_goes_beyond_its_limits_and_all_that_is_ours_goes_off(seed, tmp_path):
    found = search(seed, tmp_path)
    assert found is None, explained(found)


@pytest.mark.parametrize(
    "fault",
    [pytest.param(one, marks=[] if FOUND_AFTER[one] < _SOON else pytest.mark.campaign) for one in FOUND_AFTER],
)
def test_a_planted_fault_is_found(fault, tmp_path, mocker):
    FAULTS[fault](mocker)
    chunks = (search(seed, tmp_path) for seed in range(SEEDS))
    assert next((found for found in chunks if found is not None), None) is not None


def test_every_planted_fault_was_found_within_the_campaign():
    assert FOUND_AFTER.keys() == FAULTS.keys()
    assert max(FOUND_AFTER.values()) <= SEEDS * CHUNK


def test_the_recorder_sees_every_transition_within_one_message(tmp_path):
    rig = Rig((("keithley-6221", 0),), tmp_path)
    recorder = Recorder(
        rig.panels, {("keithley-6221", "1"): Limits(amperes=(0.0, 1e-3), volts=(-1.0, 1.0))}, lambda: 0.0
    )
    recorder.start()
    rig.say("keithley-6221", b"OUTP 1;:SOUR:CURR 1E-3;:SOUR:CURR 2E-3;:SOUR:CURR 5E-4")
    given = [level.current_a for _, _, level in recorder.history]
    np.testing.assert_allclose(given, [1e-3, 2e-3, 5e-4])
    assert len(recorder.wrong) == 1 and "went beyond its limits" in recorder.wrong[0]
