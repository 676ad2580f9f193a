"""A session on a bench in any state, drawn action by action, and what must hold of it whatever happens."""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import strategies as st

from fakes.proof.bench import OUTPUTS, WIRED_AS, Rig
from fakes.proof.recorder import Limits, Output, Recorder, is_on, outputs_of
from fakes.proof.states import ON, SOURCES, messages
from spinhw.errors import DeviceError, LimitError, OccupiedError
from spinhw.instruments import CurrentSource, RFSource, Station, Switch, SynapseController, WaveformSource
from spinhw.instruments.outputs import everything, nothing_else
from spinhw.virtual.instruments import Keithley3706A

VERBS = ("on", "set", "play", "off", "on", "set", "play", "again", "reboot", "keys", "raw", "tell")
FAULTS = ("lost", "unanswered", "rebooted", "unplugged", "interrupt")
_SHARES = (0.0, 1.0, 0.5, 0.1, 0.99, 1.5)
_RATE_HZ = 1e8


class BrokenError(Exception):
    """A session that its own program ends."""


@dataclass(frozen=True)
class Case:
    """Who left what, and what is done then.

    Args:
        models: Model and variant of the bench file, in its order.
        left: What was said to each before.
        on: What was switched on before, last of all.
        clean: Whether the error queues were emptied.
        script: Verb, instrument, share of a range, another number.
        faults: Number of a message, and what happens to it.
        ending: Whether the program of the session ends in an error.
    """

    models: tuple[tuple[str, int], ...]
    left: tuple[tuple[bytes, ...], ...]
    on: tuple[tuple[bytes, ...], ...]
    clean: bool
    script: tuple[tuple[str, int, float, int], ...]
    faults: tuple[tuple[int, str], ...]
    ending: bool


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Draw a case. One generator draws all of it, evenly: Hypothesis alone would dwell on a few outputs and states."""
    dice = draw(st.randoms(use_true_random=True))
    names = dice.sample(SOURCES, dice.choice((1, 2, 2, 3)))
    steps = [
        (dice.choice(VERBS), dice.randrange(3), dice.choice(_SHARES), dice.randrange(1000))
        for _ in range(dice.randint(3, 12))
    ]
    faults = [(dice.randrange(400), dice.choice(FAULTS)) for _ in range(dice.choice((0, 0, 0, 1, 2)))]
    return Case(
        tuple((name, dice.choice((0, 1, 0, 1, 2))) for name in names),
        tuple(tuple(dice.choices(messages(name), k=dice.randrange(25))) for name in names),
        tuple(tuple(dice.choices(ON[name], k=dice.choice((0,) * 9 + (1, 2)))) for name in names),
        dice.random() < 0.5,
        tuple(steps),
        tuple(faults),
        dice.random() < 0.3,
    )


@dataclass
class Proof:
    """Carries a case out and collects what is wrong.

    Args:
        case: The case.
        folder: Where stations keep what they must remember.
    """

    case: Case
    folder: Path
    wrong: list[str] = field(default_factory=list)
    raised: list[str] = field(default_factory=list)
    stat: dict[str, int] = field(default_factory=lambda: Counter())  # What was done, and what was refused.

    def run(self) -> list[str]:
        """Give what was wrong; nothing is good."""
        self.rig = Rig(self.case.models, self.folder)
        self._leave()
        self.recorder = Recorder(self.rig.panels, self._limits(), lambda: self.rig.clock_s)
        self.rig.seen = self.recorder.played
        self.recorder.start()
        self.rig.rebooted = self._rebooted
        self.before, self.rewired, self.touched = self._on(), self._rewired(), False
        self.raw: set[str] = set()  # Instruments that were talked to past their drivers.
        self.rig.faults = dict(self.case.faults)
        kept = {name: panel.settings for name, panel in self.rig.panels.items()}
        station = self.rig.station()
        try:
            with station:
                try:
                    self._session(station)
                finally:
                    self.recorder.coming_down = True
        except (BrokenError, KeyboardInterrupt, DeviceError) as error:
            self.raised.append(str(error))
        self.rig.faults = {}
        self._after(station)
        if self.occupied and not self.touched:
            self._unchanged(kept)
        self._all_off()
        self.recorder.stop()
        return self.wrong + self.recorder.wrong

    # Before

    def _leave(self) -> None:
        for (name, _), said, on in zip(self.case.models, self.case.left, self.case.on, strict=True):
            for message in (*said, *on):
                self.rig.say(name, message)
            if self.case.clean:
                self.rig.panels[name].status.errors.clear()

    def _limits(self) -> dict[Output, Limits]:
        found = {}
        for name, one in self.rig.settings.instruments.items():
            for channel, limits in one.channels.items():
                if not getattr(limits, "by_hand", False) and channel != "matrix":
                    found[name, channel] = Limits.of(limits)
        return found

    def _by_hand(self, name: str) -> set[str]:
        channels = self.rig.settings.instruments[name].channels
        return {str(one) for one, limits in channels.items() if getattr(limits, "by_hand", False) is True}

    def _on(self) -> set[Output]:
        """List what is on that is not set by hand, as the panels show it."""
        found = set()
        for name, panel in self.rig.panels.items():
            for output in outputs_of(panel):
                by_hand = self.rig.settings.instruments[name].channels
                if isinstance(panel, Keithley3706A):
                    if panel.closed - set(by_hand["matrix"].by_hand):
                        found.add((name, output))
                elif is_on(panel, output) and output not in self._by_hand(name):
                    found.add((name, output))
        return found

    def _rewired(self) -> list[str]:
        """List what is wired otherwise than the bench file says, as the panels show it."""
        return [
            f"{name}: {setting}"
            for name, panel in self.rig.panels.items()
            for setting, value in WIRED_AS.get(name, {}).items()
            if panel.get(setting) != value
        ]

    def _rebooted(self, name: str) -> None:
        self.recorder.rebooted(name)
        self.before, self.rewired, self.touched = self._others_on(), [], True

    def _others_on(self) -> set[Output]:
        return {one for one in self._on() if one in self.recorder.theirs or one[1] == "matrix"} & (
            self.before | set(self.recorder.theirs)
        )

    @property
    def occupied(self) -> bool:
        return bool(self.before or self.rewired)

    # During

    def _session(self, station: Station) -> None:
        for verb, which, share, number in self.case.script:
            name = self.case.models[which % len(self.case.models)][0]
            try:
                self._do(station, verb, name, share, number)
                self.stat[f"{verb} done"] += 1
            except OccupiedError as error:
                self.stat[f"{verb} occupied"] += 1
                if verb != "off":  # That one is refused for its own output alone.
                    self._refused(str(error))
            except (DeviceError, LimitError) as error:
                self.stat[f"{verb} {type(error).__name__}"] += 1
        if self.case.ending:
            raise BrokenError

    def _refused(self, text: str) -> None:
        if self.before and "outputs are on" in text:
            missing = [".".join(one) for one in self.before if ".".join(one) not in text]
            if missing and not self.rig.struck:
                self.wrong.append(f"not named: {missing} in {text}")

    def _do(self, station: Station, verb: str, name: str, share: float, number: int) -> None:
        instrument = station[name]
        if verb == "again":
            station.disconnect()
            if not station.custody.ours(name):  # Of what it takes for its own, a session cannot tell who restarted it.
                self._somebody_begins(name, number)
            station.connect()
        elif verb == "reboot":
            self.rig.reboot(name)
        elif verb == "tell":
            (station.look_over, station.survey, station.outputs, station.snapshot)[number % 4]()
        elif verb in {"keys", "raw"}:
            self._past_the_driver(station, verb, name, number)
        elif isinstance(instrument, Switch):
            self._move(instrument, number)
        else:
            self._source(station, instrument, verb, share, number)

    def _somebody_begins(self, name: str, number: int) -> None:
        """Let somebody switch something on that was off while nobody was connected, now and then.

        Not where messages went past the driver, for all outputs of such an instrument count as the session's; nor
        beside a matrix, for its crosspoints must stay as they are while a source of others is on.
        """
        panel = self.rig.panels[name]
        has_matrix = any(isinstance(one, Keithley3706A) for one in self.rig.panels.values())
        if number % 3 or has_matrix or name in self.raw or any(is_on(panel, one) for one in outputs_of(panel)):
            return
        with self.recorder.away(panel):
            self.rig.say(name, ON[name][number % len(ON[name])])
        panel.status.errors.clear()
        self.before, self.touched = self._others_on(), True

    def _past_the_driver(self, station: Station, verb: str, name: str, number: int) -> None:
        """Change a setting behind the driver's back, while nothing that it could move is on."""
        panel = self.rig.panels[name]
        if any(is_on(panel, output) for output in outputs_of(panel)):
            return
        message = messages(name)[number % len(messages(name))]
        self.touched = True
        if verb == "keys":
            with self.recorder.away(panel):
                self.rig.say(name, message)
            panel.status.errors.clear()
            self.before = self._others_on()
        elif message.isascii() and b"#" not in message:
            self.raw.add(name)
            station.raw(name).write(message.decode())

    def _move(self, switch: Switch, number: int) -> None:
        allowed = switch.channels["matrix"].allowed
        routes = [route for place, route in enumerate(allowed) if number >> place & 1]
        seen = switch.connect(routes)
        self._must_be_free("connect")
        self._same("crosspoints", set(seen), set(routes))
        by_hand = set(switch.channels["matrix"].by_hand)
        self._same("crosspoints", self.rig.panels[switch.name].closed - by_hand, set(routes))

    def _source(self, station: Station, one: Any, verb: str, share: float, number: int) -> None:
        channels = list(one.channels)
        channel = channels[number % len(channels)]
        if verb == "play" and not isinstance(one, WaveformSource):
            self._source(station, one, "on", share, number)
        if verb in {"on", "off"}:
            one.set_output(verb == "on") if isinstance(one, SynapseController) else one.set_output(
                channel, verb == "on"
            )
            if verb == "on":
                self._must_be_free("set_output")
                self._same(f"{one.name}.{channel} on", is_on(self.rig.panels[one.name], channel), True)
        elif isinstance(one, CurrentSource):
            self._set_current(one, channel, share, number)
        elif isinstance(one, RFSource):
            self._set_tone(one, channel, share, number)
        elif isinstance(one, SynapseController):
            self._program(one, share, number)
        elif isinstance(one, WaveformSource):
            self._play(one, channel, share, number, verb)

    def _set_current(self, one: CurrentSource, channel: str, share: float, number: int) -> None:
        limits = one.channels[channel]
        asked = share * (limits.lowest_a if number % 2 else limits.highest_a)
        one.set_current(channel, asked)
        self._must_be_free("set_current")
        panel = self.rig.panels[one.name]
        if panel.get("on"):
            most = limits.compliance_v / panel.load_ohm
            wanted = max(-most, min(most, asked))
            given = panel.at_connectors()["1"].current_a
            self._near(f"{one.name} current", given, wanted, 0.01 * abs(wanted) + 1e-9)

    def _set_tone(self, one: RFSource, channel: str, share: float, number: int) -> None:
        limits, panel = one.channels[channel], self.rig.panels[one.name]
        hertz = limits.lowest_frequency_hz + share * (limits.highest_frequency_hz - limits.lowest_frequency_hz)
        one.set_frequency(channel, hertz)
        watts = limits.highest_power_w * (share if number % 2 else share**4)
        if watts > 0:
            one.set_power(channel, watts)
            self._must_be_free("set_power")
            if panel.get("on"):
                self._near(f"{one.name} power", panel.at_connectors()["1"].power_w, watts, 0.01 * watts)
        if panel.get("on"):
            self._near(f"{one.name} frequency", panel.tone_hz(), hertz, 1.0)

    def _program(self, one: SynapseController, share: float, number: int) -> None:
        limits, panel = one.channels["all"], self.rig.panels[one.name]
        ends = np.array([limits.lowest_v, limits.highest_v])[[(number >> place) & 1 for place in range(OUTPUTS)]]
        one.program(share * ends)
        self._must_be_free("program")
        if panel.get("on"):
            self._near(f"{one.name} volts", panel.outputs_v, share * ends, 1e-4)

    def _play(self, one: WaveformSource, channel: str, share: float, number: int, verb: str) -> None:
        limits, panel = one.channels[channel], self.rig.panels[one.name]
        rest = 0.0 if limits.lowest_v <= 0 <= limits.highest_v else limits.lowest_v
        if number % 5 == 0:
            rest = (limits.lowest_v + limits.highest_v) / 2
        wave = np.full(64, rest)
        wave[10:20], wave[20:30] = rest + share * (limits.highest_v - rest), rest + share * (limits.lowest_v - rest)
        one.upload({channel: wave}, _RATE_HZ)
        self._must_be_free("upload")
        if verb != "play":
            return
        one.set_output(channel, True)
        one.arm()
        played = panel.played(external=False).get(int(channel))
        if played is None:
            self.wrong.append(f"{one.name}.{channel} plays nothing")
            return
        load = panel.lab.load_ohm(panel, int(channel))
        factor = 2.0 if load == float("inf") else 2 * load / (load + 50.0)
        step = 0.002 * (limits.highest_v - limits.lowest_v) + 2e-3  # An amplitude that is too small is made up for.
        self._near(f"{one.name}.{channel} wave", played.samples[:62] * factor, wave[:62], step)
        one.trigger()
        if number % 3 == 0:
            one.stop()

    # Judging

    def _must_be_free(self, what: str) -> None:
        """Say that something was set though the bench was not ours to use."""
        if self.occupied:
            self.wrong.append(f"{what} went through though {sorted(self.before)} was on, or {self.rewired} otherwise")

    def _same(self, what: str, seen: object, wanted: object) -> None:
        if seen != wanted:
            self.wrong.append(f"{what}: {seen}, not {wanted}")

    def _near(self, what: str, seen: Any, wanted: Any, within: float) -> None:
        if np.shape(seen) != np.shape(wanted) or not np.all(np.abs(np.asarray(seen) - wanted) <= within):
            self.wrong.append(f"{what}: {seen}, not {wanted}")

    # After

    def _after(self, station: Station) -> None:
        """Everything that is ours is off, or named; once all is plugged in again, it is brought down from memory."""
        named = {tuple(one.split(".")) for one in station.unconfirmed}
        on = [one for one in self.recorder.ours() if one not in named]
        if on:
            self.wrong.append(f"on at the end and not named: {on}")
        if named and not self.rig.struck:
            self.wrong.append(f"could not be confirmed off without any fault: {named}")
        self.rig.unplugged.clear()
        done = self.rig.station().bring_down(nothing_else)
        self._same("unconfirmed from memory", done.unconfirmed, ())
        if on := self.recorder.ours():
            self.wrong.append(f"on after 'off': {on}")

    def _unchanged(self, kept: dict[str, dict[Any, Any]]) -> None:
        changed = [name for name, panel in self.rig.panels.items() if panel.settings != kept[name]]
        if changed:
            self.wrong.append(f"changed though the bench was refused: {changed}")

    def _all_off(self) -> None:
        theirs = self._on()
        self.recorder.taken = {one for one in self.recorder.now if one in theirs} | {
            one for one in theirs if one[1] == "matrix"
        }
        done = self.rig.station().bring_down(everything)
        self._same("unconfirmed of everything", done.unconfirmed, ())
        if on := self._on():
            self.wrong.append(f"on after 'off --all': {on}")
