"""Commands for a bench of instruments: what would be sent, how it stands, a virtual one."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from spinhw.atomic import refuse_unwritable, write_atomically
from spinhw.cli.terminal import plain_console
from spinhw.config import shipped
from spinhw.errors import ConfigError, DeviceError
from spinhw.instruments import Station, StationSettings
from spinhw.instruments.outputs import OutputState
from spinhw.instruments.settings import named
from spinhw.network import NetworkSettings
from spinhw.units import show_quantity

_MOST_SHOWN = 160
# As the shipped bench files write the virtual benches that they talk to.
_BACKEND = re.compile(r"^backend: (\w+)@spinhw.*$", re.MULTILINE)
_ADDRESS = re.compile(r"address: TCPIP0::(\w+)::5025::SOCKET.*")


def probe_network(settings: StationSettings, network: NetworkSettings) -> NetworkSettings:
    """Return a network that uses all of a bench: in the layers of the one at hand if they fit, else in a single one."""
    from spinhw.device.visa_part import whole_chip

    wiring = settings.wiring
    if wiring is None or wiring.kind != "chip":
        return network
    fits = len(wiring.neurons) == sum(network.layers)
    return whole_chip(wiring, network if fits else network.model_copy(update={"layers": (len(wiring.neurons),)}))


def show_bench(out: Console, settings: StationSettings, verbose: bool = False) -> None:
    """Read a bench and print who answers, within which limits, what is on and what is wired otherwise than stated.

    It stops at the first instrument that does not answer as configured: the others are not asked.

    Args:
        out: Where it is printed.
        settings: The bench.
        verbose: Whether every message to and from it is printed too.

    Raises:
        DeviceError: An instrument does not answer as configured, is wired otherwise, or something is on that is not
            ours; the tables say which.
    """
    station = Station(settings, settings.id)
    with station.held():
        try:
            _show_instruments(out, settings, station)
            out.print(_limits(settings))
            out.print(outputs_table(settings.id, station.outputs()))
            station.look_over()
        finally:
            station.disconnect()
            if verbose:
                _print_messages(out, "messages to and from the bench", [one.text() for one in station.traffic.recent()])
    out.print(
        f"{settings.id} may be used: every instrument answers as configured, nothing is on that is not spinhw's or set "
        "by hand, and all is wired as stated",
        markup=False,
    )


def _show_instruments(out: Console, settings: StationSettings, station: Station) -> None:
    """Ask one instrument after another who it is, until one is not who it is meant to be."""
    table = Table(title=f"{escape(settings.id)}: instruments")
    for column in ("instrument", "role", "address", "who answers", "verdict"):
        table.add_column(column)
    failed: tuple[str, DeviceError] | None = None
    for name, one, _ in named(settings, settings.id):
        seen, verdict = "", "not asked"
        if failed is None:
            try:
                seen, verdict = station[name].open(), "[green]as configured[/]"
            except DeviceError as error:
                seen, verdict, failed = str(error), "[bold red]FAILED[/]", (name, error)
        table.add_row(escape(name), one.role, escape(one.address), escape(seen), verdict)
    out.print(table)
    if failed is not None:
        name, cause = failed
        raise DeviceError(
            f"{settings.id}: {name} does not answer as configured, and no instrument after it was asked",
            seen=cause.what,
            allowed="every instrument of the bench file, at its address",
            todo="see the table above; check power, cables and addresses, then check again",
        ) from cause


def outputs_table(title: str, states: Sequence[OutputState]) -> Table:
    """Make a table of what every output of a bench does, and whose it is."""
    table = Table(title=escape(f"{title}: outputs"))
    for column in ("output", "is", "gives", "whose"):
        table.add_column(column)
    for one in states:
        is_on = "[yellow]cannot be read[/]" if one.on is None else "[bold]on[/]" if one.on else "off"
        whose = "set by hand" if one.by_hand else "spinhw's" if one.ours else "not ours" if one.on else ""
        table.add_row(escape(one.name), is_on, escape(one.gives), whose)
    return table


def _limits(settings: StationSettings) -> Table:
    table = Table(title=f"{escape(settings.id)}: limits")
    for column in ("channel", "limits"):
        table.add_column(column)
    for name, one, _ in named(settings, settings.id):
        for channel, limits in one.channels.items():
            written = limits.model_dump(mode="json", by_alias=True, exclude_none=True)
            text = ", ".join(f"{key} {value}" for key, value in written.items())
            table.add_row(escape(f"{name}.{channel}"), escape(text[:_MOST_SHOWN]))
    return table


def show_rehearsal(
    out: Console, settings: StationSettings, network: NetworkSettings, interval_s: float, verbose: bool = False
) -> None:
    """Print how much programming and one small batch would send, without connecting to anything.

    Args:
        out: Where it is printed.
        settings: The bench.
        network: What would be played.
        interval_s: Time for which each sample is held, in seconds.
        verbose: Whether every message is printed too.
    """
    try:
        messages = _rehearsed(settings, network, interval_s)
    except ConfigError as error:
        out.print(f"no dry run: {escape(str(error))}")
        return
    counts = Counter(message.partition(" ")[0] for message in messages)
    shares = ", ".join(f"{count} to {name}" for name, count in counts.items())
    more = "" if verbose else " (--verbose prints them)"
    out.print(
        f"dry run: {len(messages)} messages{more} that one small batch would send with samples of "
        f"{show_quantity(interval_s, 's')}: {shares}; all outputs off afterwards",
        markup=False,
    )
    if verbose:
        _print_messages(out, "messages of the dry run", messages)


def _print_messages(out: Console, title: str, messages: Sequence[str]) -> None:
    out.print(f"{title}:", markup=False)
    for message in messages:
        out.print(f"  {message}", markup=False, soft_wrap=True)


def _rehearsed(settings: StationSettings, network: NetworkSettings, interval_s: float) -> list[str]:
    from spinhw.device.rehearsal import rehearse_bank, rehearse_device, rehearse_synapses

    if settings.wiring is not None and settings.wiring.kind == "resonators":
        return rehearse_synapses(settings)
    rehearse = rehearse_device if settings.wiring is not None and settings.wiring.kind == "chip" else rehearse_bank
    return rehearse(settings, network, interval_s)


def serve_bench(name: str, host: str, write: Path | None) -> None:
    """Serve a virtual bench over TCP until Ctrl-C or termination, and print the VISA addresses.

    Args:
        name: The bench, a file or a shipped name.
        host: Address to listen on.
        write: Bench file to write, with these addresses in place of the shipped one's; None for none.
    """
    from spinhw.virtual import load_bench
    from spinhw.virtual.host import refuse_host

    out, settings = plain_console(), load_bench(name)
    refuse_host(host)
    shipped_text = "" if write is None else _shipped_bench(name, write)

    def announce(addresses: dict[str, str]) -> None:
        for instrument, address in addresses.items():
            out.print(f"{instrument}: {address}", markup=False)
        if write is not None:
            write.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(write, _with_addresses(shipped_text, addresses).encode())
            out.print(f"bench file: {write}", markup=False)
        out.print("Ctrl-C ends it")

    from spinhw.virtual import serve

    serve(settings, host, lambda addresses: announce(dict(addresses)))


def _shipped_bench(name: str, write: Path) -> str:
    """Return the text of the shipped bench file that talks to a virtual bench of this name in process.

    Raises:
        ConfigError: There is none, or the file to write exists.
    """
    if write.exists():
        raise ConfigError(f"--write {write}: this file exists", todo="choose another name; nothing is overwritten")
    refuse_unwritable(write, "--write")
    texts = {path.stem: path.read_text(encoding="utf-8") for path in sorted(shipped("devices").glob("*.yaml"))}
    backends = {_BACKEND.search(text): text for text in texts.values()}
    found = {seen[1]: text for seen, text in backends.items() if seen is not None}
    if name not in found:
        raise ConfigError(
            f"--write {write}: no bench file ships for the virtual bench {name!r}",
            allowed=", ".join(sorted(found)),
            todo="copy one of devices/ and write the printed addresses into it",
        )
    return found[name]


def _with_addresses(text: str, addresses: Mapping[str, str]) -> str:
    """Put addresses of sockets into a shipped bench file; its comments stay."""
    there = _BACKEND.sub('backend: "@py"', text)
    return _ADDRESS.sub(lambda seen: f"address: {addresses[seen[1]]}", there)
