"""How much memory there is."""

from pathlib import Path

from charrnn.training.memory import _free_in_cgroup


def test_files_that_were_read_do_not_count_as_used_in_a_container(tmp_path: Path) -> None:
    assert _free_in_cgroup(tmp_path) is None
    (tmp_path / "memory.max").write_text("1000\n")
    (tmp_path / "memory.current").write_text("900\n")
    assert _free_in_cgroup(tmp_path) == 100
    (tmp_path / "memory.stat").write_text("anon 100\nactive_file 300\ninactive_file 400\n")
    assert _free_in_cgroup(tmp_path) == 800
    (tmp_path / "memory.max").write_text("max\n")
    assert _free_in_cgroup(tmp_path) is None
