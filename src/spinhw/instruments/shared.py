"""The folder that all users of this computer share, and files in it that every one of them can use."""

import errno
import os
import stat
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

# Names another folder: for containers, and for labs that give several accounts a folder of their own.
VARIABLE = "SPINHW_SHARED"

_NOT_WRITABLE = {errno.EACCES, errno.EPERM, errno.EROFS}
_FOLDER_MODE, _FILE_MODE = 0o1777, 0o666
# A link in a folder that anybody may write to could lead anywhere. Windows knows neither.
_PLAIN = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)


def shared_folder() -> Path:
    """Return the folder for locks and memories that all users of this computer share; it need not be there yet."""
    named = os.environ.get(VARIABLE, "")
    if named:
        return Path(named)
    if sys.platform == "win32":
        return Path(os.environ.get("PROGRAMDATA", r"C:\ProgramData")) / "spinhw"
    return Path("/var/tmp/spinhw")  # Unlike /tmp it outlives a reboot, and outputs may do that too.


def shared_place(folder: Path | None) -> Path:
    """Return the folder that is meant by one that may be None."""
    return shared_folder() if folder is None else folder.absolute()


def prepare_folder(folder: Path) -> None:
    """Make a shared folder if need be, and look whether it is one that can be trusted.

    Raises:
        OSError: It cannot be made, is no folder, is a link, or anybody may swap the files of others in it.
    """
    if not folder.is_absolute():
        raise OSError(f"{folder} is no absolute path")
    with suppress(FileNotFoundError):
        _refuse_dubious(folder)
        return
    _make(folder)
    _refuse_dubious(folder)


def open_shared(path: Path, *, create: bool = True) -> tuple[int, bool]:
    """Open a file of a shared folder, for reading only where this user may not write it.

    Never with O_CREAT where it exists: Linux refuses that for files of other users (fs.protected_regular).

    Args:
        path: The file.
        create: Whether to make it where there is none.

    Returns:
        Descriptor, and whether it can be written.

    Raises:
        OSError: It cannot be opened at all, or is a link.
    """
    while True:
        try:
            return os.open(path, os.O_RDWR | _PLAIN), True
        except OSError as error:
            if error.errno in _NOT_WRITABLE:
                return os.open(path, os.O_RDONLY | _PLAIN), False
            if not (create and isinstance(error, FileNotFoundError)):
                raise
        with suppress(FileExistsError):  # Somebody else was faster.
            _appear(path)


def temporary_beside(path: Path) -> tuple[int, Path]:
    """Make a new file beside another, which every user can read and write; give descriptor and path."""
    file, name = tempfile.mkstemp(prefix=f".{path.stem}.", suffix=".tmp", dir=path.parent)
    if sys.platform != "win32":
        os.fchmod(file, _FILE_MODE)  # Whatever the umask says.
    return file, Path(name)


def _refuse_dubious(folder: Path) -> None:
    found = os.lstat(folder)
    if stat.S_ISLNK(found.st_mode):
        raise OSError(f"{folder} is a link; name the folder itself")
    if not stat.S_ISDIR(found.st_mode):
        raise OSError(f"{folder} is no folder")
    if sys.platform == "win32":
        return
    mine = found.st_uid == os.geteuid()
    if found.st_mode & stat.S_IWOTH and not found.st_mode & stat.S_ISVTX and not mine:
        raise OSError(f"anybody may swap the files of others in {folder}; its owner must run: chmod +t {folder}")


def _make(folder: Path) -> None:
    """Make a folder with the right mode from its first moment on, whoever else makes it at the same time."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    if sys.platform == "win32":  # A temporary one would be private there.
        folder.mkdir(exist_ok=True)
        return
    new = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        new.chmod(_FOLDER_MODE)
        os.rename(new, folder)  # An empty one may be replaced by it, one with files may not.
    except OSError:
        new.rmdir()
        if not folder.exists():
            raise


def _appear(path: Path) -> None:
    """Make an empty file that everybody can write from its first moment on."""
    if sys.platform == "win32":
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | _PLAIN))
        return
    file, temporary = temporary_beside(path)
    os.close(file)
    try:
        os.link(temporary, path)
    except FileExistsError:
        raise
    except OSError:  # A file system without links.
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | _PLAIN)
        os.fchmod(file, _FILE_MODE)
        os.close(file)
    finally:
        temporary.unlink()
