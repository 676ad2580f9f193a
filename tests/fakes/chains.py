"""A virtual bench whose chip has resonators, and the file of whoever measures its chains one by one."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from fakes.shaped import Shaped
from fakes.visa import standing
from spinhw.config import build
from spinhw.device import VisaSettings
from spinhw.network import NetworkSettings, SpintronicNetwork
from spinhw.physics import Chain
from spinhw.records import ChainsRecord
from spinhw.records.synapses import MAP
from spinhw.virtual import Bench

SIZES = {"layers": [4, 3], "outputs": 2, "inputs": 1, "weight_limit": 4.0, "readout": "hardware"}
NETWORK = build(NetworkSettings, SIZES | {"synapses": {"kind": "resonators"}}, "test")
ROWS = {"w_ext.0": 4, "w_ext.1": 3, "w_int.0": 4, "w_int.1": 3, "w_out": 2}
DESIGN = {"frequency": "2 GHz", "spacing": "160 MHz", "half_linewidth": "10 MHz", "tuning_span": "80 MHz"}
_SHAPE = Shaped(inputs=1, said={"gate": None})
_CONVERSION = {"weight": "2 V", "output": "50 mV", "rf_power": "1 uW"}


def network(seed: int = 0) -> SpintronicNetwork:
    """Return a network of the chip's size."""
    return SpintronicNetwork(NETWORK, seed=seed)


def scores(record: ChainsRecord, true: Mapping[str, Chain]) -> tuple[torch.Tensor, torch.Tensor]:
    """Return errors over reported errors and the reported ones, (resonator, quantity), of those that did not fail."""
    off, size = [], []
    for name, table in record.matrices.items():
        there = true[name].at((0, list(table.destinations), list(table.sources))).tensors().values()
        fine = [place not in table.failed for place in range(len(table.sources))]
        found, errors = _numbers(table.values), _numbers(table.errors)
        off.append(((found - torch.stack(list(there))) / errors).T[fine])
        size.append(errors.T[fine])
    return torch.cat(off), torch.cat(size)


def _numbers(rows: Mapping[str, Any]) -> torch.Tensor:
    return torch.tensor([[float("nan") if one is None else one for one in rows[name]] for name in MAP]).double()


def truth(noise: str = "1 mV", **synapses: Any) -> dict[str, Any]:
    """Write the file of the virtual bench: resonances off by 0.3 % unless something else is said."""
    plain = _SHAPE.truth()
    errors = {"limit": 4.0, "takes": "tunings", "bits": None, "rf": DESIGN | {"frequency_spread": 0.003}}
    instruments = {
        "tone": {"model": "keysight-n5173b"},
        "mux": {"model": "keithley-3706a"},
        "nvm": {"model": "keithley-2182a"},
    }
    return plain | {
        "chip": {"synapses": errors | synapses},
        "conversion": plain["conversion"] | _CONVERSION,
        "instruments": plain["instruments"] | instruments,
        "wiring": plain["wiring"] | {"gate": {"kind": "rests", "rest": "100 ns"}, "tone": "tone"},
        "probes": [*plain["probes"], {"signal": "chain", "to": "mux:1", "noise": noise}],
        "switch": [plain["switch"], {"instrument": "mux", "rows": ["nvm:1"], "columns": 40}],
    }


def meters() -> dict[str, list[str]]:
    """Return the path of each chain, by matrix."""
    found, number = {}, 0
    for name, rows in ROWS.items():
        found[name] = [f"nvm.1 via mux.11{number + row + 1:02d}" for row in range(rows)]
        number += rows
    return found


def profile(addresses: Mapping[str, str] | None = None, backend: str = "@py", **wiring: Any) -> dict[str, Any]:
    """Write the bench file; with more, or something else, said of the wiring."""
    routes = [f"11{number + 1:02d}" for number in range(20)]
    tone = {"highest_power": "2 uW", "lowest_frequency": "1.5 GHz", "highest_frequency": "4 GHz"}
    extra = {
        "tone": ("rf-source", "keysight-n5173b", {"1": tone}),
        "mux": ("switch", "keithley-3706a", {"matrix": {"allowed": routes, "most_closed": 1}}),
        "nvm": ("dc-voltmeter", "keithley-2182a", {"1": {"range": "1 V"}}),
    }
    reached = addresses or {name: f"TCPIP0::{name}.invalid::5025::SOCKET" for name in _SHAPE.instruments() | extra}
    plain = _SHAPE.file({name: reached[name] for name in _SHAPE.instruments()}, backend)
    for name, (role, driver, channels) in extra.items():
        plain["instruments"][name] = {"role": role, "driver": driver, "address": reached[name], "channels": channels}
    plain["wiring"] |= {"resonators": DESIGN | {"max_weight": 4.0}, "chains": {"tone": "tone.1", "meters": meters()}}
    plain["wiring"] |= wiring
    plain["wiring"] = {key: value for key, value in plain["wiring"].items() if value is not None}
    plain["conversion"] |= _CONVERSION
    return plain


@contextmanager
def chain_bench(folder: Path, said: Mapping[str, Any] | None = None) -> Iterator[tuple[Bench, VisaSettings]]:
    """Give the virtual bench in this process, and the settings of who uses it."""
    with standing(dict(said or truth()), "in process", folder) as (made, addresses, backend):
        yield made, build(VisaSettings, profile(addresses, backend), "bench.yaml")
