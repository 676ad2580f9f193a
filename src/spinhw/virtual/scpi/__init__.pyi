from .arguments import Arguments, block
from .commands import Call, Command, accept, ask, both, choice, constant, do, number, switch, text
from .errors import ScpiError
from .framing import Framer
from .instrument import Instrument

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
