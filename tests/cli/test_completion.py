"""What TAB completes: through the protocol of the shells, and in a real one."""

import os
import shutil
import subprocess
from pathlib import Path
from unittest import mock

import pytest

from charrnn.checkpoint.bases import BASES
from charrnn.cli.app import COMMANDS
from charrnn.config import CELLS, DEFAULT_LEARNING_RATES
from charrnn.export import FORMATS
from tests.support import CHARRNN, ENVIRONMENT, call, posix


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Return a folder with checkpoints, the newest named last."""
    names = ["checkpoints/zebra.npz", "checkpoints/apple.npz", "here.npz", "runs/one.npz"]
    for age, name in enumerate(reversed(names)):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
        os.utime(path, (1000 - age, 1000 - age))
    (tmp_path / "notes.txt").touch()
    (tmp_path / "runs" / "deep").mkdir()
    return tmp_path


def completed(line: str, cwd: Path) -> list[str]:
    """Return what bash is told when TAB is pressed at the end of a line."""
    words = line.split(" ")
    asked = {
        "_CHARRNN_COMPLETE": "complete_bash",
        "COMP_WORDS": "\n".join(words),
        "COMP_CWORD": str(len(words) - 1),
    }
    with mock.patch.dict(os.environ, asked):
        done = call(cwd=cwd)
    assert (done.returncode, done.err) == (0, "")
    return done.out.split()


NEWEST_FIRST = ["checkpoints/apple.npz", "checkpoints/zebra.npz", "here.npz"]


def test_commands_and_options_are_completed(place: Path) -> None:
    assert completed("charrnn ", place) == [*COMMANDS]
    assert completed("charrnn in", place) == ["inspect", "inspect-vocab"]
    assert completed("charrnn --deb", place) == ["--debug"]
    assert completed("charrnn --debug sa", place) == ["sample"]
    assert completed("charrnn sample --top", place) == ["--top-k", "--top-p"]
    assert "--no-ngram" in completed("charrnn train --", place)


@pytest.mark.parametrize("words", ["inspect-vocab", "complete -c", "score x -c a.npz -c"])
def test_a_model_is_a_base_or_a_checkpoint(words: str, place: Path) -> None:
    files = completed(f"charrnn {words} ", place)
    assert files[: len(BASES)] == [*BASES]
    assert sorted(files[len(BASES) :]) == sorted(NEWEST_FIRST)
    assert completed(f"charrnn {words} checkpoints/z", place) == ["checkpoints/zebra.npz"]
    assert completed(f"charrnn {words} eng", place) == ["english"]
    assert completed(f"charrnn {words} runs/", place) == ["runs/one.npz", "runs/deep/"]
    assert completed(f"charrnn {words} ./he", place) == ["./here.npz"]
    assert completed(f"charrnn {words} nowhere/", place) == []
    assert completed(f"charrnn {words} ~nobody-of-this-name/", place) == []


@pytest.mark.parametrize(
    ("words", "choices"),
    [
        ("export --to", FORMATS),
        ("train --optimizer", DEFAULT_LEARNING_RATES),
        ("train --model", CELLS),
        ("sample --unknown", ["error", "skip", "replace"]),
    ],
)
def test_choices_are_completed(words: str, choices: list[str], place: Path) -> None:
    assert completed(f"charrnn {words} ", place) == [*choices]


def test_other_files_are_left_to_the_shell(place: Path) -> None:
    for line in ("train ", "train no", "import ", "sample --seed-file ", "train x -o "):
        assert completed(f"charrnn {line}", place) == []


@posix
def test_bash_completes_a_line(place: Path) -> None:
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("no bash")
    shown = subprocess.run(
        [CHARRNN], env={**ENVIRONMENT, "_CHARRNN_COMPLETE": "source_bash"},
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    script = f"""{shown}
COMP_WORDS=(charrnn sample -c checkpoints/a) COMP_CWORD=3
_charrnn_completion charrnn
printf '%s\\n' "${{COMPREPLY[@]}}"
"""
    done = subprocess.run(
        [bash, "--norc", "-c", script], env=ENVIRONMENT, cwd=place, capture_output=True, text=True,
        check=True,
    )  # fmt: skip
    assert done.stdout.splitlines() == ["checkpoints/apple.npz"]
