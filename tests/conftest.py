"""What holds for the whole session. Tests choose their own dtype and pass their own generators."""

import itertools
import os
import signal
import sys
from collections.abc import Iterator

from kernel_cache import CACHE, share_with_workers

# Before anything imports torch or matplotlib, and in the environment so that the commands that tests start obey too:
# no window opens, and one thread, because the tests' tensors are small and the bits of a sum depend on the threads.
os.environ["MPLBACKEND"] = "Agg"
os.environ["OMP_NUM_THREADS"] = "1"
os.environ["NO_COLOR"] = "1"
# Where no byte code may lie beside the sources, each process that a test starts would compile torch again: ten seconds.
if os.environ.pop("PYTHONDONTWRITEBYTECODE", ""):
    os.environ["PYTHONPYCACHEPREFIX"] = sys.pycache_prefix = str(CACHE / "bytecode")
    sys.dont_write_bytecode = False
# Triton interprets its kernels: no GPU is needed.
os.environ["TRITON_INTERPRET"] = "1"

share_with_workers()

import pytest  # noqa: E402
from hypothesis import settings  # noqa: E402
from pytest_mock import MockerFixture  # noqa: E402

# What a shell starts in the background ignores it, with all that it starts.
signal.signal(signal.SIGINT, signal.default_int_handler)

# The same examples every time, so that a red test is red for everybody; no deadline, because machines are shared.
settings.register_profile("spinhw", derandomize=True, deadline=None)
settings.load_profile("spinhw")

_numbers = itertools.count()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--campaign", action="store_true", help="run the long campaigns too: minutes, not seconds")


def pytest_configure(config: pytest.Config) -> None:
    """Get ready for tests, unless they run in other processes, which start when this one has got so far."""
    if getattr(config.option, "dist", "no") != "no" and not hasattr(config, "workerinput"):
        return
    import torch

    import seed_shift  # noqa: F401

    torch.set_num_threads(1)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not config.getoption("--campaign"):
        for item in items:
            if "campaign" in item.keywords:
                item.add_marker(pytest.mark.skip(reason="a long campaign: run it with --campaign"))


@pytest.fixture(autouse=True)
def shared(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch, mocker: MockerFixture) -> None:
    """Keep the locks and the memory of a test's benches away from those of this computer, and wait for no disk.

    Each output that a bench takes is written to the disk: ten milliseconds, for a kernel that does not fail here.
    """
    mocker.patch.object(os, "fsync", lambda file: None)
    monkeypatch.setenv("SPINHW_SHARED", str(tmp_path_factory.getbasetemp() / f"shared-{next(_numbers)}"))


@pytest.fixture(autouse=True)
def hearing() -> Iterator[None]:
    """Hear signals again after a command that ran in this process: it ends as one that is about to end itself."""
    names = [name for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK") if hasattr(signal, name)]
    before = {getattr(signal, name): signal.getsignal(getattr(signal, name)) for name in names}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


class Outcome:
    """Exit code and what was printed."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err


@pytest.fixture
def spinhw(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """Run a command in this process, as the installed script does."""

    from spinhw.cli import main

    def run(*arguments: object, columns: int = 200) -> Outcome:
        monkeypatch.setattr(sys, "argv", ["spinhw", *map(str, arguments)])
        monkeypatch.setenv("COLUMNS", str(columns))
        with pytest.raises(SystemExit) as stopped:
            main()
            raise SystemExit(0)
        printed = capsys.readouterr()
        return Outcome(int(stopped.value.code or 0), printed.out, printed.err)

    return run
