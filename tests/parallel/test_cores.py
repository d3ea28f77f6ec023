"""As many processes as there are cores to run them: affinity, quotas, fast cores."""

import os
import sys
from pathlib import Path

import pytest

from charrnn.parallel.cores import available_cores

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
