"""A bench of virtual instruments for the proof: cables that can fail, wires of its own, and a bench file."""

import signal
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from spinhw.config import build
from spinhw.instruments import Station, StationSettings
from spinhw.instruments.wires import Wire
from spinhw.virtual.instruments import MODELS, Keysight33500, Panel, SynapseController
from spinhw.virtual.lab import EmptyLab
from spinhw.virtual.scpi import Framer

OUTPUTS, RANGE_V = 8, (-2.5, 2.5)  # Of the synapse controller.
ROLES = {
    "keithley-2400": "current-source",
    "keithley-6221": "current-source",
    "keysight-33500": "waveform-source",
    "keysight-33600": "waveform-source",
    "tektronix-awg5200": "waveform-source",
    "rohde-schwarz-smb100a": "rf-source",
    "rohde-schwarz-sgs100a": "rf-source",
    "rohde-schwarz-smw200a": "rf-source",
    "keysight-n5173b": "rf-source",
    "synapse-controller": "synapse-controller",
    "keithley-3706a": "switch",
}
_HAND = {"by_hand": True}
_SMALL = {"lowest": "0 mA", "highest": "2 mA", "compliance": "500 mV", "ramp_step": "0.5 mA"}
_SIGNED = {"lowest": "-5 mA", "highest": "1 mA", "compliance": "150 mV", "ramp_step": "1 mA", "ramp_delay": "1 ms"}
_WIDE = {"lowest": "-0.45 V", "highest": "0.45 V"}
_ABOVE = {"lowest": "0.1 V", "highest": "0.4 V", "ramp_step": "20 mV"}
_TONE = {"highest_power": "-10 dBm", "lowest_frequency": "1 GHz", "highest_frequency": "3 GHz"}
_FAST = {"lowest": "-0.2 V", "highest": "0.2 V"}
# What a bench file may say of the channels of each role.
CHANNELS: dict[str, tuple[dict[str, dict[str, Any]], ...]] = {
    "current-source": ({"1": _SMALL}, {"1": _SIGNED}, {"1": _SMALL | _HAND}),
    "waveform-source": (
        {"1": _WIDE, "2": {"lowest": "0 V", "highest": "1.2 V"}},
        {"1": _ABOVE},
        {"2": _WIDE | {"load": None}, "1": _WIDE | _HAND},
    ),
    "rf-source": ({"1": _TONE}, {"1": _TONE | {"highest_power": "0 dBm", "ramp_step_db": 3.0}}, {"1": _TONE | _HAND}),
    "synapse-controller": (
        {"all": {"lowest": "-2 V", "highest": "2 V"}},
        {"all": {"lowest": "-1 V", "highest": "1.5 V", "ramp_step": "0.25 V"}},
        {"all": {"lowest": "-2 V", "highest": "2 V"} | _HAND},
    ),
    "switch": (
        {"matrix": {"allowed": ["1101", "1102", "1203"], "most_closed": 2}},
        {"matrix": {"allowed": ["1101", "1102"], "by_hand": ["2208"]}},
        {"matrix": {"allowed": ["1102"], "by_hand": ["1101", "2208"]}},
    ),
}
FAST_CHANNELS = (
    {"1": _FAST, "3": {"lowest": "0 V", "highest": "0.3 V"}},
    {"2": _FAST | {"lowest": "0.05 V", "ramp_step": "10 mV"}},
    {"1": _FAST | _HAND, "2": _FAST | _HAND},  # Its channels start and stop together.
)
# How each is wired: as it is after a reset. Somebody may have changed that too.
WIRED: dict[str, dict[str, Any]] = {
    "keithley-2400": {
        "terminals": "front",
        "wires": "2",
        "off_state": "normal",
        "guard": "cable",
        "output_enable": "off",
    },
    "keithley-6221": {"earth": "low", "shield": "low", "response": "fast"},
    "keysight-33500": {"reference": "internal"},
    "keysight-33600": {"reference": "internal"},
    "tektronix-awg5200": {"reference": "internal"},
    "rohde-schwarz-smb100a": {"reference": "internal"},
    "rohde-schwarz-sgs100a": {"reference": "internal", "lo": "internal"},
    "rohde-schwarz-smw200a": {"reference": "internal", "lo": "internal"},
    "keysight-n5173b": {},
    "synapse-controller": {},
    "keithley-3706a": {},
}

# The same as the panels show it.
WIRED_AS: dict[str, dict[str, Any]] = {
    "keithley-2400": {
        "terminals": "FRON",
        "four_wires": False,
        "off_mode": "NORM",
        "guard": "CABL",
        "output_enable": False,
    },
    "keithley-6221": {"low_to_earth": True, "shield": "OLOW", "response": "FAST"},
    "keysight-33500": {"reference": "INT"},
    "keysight-33600": {"reference": "INT"},
    "tektronix-awg5200": {"clock": "INT"},
    "rohde-schwarz-smb100a": {"reference": "INT"},
    "rohde-schwarz-sgs100a": {"reference": "INT", "lo": "INT"},
    "rohde-schwarz-smw200a": {"reference": "INT", "lo": "INT"},
}


def channels_of(model: str, variant: int) -> dict[str, dict[str, Any]]:
    """Give what the bench file says of the channels of a model."""
    variants = FAST_CHANNELS if model == "tektronix-awg5200" else CHANNELS[ROLES[model]]
    return variants[variant % len(variants)]


def bench_settings(models: tuple[tuple[str, int], ...]) -> StationSettings:
    """Make the bench file of instruments, each called as its model."""
    alone = [_alone(*one) for one in models]
    instruments = {
        model: one.instruments[model].model_copy(update={"address": f"GPIB0::{place + 1}::INSTR"})
        for place, ((model, _), one) in enumerate(zip(models, alone, strict=True))
    }
    return alone[0].model_copy(update={"instruments": instruments})


