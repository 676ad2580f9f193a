"""Drivers and profiles by name: shipped ones, files beside the bench file, and other people's packages."""

from collections.abc import Mapping
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, NamedTuple

from spinhw.errors import ConfigError, did_you_mean
from spinhw.instruments import adapters, drivers
from spinhw.instruments.profile import (
    Profile,
    check_profile,
    find_instrument_profile,
    instrument_profile_names,
    load_profile,
)
from spinhw.instruments.roles import Instrument

# Where a package offers its own drivers. A bench file names an entry point, never something to import.
GROUP = "spinhw.drivers"

SHIPPED: Mapping[str, type[Instrument[Any]]] = {
    "keithley-2182a": drivers.Keithley2182A,
    "keithley-2400": drivers.Keithley2400,
    "keithley-3706a": drivers.Keithley3706A,
    "keithley-6221": drivers.Keithley6221,
    "keysight-33500": drivers.Keysight33500,
    "keysight-infiniivision": drivers.KeysightInfiniiVision,
    "rohde-schwarz-fsv": drivers.RohdeSchwarzFSV,
    "scpi-rf-source": drivers.ScpiRFSource,
    "synapse-controller": drivers.ScpiSynapseController,
    "tektronix-awg5200": drivers.TektronixAWG5200,
    "tektronix-scope": drivers.TektronixScope,
}

# Drivers without a profile: the words are somebody else's.
ADAPTED: Mapping[str, type[Instrument[Any]]] = {
    "pymeasure-yokogawa-gs200": adapters.PyMeasureYokogawaGS200,
    "qcodes-rohde-schwarz-sgs100a": adapters.QCoDeSRohdeSchwarzSGS100A,
}


class Choice(NamedTuple):
    """A driver, the profile that it is used with, and the profile's file; neither for drivers that need none."""

    driver: type[Instrument[Any]]
    profile: Profile | None
    source: str


def driver_names() -> list[str]:
    """List shipped drivers and entry points."""
    return sorted({*SHIPPED, *ADAPTED, *entry_point_names()})


def entry_point_names() -> set[str]:
    """Name the drivers that other packages offer; takes some 10 ms, for every installed package is looked at."""
    return {point.name for point in entry_points(group=GROUP)}


def choose(name: str, place: str, beside: Path | None = None) -> Choice:
    """Find what a bench file calls a driver.

    Args:
        name: A shipped profile, a profile file, or an entry point.
        place: File and key, for messages.
        beside: Folder of the bench file.

    Raises:
        ConfigError: There is no such thing, or it is broken.
    """
    path = find_instrument_profile(name, beside)
    if path is not None:
        return _with_profile(path)
    driver = ADAPTED.get(name) or _entry_point(name, place)
    if driver is not None:
        return Choice(driver, None, name)
    known = {*instrument_profile_names(), *ADAPTED, *entry_point_names()}
    raise ConfigError(
        f"{place}.driver: there is no such driver or profile",
        seen=name,
        allowed=", ".join(sorted(known)),
        todo=did_you_mean(name, known),
    )


def _with_profile(path: Path) -> Choice:
    profile = load_profile(path)
    driver = SHIPPED.get(profile.driver) or _entry_point(profile.driver, str(path))
    if driver is None:
        raise ConfigError(
            f"{path}: driver: there is no such driver",
            seen=profile.driver,
            allowed=", ".join(driver_names()),
            todo=did_you_mean(profile.driver, driver_names()),
        )
    check_profile(profile, str(path), driver.words, driver.ranges, driver.optional_words)
    return Choice(driver, profile, str(path))


def _entry_point(name: str, place: str) -> type[Instrument[Any]] | None:
    found = list(entry_points(group=GROUP, name=name))
    if not found:
        return None
    try:
        driver = found[0].load()
    except Exception as error:  # other people's code may raise anything
        raise ConfigError(
            f"{place}: driver {name!r} (package {found[0].dist and found[0].dist.name}) cannot be loaded", seen=error
        ) from error
    if not (isinstance(driver, type) and issubclass(driver, Instrument)):
        raise ConfigError(
            f"{place}: entry point {name!r} is no driver", seen=driver, allowed="a class for a role of spinhw"
        )
    return driver
