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


def test_without_a_quota_all_allowed_cores_count(tmp_path: Path) -> None:
    assert available_cores(tmp_path) == 8
    files = {"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "max 100000\n"}
    assert available_cores(machine(tmp_path, files)) == 8


@pytest.mark.parametrize(("quota", "cores"), [("200000", 2), ("350000", 3), ("50000", 1)])
def test_a_container_gets_the_cores_of_its_quota(tmp_path: Path, quota: str, cores: int) -> None:
    files = {"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": f"{quota} 100000\n"}
    assert available_cores(machine(tmp_path, files)) == cores


def test_the_quota_of_a_group_around_it_counts_too(tmp_path: Path) -> None:
    files = {
        "proc/self/cgroup": "0::/user/job\n",
        "sys/fs/cgroup/user/job/cpu.max": "600000 100000",
        "sys/fs/cgroup/user/cpu.max": "300000 100000",
    }
    assert available_cores(machine(tmp_path, files)) == 3


def test_quotas_of_the_first_version_count(tmp_path: Path) -> None:
    files = {
        "proc/self/cgroup": "4:memory:/x\n3:cpu,cpuacct:/docker/1\n",
        "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "400000",
        "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000",
    }
    assert available_cores(machine(tmp_path, files)) == 4
    files["sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us"] = "-1"
    assert available_cores(machine(tmp_path, files)) == 8


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
