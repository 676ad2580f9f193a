"""Where commands run: any code page, python -m, completion, notebooks' variables, late signals, few cores."""

import os
import signal
import sys
from pathlib import Path

import pytest
from pytest_mock import MockerFixture

from fakes.processes import python
from spinhw.config import profile_names
from spinhw.cores import usable_cores
from spinhw.shell import typed

MAIN = "from spinhw.cli import main; main()"
# Lets the command write through a stream of another code page, as a pipe or a file of Windows has it.
IN_CODE_PAGE = """
import io, sys
page, sys.argv = sys.argv[1], ["spinhw", *sys.argv[2:]]
sys.stdout = io.TextIOWrapper(sys.stdout.buffer, encoding=page, errors="strict")
from spinhw.cli import main
main()
"""


@pytest.mark.parametrize("page", ["cp932", "gbk", "shift_jis", "ascii"])
@pytest.mark.parametrize("command", [("energy", "digits"), ("devices",), ("train", "--help")], ids=" ".join)
def test_output_goes_into_any_code_page(
    spinhw, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, page: str, command: tuple[str, ...]
) -> None:
    path = tmp_path / "said.txt"
    with path.open("w", encoding=page, errors="strict") as stream, monkeypatch.context() as context:
        context.setattr(sys, "stdout", stream)
        assert spinhw(*command).code == 0
    assert path.read_bytes().decode(page).strip()


def test_python_m_is_the_command() -> None:
    with python(
        "import runpy, sys; sys.argv = ['x', '--version']; runpy.run_module('spinhw', run_name='__main__')"
    ) as end:
        assert end.communicate(timeout=60) == ("spinhw 0.1.0\n", "")
    assert end.returncode == 0


def test_completion_of_a_shell_is_installed(spinhw, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    monkeypatch.setenv("_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION", "1")
    shown = spinhw("--install-completion", "bash")
    assert shown.code == 0, shown.err
    script = (tmp_path / ".bash_completions" / "spinhw.sh").read_text(encoding="utf-8")
    assert "complete -o default -F _spinhw_completion spinhw" in script


def test_devices_says_what_each_profile_is(spinhw) -> None:
    said = spinhw("devices", columns=400).out
    for name in profile_names():
        assert f" {name} " in said
    assert "oscillators spread by 20 %, synapses by 10 %" in said


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_a_signal_while_the_last_words_are_said_changes_nothing() -> None:
    code = f"""
import os, signal, sys
from spinhw.cli import process
def late(text, **_):
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        os.kill(os.getpid(), getattr(signal, name))
    sys.stderr.write(text)
process.typer.secho = late
sys.argv = ["spinhw", "energy", "nowhere.yaml"]
{MAIN}
"""
    with python(code) as command:
        out, err = command.communicate(timeout=60)
    assert (command.returncode, out, len(err.splitlines())) == (2, "", 1), err
    assert err.startswith("nowhere.yaml: there is no such file")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_termination_of_an_open_bench_is_an_interruption(spinhw, mocker: MockerFixture, number: int) -> None:
    """An open session answers termination with SystemExit, once everything is off."""
    mocker.patch("spinhw.cli.inspection.show_energy", side_effect=SystemExit(128 + number))
    shown = spinhw("energy", "digits")
    assert (shown.code, shown.err) == (130, "interrupted\n")


def test_the_backend_of_a_notebook_is_no_business_of_a_command(tmp_path: Path) -> None:
    code = f"""
import sys
sys.argv = ["spinhw", "energy", "digits"]
try: {MAIN}
except SystemExit as end: print("ended", end.code)
from spinhw.plots.canvas import page
from pathlib import Path
with page(Path({str(tmp_path / "a.png")!r}), 2, 2): pass
"""
    surroundings = os.environ | {"MPLBACKEND": "module://matplotlib_inline.backend_inline"}
    with python(code, environment=surroundings) as command:
        out, err = command.communicate(timeout=60)
    assert command.returncode == 0, err
    assert (tmp_path / "a.png").is_file()


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="no process is bound to cores here")
def test_only_cores_that_may_be_used_are_counted(mocker: MockerFixture) -> None:
    mocker.patch.object(os, "sched_getaffinity", lambda process: {3})
    assert usable_cores() == 1


@pytest.mark.parametrize(
    ("word", "written"),
    [
        ("training.epochs=5", "training.epochs=5"),
        ("runs/a-1.b", "runs/a-1.b"),
        ("training.seeds=[0]", '"training.seeds=[0]"'),
        ("network.tau=7 ns", '"network.tau=7 ns"'),
        ("shared?one", '"shared?one"'),
        ("=x", '"=x"'),
        ("", '""'),
    ],
)
def test_words_to_be_typed_are_quoted_for_a_shell(word: str, written: str) -> None:
    assert typed(word) == written


@pytest.mark.skipif(os.name == "nt", reason="what shells of POSIX read within double quotes")
@pytest.mark.parametrize("word", ["a$HOME", "a!b", "`a`", 'say "a"', "back\\slash"])
def test_what_a_shell_reads_within_double_quotes_is_quoted_once_more(word: str) -> None:
    assert typed(word) == f"'{word}'"
