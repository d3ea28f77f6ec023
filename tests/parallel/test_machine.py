"""Cores: affinity and quotas. Memory: the limits of containers."""

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
    ],
)
def test_a_container_gets_the_cores_of_its_quotas(
    groups: str, quotas: dict[str, str], cores: int, tmp_path: Path
) -> None:
    files = {f"sys/fs/cgroup/{name}": f"{quota}\n" for name, quota in quotas.items()}
    assert available_cores(machine(tmp_path, files | {"proc/self/cgroup": f"{groups}\n"})) == cores


def test_the_limits_of_a_container_and_of_those_around_it_count(tmp_path: Path) -> None:
    root = machine(tmp_path, {"proc/meminfo": "MemTotal: 9 kB\nMemAvailable:   4 kB\n"})
    assert available_memory(root) == 4096
    inner = "sys/fs/cgroup/user/job"
    files = {f"{inner}/memory.max": "1000\n", f"{inner}/memory.current": "900\n"}
    machine(root, files | {"proc/self/cgroup": "4:memory:/x\n0::/user/job\n"})
    assert available_memory(root) == 100
    # Files that were read do not count as used.
    stat = "anon 100\nactive_file 300\ninactive_file 400\n"
    machine(root, {f"{inner}/memory.stat": stat})
    assert available_memory(root) == 800
    outer = "sys/fs/cgroup/user"
    machine(root, {f"{outer}/memory.max": "5000\n", f"{outer}/memory.current": "4300\n"})
    assert available_memory(root) == 700
    machine(root, {f"{inner}/memory.max": "max\n", f"{outer}/memory.max": "max\n"})
    assert available_memory(root) == 4096
