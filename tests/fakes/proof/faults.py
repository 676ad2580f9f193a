"""Faults planted in the code under test, one at a time: each must be found, or the proof proves nothing."""

from collections.abc import Callable
from contextlib import contextmanager, suppress
from typing import Any

import numpy as np
import pytest

from spinhw.errors import DeviceError
from spinhw.instruments import ramp, station
from spinhw.instruments.custody import Custody
from spinhw.instruments.drivers.keithley_2400 import Keithley2400
from spinhw.instruments.drivers.keithley_6221 import Keithley6221
from spinhw.instruments.drivers.keysight_33500 import Keysight33500
from spinhw.instruments.link import Link
from spinhw.instruments.memory import BenchMemory, Left
from spinhw.instruments.ramp import Lever
from spinhw.instruments.roles import CurrentSource, Instrument
from spinhw.instruments.roles.known_state import KnownState
from spinhw.instruments.roles.switched import SwitchedOutputs
from spinhw.instruments.settings import StationSettings

Plant = Callable[[pytest.MonkeyPatch], None]


def without(*labels: str) -> Plant:
    """Leave settings out of every known state, neither set nor read back."""

    def plant(patch: pytest.MonkeyPatch) -> None:
        whole = KnownState.settings

        def fewer(self: KnownState, channels: Any) -> Any:
            return [one for one in whole(self, channels) if one.label.partition(".")[0] not in labels]

        patch.setattr(KnownState, "settings", fewer)

    return plant


def replaced(owner: Any, name: str, other: Any) -> Plant:
    """Put something else in the place of a method."""
    return lambda patch: patch.setattr(owner, name, other)


def nothing(*_: Any, **__: Any) -> None:
    """Do nothing."""


@contextmanager
def unguarded():
    yield


def all_at_once(*plants: Plant) -> Plant:
    """Plant what only together is a fault."""
    return lambda patch: [plant(patch) for plant in plants] and None


def on_before_ready(self: Any, channel: str, on: bool) -> bool:
    """Switch on first, and bring the output to where it shall begin afterwards."""
    self._ours_to_set(channel)
    if not on:
        return self._switch_off_ours(channel)
    self.ready()
    if self.is_on(channel):
        return False
    self._make_known()
    self.custody.take(self.name, channel)
    self._set_output(channel, True)
    self._before_switching_on(channel)
    return True


def known_once(patch: pytest.MonkeyPatch) -> None:
    """Take an instrument that was known once for known for ever."""
    make_known, known = Instrument._make_known, "_planted"

    def trusting(self: Any) -> None:
        if not getattr(self, known, False):
            make_known(self)
            setattr(self, known, True)
        self.port.pin()
        self._known = self.generation

    patch.setattr(Instrument, "_make_known", trusting)


def never_known(self: Any) -> None:
    """Switch on without any known state."""
    self.port.pin()
    self._known = self.generation


def from_zero(self: Any, channel: str, target_a: float) -> None:
    """Ramp from zero, where the current was at first."""
    for value in ramp.steps(0.0, target_a, self.channels[channel].ramp_step_a):
        self._send_current(channel, value)


def stops_at_an_error(self: Lever, who: str, wait: Any, recover: Any = None) -> None:
    """Walk down until the first error."""
    start = self._start(who)
    if start is None or start == self.end or (self.end != 0 and start < self.end):
        return
    for value in ramp.steps(start, self.end, self.step or abs(self.end - start) / 100):
        self.set(value)


def from_a_guess(patch: pytest.MonkeyPatch) -> None:
    """Begin a way down above what was read."""
    start = Lever._start
    patch.setattr(Lever, "_start", lambda self, who: None if (at := start(self, who)) is None else 1.2 * at)


def confirmed_unseen(self: Custody, name: str, output: str) -> bool:
    """Take what could not be brought down for off."""
    try:
        return self._instruments[name].bring_down(output) or True
    except Exception:
        return True


def takes_all(self: station.Station) -> list[str]:
    """Bring down whatever is on."""
    found: list[tuple[str, str]] = []
    with suppress(DeviceError):
        found = self.custody.found_on()
    return self.custody.bring_down([*found, *self.custody.ours()])


