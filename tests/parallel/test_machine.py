"""Cores: affinity, quotas, fast ones. Memory: the limits of containers."""

import os
import sys
from pathlib import Path

import pytest

from charrnn.parallel.machine import available_cores, available_memory

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="files of Linux")


@pytest.fixture(autouse=True)
def eight_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)))


def machine(root: Path, files: dict[str, str]) -> Path:
    """Write files of /proc and /sys."""
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content)
    return root


@pytest.mark.parametrize(
    ("groups", "quotas", "cores"),
    [
        ("", {}, 8),
        ("0::/", {"cpu.max": "max 100000"}, 8),
        ("0::/", {"cpu.max": "200000 100000"}, 2),
        ("0::/", {"cpu.max": "350000 100000"}, 3),
        ("0::/", {"cpu.max": "50000 100000"}, 1),
        # The group around it has a quota, too.
        ("0::/user/job", {"user/job/cpu.max": "600000 100000", "user/cpu.max": "300000 100000"}, 3),
        # The first version of control groups.
        ("4:memory:/x\n3:cpu,cpuacct:/docker/1", {"cpu,cpuacct/cpu.cfs_quota_us": "400000",
          "cpu,cpuacct/cpu.cfs_period_us": "100000"}, 4),
        ("3:cpu:/", {"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, 8),
    ],
)  # fmt: skip
def test_a_container_gets_the_cores_of_its_quotas(
    groups: str, quotas: dict[str, str], cores: int, tmp_path: Path
) -> None:
    files = {f"sys/fs/cgroup/{name}": f"{quota}\n" for name, quota in quotas.items()}
    assert available_cores(machine(tmp_path, files | {"proc/self/cgroup": f"{groups}\n"})) == cores


def test_only_fast_cores_count_where_there_are_two_kinds(tmp_path: Path) -> None:
    assert available_cores(machine(tmp_path, {"sys/devices/cpu_core/cpus": "0-3,6\n"})) == 5
    elsewhere = machine(tmp_path, {"sys/devices/cpu_core/cpus": "16-19\n"})
    assert available_cores(elsewhere) == 8  # this process may use none of them


@pytest.mark.parametrize(
    ("controllers", "mount", "limit", "used", "prefix"),
    [
        ("0::", "", "memory.max", "memory.current", ""),
        ("5:memory:", "memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_"),
    ],
)
def test_the_limits_of_a_container_and_of_those_around_it_count(
    controllers: str, mount: str, limit: str, used: str, prefix: str, tmp_path: Path
) -> None:
    root = machine(tmp_path, {"proc/meminfo": "MemTotal: 9 kB\nMemAvailable:   4 kB\n"})
    assert available_memory(root) == 4096
    inner = Path("sys/fs/cgroup", mount, "user/job")
    files = {f"{inner}/{limit}": "1000\n", f"{inner}/{used}": "900\n"}
    machine(root, files | {"proc/self/cgroup": f"{controllers}/user/job\n"})
    assert available_memory(root) == 100
    # Files that were read do not count as used.
    stat = f"anon 100\n{prefix}active_file 300\n{prefix}inactive_file 400\n"
    machine(root, {f"{inner}/memory.stat": stat})
    assert available_memory(root) == 800
    machine(root, {f"{inner.parent}/{limit}": "5000\n", f"{inner.parent}/{used}": "4300\n"})
    assert available_memory(root) == 700
    machine(root, {f"{inner}/{limit}": "max\n", f"{inner.parent}/{limit}": "max\n"})
    assert available_memory(root) == 4096
