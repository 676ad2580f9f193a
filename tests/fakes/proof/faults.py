"""Faults planted in the code under test, one at a time: each must be found, or the proof proves nothing."""

from collections.abc import Callable
from contextlib import contextmanager, suppress
from typing import Any

import numpy as np
from pytest_mock import MockerFixture

from spinhw.errors import DeviceError
from spinhw.instruments import discovery, ramp, station
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

Plant = Callable[[MockerFixture], None]


def without(*labels: str) -> Plant:
    """Leave settings out of every known state, neither set nor read back."""

    def plant(mocker: MockerFixture) -> None:
        whole = KnownState.settings

        def fewer(self: KnownState, channels: Any) -> Any:
            return [one for one in whole(self, channels) if one.label.partition(".")[0] not in labels]

        mocker.patch.object(KnownState, "settings", fewer)

    return plant


def replaced(owner: Any, name: str, other: Any) -> Plant:
    """Put something else in the place of a method."""
    return lambda mocker: mocker.patch.object(owner, name, other) and None


def driven(wrong: type, role: type) -> Plant:
    """Put a class over every shipped driver of a role: what it fills in otherwise is the fault."""

    def plant(mocker: MockerFixture) -> None:
        planted = {
            name: type(driver.__name__, (wrong, driver), {})
            for name, driver in discovery.SHIPPED.items()
            if issubclass(driver, role)
        }
        assert planted, role
        mocker.patch.dict(discovery.SHIPPED, planted)

    return plant


def nothing(*_: Any, **__: Any) -> None:
    """Do nothing."""


@contextmanager
def unguarded():
    yield


def all_at_once(*plants: Plant) -> Plant:
    """Plant what only together is a fault."""
    return lambda mocker: [plant(mocker) for plant in plants] and None


class OnBeforeReady(SwitchedOutputs):
    """Switches on first, and brings the output to where it shall begin afterwards."""

    def _switch(self, channel: str, on: bool) -> bool:
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


class KnownOnce(Instrument):
    """Takes an instrument that was known once for known for ever."""

    was_known = False

    def _make_known(self) -> None:
        if not self.was_known:
            super()._make_known()
            self.was_known = True
        self.port.pin()
        self._known = self.generation


class NeverKnown(Instrument):
    """Switches on without any known state."""

    def _make_known(self) -> None:
        self.port.pin()
        self._known = self.generation


class Unlimited(Instrument):
    """Looks at no limit."""

    def _check(self, *_: Any, **__: Any) -> None:
        pass


class FromZero(CurrentSource):
    """Ramps from zero, where the current was at first."""

    def _ramp(self, channel: str, target_a: float) -> None:
        for value in ramp.steps(0.0, target_a, self.channels[channel].ramp_step_a):
            self._send_current(channel, value)


def stops_at_an_error(self: Lever, who: str, wait: Any, recover: Any = None) -> None:
    """Walk down until the first error."""
    start = self.start(who)
    if start is None or start == self.end or (self.end != 0 and start < self.end):
        return
    for value in ramp.steps(start, self.end, self.step or abs(self.end - start) / 100):
        self.set(value)


def from_a_guess(mocker: MockerFixture) -> None:
    """Begin a way down above what was read."""
    start = Lever.start
    mocker.patch.object(Lever, "start", lambda self, who: None if (at := start(self, who)) is None else 1.2 * at)


class Believing(Instrument):
    """Takes what could not be brought down for off."""

    def bring_down(self, output: str) -> bool:
        with suppress(Exception):
            super().bring_down(output)
        return True


class Crossed(Instrument):
    """Takes crosspoints for sources, and nothing else."""

    def sources(self) -> list[str]:
        return ["matrix"]


def takes_all(self: station.Station) -> list[str]:
    """Bring down whatever is on."""
    found: list[tuple[str, str]] = []
    with suppress(DeviceError):
        found = self.custody.found_on()
    return self.custody.bring_down([*found, *self.custody.ours()])


