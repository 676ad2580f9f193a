"""Small benches for tests of the VISA device and bank: a virtual bench, and the bench file of whoever uses it."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyvisa
import yaml

from fakes.bench import ADDRESSES, BANK, FIFTY_OHMS
from spinhw.config import build
from spinhw.instruments import StationSettings
from spinhw.instruments.traffic import Message, Traffic
from spinhw.network import NetworkSettings
from spinhw.virtual import Bench, BenchSettings, serving
from spinhw.virtual.instruments import Keithley3706A, KeysightInfiniiVision

NETWORK = NetworkSettings(layers=(4, 3), outputs=2, readout_samples=2)
NEURONS = 7
INTERVAL_S = 1e-9

# Scopes come up with inputs of 1 Mohm, and the board has the limits of the bench file below.
TEK_FIFTY_OHMS = [";".join(f":CH{one}:TER 50" for one in range(1, 9))]
LIMITS = [":SYN:LIM -2,2"]

CHIP_TRUTH: dict[str, Any] = {
    "id": "small",
    "network": {"layers": [4, 3], "outputs": 2, "readout_samples": 2},
    "chip": {"spread": {"gamma": 0.1, "sigma": 0.1, "q": 0.1}, "synapses": {"limit": 4.0}},
    "conversion": {"input": "50 mV", "weight": "500 mV", "bias": "500 mV", "power": "100 mV", "output": "50 mV"},
    "instruments": {
        "awg": {"model": "keysight-33600"},
        "scope": {"model": "keysight-infiniivision", "power_on": FIFTY_OHMS},
        "tek": {"model": "tektronix-mso", "power_on": TEK_FIFTY_OHMS},
        "matrix": {"model": "keithley-3706a"},
        "board": {"model": "synapse-controller", "outputs": ADDRESSES, "power_on": LIMITS},
        "smu": {"model": "keithley-2400"},
    },
    "wiring": {
        "kind": "chip",
        "inputs": ["awg:1"],
        "controller": "board",
        "gate": {"kind": "channel", "source": "awg:2"},
        "supply": "smu",
    },
    "probes": [
        {"signal": "power", "to": "matrix:1", "latency": "400 ps", "noise": "0.3 mV"},
        {"signal": "output", "to": "tek:1", "latency": "400 ps", "noise": "0.3 mV"},
    ],
    "switch": {"instrument": "matrix", "rows": ["scope:1", "scope:2", "scope:3", "scope:4"]},
}
BANK_TRUTH: dict[str, Any] = BANK | {
    "wiring": BANK["wiring"] | {"drive_path": {"latency": "100 ps"}},
    "probes": [BANK["probes"][0] | {"latency": "400 ps", "noise": "0.3 mV"}],
}
BEHIND_TRUTH = BANK_TRUTH | {
    "chip": {"spread": BANK_TRUTH["chip"]["spread"] | {"cutoff": 0.3}},
    "probes": [
        *BANK_TRUTH["probes"],
        {"signal": "filtered", "numbers": [1], "to": "scope:3", "latency": "400 ps", "noise": "0.3 mV"},
    ],
}
CURRENT = {"lowest": "0 mA", "highest": "12 mA", "compliance": "5 V", "ramp_step": "12 mA", "ramp_delay": "0 s"}
POWER = {"lowest": "-20 mV", "highest": "130 mV"}
ROUTES = [f"1{number % 4 + 1}{number + 1:02d}" for number in range(NEURONS)]
TIMING = {"source_rate": "1 GHz", "digitizer_rate": "1 GHz", "rest": "150 ns"}
CHIP_INSTRUMENTS: dict[str, tuple[str, str, dict[Any, Any]]] = {
    "smu": ("current-source", "keithley-2400", {"1": CURRENT}),
    "board": ("synapse-controller", "synapse-controller", {"all": {"lowest": "-2 V", "highest": "2 V"}}),
    "awg": (
        "waveform-source",
        "keysight-33600",
        {"1": {"lowest": "-0.45 V", "highest": "0.45 V"}, "2": {"lowest": "0 V", "highest": "1.2 V"}},
    ),
    "matrix": ("switch", "keithley-3706a", {"matrix": {"allowed": ROUTES}}),
    "scope": ("digitizer", "keysight-infiniivision", {str(one): POWER for one in range(1, 5)}),
    "tek": ("digitizer", "tektronix-mso", {str(one): {"lowest": "-60 mV", "highest": "60 mV"} for one in (1, 2)}),
}
CHIP_WIRING: dict[str, Any] = {
    "kind": "chip",
    "timing": TIMING | {"latency": "400 ps"},
    "inputs": ["awg.1"],
    "gate": "awg.2",
    "synapses": "board.all",
    "neurons": [f"scope.{number % 4 + 1} via matrix.{route}" for number, route in enumerate(ROUTES)],
    "outputs": ["tek.1", "tek.2"],
    "supply": ["smu.1"],
    "supply_current": "10 mA",
}
BANK_INSTRUMENTS: dict[str, tuple[str, str, dict[Any, Any]]] = {
    "bias": ("current-source", "keithley-2400", {"1": CURRENT}),
    "awg": ("waveform-source", "keysight-33600", {str(one): {"lowest": "-1 V", "highest": "1 V"} for one in (1, 2)}),
    "scope": ("digitizer", "keysight-infiniivision", {"1": POWER, "2": POWER}),
}
BANK_WIRING: dict[str, Any] = {
    "kind": "oscillators",
    "timing": TIMING | {"latency": "500 ps"},
    "drives": ["awg.1", "awg.2"],
    "transconductance": "10 mS",
    "powers": ["scope.1", "scope.2"],
    "supply": ["bias.1"],
    "supply_current": "10 mA",
}


def bench_file(
    instruments: Mapping[str, tuple[str, str, dict[Any, Any]]],
    wiring: Mapping[str, Any],
    addresses: Mapping[str, str],
    backend: str,
    **of_each: Any,
) -> dict[str, Any]:
    """Write the bench file of a user, as plain data."""
    return {
        "kind": "visa",
        "id": "bench",
        "backend": backend,
        "instruments": {
            name: {"role": role, "driver": driver, "address": addresses[name], "channels": channels, **of_each}
            for name, (role, driver, channels) in instruments.items()
        },
        "wiring": dict(wiring),
        "conversion": CHIP_TRUTH["conversion"] | {"threshold": "5 mA"},
    }


@contextmanager
def standing(truth: Mapping[str, Any], door: str, folder: Path) -> Iterator[tuple[Bench, dict[str, str], str]]:
    """Give a virtual bench, its addresses, and the backend by which they are reached."""
    if door == "TCP":
        made = Bench(build(BenchSettings, dict(truth), "test"))
        with serving(made) as addresses:
            yield made, addresses, "@py"
        return
    path = folder / "truth.yaml"
    path.write_text(yaml.safe_dump(dict(truth)), encoding="utf-8")
    backend = f"{path}@spinhw"
    manager = pyvisa.ResourceManager(backend)  # Kept, for the bench goes with its last user.
    made = manager.visalib.bench
    yield made, made.addresses, backend
    manager.close()


def by_hand_off(made: Bench) -> None:
    """Do what a person does at a bench that was left on: switch everything off, and reset what protected itself."""
    for panel in made.instruments.values():
        if isinstance(panel, KeysightInfiniiVision):
            panel.clear_protection()
        elif isinstance(panel, Keithley3706A):
            panel.closed.clear()
        else:
            for channel in range(1, panel.channels + 1) if panel.at_connectors() else ():
                panel.store("on", channel, False)


def chip_settings(addresses: Mapping[str, str], backend: str, **of_each: Any) -> StationSettings:
    return build(
        StationSettings, bench_file(CHIP_INSTRUMENTS, CHIP_WIRING, addresses, backend, **of_each), "bench.yaml"
    )


def bank_settings(addresses: Mapping[str, str], backend: str, **of_each: Any) -> StationSettings:
    return build(
        StationSettings, bench_file(BANK_INSTRUMENTS, BANK_WIRING, addresses, backend, **of_each), "bench.yaml"
    )


def behind_settings(addresses: Mapping[str, str], backend: str) -> StationSettings:
    """Give a bank with a second input of the scope behind the high-pass of oscillator 1."""
    role, driver, inputs = BANK_INSTRUMENTS["scope"]
    scope = (role, driver, inputs | {"3": {"lowest": "-60 mV", "highest": "60 mV"}})
    instruments, wiring = BANK_INSTRUMENTS | {"scope": scope}, BANK_WIRING | {"filtered": {1: "scope.3"}}
    return build(StationSettings, bench_file(instruments, wiring, addresses, backend), "bench.yaml")


def said_since(traffic: Traffic, mark: Message) -> list[Message]:
    """Give the messages behind one; their count is no mark, since the log keeps only so many."""
    messages = traffic.recent()
    return messages[messages.index(mark) + 1 :]
