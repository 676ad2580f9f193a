"""The command that brings a bench down."""

import os
import signal
import sys
import time
from functools import partial
from typing import TYPE_CHECKING

from spinhw.cli.terminal import plain_console
from spinhw.config import find_profile
from spinhw.errors import ConfigError, DeviceError
from spinhw.instruments import StationSettings, load_station
from spinhw.instruments.lock import Owner, guard_of, owner_of
from spinhw.instruments.outputs import OutputState, everything, nothing_else
from spinhw.safety import unconfirmed_error

if TYPE_CHECKING:
    from rich.console import Console

# What a process that has a bench may take to ramp everything down.
_PATIENCE_S = 120.0
_PAUSE_S = 0.2


def bring_down(name: str, take_all: bool, stop: bool) -> None:
    """Bring a bench down; see `spinhw off --help`.

    Args:
        name: The bench.
        take_all: Whether what is not ours comes down too, without asking.
        stop: Whether the process that has the bench is ended first.

    Raises:
        DeviceError: Something is on still, or another process has the bench.
    """
    path = find_profile(name)
    settings = load_station(path)
    from spinhw.cli.bench import outputs_table
    from spinhw.instruments.station import switch_off

    out = plain_console()
    addresses = [one.address for one in settings.instruments.values()]
    owner, guard = owner_of(addresses), guard_of(addresses)
    is_guard = owner is not None and guard is not None and owner.pid == guard.pid
    if owner is not None and stop and not is_guard:  # A guard at work ends by itself, and is waited for.
        _end(out, settings, owner)
    choose = everything if take_all else partial(_ask, out) if sys.stdin.isatty() else nothing_else
    done = switch_off(path, choose=choose, show=lambda states: out.print(outputs_table(name, states)))
    if done.unconfirmed:
        raise unconfirmed_error(name, done.unconfirmed)
    if done.left:
        raise DeviceError(
            f"{name}: outputs are on that spinhw did not switch on; they were left alone",
            seen=", ".join(f"{one.name} ({one.gives})" if one.gives else one.name for one in done.left),
            allowed="whoever switched them on brings them down",
            todo="ask who uses the bench; --all brings them down too",
        )
    out.print(f"{name}: every output is off, and reads back as off", markup=False)


def _ask(out: "Console", others: list[OutputState]) -> list[str]:
    """Ask for each output that is not ours whether it shall come down."""
    from rich.markup import escape
    from rich.prompt import Confirm

    chosen = []
    for one in others:
        what = "cannot be read" if one.on is None else f"is on ({one.gives})" if one.gives else "is on"
        question = f"{escape(one.name)} {escape(what)}, and not by spinhw: somebody may be using it. Bring it down?"
        if Confirm.ask(question, console=out, default=False):
            chosen.append(one.name)
    return chosen


def _end(out: "Console", settings: StationSettings, owner: Owner) -> None:
    """End the process that has a bench by SIGTERM, and wait until it has brought its outputs down."""
    if owner.pid is None or not owner.is_here():
        raise DeviceError(
            f"{settings.id}: who has the bench cannot be ended from here",
            seen=str(owner),
            allowed="a process of this computer that said its number",
            todo="end it where it runs",
        )
    try:
        os.kill(owner.pid, signal.SIGTERM)
    except ProcessLookupError:
        return
    except PermissionError as error:
        raise ConfigError(
            f"{settings.id}: process {owner.pid} belongs to another account",
            seen=owner.user,
            todo="ask them to end it, or end it as administrator",
        ) from error
    out.print(f"asked process {owner.pid} to end; waiting until it has brought its outputs down")
    addresses = [one.address for one in settings.instruments.values()]
    deadline = time.monotonic() + _PATIENCE_S
    while (holder := owner_of(addresses)) is not None and holder.pid == owner.pid:
        if time.monotonic() > deadline:
            raise DeviceError(
                f"{settings.id}: process {owner.pid} has not ended",
                seen=f"{_PATIENCE_S:g} s after SIGTERM",
                todo="look at what it does; switch off at the bench",
            )
        time.sleep(_PAUSE_S)
