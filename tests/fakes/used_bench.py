"""A bench with one of each kind of output, left by somebody else, and stations on it, one after another."""

from fakes.visa import CHIP_INSTRUMENTS, CHIP_TRUTH, CHIP_WIRING, bench_file
from spinhw.config import build
from spinhw.instruments import StationSettings
from spinhw.instruments.station import Station

# A chip with everything that has outputs: one of each kind.
TRUTH = CHIP_TRUTH | {
    "instruments": CHIP_TRUTH["instruments"]
    | {
        "tone": {"model": "rohde-schwarz-smb100a"},
        "dc": {"model": "keithley-6221"},
        "fast": {"model": "tektronix-awg5200"},
    }
}
TONE = {"highest_power": "-10 dBm", "lowest_frequency": "1 GHz", "highest_frequency": "3 GHz"}
INSTRUMENTS = CHIP_INSTRUMENTS | {
    "tone": ("rf-source", "rohde-schwarz-smb100a", {"1": TONE}),
    "dc": ("current-source", "keithley-6221", {"1": CHIP_INSTRUMENTS["smu"][2]["1"] | {"ramp_step": "0.5 mA"}}),
    "fast": ("waveform-source", "tektronix-awg5200", {"1": {"lowest": "-0.2 V", "highest": "0.2 V"}}),
}
SMU = {"lowest": "0 mA", "highest": "2 mA", "compliance": "500 mV", "ramp_step": "0.5 mA", "ramp_delay": "0 s"}


class Used:
    """A virtual bench, and stations on it, one after another."""

    def __init__(self, made, addresses, backend, folder):
        self.made, self._addresses, self._backend, self._folder = made, addresses, backend, folder

    def left(self, name, *messages):
        """Leave an instrument as somebody did."""
        for message in messages:
            self.say(name, message)

    def say(self, name, message):
        replies = []
        self.made.instruments[name].execute(message.encode(), replies.append)
        return b"".join(replies).decode().strip()

    def file(self, **changes):
        instruments = INSTRUMENTS | {"smu": ("current-source", "keithley-2400", {"1": SMU})}
        data = bench_file(instruments, CHIP_WIRING | {"supply_current": SMU["highest"]}, *self._door)
        for name, keys in changes.items():
            if name == "wiring":
                data["wiring"] = keys
            else:
                data["instruments"][name] |= keys
        return build(StationSettings, data, "bench.yaml")

    @property
    def _door(self):
        return self._addresses, self._backend

    def station(self, **changes):
        return Station(self.file(**changes), "bench.yaml", state_folder=self._folder / "state", wait=lambda _: None)

    def messages(self, station, name):
        """Give what was sent that is no question, but for headers that Tektronix must be told to leave out."""
        sent = [one.data.decode("latin-1").strip() for one in station.traffic.recent(name) if one.direction == ">"]
        units = [unit for line in sent if not line.startswith("print(") for unit in line.split(";")]
        return [unit for unit in units if unit and not unit.endswith("?") and unit != ":HEADer 0"]
