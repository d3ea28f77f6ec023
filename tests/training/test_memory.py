"""How much memory there is, and how much a run takes."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from charrnn import Config, ModelConfig
from charrnn.training.memory import _free_in_cgroup, estimate

IDS = np.zeros(100_000, np.uint8)


@pytest.mark.parametrize(
    ("controllers", "mount", "names"),
    [
        ("0::", "", ("memory.max", "memory.current", "")),
        ("5:memory:", "memory", ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_")),
    ],
)
def test_the_limits_of_a_container_and_of_those_around_it_count(
    controllers: str, mount: str, names: tuple[str, str, str], tmp_path: Path
) -> None:
    assert _free_in_cgroup(tmp_path) is None
    limit, used, prefix = names
    inner = tmp_path / "sys/fs/cgroup" / mount / "user" / "job"
    inner.mkdir(parents=True)
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/self/cgroup").write_text(f"{controllers}/user/job\n")
    (inner / limit).write_text("1000\n")
    (inner / used).write_text("900\n")
    assert _free_in_cgroup(tmp_path) == 100
    # Files that were read do not count as used.
    stat = f"anon 100\n{prefix}active_file 300\n{prefix}inactive_file 400\n"
    (inner / "memory.stat").write_text(stat)
    assert _free_in_cgroup(tmp_path) == 800
    (inner.parent / limit).write_text("5000\n")
    (inner.parent / used).write_text("4300\n")
    assert _free_in_cgroup(tmp_path) == 700
    for group in (inner, inner.parent):
        (group / limit).write_text("max\n")
    assert _free_in_cgroup(tmp_path) is None


def test_what_grows_with_the_vocabulary_counts_even_if_the_batch_is_small() -> None:
    config = Config(model=ModelConfig(hidden_size=16))
    config = replace(config, data=replace(config.data, seq_length=8, batch_size=2))
    small, large = (estimate(config, size, IDS) for size in (20_000, 200_000))
    # Measured: 411 MiB with 20,000 characters, of which 115 are Python and the text.
    assert 411 << 20 < small < 2 * (411 << 20)
    assert large > 8 * small


def test_every_network_of_an_ensemble_and_every_worker_takes_memory() -> None:
    def bytes_of(members: int, workers: int) -> int:
        config = Config(model=ModelConfig(hidden_size=512, members=members))
        return estimate(replace(config, run=replace(config.run, workers=workers)), 60, IDS)

    weights = 4 * 4 * 512 * 512
    assert bytes_of(4, 1) - bytes_of(1, 1) > 3 * 8 * weights
    assert bytes_of(1, 4) - bytes_of(1, 1) > 3 * 3 * weights
