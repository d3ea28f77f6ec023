"""Every script of benchmarks/ still runs, on as little as it takes.

They compare with PyTorch, so they are run where it is installed.
"""

import importlib.util
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import ENVIRONMENT, ROOT, TEXT, ok

pytest.importorskip("torch")

# For each script: a command line, and the package that it needs beside PyTorch.
RUNS = [
    ("control_speed.py --rounds 1 --lines 2", None),
    ("corpus_speed.py text.txt --rounds 1 --megabytes 1 --time 3s", None),
    ("memory.py score text.txt m.npz", None),
    ("memory.py sample text.txt m.npz", None),
    ("memory.py complete text.txt m.npz", None),
    ("names_peer.py words.txt --times 1", None),
    ("pieces.py text.txt --separator '\\n' --form .* --time 3s", None),
    ("quality.py text.txt --times 3 --seeds 1 --alone --sample 9", None),
    ("quality_peer.py text.txt --marks 1", None),
    ("quality_plot.py --folder .", "matplotlib"),
    ("sample_speed.py --rounds 1 --model m.npz", None),
    ("score_lines.py speed --lines 20", None),
    ("start_speed.py --rounds 1", None),
    ("text_quality.py m.npz text.txt text.txt", None),
    ("train_speed.py text.txt --rounds 1", None),
]
HELPERS = {"measuring.py", "torch_peer.py"}
BENCHMARKS = ROOT / "benchmarks"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("benchmarks")
    words = TEXT.split()[:11]
    lines = [" ".join(words[i % 7 : i % 7 + 4]) + f" {words[i % 11]}" for i in range(2400)]
    (path / "text.txt").write_text("\n".join(lines) + "\n")
    (path / "words.txt").write_text("\n".join(words * 200) + "\n")
    ok(*shlex.split("train text.txt --plain --hidden-size 8 --steps 1 -o m.npz"), cwd=path)
    return path


@pytest.mark.parametrize(("command", "needs"), RUNS, ids=[command for command, _ in RUNS])
def test_a_benchmark_runs_and_prints_what_it_found(
    folder: Path, command: str, needs: str | None
) -> None:
    if needs and not importlib.util.find_spec(needs):
        pytest.skip(f"needs {needs}")
    script, *args = shlex.split(command)
    environment = ENVIRONMENT | {"PYTHONWARNINGS": "default"}  # PyTorch has some
    done = subprocess.run(
        [sys.executable, BENCHMARKS / script, *args],
        check=False, cwd=folder, env=environment, capture_output=True,
        text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert any(char.isdigit() for char in done.stdout)


def test_no_benchmark_is_left_out() -> None:
    scripts = {path.name for path in BENCHMARKS.glob("*.py")}
    assert scripts == HELPERS | {command.split()[0] for command, _ in RUNS}
