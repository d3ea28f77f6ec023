"""What this process may use of the machine: cores and memory.

Of the cores, those that its affinity allows (``taskset``), no more than the quota of a container
(``docker --cpus``), and only the fast ones where a processor has two kinds: in a group of processes
that wait for each other after every step, one slow core slows down all.
"""

import os
import re
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

# Where /proc and /sys are.
ROOT = Path("/")

# Files of control groups, in versions 2 and 1: the quota and its period; the limit of memory, its
# use and, of the use, pages of files that were read, which the kernel takes back when needed.
CPU_FILES = (("cpu.max",), ("cpu.cfs_quota_us", "cpu.cfs_period_us"))
MEMORY_FILES = (
    ("memory.max", "memory.current", ("active_file", "inactive_file")),
    (
        "memory.limit_in_bytes",
        "memory.usage_in_bytes",
        ("total_active_file", "total_inactive_file"),
    ),
)


def available_cores(root: Path = ROOT) -> int:
    """Return how many processes can run at full speed."""
    if sys.platform != "linux":
        return os.cpu_count() or 1
    allowed = os.sched_getaffinity(0)
    fast = _fast_cores(root) & allowed
    # Two processes on a quota of 1.5 cores would stop each other in turn.
    quota = int(min(_quotas(root), default=len(allowed)))
    return max(1, min(len(fast or allowed), quota))


def available_memory(root: Path = ROOT) -> int | None:
    """Return how many bytes this process may still take, or None where that cannot be told."""
    free = [*_free_in_machine(root), *_free_in_groups(root), *_free_in_address_space(root)]
    return min(free, default=None)


def _fast_cores(root: Path) -> set[int]:
    """Return the performance cores, as Linux lists those of hybrid processors: "0-7,16"."""
    with suppress(OSError):
        listed = (root / "sys/devices/cpu_core/cpus").read_text().strip()
        ranges = [part.split("-") for part in listed.split(",") if part]
        return {core for part in ranges for core in range(int(part[0]), int(part[-1]) + 1)}
    return set()


def _quotas(root: Path) -> Iterator[float]:
    """Yield the quota in cores of each control group around this process."""
    for folder in _control_groups("cpu", root):
        for names in CPU_FILES:
            match _read_numbers(*(folder / name for name in names)):
                case [allowed, period] if allowed > 0 and period > 0:
                    yield allowed / period


def _free_in_machine(root: Path) -> Iterator[int]:
    if available := _read_fields(root / "proc/meminfo").get("MemAvailable"):
        yield available * 1024
    elif root == ROOT:
        with suppress(OSError, ValueError, AttributeError):
            yield os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _free_in_groups(root: Path) -> Iterator[int]:
    """Yield what the limits of a container leave: of its control group and those around it."""
    for folder in _control_groups("memory", root):
        for limit, use, cached in MEMORY_FILES:
            match _read_numbers(folder / limit, folder / use):
                case [allowed, used]:
                    stat = _read_fields(folder / "memory.stat")
                    used -= sum(stat.get(name, 0) for name in cached)
                    yield max(allowed - max(used, 0), 0)


def _free_in_address_space(root: Path) -> Iterator[int]:
    """Yield what ``ulimit -v`` leaves."""
    if sys.platform == "win32":
        return
    import resource  # noqa: PLC0415  # not on every platform

    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if limit != resource.RLIM_INFINITY:
        pages = sum(_read_numbers(root / "proc/self/statm")[:1])
        yield max(limit - pages * resource.getpagesize(), 0)


def _control_groups(controller: str, root: Path) -> Iterator[Path]:
    """Yield the folder of this process's control group and those of the groups around it.

    controller   "cpu" or "memory"; in version 1 of control groups it has folders of its own
    """
    groups, mounts = "", root / "sys/fs/cgroup"
    with suppress(OSError):
        groups = (root / "proc/self/cgroup").read_text()
    for names, path in re.findall(r"^\d+:(.*?):/(.*)$", groups, re.MULTILINE):
        if names == "":
            yield from _up(mounts, path)
        elif controller in names.split(","):
            for mount in {controller, names}:
                yield from _up(mounts / mount, path)


def _up(mount: Path, path: str) -> list[Path]:
    """Return the folder of a group and those of the groups around it."""
    within = mount / path
    # A container may see the path that its group has outside: then its own is the mount itself.
    return [within, *(parent for parent in within.parents if parent.is_relative_to(mount))]


def _read_numbers(*files: Path) -> list[int]:
    """Return the numbers in files; none if a file is missing or has another word, such as max."""
    with suppress(OSError, ValueError):
        return [int(word) for file in files for word in file.read_text().split()]
    return []


def _read_fields(file: Path) -> dict[str, int]:
    """Return the numbers in a file by their names, which begin its lines."""
    with suppress(OSError):
        found = re.findall(r"^(\w+):?\s+(\d+)", file.read_text(), re.MULTILINE)
        return {name: int(number) for name, number in found}
    return {}
