"""Writing files: whole or not at all, whatever fails, by one process at a time."""

import errno
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from charrnn import CheckpointError
from charrnn.checkpoint.files import replacing, reserved

OLD, NEW = b"old" * 1000, b"new" * 2000

posix = pytest.mark.skipif(os.name != "posix", reason="needs POSIX locks")

# Everything a save asks of the operating system, in one list so that each can be made to fail.
SYSCALLS = ["open", "fsync", "replace", "chmod", "close"]


@pytest.fixture
def target(tmp_path: Path) -> Path:
    (tmp_path / "m.npz").write_bytes(OLD)
    return tmp_path / "m.npz"


def enter(target: Path) -> None:
    with reserved(target):
        pass


def write(target: Path) -> None:
    with replacing(target) as file:
        for start in range(0, len(NEW), 1000):
            file.write(NEW[start : start + 1000])


def failing(function: Callable[..., Any], number: int, error: BaseException) -> Callable[..., Any]:
    """Return the function, except that its call of this number fails."""
    calls = iter(range(1_000_000))

    def wrapper(*args: Any, **kwargs: Any) -> Any:
        if next(calls) == number:
            raise error
        return function(*args, **kwargs)

    return wrapper


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left"), KeyboardInterrupt()])
@pytest.mark.parametrize("name", SYSCALLS)
def test_whichever_syscall_fails_the_file_is_old_or_new(
    name: str, error: BaseException, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failed = 0
    for number in range(20):
        target.write_bytes(OLD)
        with monkeypatch.context() as patch:
            patch.setattr(os, name, failing(getattr(os, name), number, error))
            try:
                write(target)
            except (CheckpointError, KeyboardInterrupt):
                failed += 1
        assert target.read_bytes() in (OLD, NEW)
        assert [path.name for path in target.parent.iterdir()] == ["m.npz"]
    assert failed > 0 or name == "close"  # files are closed by C code, folders by os.close


def test_file_and_folder_are_forced_to_the_disk(
    target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced = []
    fsync = os.fsync

    def noting(descriptor: int) -> None:
        synced.append(stat.S_ISDIR(os.fstat(descriptor).st_mode))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", noting)
    write(target)
    assert synced == [False, True]


def test_permissions_and_links_stay(target: Path) -> None:
    target.chmod(0o600)
    link = target.with_name("link.npz")
    link.symlink_to(target.name)
    write(link)
    assert link.is_symlink()
    assert target.read_bytes() == NEW
    assert stat.S_IMODE(target.stat().st_mode) == 0o600


def test_a_place_that_cannot_be_written_is_found_before_training(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(CheckpointError, match="cannot be written"):
        enter(tmp_path / "file" / "m.npz")
    with pytest.raises(CheckpointError, match="is a folder"):
        enter(tmp_path)
    with pytest.raises(CheckpointError) as error:
        write(tmp_path / "missing" / "m.npz")
    assert error.value.hint == "choose another place; an older file there is untouched"
    with reserved(tmp_path / "new" / "deep" / "m.npz"):
        assert (tmp_path / "new" / "deep").is_dir()
    assert not (tmp_path / "new").exists()  # nothing was written there


@posix
def test_a_second_holder_is_refused_while_the_first_holds(target: Path) -> None:
    with reserved(target), pytest.raises(CheckpointError, match="another charrnn is training it"):
        enter(target)
    enter(target)
    assert [path.name for path in target.parent.iterdir()] == ["m.npz"]


def test_what_a_killed_save_left_is_swept_and_nothing_else(target: Path) -> None:
    folder = target.parent
    others = {".other.npz.abc.tmp", "m.npz.tmp", ".m.npz.notes", ".m.npz.v2.abc.tmp"}
    for name in (".m.npz.abc.tmp", *others):
        (folder / name).touch()
    enter(target)
    assert {path.name for path in folder.iterdir()} == {"m.npz", *others}


@posix
def test_a_file_never_takes_the_place_of_a_device_or_a_pipe(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for attempt in (enter, write):
        with pytest.raises(CheckpointError, match="not a regular file"):
            attempt(tmp_path / "pipe")
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)
    assert [path.name for path in tmp_path.iterdir()] == ["pipe"]
