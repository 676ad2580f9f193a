"""The process around a command: how it begins, its exit code, and the one line that it complains in."""

import gc
import os
import sys

import typer

from spinhw.cli.app import app
from spinhw.cli.terminal import deaf_from_here, replace_what_streams_lack
from spinhw.errors import ConfigError, SpinhwError

INTERRUPTED = 130
_BY_SIGNAL = 128
# New objects after which Python looks for garbage. By itself it does after 700, and so hundreds of times while modules
# and settings are made, which all stay: a tenth of the time until a command has answered.
_BETWEEN_COLLECTIONS = 20_000


def main() -> None:
    """Run the command line; end the process with 0 (fine), 2 (bad input), 3 (device trouble) or 130 (interrupted)."""
    gc.set_threshold(_BETWEEN_COLLECTIONS)
    # Pydantic would look through all installed packages for plugins of its own, which takes a while where there are
    # many; to read a config none is needed. Who wants one sets the variable to anything else.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    # All pictures become files. What a notebook wrote there for itself need not be installed here.
    os.environ["MPLBACKEND"] = "Agg"
    replace_what_streams_lack()
    try:
        code, complaint = _run()
        # Whatever comes now comes too late to stop anything, and would only tear the last words apart.
        deaf_from_here()
    except KeyboardInterrupt:  # It came in between.
        deaf_from_here()
        code, complaint = INTERRUPTED, "interrupted"
    if complaint:
        _complain(complaint)
    sys.exit(code)


def _run() -> tuple[int, str]:
    """Run the command; return the exit code of the process and what is to be complained of."""
    try:
        app(prog_name="spinhw")
    except SystemExit as end:
        # An open bench answers termination with 128 + the signal, once all is off.
        stopped = isinstance(end.code, int) and end.code > _BY_SIGNAL
        return (INTERRUPTED, "interrupted") if stopped else (int(end.code or 0), "")
    except SpinhwError as error:
        return error.exit_code, str(error)
    except KeyboardInterrupt:
        return INTERRUPTED, "interrupted"
    except BrokenPipeError:
        # Whoever read our output has gone, as `head` does. Python would complain once more at exit.
        sys.stderr.close()
        return 0, ""
    except OSError as error:
        return ConfigError.exit_code, str(_unusable(error))
    return 0, ""


def _unusable(error: OSError) -> ConfigError:
    place = "the system" if error.filename is None else os.fsdecode(error.filename)
    return ConfigError(
        f"{place}: this cannot be used",
        seen=error.strerror or str(error) or type(error).__name__,
        allowed="a file or folder that can be read, or written where it is for results, on a disk with room",
        todo="check the path and the disk, or name another",
    )


def _complain(text: str) -> None:
    typer.secho(text, err=True, fg=typer.colors.RED if sys.stderr.isatty() else None)
