"""What TAB completes, through the protocol of the shells."""

import os
from pathlib import Path
from unittest import mock

import pytest

from charrnn.checkpoint.bases import BASES
from charrnn.cli.app import COMMANDS
from charrnn.config import DEFAULT_LEARNING_RATES
from charrnn.export import FORMATS
from tests.support import call


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Return a folder with checkpoints, the newest named last."""
    (tmp_path / "checkpoints").mkdir()
    for time, name in enumerate(["checkpoints/zebra.npz", "here.npz", "checkpoints/apple.npz"]):
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (time, time))
    (tmp_path / "notes.txt").touch()
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


def test_commands_and_options_are_completed(place: Path) -> None:
    assert completed("charrnn ", place) == [*COMMANDS]
    assert completed("charrnn in", place) == ["inspect", "inspect-vocab"]
    assert completed("charrnn --deb", place) == ["--debug"]
    assert completed("charrnn --debug sa", place) == ["sample"]
    assert completed("charrnn sample --top", place) == ["--top-k", "--top-p"]
    assert "--no-ngram" in completed("charrnn train --", place)


@pytest.mark.parametrize("words", ["inspect-vocab", "complete -c", "score x -c a.npz -c"])
def test_a_model_is_a_base_or_a_checkpoint(words: str, place: Path) -> None:
    files = ["checkpoints/apple.npz", "here.npz", "checkpoints/zebra.npz"]
    assert completed(f"charrnn {words} ", place) == [*BASES, *files]
    assert completed(f"charrnn {words} checkpoints/z", place) == ["checkpoints/zebra.npz"]
    assert completed(f"charrnn {words} eng", place) == ["english"]


@pytest.mark.parametrize(
    ("words", "choices"),
    [
        ("export --to", FORMATS),
        ("train --optimizer", DEFAULT_LEARNING_RATES),
        ("sample --unknown", ["error", "skip", "replace"]),
    ],
)
def test_choices_are_completed(words: str, choices: list[str], place: Path) -> None:
    assert completed(f"charrnn {words} ", place) == [*choices]


@pytest.mark.parametrize("words", ["train no", "import ", "sample --seed-file ", "sample -c run/"])
def test_other_files_are_left_to_the_shell(words: str, place: Path) -> None:
    assert completed(f"charrnn {words}", place) == []
