"""A small SCPI engine: messages, headers, parameters, error queue, status registers; dialects are lists of commands."""

from spinhw.virtual.scpi.arguments import Arguments, block
from spinhw.virtual.scpi.commands import (
    Call,
    Command,
    accept,
    ask,
    both,
    choice,
    constant,
    do,
    number,
    switch,
    text,
)
from spinhw.virtual.scpi.errors import ScpiError
from spinhw.virtual.scpi.framing import Framer
from spinhw.virtual.scpi.instrument import Instrument

__all__ = [
    "Arguments",
    "Call",
    "Command",
    "Framer",
    "Instrument",
    "ScpiError",
    "accept",
    "ask",
    "block",
    "both",
    "choice",
    "constant",
    "do",
    "number",
    "switch",
    "text",
]
