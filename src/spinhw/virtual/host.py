"""The address that a virtual bench is served at."""

import socket

from spinhw.errors import ConfigError


def refuse_host(host: str) -> None:
    """Check that this machine has an address, before a bench is built that is to listen there.

    Raises:
        ConfigError: It has not.
    """
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as trial:
            trial.bind((host, 0))
    except (OSError, UnicodeError) as error:
        raise ConfigError(
            f"--host {host}: this machine has no such address",
            seen=(isinstance(error, OSError) and error.strerror) or error,
            allowed="127.0.0.1, 0.0.0.0 for all that it has, or one of its own",
            todo="leave out --host, and only this machine reaches the bench",
        ) from error
