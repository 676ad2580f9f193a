"""Watches the connectors of virtual instruments: voltage, current and power over time, and what they must not be."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from spinhw.virtual.instruments import Keithley3706A, Keysight33500, Panel
from spinhw.virtual.instruments.panel import Level

Output = tuple[str, str]  # Instrument and output, as spinhw names them.
OFF = Level()
# What profiles say is not looked at, since a unit may lack it, and what is no output that anything hangs on.
UNSEEN = {"rohde-schwarz-smw200a": {"2"}, "rohde-schwarz-sgs100a": {"ref_lo"}, "keysight-n5173b": {"lf"}}
# A lamp in the form of a connector: it tells whether the output is on.
_LAMPS = {("rohde-schwarz-sgs100a", "trigger")}
# Steps of converters and displays: volts, amperes, and the share of a power.
_SLACK_V, _SLACK_A, _SLACK_W = 1.2e-3, 1e-9, 1.004
# Below this a power may be cut.
_FAINT_W = 1.1e-9
# Compliance is set in steps.
_COMPLIANCE = 1.01


def is_on(panel: Panel, output: str) -> bool:
    """Say whether an output is on, as the front panel shows it."""
    if isinstance(panel, Keithley3706A):
        return bool(panel.closed)
    if output.startswith("iq_"):
        return bool(panel.get("iq_out", int(output[3:])))
    if output.startswith("lf"):
        return bool(panel.get("lf", int(output[3:] or 1)))
    if output == "lo":
        return bool(panel.get("lo_out"))
    return bool(panel.get("on", 1 if output == "all" else int(output)))


def outputs_of(panel: Panel) -> list[str]:
    """List the outputs of a model that spinhw can know of."""
    if isinstance(panel, Keithley3706A):
        return ["matrix"]
    unseen = UNSEEN.get(panel.name, set())
    return [one for one in panel.at_connectors() if one not in unseen and (panel.name, one) not in _LAMPS]


@dataclass(frozen=True)
class Limits:
    """What a connector may give: volts, amperes, watts."""

    volts: tuple[float, float] = (0.0, 0.0)
    amperes: tuple[float, float] = (0.0, 0.0)
    watts: float = 0.0
    step_a: float = np.inf  # Largest step of a current at any time, and of a voltage and a power on the way down.
    step_v: float = np.inf
    step_db: float = np.inf

    @classmethod
    def of(cls, limits: Any) -> "Limits":
        """Take them from a channel of a bench file; nothing at all is always allowed."""
        if hasattr(limits, "compliance_v"):
            most = limits.compliance_v * _COMPLIANCE
            span = (min(0.0, limits.lowest_a), max(0.0, limits.highest_a))
            return cls((-most, most), span, step_a=limits.ramp_step_a)
        if hasattr(limits, "highest_power_w"):
            return cls(watts=limits.highest_power_w, step_db=limits.ramp_step_db or np.inf)
        volts = (min(0.0, limits.lowest_v), max(0.0, limits.highest_v))
        return cls(volts, step_v=limits.ramp_step_v or np.inf)

    def hold(self, level: Level) -> bool:
        """Say whether a level is within them."""
        return (
            self.volts[0] - _SLACK_V <= level.lowest_v
            and level.highest_v <= self.volts[1] + _SLACK_V
            and self.amperes[0] - _SLACK_A <= level.current_a <= self.amperes[1] + _SLACK_A
            and level.power_w <= self.watts * _SLACK_W
        )

    def cut(self, before: Level, level: Level, down: bool) -> bool:
        """Say whether a step is larger than it may be."""
        if abs(level.current_a - before.current_a) > self.step_a * (1 + 1e-3) + _SLACK_A:
            return True
        volts = max(abs(before.lowest_v - level.lowest_v), abs(before.highest_v - level.highest_v))
        if down and volts > self.step_v + _SLACK_V:
            return True
        faint = before.power_w < _FAINT_W
        return (
            down and not faint and before.power_w > max(level.power_w, _FAINT_W) * 10 ** (self.step_db / 10) * _SLACK_W
        )


@dataclass
class Recorder:
    """Keeps what every connector gives after every command, and what was wrong with it.

    Args:
        panels: The instruments.
        limits: Of the outputs that the bench file lists and that are not set by hand.
        clock: Gives the time in seconds.
    """

    panels: dict[str, Panel]
    limits: dict[Output, Limits]
    clock: Callable[[], float]
    history: list[tuple[float, Output, Level]] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    now: dict[Output, Level] = field(default_factory=dict)
    theirs: dict[Output, Level] = field(default_factory=dict)  # What was on before, or was switched on by others.
    coming_down: bool = False
    taken: set[Output] = field(default_factory=set)  # What 'off' was told to take.
    closed: dict[str, frozenset[str]] = field(default_factory=dict)
    held: dict[str, frozenset[str]] = field(default_factory=dict)  # Crosspoints that were closed by others.

    def start(self) -> None:
        """Begin with what is there now, which belongs to others."""
        for name, panel in self.panels.items():
            self.begin(name)
            panel.observer = partial(self.note, panel)

    def rebooted(self, name: str) -> None:
        """Look at an instrument after its power was gone: what is on still is whose it was."""
        ours = [one for one in self.ours() if one[0] == name]
        self.begin(name)
        for one in ours:
            self.theirs.pop(one, None)

    def begin(self, name: str) -> None:
        """Take what an instrument gives now for what it was."""
        panel = self.panels[name]
        if isinstance(panel, Keithley3706A):
            self.closed[name] = self.held[name] = frozenset(panel.closed)
        for output, level in panel.at_connectors().items():
            one = (name, output)
            self.now[one] = level
            self.theirs.pop(one, None)
            if output not in outputs_of(panel) or is_on(panel, output):
                self.theirs[one] = level

    @contextmanager
    def away(self, panel: Panel) -> Iterator[None]:
        """Look away while somebody else sets something."""
        panel.observer = lambda: None
        yield
        self.begin(panel.name)
        panel.observer = partial(self.note, panel)

    def stop(self) -> None:
        for panel in self.panels.values():
            panel.observer = lambda: None

    def note(self, panel: Panel) -> None:
        """Look at an instrument after a command."""
        if isinstance(panel, Keithley3706A):
            self._note_routes(panel)
            return
        for output, level in panel.at_connectors().items():
            one = (panel.name, output)
            if level != self.now[one] and one not in _LAMPS:
                self._judge(one, self.now[one], level)
                self.now[one] = level
                self.history.append((self.clock(), one, level))

    def played(self, panel: Panel, channel: int, wave: Any) -> None:
        """Look at what a source plays at a trigger."""
        load = panel.lab.load_ohm(panel, channel)
        factor = 2.0 if load == float("inf") else 2 * load / (load + 50.0)
        volts = np.asarray(wave.samples) * factor
        one = (panel.name, str(channel))
        if hasattr(panel, "span_a") or one in self.theirs:
            return
        level = Level(float(volts.min()), float(volts.max()))
        self.history.append((self.clock(), one, level))
        if not self._bound(one).hold(level):
            self.wrong.append(f"{'.'.join(one)} plays {level}")

    def ours(self) -> list[Output]:
        """List what is on that nobody else switched on."""
        on = [
            (name, output)
            for name, panel in self.panels.items()
            for output in outputs_of(panel)
            if is_on(panel, output)
        ]
        matrices = [name for name, panel in self.panels.items() if isinstance(panel, Keithley3706A)]
        for name in matrices:
            if self.closed[name] == self.held[name] and (name, "matrix") in on:
                on.remove((name, "matrix"))
        return [one for one in on if one not in self.theirs]

    def _judge(self, one: Output, before: Level, level: Level) -> None:
        if one in self.taken and self._is_sum(one):
            return  # Where another channel is added, less of one can be more of both: no way down can know.
        if one in self.taken:
            if _size(level) > _size(before) * (1 + 1e-6) + 1e-6 and level.power_w <= 0:
                self.wrong.append(f"{'.'.join(one)} was raised on its way down, from {before} to {level}")
            elif level.power_w > before.power_w * _SLACK_W:
                self.wrong.append(f"{'.'.join(one)} was raised on its way down, from {before} to {level}")
        elif one in self.theirs:
            self.wrong.append(f"{'.'.join(one)} is not ours and went from {before} to {level}")
        elif not self._bound(one).hold(level):
            self.wrong.append(f"{'.'.join(one)} went beyond its limits, from {before} to {level}")
        elif self._bound(one).cut(before, level, self.coming_down):
            self.wrong.append(f"{'.'.join(one)} was cut, from {before} to {level}")
        elif self.coming_down and _size(level) > _size(before) * (1 + 1e-6) + _SLACK_V:
            self.wrong.append(f"{'.'.join(one)} was raised at the end, from {before} to {level}")

    def _is_sum(self, one: Output) -> bool:
        panel = self.panels[one[0]]
        return isinstance(panel, Keysight33500) and panel.get("combined", int(one[1])) != "NONE"

    def _bound(self, one: Output) -> Limits:
        return self.limits.get(one, Limits())

    def _note_routes(self, panel: Keithley3706A) -> None:
        now, before = frozenset(panel.closed), self.closed[panel.name]
        if now == before:
            return
        self.closed[panel.name] = now
        live = [one for one, level in self.now.items() if level != OFF and one not in self.theirs]
        if live:
            self.wrong.append(f"{panel.name}: crosspoints moved while {'.'.join(live[0])} gave {self.now[live[0]]}")
        lost = self.held[panel.name] - now
        if lost and (panel.name, "matrix") not in self.taken:
            self.wrong.append(f"{panel.name}: crosspoints of others were opened: {', '.join(sorted(lost))}")


def _size(level: Level) -> float:
    """Give one number that a way down must not raise."""
    if level.current_a:
        return abs(level.current_a)
    return max(abs(level.lowest_v), abs(level.highest_v))
