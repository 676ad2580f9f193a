"""The command line: one thin function for each command."""

from spinhw.cli.process import main

__all__ = ["main"]