def looks_once(patch: pytest.MonkeyPatch) -> None:
    """Look the bench over for the first connection only."""
    look_over = Custody.look_over
    patch.setattr(Custody, "look_over", lambda self: None if self._looked else look_over(self))


def leaves_the_last(patch: pytest.MonkeyPatch) -> None:
    """Forget one of several outputs."""
    bring_down = Custody.bring_down

    def fewer(self: Custody, outputs: Any, among: Any = None) -> list[str]:
        chosen = list(outputs)
        return bring_down(self, chosen[:-1] if len(chosen) > 1 else chosen, among)

    patch.setattr(Custody, "bring_down", fewer)


def resets(patch: pytest.MonkeyPatch) -> None:
    """Reset every instrument when it is opened."""
    opened = Link.open

    def reset(self: Link) -> str:
        identity = opened(self)
        if self._joined:
            self.write("*RST")
        return identity

    patch.setattr(Link, "open", reset)


def range_alone(self: Any, channel: str) -> None:
    """Set the range of a current, and no compliance."""
    self.port.send("range", value=self._range_a(channel))


def twice_as_high(patch: pytest.MonkeyPatch) -> None:
    """Take an amplitude for a peak, and not from peak to peak."""
    codes = Keysight33500._codes

    def wrong(self: Any, channel: str, volts: Any) -> Any:
        found, amplitude_v = codes(self, channel, volts)
        return found, 2 * float(np.abs(volts - volts[0]).max()) or amplitude_v

    patch.setattr(Keysight33500, "_codes", wrong)


FAULTS: dict[str, Plant] = {
    "a level offset is not set": without("power_offset"),
    "a coupling of channels is not set": without("tracking_1", "tracking_2", "combined", "levels_coupled"),
    "a polarity is not set": without("polarity"),
    "a modulation is not switched off": without("modulation", "pulse", "am", "sum"),
    "compliance is not set": all_at_once(
        without("compliance", "fixed_range"),
        replaced(Keithley2400, "_prepare", range_alone),
        replaced(Keithley6221, "_prepare", range_alone),
    ),
    "switched on before it is where it shall begin": replaced(SwitchedOutputs, "_switch", on_before_ready),
    "switched on without a known state": replaced(Instrument, "_make_known", never_known),
    "a limit is not looked at": replaced(Instrument, "_check", nothing),
    "wiring is not compared": replaced(Instrument, "examine", lambda self: []),
    "a look over of the listed channels alone": replaced(Instrument, "all_outputs", lambda self: self.outputs()),
    "a look over that is made once": looks_once,
    "a recovery that trusts": known_once,
    "a restart that goes unnoticed": replaced(
        SwitchedOutputs, "is_on", lambda self, channel: self.custody.is_ours(self.name, channel)
    ),
    "a reset at the beginning": resets,
    "what is set by hand is switched": replaced(StationSettings, "by_hand", lambda self, name: frozenset()),
    "crosspoints move under current": replaced(Custody, "require_sources_off", nothing),
    "crosspoints open before the sources are off": all_at_once(
        replaced(Custody, "_is_source", lambda self, name, output: output == "matrix"),
        replaced(Custody, "require_sources_off", nothing),
    ),
    "a ramp from a guess": replaced(CurrentSource, "_ramp", from_zero),
    "a way down that begins at a guess": from_a_guess,
    "a way down that stops at an error": replaced(Lever, "lower", stops_at_an_error),
    "no way down at all": replaced(Lever, "lower", nothing),
    "a close that takes too much": replaced(station.Station, "make_safe", takes_all),
    "a close that forgets one": leaves_the_last,
    "a close that believes": replaced(Custody, "_brought_down", confirmed_unseen),
    "a close that Ctrl-C cuts short": replaced(station, "uninterrupted", unguarded),
    "a memory that forgets": replaced(BenchMemory, "read", lambda self: Left()),
    "an off that takes what others switched on": replaced(Left, "knows", lambda self, output: True),
    "a wave of another amplitude": twice_as_high,
}
