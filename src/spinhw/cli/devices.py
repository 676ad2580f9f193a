"""The command that lists device profiles and instrument drivers."""

from itertools import takewhile
from pathlib import Path

from rich.markup import escape
from rich.table import Table

from spinhw.cli.terminal import plain_console
from spinhw.config import find_profile, profile_names, read_yaml
from spinhw.errors import DeviceError, SpinhwError
from spinhw.instruments.discovery import ADAPTED, DRIVERS, choose
from spinhw.instruments.profile import instrument_profile_names
from spinhw.instruments.wires import visa_resources

_SCANNED = ("@py", "@ivi")


def list_devices(scan: bool) -> None:
    """Print shipped device profiles, instrument drivers and, if asked to, VISA resources."""
    out = plain_console()
    profiles = Table(title="device profiles")
    for column in ("profile", "kind", "what it is"):
        profiles.add_column(column, no_wrap=column == "profile")
    for name in profile_names():
        profiles.add_row(name, *_told(find_profile(name)))
    out.print(profiles)
    table = Table(title="instruments")
    for column in ("driver", "role", "models", "status"):
        # What must be typed into a bench file is never cut short.
        table.add_column(column, no_wrap=column in ("driver", "role"))
    for name, row in _drivers().items():
        table.add_row(escape(name), *map(escape, row))
    out.print(table)
    if scan:
        found = sorted({address for backend in _SCANNED for address in _found_by(backend)})
        out.print("VISA resources: " + (", ".join(found) or "none found; raw sockets never are"), markup=False)


def _found_by(backend: str) -> list[str]:
    try:
        return visa_resources(backend)
    except DeviceError:
        return []  # No such VISA is installed here.


def _told(path: Path) -> tuple[str, str]:
    """Return the kind of a profile, and the first sentence of the comment that it begins with."""
    head = takewhile(lambda line: line.startswith("#"), path.read_text(encoding="utf-8").splitlines())
    words = " ".join(line.removeprefix("#").strip() for line in head if "yaml-language-server" not in line)
    return str(read_yaml(path).get("kind")), words.partition(". ")[0].removesuffix(".") + "."


def _drivers() -> dict[str, tuple[str, str, str]]:
    rows = {}
    for name in [*instrument_profile_names(), *sorted(ADAPTED)]:
        driver, profile, _ = choose(name, name)
        if profile is None:
            rows[name] = (driver.role, _summary(driver), "adapter")
        else:
            rows[name] = (driver.role, f"{profile.maker} {', '.join(profile.models)}", profile.status)
    for name in sorted(set(DRIVERS.names()) - set(rows)):
        try:
            driver = choose(name, name).driver
        except SpinhwError:
            continue  # A driver class that is only used through profiles.
        rows.setdefault(name, (driver.role, _summary(driver), "entry point"))
    return rows


def _summary(driver: type) -> str:
    return (driver.__doc__ or "").partition("\n")[0]
