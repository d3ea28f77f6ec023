"""How much memory there is, and how much a run takes."""

from pathlib import Path

import numpy as np

from charrnn import Config, ModelConfig
from charrnn.training.memory import _free_in_cgroup, estimate


def test_files_that_were_read_do_not_count_as_used_in_a_container(tmp_path: Path) -> None:
    assert _free_in_cgroup(tmp_path) is None
    (tmp_path / "memory.max").write_text("1000\n")
    (tmp_path / "memory.current").write_text("900\n")
    assert _free_in_cgroup(tmp_path) == 100
    (tmp_path / "memory.stat").write_text("anon 100\nactive_file 300\ninactive_file 400\n")
    assert _free_in_cgroup(tmp_path) == 800
    (tmp_path / "memory.max").write_text("max\n")
    assert _free_in_cgroup(tmp_path) is None


def test_saving_an_ensemble_takes_memory_for_the_zeros_between_its_members() -> None:
    config = Config(model=ModelConfig(hidden_size=16 * 512, members=16))
    zeros = 4 * 4 * (16 * 512) * (15 * 512)  # bytes, gates, rows, columns of other members
    assert estimate(config, 60, np.zeros(1000, np.uint8)) > 2 * zeros
