"""Processes of their own for tests, without the seconds that importing torch takes: forked from one that has it.

They are processes in every other way: signals reach them, a kill ends them, what they hold is theirs. Only `atexit` is
not theirs: multiprocessing leaves it out. Where a system cannot fork they start from nothing.
"""

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from multiprocessing.connection import wait
from typing import Any, Self

CAN_FORK = "forkserver" in multiprocessing.get_all_start_methods()
# What the server imports; more of it saves time where many processes need more.
PRELOADED = ["fakes.preloaded"]
CONTEXT: Any = multiprocessing.get_context("forkserver" if CAN_FORK else "spawn")


def ready() -> None:
    """Start the server unless it runs; it looks for what it shall import where this process does."""
    from multiprocessing.forkserver import ensure_running

    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join(sys.path)
    CONTEXT.set_forkserver_preload(PRELOADED)
    try:
        ensure_running()
    finally:
        if before is None:
            del os.environ["PYTHONPATH"]
        else:
            os.environ["PYTHONPATH"] = before


def python(code: str, *arguments: object, environment: Mapping[str, str] | None = None) -> "Child | subprocess.Popen":
    """Run a program, as `python -c` does; its three streams are pipes of text."""
    said, surroundings = [str(one) for one in arguments], dict(environment or os.environ)
    if CAN_FORK:
        return Child(code, said, surroundings)
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    return subprocess.Popen([sys.executable, "-c", code, *said], text=True, env=surroundings, **pipes)


class Child:
    """A forked process, with what tests need of `subprocess.Popen`."""

    def __init__(self, code: str, arguments: Sequence[str], environment: Mapping[str, str]) -> None:
        ready()
        self._asking = threading.Lock()
        (take, self._stdin), (out, give_out), (error, give_error) = (CONTEXT.Pipe(duplex=False) for _ in range(3))
        streams = (take, give_out, give_error)
        self._process = CONTEXT.Process(
            target=_run, args=(code, ["-c", *arguments], dict(environment), os.getcwd(), streams)
        )
        self._process.start()
        for one in streams:
            one.close()
        self.stdin = open(os.dup(self._stdin.fileno()), "w", encoding="utf-8")
        self._stdin.close()
        self.stdout, self.stderr = (open(os.dup(one.fileno()), encoding="utf-8") for one in (out, error))
        out.close()
        error.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for one in (self.stdin, self.stdout, self.stderr):
            one.close()
        self.wait()

    @property
    def pid(self) -> int:
        return int(self._process.pid)

    @property
    def returncode(self) -> int | None:
        with self._asking:  # How it ended is told once, to whoever asks first.
            return self._process.exitcode

    def send_signal(self, number: int) -> None:
        if self.returncode is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def wait(self, timeout: float | None = None) -> int:
        if not wait([self._process.sentinel], timeout):
            raise subprocess.TimeoutExpired("a forked process", timeout or 0.0)
        with self._asking:
            self._process.join()
            return self._process.exitcode

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        """Read until the end of both streams, and wait for the end of the process; its input ends at once."""
        self.stdin.close()
        texts = ["", ""]
        readers = [threading.Thread(target=_read, args=(self, texts, place), daemon=True) for place in range(2)]
        for one in readers:
            one.start()
        self.wait(timeout)
        for one in readers:
            one.join()
        self.stdout.close()
        self.stderr.close()
        return texts[0], texts[1]


def _read(child: Child, texts: list[str], place: int) -> None:
    stream = (child.stdout, child.stderr)[place]
    texts[place] = "" if stream.closed else stream.read()


def _run(code: str, argv: list[str], environment: dict[str, str], folder: str, streams: Sequence[Any]) -> None:
    """Become what `python -c` would be."""
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    for number, (name, mode) in enumerate((("stdin", "r"), ("stdout", "w"), ("stderr", "w"))):
        os.dup2(streams[number].fileno(), number)
        streams[number].close()
        setattr(sys, name, open(number, mode, encoding="utf-8", closefd=False))
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.argv = argv
    exec(compile(code, "<string>", "exec"), {"__name__": "__main__"})
