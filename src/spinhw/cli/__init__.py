"""The command line: one thin function for each command."""

from spinhw.cli.app import main

__all__ = ["main"]
