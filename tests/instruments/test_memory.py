"""What a bench remembers: outputs that are ours, over killed processes, damaged files and other users."""

import json
import os
import stat
import sys
import tempfile
import threading
from pathlib import Path

import pytest

from fakes.processes import python
from spinhw.instruments.memory import BenchMemory, Left, memory_file

ADDRESSES = ("GPIB0::24::INSTR", "TCPIP0::192.0.2.5::5025::SOCKET")
posix = pytest.mark.skipif(sys.platform == "win32", reason="POSIX permissions")
as_root = pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can be another user")

KILLED = """
import os, sys
from pathlib import Path
from spinhw.instruments.memory import BenchMemory
memory = BenchMemory(Path(sys.argv[1]))
memory.opened(memory.read().unconfirmed)
for output in sys.argv[2:]:
    memory.took(output)
os._exit(1)
"""


@pytest.fixture
def path():
    """The memory of a bench, in a folder that other users reach as well."""
    with tempfile.TemporaryDirectory() as parent:
        Path(parent).chmod(0o755)
        yield memory_file(Path(parent) / "spinhw", "lab3", ADDRESSES)


def killed(path, *outputs):
    with python(KILLED, path, *outputs) as child:
        assert child.wait() == 1


def test_all_spellings_of_the_addresses_are_one_bench(tmp_path, monkeypatch):
    first = memory_file(tmp_path, "lab3", ADDRESSES)
    assert memory_file(tmp_path, "lab3", ("tcpip::192.0.2.5::5025::socket", "gpib::24")) == first
    assert memory_file(tmp_path, "lab4", ADDRESSES) != first
    assert memory_file(tmp_path, "lab3", ADDRESSES[:1]) != first
    monkeypatch.setenv("SPINHW_SHARED", str(tmp_path))
    assert memory_file(None, "lab3", ADDRESSES) == first


def test_a_bench_without_a_past_has_left_nothing(path):
    assert not BenchMemory(path).read()


def test_outputs_of_a_process_that_was_killed_stay_ours_until_they_are_confirmed_off(path):
    killed(path, "source.1", "awg.1")
    killed(path, "source.2")  # It opened the bench, switched another one on, and died as well.
    memory = BenchMemory(path)
    left = memory.read()
    assert left.ours == ("source.1", "awg.1", "source.2")
    assert left.knows("awg.1") and not left.knows("awg.2")
    assert "process" in left.died
    assert "outputs that it had switched on: source.1, awg.1, source.2" in left.sentence()
    memory.opened(left.unconfirmed)
    memory.gave("awg.1")
    assert BenchMemory(path).read().ours == ("source.1", "source.2")
    memory.closed(("source.2",))
    left = BenchMemory(path).read()
    assert left == Left(("source.2",), "", ("source.2",))
    assert left.sentence() == "the last session left the bench unsafe: outputs not confirmed off: source.2"
    memory.closed(())
    assert not memory.read()


def test_an_output_that_is_given_back_is_no_longer_unconfirmed(path):
    memory = BenchMemory(path)
    memory.closed(("source.1", "source.2"))
    again = BenchMemory(path)
    again.opened(again.read().unconfirmed)
    again.gave("source.1")
    left = BenchMemory(path).read()
    assert (left.unconfirmed, left.ours) == (("source.2",), ("source.2",))


def test_what_is_known_already_is_not_written_again(path):
    memory = BenchMemory(path)
    memory.opened()
    memory.took("source.1")
    before = path.stat()
    memory.took("source.1")
    memory.gave("source.2")
    after = path.stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_outputs_switched_by_several_threads_are_all_remembered(path):
    memory = BenchMemory(path)
    memory.opened()
    names = [f"source.{number}" for number in range(20)]
    threads = [threading.Thread(target=memory.took, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(BenchMemory(path).read().ours) == set(names)


@pytest.mark.parametrize("damage", ["{", "[]", "null", '{"open": null}', '{"open": 1, "unconfirmed": [], "ours": []}'])
def test_damaged_memory_counts_as_unsafe_and_knows_nothing(path, damage):
    BenchMemory(path).opened()
    path.write_text(damage, encoding="utf-8")
    left = BenchMemory(path).read()
    assert left and "cannot be read" in left.sentence()
    assert not left.knows("source.1")


def test_memory_that_cannot_be_written_is_a_warning(tmp_path, caplog):
    (tmp_path / "file").touch()
    memory = BenchMemory(memory_file(tmp_path / "file", "lab3", ADDRESSES))
    memory.opened()
    memory.took("source.1")
    memory.gave("source.1")
    memory.closed(("source.1",))
    assert len(caplog.records) == 4
    assert "what is switched on could not be written down" in caplog.text


@posix
def test_memory_is_for_all_users_and_leaves_nothing_beside_it(path):
    memory = BenchMemory(path)
    memory.opened()
    memory.took("source.1")
    assert stat.S_IMODE(path.stat().st_mode) == 0o666
    assert list(path.parent.iterdir()) == [path]


@posix
@as_root
def test_another_user_reads_it_and_goes_on_with_it(path):
    memory = BenchMemory(path)
    memory.opened()
    memory.took("a-rather-long-name.1")
    os.seteuid(65534)
    try:
        other = BenchMemory(path)
        assert other.read().ours == ("a-rather-long-name.1",)
        other.closed(())
        assert not other.read()
    finally:
        os.seteuid(0)
    assert json.loads(path.read_text()) == {"open": None, "unconfirmed": [], "ours": []}
    assert list(path.parent.iterdir()) == [path]


@posix
def test_a_link_in_its_place_is_not_followed(path, tmp_path):
    BenchMemory(path).opened()
    path.unlink()
    precious = tmp_path / "precious"
    precious.write_text("gold")
    path.symlink_to(precious)
    memory = BenchMemory(path)
    assert "cannot be read" in memory.read().died
    memory.closed(())
    assert precious.read_text() == "gold"
