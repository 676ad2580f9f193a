"""Third-party clients, unmodified, against the virtual bench. They are no dependencies: tests skip without them."""

import pytest
import pyvisa

from spinhw.config import build
from spinhw.virtual import Bench, BenchSettings
from spinhw.virtual.backend import VirtualLibrary

MODELS = {
    "awg": "keysight-33500",
    "fast": "tektronix-awg5200",
    "smu": "keithley-2400",
    "source": "keithley-6221",
    "nvm": "keithley-2182a",
    "tone": "rohde-schwarz-sgs100a",
    "scope": "tektronix-dpo",
}


@pytest.fixture
def made() -> Bench:
    """Make a bench with everything that third parties drive; addresses are those of a GPIB bus."""
    instruments = {
        name: {"model": model, "address": f"GPIB0::{10 + place}::INSTR", "load": "100 ohm"}
        for place, (name, model) in enumerate(MODELS.items())
    }
    # Their driver takes it for granted that somebody has switched headers off, and chosen the termination.
    instruments["scope"]["power_on"] = [":HEADer 0;:CH1:TERmination 50"]
    data = {
        "network": {"layers": [1]},
        "instruments": instruments,
        "wiring": {"kind": "oscillators", "drives": ["awg:1"]},
        "probes": [{"to": one, "offset": "500 mV"} for one in ("scope:1", "nvm:1")],
    }
    return Bench(build(BenchSettings, data, "test"))


@pytest.fixture
def library(made):
    """Give the PyVISA library of the bench."""
    library = VirtualLibrary.of(made)
    yield library
    pyvisa.ResourceManager(library).close()


@pytest.fixture
def resource(made, library):
    """Open an instrument of the bench by name."""
    manager = pyvisa.ResourceManager(library)
    return lambda name: manager.open_resource(made.addresses[name], timeout=500)
