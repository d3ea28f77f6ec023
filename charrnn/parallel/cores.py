"""The number of cores that this process may use.

Those that its affinity allows (``taskset``), no more than the quota of a container
(``docker --cpus``), and only the fast ones where a processor has two kinds: in a group of processes
that wait for each other after every step, one slow core slows down all.
"""

import os
import re
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

ROOT = Path("/")


def available_cores(root: Path = ROOT) -> int:
    """Return how many processes can run at full speed.

    root   where /proc and /sys are
    """
    if sys.platform != "linux":
        return os.cpu_count() or 1
    allowed = os.sched_getaffinity(0)
    fast = _fast_cores(root) & allowed
    # Two processes on a quota of 1.5 cores would stop each other in turn.
    quota = int(min(_quotas(root), default=len(allowed)))
    return max(1, min(len(fast or allowed), quota))


def _fast_cores(root: Path) -> set[int]:
    """Return the performance cores, as Linux lists those of hybrid processors: "0-7,16"."""
    with suppress(OSError):
        listed = (root / "sys/devices/cpu_core/cpus").read_text().strip()
        ranges = [part.split("-") for part in listed.split(",") if part]
        return {core for part in ranges for core in range(int(part[0]), int(part[-1]) + 1)}
    return set()


def _quotas(root: Path) -> Iterator[float]:
    """Yield the quota in cores of each control group around this process."""
    for folder in control_groups("cpu", root):
        yield from _quota(folder / "cpu.max")
        yield from _quota(folder / "cpu.cfs_quota_us", folder / "cpu.cfs_period_us")


def control_groups(controller: str, root: Path = ROOT) -> Iterator[Path]:
    """Yield the folder of this process's control group and those of the groups around it.

    controller   "cpu" or "memory"; in version 1 of control groups it has folders of its own
    root         where /proc and /sys are
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


def _quota(*files: Path) -> Iterator[float]:
    """Yield the quota that the files hold, in all two numbers of microseconds, if there is one."""
    with suppress(OSError, ValueError):
        allowed, period = " ".join(file.read_text() for file in files).split()
        if allowed != "max" and int(allowed) > 0 and int(period) > 0:
            yield int(allowed) / int(period)
