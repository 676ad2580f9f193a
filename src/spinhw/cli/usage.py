"""What is typed otherwise than a command wants it: what to write is said beside what is wrong."""

from collections.abc import Sequence
from pathlib import PurePath
from typing import Any

import typer
from typer.core import TyperGroup

from spinhw.shell import typed

# What typer raises for a command line that it cannot read. Some of its versions take it from click, others have it.
_USAGE: Any = typer.BadParameter.__bases__
_CONFIG, _DEVICE = "config", "device"


class HintingGroup(TyperGroup):
    """The commands, which say of an argument in the wrong place how it is written."""

    def invoke(self, ctx: Any) -> Any:
        """Run what was asked for; a mistake in how it was typed gets a hint."""
        words = list(ctx.args)
        try:
            return super().invoke(ctx)
        except _USAGE as error:
            hint = _hint(error, ctx.invoked_subcommand or "", words)
            if hint:
                error.message = f"{error.message.rstrip('.')}; {hint}" if error.message else hint
            raise


def _hint(error: Any, command: str, words: Sequence[str]) -> str:
    """Say what to write; nothing where there is no telling."""
    lone = next((word for word in words if not word.startswith("-")), "NAME")
    missing = getattr(error.param, "name", "") if isinstance(error, typer.BadParameter) and not error.message else ""
    if missing == _CONFIG and "--resume" in words[:-1]:
        folder = words[words.index("--resume") + 1]
        config = PurePath(folder, "config.yaml").as_posix()
        return f"write: spinhw {command} {typed(config)} --resume {typed(folder)}"
    if missing == _DEVICE:
        return f"write: spinhw {command} --device {typed(lone)}"
    if command == "calibrate" and error.message.startswith("No such command"):
        return f"for a device write: spinhw calibrate --device {typed(lone)}"
    if error.message.startswith("Got unexpected extra argument"):
        if any("=" in word and not word.startswith("-") for word in words):
            return "a change of a key is written --set KEY=VALUE, in quotes where blanks are in it"
        return "a name or a value with blanks in it stands in quotes"
    return ""
