"""From the bench file to instruments that are not open yet."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from spinhw.config import shipped
from spinhw.errors import ConfigError
from spinhw.instruments.discovery import Choice, choose
from spinhw.instruments.link import Link
from spinhw.instruments.profile import (
    Profile,
    find_instrument_profile,
    instrument_profile_names,
    load_profile,
)
from spinhw.instruments.roles import Build, Instrument
from spinhw.instruments.roles.known_state import check_wired
from spinhw.instruments.settings import StationSettings, named, wrong_role
from spinhw.instruments.traffic import Traffic
from spinhw.instruments.waiting import wait
from spinhw.instruments.wires import Wire, open_wire, over_serial
from spinhw.instruments.words import InstrumentAccess, Words

_TIMEOUT_S = 2.0

# Opens a wire: address, backend, timeout in seconds.
Connect = Callable[[str, str, float], Wire]


def build_instruments(
    settings: StationSettings,
    source: str,
    traffic: Traffic,
    connect: Connect = open_wire,
    wait: Callable[[float], None] = wait,
) -> dict[str, Instrument[Any]]:
    """Make all instruments of a bench. Connects to nothing.

    Args:
        settings: The bench.
        source: Its file, for messages and for profiles beside it.
        traffic: Log.
        connect: Opens a wire.
        wait: Waits so many seconds.

    Raises:
        ConfigError: Names file and key.
    """
    beside = Path(source).parent
    instruments = {}
    for name, one, place in named(settings, source):
        driver, profile, _ = choice = choose(one.driver, place, beside)
        _check(one, choice, place)
        port: InstrumentAccess
        if profile is None:
            port = driver.make_port(one.address)
        else:
            port = Words(_link(name, one, profile, one.backend or settings.backend, traffic, connect), profile)
        outputs = profile.outputs if profile is not None else ()
        build = Build(name, port, one.channels, outputs, settings.by_hand(name), one.wired, wait)
        instruments[name] = driver(build)
    return instruments


def unknown_settings(settings: StationSettings, source: str) -> list[str]:
    """Say in a sentence for each instrument what its driver or profile cannot make known; none for shipped profiles."""
    sentences = []
    for name, one, place in named(settings, source):
        _, profile, path = choose(one.driver, place, Path(source).parent)
        left = "all of its settings"
        if profile is not None:
            if Path(path).parent == shipped("devices") / "instruments":
                continue
            common = [set(other.state) for other in _shipped_for(profile.driver) if other.state]
            missing = sorted(set.intersection(*common) - set(profile.state)) if common else []
            if not missing and (profile.state or not profile.outputs):
                continue  # It says so; or it measures, and no shipped profile knows better.
            left = ", ".join(missing) or left
        sentences.append(
            f"{name}: {one.driver} does not say in which state the instrument must be before an output is switched on; "
            f"taken as found: {left} (add them under 'state' in its profile)"
        )
    return sentences


def _shipped_for(driver: str) -> list[Profile]:
    """List the shipped profiles of a driver, for the state that other profiles of it lack."""
    paths = [find_instrument_profile(name) for name in instrument_profile_names()]
    return [one for one in (load_profile(path) for path in paths if path is not None) if one.driver == driver]


def _check(settings: Any, choice: Choice, place: str) -> None:
    """Refuse a driver for another role, outputs that the model lacks, and a wiring that cannot be compared."""
    driver, profile, _ = choice
    if driver.role != settings.role:
        raise wrong_role(place, settings.role, driver.role)
    outputs = profile.outputs if profile is not None else ()
    unknown = [channel for channel in settings.channels if outputs and channel not in outputs]
    if unknown:
        raise ConfigError(
            f"{place}.channels.{unknown[0]}: the instrument has no such output", allowed=", ".join(outputs)
        )
    check_wired(place, settings.wired, {} if profile is None else profile.wired, settings.channels)
    driver.check_limits(place, settings.channels, profile)


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
