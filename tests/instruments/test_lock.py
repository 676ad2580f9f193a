"""One process on an instrument, whoever runs it and however its address is spelt; a dead process holds nothing."""

import json
import os
import signal
import stat
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes.processes import python
from spinhw.errors import DeviceError
from spinhw.instruments.lock import BenchLock, NoLockError, Owner, identity_key, owner_of
from spinhw.instruments.shared import prepare_folder, shared_folder

ADDRESS, SAME = "GPIB0::24::INSTR", "gpib::24"
LAN = "TCPIP0::192.0.2.5::5025::SOCKET"
SOURCE = "KEITHLEY INSTRUMENTS INC.,MODEL 6221,1234567,D03  /700x"
posix = pytest.mark.skipif(sys.platform == "win32", reason="POSIX permissions")
as_root = pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can be another user")

HOLD = """
import sys
from pathlib import Path
from spinhw.instruments.lock import BenchLock
lock = BenchLock(Path(sys.argv[1]), sys.argv[2:3])
lock.acquire("theirs")
lock.acquire_identity("source", *sys.argv[3:4], sys.argv[2])
print("held", flush=True)
sys.stdin.read()
"""


@contextmanager
def holding(folder, address, identity="nobody"):
    """Hold a lock in another process."""
    with python(HOLD, folder, address, identity) as child:
        try:
            assert child.stdout.readline() == "held\n"
            yield child
        finally:
            child.kill()


@contextmanager
def holds(folder, *addresses, who="mine"):
    lock = BenchLock(folder, addresses)
    lock.acquire(who)
    yield lock
    lock.release()


@contextmanager
def user(uid):
    """Be another user for a while."""
    os.seteuid(uid)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def folder():
    """A folder that is not there yet, in one that other users reach as well."""
    with tempfile.TemporaryDirectory() as parent:
        Path(parent).chmod(0o755)
        yield Path(parent) / "spinhw"


@pytest.fixture
def umask():
    """As strict as it can be."""
    before = os.umask(0o077)
    yield
    os.umask(before)


def test_spellings_of_one_address_are_one_instrument(folder):
    with holds(folder, ADDRESS):
        refusal = rf"mine: the instrument at gpib::24 is in use by another process; seen: process {os.getpid()} on .*"
        with pytest.raises(DeviceError, match=refusal + r"\(bench mine\); allowed: .*; next: .*"), holds(folder, SAME):
            pass
    with holds(folder, SAME, ADDRESS):
        pass


def test_a_process_that_was_killed_holds_nothing_and_owns_nothing(folder):
    with holding(folder, ADDRESS) as child:
        with pytest.raises(DeviceError, match=rf"seen: process {child.pid} on .*\(bench theirs\)"):
            BenchLock(folder, [SAME]).acquire("mine")
        owner = owner_of([LAN, SAME], folder)
        assert (owner.pid, owner.bench, owner.address, owner.is_here()) == (child.pid, "theirs", ADDRESS, True)
        child.kill()
        child.wait()
        [path] = folder.glob("*.lock")
        assert json.loads(path.read_bytes())["pid"] == child.pid  # It could not tidy up.
    assert owner_of([SAME], folder) is None
    with holds(folder, SAME):
        assert owner_of([ADDRESS], folder).pid == os.getpid()
    assert owner_of([ADDRESS], folder) is None


def test_nothing_is_held_after_a_refusal(folder):
    with holds(folder, LAN):
        both = BenchLock(folder, [ADDRESS, LAN])
        with pytest.raises(DeviceError, match=f"{LAN} is in use"):
            both.acquire("mine")
        assert owner_of([ADDRESS], folder) is None
    both.acquire("mine")
    both.release()


def test_asking_for_the_owner_makes_nothing(folder):
    assert owner_of([ADDRESS], folder) is None
    assert not folder.exists()


def test_one_box_by_lan_and_by_gpib_is_one_instrument(folder):
    with holding(folder, ADDRESS, SOURCE) as child, holds(folder, LAN) as lock:
        refusal = (
            rf"mine: dc at {LAN} is an instrument that another process uses by another address; "
            rf"seen: process {child.pid} on .*, as source at {ADDRESS}; .* LAN and GPIB of one box are one"
        )
        with pytest.raises(DeviceError, match=refusal):
            lock.acquire_identity("dc", SOURCE.lower().replace("D03", "D04"), LAN)
        lock.acquire_identity("dc", SOURCE.replace("1234567", "1234568"), LAN)


def test_one_box_listed_twice_in_a_bench_is_refused_and_once_is_not(folder):
    with holds(folder, LAN, ADDRESS) as lock:
        lock.acquire_identity("first", SOURCE, LAN)
        lock.acquire_identity("first", SOURCE, LAN)  # After a lost connection.
        refusal = (
            f"mine: first at {LAN} and second at {ADDRESS} are one and the same box; seen: KEITHLEY.*allowed.*next"
        )
        with pytest.raises(DeviceError, match=refusal):
            lock.acquire_identity("second", SOURCE, ADDRESS)
    with holds(folder, LAN) as lock:
        lock.acquire_identity("second", SOURCE, LAN)


@pytest.mark.parametrize(
    "identity",
    [
        "",
        "ACME",
        "ACME,FAKE",
        "ACME,FAKE,,1.0",
        "ACME,FAKE,0,1.0",
        "ACME,FAKE, 0000000 ,1.0",
        "ACME,FAKE,N/A,1.0",
        "ACME,FAKE,none,1.0",
        "ACME,FAKE,---,1.0",
        "ACME,FAKE,00-00,1.0",
    ],
)
def test_serial_numbers_that_tell_nothing_are_not_locked(folder, identity):
    assert identity_key(identity) == ""
    with holds(folder, ADDRESS, LAN) as lock:
        lock.acquire_identity("first", identity)
        lock.acquire_identity("second", identity)
        assert len(list(folder.glob("*.lock"))) == 2


