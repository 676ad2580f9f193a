"""What `spinhw check` does once it is known that there is such a device: contracts, and a bench that is read."""

from rich.console import Console

from spinhw.cli import bench
from spinhw.device import MultiplexedSettings, SimulatedSettings, open_bank, open_device, open_synapses
from spinhw.device.contract import Verdict, check_bank, check_device, check_synapses
from spinhw.instruments import StationSettings
from spinhw.network import NetworkSettings

# The contract is checked with the paper's network, so that what a profile says of single oscillators fits.
_PROBE = NetworkSettings(layers=(32, 32, 32))
# One of few neurons where they are played one after another.
_SMALL = NetworkSettings(layers=(6, 6))
_INTERVAL_S = 1e-9


def check_contracts(
    settings: SimulatedSettings | StationSettings | MultiplexedSettings, console: Console, play: bool
) -> dict[str, list[Verdict]]:
    """Check every contract of a device, by title; none of a bench that must not be played."""
    if isinstance(settings, SimulatedSettings):
        return _of_chip(settings)
    if isinstance(settings, StationSettings):
        return _of_bench(settings, console, play)
    if isinstance(settings.bank, StationSettings):
        bench.show_bench(console, settings.bank)
        if not play:
            return {}
    return {"network device": check_device(lambda: open_device(settings, _SMALL, _INTERVAL_S))}


def _of_chip(settings: SimulatedSettings) -> dict[str, list[Verdict]]:
    return {
        "network device": check_device(lambda: open_device(settings, _PROBE, _INTERVAL_S)),
        "oscillator bank": check_bank(lambda: open_bank(settings, _PROBE, _INTERVAL_S)),
        "synapse bank": check_synapses(lambda: open_synapses(settings)),
    }


def _of_bench(settings: StationSettings, console: Console, play: bool) -> dict[str, list[Verdict]]:
    network = bench.probe_network(settings, _PROBE)
    bench.show_rehearsal(console, settings, network, _INTERVAL_S)
    bench.show_bench(console, settings)
    if not play:
        return {}
    if settings.wiring is not None and settings.wiring.kind == "resonators":
        return {"synapse bank": check_synapses(lambda: open_synapses(settings))}
    if settings.wiring is not None and settings.wiring.kind == "oscillators":
        return {"oscillator bank": check_bank(lambda: open_bank(settings, network, _INTERVAL_S))}
    return {"network device": check_device(lambda: open_device(settings, network, _INTERVAL_S))}
