"""Words as they are typed into a shell, for lines that people copy."""

import os
import re
import shlex

_PLAIN = re.compile(r"[\w./:+,-][\w./:+,=-]*")  # What every shell takes as it stands.
_ALIVE = re.compile(r'["$`!\\]')  # What shells of POSIX read even within double quotes.


def typed(word: object) -> str:
    """Write one word of a command line, in quotes where it needs them; double ones, which every shell has, if they do.

    Args:
        word: A path, KEY=VALUE, and so on.
    """
    text = str(word)
    if _PLAIN.fullmatch(text):
        return text
    if os.name == "nt":
        return '"' + text.replace('"', r"\"") + '"'
    return shlex.quote(text) if _ALIVE.search(text) else f'"{text}"'
