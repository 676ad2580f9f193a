"""The command that lists device profiles and instrument drivers."""

from rich.markup import escape
from rich.table import Table

from spinhw.cli.terminal import plain_console
from spinhw.config import profile_names
from spinhw.errors import DeviceError, SpinhwError
from spinhw.instruments.discovery import ADAPTED, DRIVERS, choose
from spinhw.instruments.profile import instrument_profile_names
from spinhw.instruments.wires import visa_resources

_SCANNED = ("@py", "@ivi")


def list_devices(scan: bool) -> None:
    """Print shipped device profiles, instrument drivers and, if asked to, VISA resources."""
    out = plain_console()
    out.print("device profiles: " + ", ".join(profile_names()), markup=False)
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