@cache
def _alone(model: str, variant: int) -> StationSettings:
    instrument = {
        "role": ROLES[model],
        "driver": model,
        "address": "GPIB0::1::INSTR",
        "channels": channels_of(model, variant),
        "wired": WIRED[model],
    }
    data = {"kind": "visa", "id": "proof", "backend": "proof@spinhw", "instruments": {model: instrument}}
    return build(StationSettings, data, "proof.yaml")


class Wires(EmptyLab):
    """Wires on which a trigger lets sources play, and whoever watches sees what they play."""

    def __init__(self, seen: Callable[[Panel, int, Any], None]) -> None:
        super().__init__()
        self._seen, self._is_firing = seen, False
        self.load: dict[tuple[str, int], float] = {}

    def trigger(self, by: Panel) -> None:
        if self._is_firing:
            return
        self._is_firing = True
        for panel in self.panels:
            for channel, wave in panel.played(external=panel is not by).items():
                self._seen(panel, channel, wave)
        self._is_firing = False

    def load_ohm(self, panel: Panel, channel: int) -> float:
        return self.load.get((panel.name, channel), 50.0)


class CutError(Exception):
    """The cable is out."""


class Cable(Wire):
    """Bytes to and from a virtual instrument. `struck` is asked before each message what goes wrong with it."""

    def __init__(self, panel: Panel, struck: Callable[["Cable"], str | None], reboot: Callable[[str], None]) -> None:
        self.panel, self._struck, self._reboot, self.is_out = panel, struck, reboot, False
        self._framer, self._waiting = Framer(), bytearray()

    def send(self, *parts: Any) -> None:
        fault = self._struck(self)
        if fault == "lost":
            self.is_out = True
        if self.is_out:
            raise CutError("connection reset")
        self._waiting.clear()  # A message that comes before a reply was read discards it.
        for message in self._framer.feed(b"".join(parts)):
            self.panel.execute(message, self._waiting.extend)
        if fault == "unanswered":
            self._waiting.clear()
        if fault == "interrupt":
            signal.raise_signal(signal.SIGINT)  # Held back while outputs are brought down, as a true Ctrl-C is.
        if fault == "rebooted":
            self._reboot(self.panel.name)
            self.is_out = True

    def receive_line(self) -> bytes:
        end = self._waiting.find(b"\n")
        return self.receive(end + 1 if end >= 0 else 1 << 40).rstrip(b"\r\n")

    def receive(self, count: int) -> bytes:
        if self.is_out:
            raise CutError("connection reset")
        if len(self._waiting) < count:
            raise TimeoutError("nothing was answered")
        data = bytes(self._waiting[:count])
        del self._waiting[:count]
        return data

    def end_block(self) -> None:
        self.receive_line()

    def set_timeout(self, seconds: float) -> None:
        pass

    def close(self) -> None:
        self.is_out = True


class Rig:
    """Virtual instruments on one table, and stations on them.

    Args:
        models: Model and variant of its channels in the bench file, in the order of the file.
        folder: Where stations keep what they must remember.
    """

    def __init__(self, models: tuple[tuple[str, int], ...], folder: Path) -> None:
        self.models, self._folder = models, folder
        self.clock_s = 0.0
        self.seen: Callable[[Panel, int, Any], None] = lambda panel, channel, wave: None
        self.rebooted: Callable[[str], None] = lambda model: None
        self.faults: dict[int, str] = {}  # What goes wrong, by the number of the message.
        self.count, self.struck = 0, list[tuple[str, str]]()
        self.unplugged: set[str] = set()
        self.lab = Wires(lambda panel, channel, wave: self.seen(panel, channel, wave))
        self.panels = {model: _panel(model, self.lab) for model, _ in models}
        self.lab.panels = list(self.panels.values())
        self.settings = bench_settings(models)
        for name, one in self.settings.instruments.items():
            for channel, limits in one.channels.items():
                if getattr(limits, "load_ohm", 50.0) is None:
                    self.lab.load[name, int(channel)] = float("inf")

    def station(self) -> Station:
        """Make a station that waits for nobody."""
        return Station(self.settings, "proof.yaml", state_folder=self._folder, connect=self.connect, wait=self.wait)

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.clock_s += seconds

    def connect(self, address: str, backend: str, timeout_s: float) -> Wire:
        """Open a cable to the instrument at an address."""
        model = self.models[int(address.split("::")[1]) - 1][0]
        if model in self.unplugged:
            raise CutError("nobody there")
        return Cable(self.panels[model], self._strike, self.reboot)

    def reboot(self, model: str) -> None:
        """Take the power away from an instrument for a moment."""
        self.panels[model].reboot()
        self.rebooted(model)

    def say(self, model: str, message: bytes) -> str:
        """Press keys at a front panel."""
        replies: list[bytes] = []
        self.panels[model].execute(message, replies.append)
        return b"".join(replies).decode("latin-1").strip()

    def _strike(self, cable: Cable) -> str | None:
        fault = self.faults.pop(self.count, None)
        self.count += 1
        if fault is not None:
            self.struck.append((cable.panel.name, fault))
        if fault == "unplugged":
            self.unplugged.add(cable.panel.name)
        return "lost" if cable.panel.name in self.unplugged else fault


def _panel(model: str, lab: Wires) -> Panel:
    kind = MODELS[model]
    if kind is SynapseController:
        return SynapseController(model, None, lab, outputs=OUTPUTS, range_v=RANGE_V)
    panel = kind(model, model, lab)
    if isinstance(panel, Keysight33500):
        panel.most_points = 256  # What is drawn with fewer points is drawn faster.
    return panel
