"""From the bench file to instruments that are not open yet."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from spinhw.errors import ConfigError
from spinhw.instruments.discovery import Choice, choose
from spinhw.instruments.link import Link
from spinhw.instruments.profile import Profile
from spinhw.instruments.roles import Build, Instrument
from spinhw.instruments.settings import StationSettings, named, wrong_role
from spinhw.instruments.traffic import Traffic
from spinhw.instruments.wires import Wire, open_wire, over_serial
from spinhw.instruments.words import Port, Words

_TIMEOUT_S = 2.0

# Opens a wire: address, backend, timeout in seconds.
Connect = Callable[[str, str, float], Wire]


def build_instruments(
    settings: StationSettings, source: str, traffic: Traffic, connect: Connect = open_wire
) -> dict[str, Instrument[Any]]:
    """Make all instruments of a bench. Connects to nothing.

    Raises:
        ConfigError: Names file and key.
    """
    beside = Path(source).parent
    return {
        name: _instrument(name, one, choose(one.driver, place, beside), place, settings.backend, traffic, connect)
        for name, one, place in named(settings, source)
    }


def _instrument(
    name: str, settings: Any, choice: Choice, place: str, backend: str, traffic: Traffic, connect: Connect
) -> Instrument[Any]:
    driver, profile, _ = choice
    if driver.role != settings.role:
        raise wrong_role(place, settings.role, driver.role)
    outputs = profile.outputs if profile is not None else ()
    unknown = [channel for channel in settings.channels if outputs and channel not in outputs]
    if unknown:
        raise ConfigError(
            f"{place}.channels.{unknown[0]}: the instrument has no such output", allowed=", ".join(outputs)
        )
    port: Port
    if profile is None:
        port = driver.make_port(settings.address)
    else:
        port = Words(_link(name, settings, profile, settings.backend or backend, traffic, connect), profile)
    instrument: Instrument[Any] = driver(Build(name, port, settings.channels, outputs))
    return instrument


def _link(name: str, settings: Any, profile: Profile, backend: str, traffic: Traffic, connect: Connect) -> Link:
    timeout_s = settings.timeout_s or profile.timeout_s or _TIMEOUT_S
    return Link(
        name,
        partial(over_serial(connect, settings.serial), settings.address, backend, timeout_s),
        identity=profile.identity,
        ask_identity=profile.ask_identity,
        ask_error=profile.errors.ask,
        joined=profile.errors.joined,
        timeout_s=timeout_s,
        retries=settings.retries,
        traffic=traffic,
    )
