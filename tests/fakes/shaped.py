"""Virtual benches of any shape, and the bench files of whoever uses them: a chip without spread, four sources."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fakes.bench import FIFTY_OHMS
from fakes.visa import CURRENT, LIMITS, POWER, TEK_FIFTY_OHMS, TIMING, bench_file, standing
from spinhw.config import build
from spinhw.instruments import StationSettings
from spinhw.virtual import Bench

VOLTS = {"lowest": "-0.45 V", "highest": "0.45 V"}
GATE = {"lowest": "0 V", "highest": "1.2 V"}
VOLTS_OF = {"input": "50 mV", "weight": "500 mV", "bias": "500 mV", "power": "100 mV", "output": "200 mV"}
_COLUMNS = 32


@dataclass(frozen=True)
class Shaped:
    """What is on a bench, at most 3 inputs and 8 outputs: the last channel of the second generator is the gate.

    Args:
        inputs: Of the chip.
        layers: Neurons of each.
        outputs: Led out; 0 for a chip without a read-out of its own.
        network: More about the chip's network, as in a run.
        led_out: "power" or "filtered".
        said: More about the wiring in the bench file.
    """

    inputs: int = 3
    layers: tuple[int, ...] = (4, 3)
    outputs: int = 2
    network: Mapping[str, Any] | None = None
    led_out: str = "power"
    said: Mapping[str, Any] | None = None

    @property
    def sources(self) -> list[str]:
        return ["one.1", "one.2", "two.1"][: self.inputs]

    @property
    def addresses(self) -> int:
        sizes = zip(self.layers, (self.inputs, *self.layers[:-1]), strict=True)
        return sum(size * (before + size + 1) for size, before in sizes) + self.outputs * self.layers[-1]

    def truth(self) -> dict[str, Any]:
        network = {"inputs": self.inputs, "layers": list(self.layers), "outputs": max(1, self.outputs)}
        readout = {"readout": "hardware" if self.outputs else "software"}
        power = {"signal": self.led_out, "to": "matrix:1", "latency": "400 ps", "noise": "0.3 mV"}
        outputs = {"signal": "output", "to": "tek:1", "latency": "400 ps", "noise": "0.3 mV"}
        return {
            "id": "shaped",
            "network": network | readout | dict(self.network or {}),
            "chip": {"synapses": {"limit": 4.0}},
            "conversion": {
                "input": "50 mV",
                "weight": "500 mV",
                "bias": "500 mV",
                "power": "100 mV",
                "output": "200 mV",
            },
            "instruments": {
                "one": {"model": "keysight-33600"},
                "two": {"model": "keysight-33600"},
                "scope": {"model": "keysight-infiniivision", "power_on": FIFTY_OHMS},
                "tek": {"model": "tektronix-mso", "power_on": TEK_FIFTY_OHMS},
                "matrix": {"model": "keithley-3706a"},
                "board": {"model": "synapse-controller", "outputs": self.addresses, "power_on": LIMITS},
                "smu": {"model": "keithley-2400"},
            },
            "wiring": {
                "kind": "chip",
                "inputs": [one.replace(".", ":") for one in self.sources],
                "controller": "board",
                "gate": {"kind": "channel", "source": "two:2"},
                "supply": "smu",
            },
            "probes": [power, outputs] if self.outputs else [power],
            "switch": {"instrument": "matrix", "rows": [f"scope:{one}" for one in range(1, 5)], "columns": _COLUMNS},
        }

    def wiring(self) -> dict[str, Any]:
        return {
            "kind": "chip",
            "timing": TIMING | {"latency": "400 ps"},
            "inputs": self.sources,
            "gate": "two.2",
            "synapses": "board.all",
            "neurons": [f"scope.{number % 4 + 1} via matrix.{route}" for number, route in enumerate(self._routes())],
            "outputs": [f"tek.{one + 1}" for one in range(self.outputs)],
            "observed": self.led_out,
            "supply": ["smu.1"],
            "supply_current": "10 mA",
        } | dict(self.said or {})

    def instruments(self) -> dict[str, tuple[str, str, dict[Any, Any]]]:
        led_out = {"lowest": "-200 mV", "highest": "200 mV"}
        seen = POWER if self.led_out == "power" else {"lowest": "-100 mV", "highest": "100 mV"}
        return {
            "smu": ("current-source", "keithley-2400", {"1": CURRENT}),
            "board": ("synapse-controller", "synapse-controller", {"all": {"lowest": "-2 V", "highest": "2 V"}}),
            "one": ("waveform-source", "keysight-33600", {"1": VOLTS, "2": VOLTS}),
            "two": ("waveform-source", "keysight-33600", {"1": VOLTS, "2": GATE}),
            "matrix": ("switch", "keithley-3706a", {"matrix": {"allowed": self._routes()}}),
            "scope": ("digitizer", "keysight-infiniivision", {str(one): seen for one in range(1, 5)}),
            "tek": (
                "digitizer",
                "tektronix-mso",
                {str(one): led_out for one in (1, 2, 3)},
            ),
        }

    def file(self, addresses: Mapping[str, str] | None = None, backend: str = "@py") -> dict[str, Any]:
        """Write the bench file as plain data; without addresses for a bench that nobody reaches."""
        instruments = self.instruments()
        reached = addresses or {name: f"TCPIP0::{name}.invalid::5025::SOCKET" for name in instruments}
        conversion = VOLTS_OF | {"threshold": "5 mA"}
        return bench_file(instruments, self.wiring(), reached, backend) | {"conversion": conversion}

    def _routes(self) -> list[str]:
        return [
            f"{number // _COLUMNS + 1}{number % 4 + 1}{number % _COLUMNS + 1:02d}" for number in range(sum(self.layers))
        ]


@contextmanager
def shaped_bench(shape: Shaped, folder: Path) -> Iterator[tuple[Bench, StationSettings]]:
    """Give a virtual bench in this process, and the settings of who uses it."""
    with standing(shape.truth(), "in process", folder) as (made, addresses, backend):
        yield made, build(StationSettings, shape.file(addresses, backend), "bench.yaml")