@given(st.lists(st.from_regex(r"[A-Za-z][A-Za-z0-9&/]{1,8}", fullmatch=True), min_size=3, max_size=3), st.text())
def test_firmware_case_and_white_space_are_no_part_of_an_identity(fields, firmware):
    one = ",".join((*fields, "1.0"))
    other = " , ".join(("  " + fields[0].upper(), fields[1].lower(), fields[2] + "\t", firmware))
    assert identity_key(one) == identity_key(other)


def test_the_folder_is_shared_and_can_be_named(monkeypatch, tmp_path):
    monkeypatch.setenv("SPINHW_SHARED", str(tmp_path / "lab"))
    assert shared_folder() == tmp_path / "lab"
    lock = BenchLock(None, [ADDRESS])
    lock.acquire("mine")
    assert owner_of([ADDRESS]).pid == os.getpid()
    lock.release()
    monkeypatch.setenv("SPINHW_SHARED", "")
    monkeypatch.delenv("HOME", raising=False)
    assert shared_folder().is_absolute()
    assert str(Path.home()) not in str(shared_folder())


@posix
def test_folder_and_files_are_for_all_users_whatever_the_umask(folder, umask):
    with holds(folder, ADDRESS):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o1777
        assert [stat.S_IMODE(one.stat().st_mode) for one in folder.glob("*")] == [0o666]
    assert not [one for one in folder.parent.iterdir() if one != folder]


@posix
@as_root
def test_another_user_is_refused_and_sees_who_it_is(folder, umask):
    with holds(folder, ADDRESS, who="theirs"), user(65534):
        with pytest.raises(DeviceError, match=rf"seen: process {os.getpid()} on .* \(bench theirs\)"):
            BenchLock(folder, [SAME]).acquire("mine")
        assert owner_of([SAME], folder).pid == os.getpid()
    with user(65534), holds(folder, SAME):
        pass


@posix
@as_root
def test_a_file_that_may_only_be_read_is_locked_all_the_same(folder):
    with holds(folder, ADDRESS):
        [path] = folder.glob("*.lock")
    path.write_text(json.dumps({"pid": 2**22 + 1, "host": Owner.myself("").host, "bench": "gone"}))
    path.chmod(0o644)
    with user(65534), holds(folder, ADDRESS), user(0):
        refusal = "in use by another process; seen: a process that did not say its name"
        with pytest.raises(DeviceError, match=refusal):
            BenchLock(folder, [ADDRESS]).acquire("root")
        assert owner_of([ADDRESS], folder) == Owner()
        assert not owner_of([ADDRESS], folder).is_here()


@posix
def test_folders_that_cannot_be_trusted_are_refused(tmp_path):
    link, target, file = tmp_path / "link", tmp_path / "target", tmp_path / "file"
    target.mkdir()
    link.symlink_to(target)
    file.touch()
    for folder, why in ((link, "is a link"), (file, "is no folder")):
        refusal = (
            rf"mine: locks cannot be kept, .*; seen: {folder} {why}.*; allowed: a folder .*; next: .*SPINHW_SHARED"
        )
        with pytest.raises(NoLockError, match=refusal):
            BenchLock(folder, [ADDRESS]).acquire("mine")
    assert not list(target.iterdir())


@posix
@as_root
def test_a_folder_of_somebody_else_in_which_anybody_swaps_files_is_refused(folder):
    folder.mkdir()
    folder.chmod(0o777)
    prepare_folder(folder)  # One's own is.
    with user(65534), pytest.raises(NoLockError, match=r"anybody may swap .* chmod \+t"):
        BenchLock(folder, [ADDRESS]).acquire("mine")


@posix
@as_root
def test_a_folder_that_cannot_be_written_is_told_apart_from_one_in_use(folder):
    folder.mkdir(mode=0o755)
    with user(65534), pytest.raises(NoLockError, match=r"locks cannot be kept.*Permission denied.*chmod 1777") as error:
        BenchLock(folder, [ADDRESS]).acquire("mine")
    assert isinstance(error.value, DeviceError) and error.value.exit_code == 3


@posix
def test_a_lock_file_that_is_a_link_is_refused(folder, tmp_path):
    with holds(folder, ADDRESS):
        [path] = folder.glob("*.lock")
    path.unlink()
    path.symlink_to(tmp_path / "precious")
    with pytest.raises(NoLockError, match=r"\.lock"):
        BenchLock(folder, [ADDRESS]).acquire("mine")
    assert not (tmp_path / "precious").exists()


def test_a_relative_folder_in_the_environment_is_refused(monkeypatch):
    monkeypatch.setenv("SPINHW_SHARED", "locks")
    with pytest.raises(NoLockError, match="locks is no absolute path"):
        BenchLock(None, [ADDRESS]).acquire("mine")


def test_whoever_makes_the_folder_at_once_ends_up_in_one(folder):
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(prepare_folder, [folder] * 8)) == [None] * 8
    assert [one.name for one in folder.parent.iterdir()] == [folder.name]


@posix
def test_an_owner_that_stopped_itself_is_still_the_owner(folder):
    with holding(folder, ADDRESS) as child:
        child.send_signal(signal.SIGSTOP)
        assert owner_of([ADDRESS], folder).pid == child.pid
        child.send_signal(signal.SIGCONT)
