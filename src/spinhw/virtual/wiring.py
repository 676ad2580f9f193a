"""What cannot be wired: channels that an instrument has not, a controller with too few outputs."""

from collections.abc import Mapping

from spinhw.errors import ConfigError
from spinhw.virtual.instruments import Panel, SynapseController
from spinhw.virtual.settings import BenchSettings, ChannelGate, ChipWiring, OscillatorWiring, terminal


def refuse_impossible(settings: BenchSettings, instruments: Mapping[str, Panel], addresses: int) -> None:
    """Refuse a wiring that cannot work.

    Args:
        settings: The bench.
        instruments: By name.
        addresses: Outputs of the controller that the chip hangs on; 0 for a bench without a network.

    Raises:
        ConfigError: Names key and instrument.
    """
    for key, (name, channel) in _terminals(settings).items():
        if not 1 <= channel <= instruments[name].channels:
            raise ConfigError(
                f"virtual bench: {key}: {name} has no such channel",
                seen=channel,
                allowed=f"1 to {instruments[name].channels}",
                todo="lead it to another channel, or list another instrument",
            )
    if isinstance(settings.wiring, ChipWiring):
        _refuse_controller(settings.wiring.controller, instruments, addresses)


def _refuse_controller(name: str, instruments: Mapping[str, Panel], addresses: int) -> None:
    board = instruments[name]
    if not isinstance(board, SynapseController) or len(board.applied_v) < addresses:
        raise ConfigError(
            f"virtual bench: instruments.{name}: the controller does not fit the network",
            seen=f"{len(board.applied_v)} outputs" if isinstance(board, SynapseController) else board.model,
            allowed=f"a synapse-controller with at least {addresses} outputs",
            todo=f"write outputs: {addresses}",
        )


def _terminals(settings: BenchSettings) -> dict[str, tuple[str, int]]:
    """Return what is wired to a channel of an instrument, by key: the instrument, and the highest channel."""
    wiring, found = settings.wiring, dict[str, tuple[str, int]]()
    switched = {one.instrument for one in settings.switches}
    if isinstance(wiring, ChipWiring):
        found |= {f"wiring.inputs[{place}]": terminal(one) for place, one in enumerate(wiring.inputs)}
        if isinstance(wiring.gate, ChannelGate):
            found["wiring.gate.source"] = terminal(wiring.gate.source)
    elif isinstance(wiring, OscillatorWiring):
        found |= {f"wiring.drives[{place}]": terminal(one) for place, one in enumerate(wiring.drives)}
    for place, probe in enumerate(settings.probes):
        (name, first), count = terminal(probe.to), settings.signals(probe.signal)
        if name not in switched:
            found[f"probes[{place}]"] = (name, first - 1 + (count if probe.numbers == "all" else len(probe.numbers)))
    rows = [(one.instrument, row) for one in settings.switches for row in enumerate(one.rows)]
    return found | {f"switch {name}: rows[{place}]": terminal(to) for name, (place, to) in rows}
