"""Crash-safe files: written completely or not at all, and by one process at a time."""

import contextlib
import errno
import os
import re
import stat
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from charrnn.errors import CheckpointError

if sys.platform != "win32":
    import fcntl


@contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """Yield a temporary file that replaces ``path`` if the block succeeds.

    It is written in the same folder, flushed to disk and renamed, so ``path`` is always either the
    old file or the new one. On failure, raises CheckpointError, keeps the old file and removes the
    temporary one.
    """
    with write_errors(path, "choose another place; an older file there is untouched"):
        path = path.resolve()  # keep a symbolic link and replace its target
        _require_no_device(path)
        # A unique name, so that two writers never write to the same file.
        file = tempfile.NamedTemporaryFile(  # noqa: SIM115  # closed below
            dir=path.parent, prefix=_temp_prefix(path), suffix=".tmp", delete=False
        )
        temp = Path(file.name)
        try:
            with file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            temp.chmod(_mode(path))
            temp.replace(path)
            _sync_folder(path.parent)
        finally:
            temp.unlink(missing_ok=True)


def file_exists(path: Path, hint: str = "choose another place") -> bool:
    """Return True for a regular file. Raises CheckpointError for an invalid path."""
    with write_errors(path, hint):
        return path.is_file()


@contextmanager
def reserved(path: Path) -> Iterator[None]:
    """Lock an output file for this process, and create its folder if necessary.

    Used before training, so that hours of work do not end at a read-only disk. It removes the
    temporary files of killed processes on entry and, on exit, folders that it created and that are
    still empty. The lock ends with the process, however that ends. Raises CheckpointError if the
    file is not writable or another process holds the lock.
    """
    if path.is_dir():
        raise CheckpointError(f"{path}: is a folder", hint=f"name a file: {path / 'model.npz'}")
    hint = "choose another place with -o"
    with write_errors(path, hint):
        _require_no_device(path)
        target = path.resolve()
        made = [folder for folder in target.parents if not folder.exists()]
    try:
        with write_errors(path, hint):
            with contextlib.suppress(FileExistsError):  # then the next line says what is wrong
                path.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=target.parent, prefix=_temp_prefix(target)):
                lock = target.with_name(f".{target.name}.lock")
            descriptor = _lock(path, lock)
        try:
            # ``tempfile`` has no dot in its random part: .m.npz.v2.abcdefgh.tmp is not of m.npz
            temporary = re.compile(rf"{re.escape(_temp_prefix(target))}[a-z0-9_]+\.tmp")
            for file in target.parent.iterdir():
                if temporary.fullmatch(file.name):
                    file.unlink(missing_ok=True)
            yield
        finally:
            # Remove the file while holding the lock, so that no other process has locked it.
            with contextlib.suppress(OSError):
                lock.unlink()
            os.close(descriptor)
    finally:
        with contextlib.suppress(OSError):
            for folder in made:
                folder.rmdir()  # fails if it is not empty


def _lock(path: Path, lock: Path) -> int:
    while True:
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT, 0o666)
        if sys.platform == "win32":
            return descriptor  # Windows refuses to replace a file that another process has open
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # The previous owner may have removed the file between our open and our lock.
            with contextlib.suppress(FileNotFoundError):
                if os.fstat(descriptor).st_ino == lock.stat().st_ino:
                    return descriptor
        except BlockingIOError:
            os.close(descriptor)
            raise CheckpointError(
                f"{path}: another charrnn is training it",
                hint="wait for it, stop it, or write elsewhere with -o",
            ) from None
        os.close(descriptor)


@contextmanager
def write_errors(path: Path, hint: str = "choose another place") -> Iterator[None]:
    """Raise CheckpointError, with the path, for what the system refuses in the block."""
    try:
        yield
    except OSError as error:
        message = f"{path}: cannot be written: {error.strerror or error}"
        raise CheckpointError(message, hint=hint) from error


def _require_no_device(path: Path) -> None:
    """Raise OSError for a device or a pipe, which a file would replace."""
    if path.exists() and not path.is_file():
        raise OSError(errno.EINVAL, "it is not a regular file")


def _temp_prefix(path: Path) -> str:
    return f".{path.name}."


def _mode(path: Path) -> int:
    """Return the permissions of a file, or those that a new file would get."""
    try:
        return stat.S_IMODE(path.stat().st_mode)
    except FileNotFoundError:
        mask = os.umask(0)
        os.umask(mask)
        return 0o666 & ~mask


def _sync_folder(folder: Path) -> None:
    if os.name == "posix":  # other systems cannot open a folder
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
