"""What this process may use of the machine: cores and memory.

The limits of a container are those of its control group, version 2, and of the groups around it.
"""

import ctypes
import os
import re
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

# Where /proc and /sys are.
ROOT = Path("/")

# From malloc.h, and the most bytes that it can be set to.
M_MMAP_THRESHOLD, MAX_KEPT = -3, 1 << 25


def can_fork() -> bool:
    """Return True where several processes can run: NumPy's BLAS survives a fork on Linux only."""
    return sys.platform == "linux"


def available_cores(root: Path = ROOT) -> int:
    """Return how many processes can run at full speed.

    Affinity (``taskset``) and the quota of a container (``docker --cpus``) count.
    """
    if not can_fork():
        return 1
    cores = len(os.sched_getaffinity(0))
    for group in _control_groups(root):
        match _read_numbers(group / "cpu.max"):
            case [quota, period]:
                # Two processes on a quota of 1.5 cores would stop each other in turn.
                cores = min(cores, quota // period)
    return max(1, cores)


def available_memory(root: Path = ROOT) -> int | None:
    """Return how many bytes this process may still take, or None where that cannot be told."""
    free = [1024 * kib for kib in _read_fields(root / "proc/meminfo", "MemAvailable")]
    if not free and hasattr(os, "sysconf"):
        free = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    for group in _control_groups(root):
        match _read_numbers(group / "memory.max", group / "memory.current"):
            case [limit, used]:
                # Pages of files that were read count as used, but are taken back when needed.
                used -= sum(_read_fields(group / "memory.stat", "(?:in)?active_file"))
                free.append(max(limit - max(used, 0), 0))
    return min(free, default=None)


def return_memory(above: int = MAX_KEPT) -> None:
    """Give the memory of freed arrays back to the system.

    above   bytes of arrays whose memory goes back as soon as they are freed, from now on. The C
            library of Linux keeps that of the others, which is faster
    """
    with suppress(AttributeError, TypeError):  # another library
        library = ctypes.CDLL(None)
        library.malloc_trim(0)
        library.mallopt(M_MMAP_THRESHOLD, above)


def _control_groups(root: Path) -> Iterator[Path]:
    """Yield the folder of this process's control group and those of the groups around it."""
    mount = root / "sys/fs/cgroup"
    with suppress(OSError):
        listed = (root / "proc/self/cgroup").read_text()
        for path in re.findall(r"^0::/(.*)$", listed, re.MULTILINE):
            # A container may see the path that its group has outside: then its own is the mount.
            folders = [mount / path, *(mount / path).parents]
            yield from (folder for folder in folders if folder.is_relative_to(mount))


def _read_numbers(*files: Path) -> list[int]:
    """Return the numbers in files; none if a file is missing or has another word, such as max."""
    with suppress(OSError, ValueError):
        return [int(word) for file in files for word in file.read_text().split()]
    return []


def _read_fields(file: Path, names: str) -> list[int]:
    """Return the numbers of the lines of a file that begin with these names, a pattern."""
    with suppress(OSError):
        return list(map(int, re.findall(rf"^{names}:?\s+(\d+)", file.read_text(), re.MULTILINE)))
    return []