def looks_once(mocker: MockerFixture) -> None:
    """Look the bench over for the first connection only."""
    look_over = Custody.look_over
    mocker.patch.object(Custody, "look_over", lambda self: None if self._looked else look_over(self))


def leaves_the_last(mocker: MockerFixture) -> None:
    """Forget one of several outputs."""
    bring_down = Custody.bring_down

    def fewer(self: Custody, outputs: Any, among: Any = None) -> list[str]:
        chosen = list(outputs)
        return bring_down(self, chosen[:-1] if len(chosen) > 1 else chosen, among)

    mocker.patch.object(Custody, "bring_down", fewer)


def resets(mocker: MockerFixture) -> None:
    """Reset every instrument when it is opened."""
    opened = Link.open

    def reset(self: Link) -> str:
        identity = opened(self)
        if self._joined:
            self.write("*RST")
        return identity

    mocker.patch.object(Link, "open", reset)


class RangeAlone(CurrentSource):
    """Sets the range of a current, and no compliance."""

    def _prepare(self, channel: str) -> None:
        self.port.send("range", value=self._range_a(channel))


class TwiceAsHigh(Keysight33500):
    """Takes an amplitude for a peak, and not from peak to peak."""

    def _codes(self, channel: str, volts: Any) -> Any:
        found, amplitude_v = super()._codes(channel, volts)
        return found, 2 * float(np.abs(volts - volts[0]).max()) or amplitude_v


FAULTS: dict[str, Plant] = {
    "a level offset is not set": without("power_offset"),
    "a coupling of channels is not set": without("tracking_1", "tracking_2", "combined", "levels_coupled"),
    "a polarity is not set": without("polarity"),
    "a modulation is not switched off": without("modulation", "pulse", "am", "sum"),
    "compliance is not set": all_at_once(
        without("compliance", "fixed_range"),
        driven(RangeAlone, Keithley2400),
        driven(RangeAlone, Keithley6221),
    ),
    "switched on before it is where it shall begin": driven(OnBeforeReady, SwitchedOutputs),
    "switched on without a known state": driven(NeverKnown, Instrument),
    "a limit is not looked at": driven(Unlimited, Instrument),
    "wiring is not compared": replaced(Instrument, "examine", lambda self: []),
    "a look over of the listed channels alone": replaced(Instrument, "all_outputs", lambda self: self.outputs()),
    "a look over that is made once": looks_once,
    "a recovery that trusts": driven(KnownOnce, Instrument),
    "a restart that goes unnoticed": replaced(
        SwitchedOutputs, "is_on", lambda self, channel: self.custody.is_ours(self.name, channel)
    ),
    "a reset at the beginning": resets,
    "what is set by hand is switched": replaced(StationSettings, "by_hand", lambda self, name: frozenset()),
    "crosspoints move under current": replaced(Custody, "require_sources_off", nothing),
    "crosspoints open before the sources are off": all_at_once(
        driven(Crossed, Instrument),
        replaced(Custody, "require_sources_off", nothing),
    ),
    "a ramp from a guess": driven(FromZero, CurrentSource),
    "a way down that begins at a guess": from_a_guess,
    "a way down that stops at an error": replaced(Lever, "lower", stops_at_an_error),
    "no way down at all": replaced(Lever, "lower", nothing),
    "a close that takes too much": replaced(station.Station, "make_safe", takes_all),
    "a close that forgets one": leaves_the_last,
    "a close that believes": driven(Believing, Instrument),
    "a close that Ctrl-C cuts short": replaced(station, "uninterrupted", unguarded),
    "a memory that forgets": replaced(BenchMemory, "read", lambda self: Left()),
    "an off that takes what others switched on": replaced(Left, "knows", lambda self, output: True),
    "a wave of another amplitude": driven(TwiceAsHigh, Keysight33500),
}
