"""What `spinhw check` does once it is known that there is such a device: contracts, and a bench that is read."""

from collections.abc import Callable
from dataclasses import dataclass

from rich.console import Console

from spinhw.cli import bench
from spinhw.device import (
    DeviceSettings,
    MultiplexedSettings,
    VisaSettings,
    is_bench,
    open_bank,
    open_device,
    open_synapses,
)
from spinhw.device.contract import Verdict, check_bank, check_device, check_synapses
from spinhw.device.kinds import Seam
from spinhw.instruments import StationSettings
from spinhw.network import NetworkSettings

# The contract is checked with the paper's network, so that what a profile says of single oscillators fits.
_PROBE = NetworkSettings(layers=(32, 32, 32))
# One of few neurons where they are played one after another.
_SMALL = NetworkSettings(layers=(6, 6))


@dataclass(frozen=True)
class Checked:
    """How a device is checked.

    Args:
        network: The network that is to run on it; None for one of spinhw's own.
        interval_s: Time for which each sample is held, in seconds.
        play: Whether outputs of a bench may be switched on.
        verbose: Whether every message to and from a bench is printed.
    """

    network: NetworkSettings | None
    interval_s: float
    play: bool
    verbose: bool


def check_contracts(settings: DeviceSettings, console: Console, how: Checked) -> dict[str, list[Verdict]]:
    """Check every contract of a device, by title; none of a bench that must not be played."""
    if isinstance(settings, VisaSettings):
        return _of_bench(settings, console, how)
    if isinstance(settings, MultiplexedSettings) and isinstance(settings.bank, StationSettings):
        bench.show_bench(console, settings.bank, how.verbose)
    if is_bench(settings) and not how.play:
        return {}
    network, interval_s = (
        how.network or (_SMALL if isinstance(settings, MultiplexedSettings) else _PROBE),
        how.interval_s,
    )
    contracts: dict[Seam, tuple[str, Callable[[], list[Verdict]]]] = {
        "network": ("network device", lambda: check_device(lambda: open_device(settings, network, interval_s))),
        "oscillators": ("oscillator bank", lambda: check_bank(lambda: open_bank(settings, network, interval_s))),
        "synapses": ("synapse bank", lambda: check_synapses(lambda: open_synapses(settings))),
    }
    return {title: check() for seam, (title, check) in contracts.items() if seam in settings.seams}


def _of_bench(settings: VisaSettings, console: Console, how: Checked) -> dict[str, list[Verdict]]:
    network, interval_s = how.network or bench.probe_network(settings, _PROBE), how.interval_s
    if how.network is not None and settings.wiring is not None and settings.wiring.kind == "chip":
        open_device(settings, network, interval_s)  # Connects to nothing, and refuses what does not fit.
    bench.show_rehearsal(console, settings, network, interval_s, how.verbose)
    bench.show_bench(console, settings, how.verbose)
    if not how.play:
        return {}
    if settings.wiring is not None and settings.wiring.kind == "resonators":
        return {"synapse bank": check_synapses(lambda: open_synapses(settings))}
    if settings.wiring is not None and settings.wiring.kind == "oscillators":
        return {"oscillator bank": check_bank(lambda: open_bank(settings, network, interval_s))}
    return {"network device": check_device(lambda: open_device(settings, network, interval_s))}
