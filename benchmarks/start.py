"""Processor time until a command has answered, as a multiple of importing what every command needs.

    .venv/bin/python benchmarks/start.py --repeats 9

The plain import and the commands take turns as processes of their own, with their byte code cached by a first turn.
"""

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile

PLAIN, WITH_UNITS = "import pydantic, yaml, typer, rich", "import pydantic, yaml, typer, rich, pint"
MOST, MOST_WITH_UNITS = 2.5, 1.5
TYPO = "--set training.epoch=5"
COMMANDS = (
    "--help",
    "devices",
    "schema run",
    "schema device",
    "schema flipflop",
    "schema record",
    f"train examples/digits.yaml --device ideal {TYPO}",
    f"align examples/digits.yaml {TYPO}",
    f"tune examples/digits.yaml --out tuned {TYPO}",
    f"flipflop train quick {TYPO}",
    "evaluate nowhere",
    "check --device imperfect-chp",
    "calibrate --device ideal --plan quik",
    "study fig2bb",
    "off --device imperfect-chp",
)
READING = "energy examples/digits.yaml"


def command(line: str) -> str:
    return f"import sys; sys.argv = ['spinhw', *{line.split()!r}]; from spinhw.cli import main; main()"


def processor_s(code: str, environment: dict[str, str], place: str) -> float:
    """Give the processor time of a process, from beginning to end."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", code], capture_output=True, env=environment, cwd=place, check=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def measure(repeats: int) -> dict[str, float]:
    """Give the median time of each command; all take turns, so that whatever else runs meets all of them."""
    codes = {PLAIN: PLAIN, WITH_UNITS: WITH_UNITS} | {line: command(line) for line in (*COMMANDS, READING)}
    with tempfile.TemporaryDirectory() as place:
        cached = {"PYTHONPYCACHEPREFIX": place, "PYTHONDONTWRITEBYTECODE": ""}
        if "PYTHONPATH" in os.environ:  # It may be relative, and the processes begin elsewhere.
            parts = os.environ["PYTHONPATH"].split(os.pathsep)
            cached["PYTHONPATH"] = os.pathsep.join(os.path.abspath(part) for part in parts)
        environment = dict(os.environ) | cached
        turns = [
            {line: processor_s(code, environment, place) for line, code in codes.items()} for _ in range(repeats + 1)
        ]
    return {line: statistics.median(each[line] for each in turns[1:]) for line in codes}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=9, help="turns")
    times = measure(parser.parse_args().repeats)
    for line, taken_s in times.items():
        base, most = (WITH_UNITS, MOST_WITH_UNITS) if line == READING else (PLAIN, MOST)
        wanted = "" if line in (PLAIN, WITH_UNITS) else f", at most {most:g}"
        print(f"{line:66} {taken_s:6.3f} s   x {taken_s / times[base]:4.2f}{wanted}")


if __name__ == "__main__":
    main()
