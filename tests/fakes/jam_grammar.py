"""Messages that nobody should send: made from the dialect tables, with what programs and people get wrong.

Every function takes a source of random numbers: hypothesis's, which shrinks, or Python's, which is fast.
"""

import inspect
import math
from collections.abc import Callable, Sequence
from functools import cache
from random import Random
from typing import Any

from spinhw.virtual.instruments import MODELS, Panel
from spinhw.virtual.scpi import Command, block
from spinhw.virtual.scpi.headers import expand
from spinhw.virtual.scpi.instrument import COMMON

DIGITS = "9" * 5000
NUMBERS = (
    "0", "1", "-1", "2", "3.5", "1e3", "-0.0", ".5", "5.", "1e-400", "9E999", "-9E999", "1e308", "-1.8e308", "NAN",
    "INF", "-INF", "9.9E37", "9.91E37", "1_000", "1e", "e5", "--1", "+", ".", DIGITS, f"1e{DIGITS}", f"0.{DIGITS}",
    "2147483648", "-9223372036854775809", "#H", "#HFF", "#H" + 300 * "F", "#Q9", "#B102", "#B" + 4000 * "1", "\xb2",
    "1 V", "1e300 EXHZ", "5 furlongs", "1 %", "1e9", "62500000", "1000000000",
)  # fmt: skip
WORDS = (
    "FOO", "MIN", "MAX", "DEF", "MINIMUM", "UP", "ON", "OFF", "ALL", "NONE", "AUTO", "CH1", "CH\xb2", "CHAN9", "CH0",
    "TRACE1", "''", '""', '"', "'a", '"a""b"', '"wave"', "wave", '"VOLT"', "'VOLT:DC','CURR'", "(@1)", "(@1:999999999)",
    "(@", ")", ",", ",,", "1,2", "#", "##", " " * 300, "A" * 300, '"' + "x" * 70_000 + '"', "\x00\x07", "\xff\xfe", "?",
)  # fmt: skip
FLOATS = b"\x00\x00\xc0\x7f\x00\x00\x80\x7f\xff\xff\xff\xff\x00\x00\x80?"  # NaN, infinity and others.
STEPS = b'"seq","wave",999999999,repeat,maintain,4,"wave",x,once,highAtStart,4'
BLOCKS = (
    b"#0", b"#0abc", b"#15abc", b"#1", b"#9", b"#9999999999", b"#3-12ab", b"#210" + bytes(10), b"#2\x0aab",
    block(FLOATS), block(bytes(64)), block(FLOATS[:5]), block(STEPS), b"#3012" + bytes(8),
)  # fmt: skip
STATEMENTS = (
    "channel.close", "channel.open", "channel.exclusiveclose", "channel.setbackplane", "channel.getclose", "print",
    "channel.getbackplane", "errorqueue.next", "errorqueue.clear", "errorqueue.count", "scan.abort", "scan.state",
    "channel.connectrule", "channel.connectsequential", "string.find", "localnode.model", "waitcomplete", "reset",
    "beeper.beep", "foo", "a.b.c", "_G",
)  # fmt: skip
TSP_VALUES = (
    '"1101"', '"1101,1102"', '"allslots"', '"slot1"', '"slot"', '"9999"', "1101", "nil", "1e999", DIGITS, '"', "", "2",
    "channel.OFF", '"1101","1911"', '"allslots",""', '"%d"', "(", "))", " " * 3000, "string.find(" * 200, "\xb2",
    "scan.state(),\"%d\"", "\x00", "1_0", "0x10", "{1,2}", "function() end",
)  # fmt: skip


@cache
def templates(kind: type[Panel]) -> tuple[tuple[str, Command], ...]:
    """List headers of a kind, "{}" for each suffix: the shortest and the longest way to write each."""
    found = []
    for command in (*kind.commands, *COMMON):
        if command.write is None and command.ask is None:  # A name and a reset value alone.
            continue
        ways = sorted(expand(command.header), key=len)
        for way, choose in ((ways[0], min), (ways[-1], max)):
            nodes = [choose(sorted(one.spellings), key=len) + ("{}" if one.suffix is not None else "") for one in way]
            found.append((":".join(nodes), command))
    return tuple(found)


@cache
def known(command: Command) -> tuple[str, ...]:
    """List arguments that a command knows: its options, its bounds, values in between and just beyond."""
    handler: Callable[..., Any] | None = command.write
    inside = inspect.getclosurevars(handler).nonlocals if handler is not None else {}
    found = [str(option) for option in inside.get("options", ())]
    lowest, highest, unit = inside.get("lowest"), inside.get("highest"), inside.get("unit", "")
    if lowest is not None and math.isfinite(lowest + highest):
        values = (
            lowest,
            highest,
            (lowest + highest) / 2,
            lowest - 1,
            highest * 1.01,
            lowest + (highest - lowest) / 1e3,
        )
        found += [f"{value:.9g} {unit}" for value in values]
    return tuple(found) or ("1", "0")


def message(random: Random, kind: type[Panel]) -> bytes:
    """Make a message for a kind of instrument: one to four units, and what may stand between them."""
    make = statement if kind is MODELS["keithley-3706a"] and random.random() < 0.8 else unit
    between = random.choice((b";", b";", b" ; ", b";;"))
    units = between.join(make(random, kind) for _ in range(random.choice((1, 1, 1, 2, 3, 4))))
    return units if random.random() < 0.97 else _damaged(random, units)


def unit(random: Random, kind: type[Panel]) -> bytes:
    """Make one command or query."""
    header, command = random.choice(templates(kind))
    odd = ("0", "3", "9", "00", "4294967296", DIGITS, "\xb2")
    suffixes = ("", "1", "2", random.choice(odd)) if random.random() < 0.2 else ("", "1")
    header = header.format(*(random.choice(suffixes) for _ in range(header.count("{}"))))
    header = random.choice((str, str.lower, str.title))(header)
    asks = command.write is None or (command.ask is not None and random.random() < 0.4)
    asks = not asks if random.random() < 0.03 else asks
    header = (":" if random.random() < 0.97 else random.choice(("", "::"))) + header + ("?" if asks else "")
    given = b"" if asks and random.random() < 0.7 else arguments(random, command)
    return header.encode("latin-1") + b" " + given


def arguments(random: Random, command: Command) -> bytes:
    """Make arguments: none, one that fits, several, blocks."""
    kind = random.random()
    if kind < 0.2:
        return b""
    if kind < 0.6:
        return random.choice(known(command)).encode("latin-1")
    count = random.choice((1, 1, 1, 2, 2, 3, 5))
    return b",".join(_argument(random, command) for _ in range(count))


def _argument(random: Random, command: Command) -> bytes:
    pool: Sequence[str | bytes] = random.choice((NUMBERS, NUMBERS, WORDS, WORDS, BLOCKS, known(command)))
    one = random.choice(pool)
    return one if isinstance(one, bytes) else one.encode("latin-1")


def statement(random: Random, kind: type[Panel]) -> bytes:
    """Make a statement of the script language."""
    name, value = random.choice(STATEMENTS), random.choice(TSP_VALUES)
    forms = (
        "{name}({value})",
        "print({name}({value}))",
        "{name}={value}",
        "{name} {value}",
        "print({name})",
        "{value}",
    )
    return random.choice(forms).format(name=name, value=value).encode("latin-1")


def _damaged(random: Random, whole: bytes) -> bytes:
    place = random.randrange(len(whole) + 1)
    return (
        whole[:place] + random.choice((b"", b"\x00", b'"', b"#", b"(", b"\n", b"\xff" * 8, b";" * 5000)) + whole[place:]
    )
