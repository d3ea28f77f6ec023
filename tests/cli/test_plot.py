"""Loss curves on a terminal, and ``train --plot``."""

import math
import re
from pathlib import Path

import pytest

from charrnn.cli import plot
from charrnn.cli.plot import draw_losses
from charrnn.training.state import History
from tests.support import TEXT, Stream, call, on_a_terminal, posix

RUN = ["train", "text.txt", "-o", "m.npz", "--hidden-size", "8", "--random-seed", "1"]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setenv("LINES", "14")
    (tmp_path / "text.txt").write_text(TEXT * 10)
    return tmp_path


def history(*losses: float) -> History:
    """Return one held-out loss a minute."""
    return [
        {"seconds": 60.0 * at, "train_loss": None, "val_loss": loss}
        for at, loss in enumerate(losses)
    ]


@pytest.mark.usefixtures("folder")
def test_a_chart_has_the_losses_and_times_and_names_its_curves() -> None:
    pytest.importorskip("plotext", reason="an extra: pip install '.[plot]'")
    falling, terminal = history(3.0, 2.0, 1.0, math.nan), Stream(terminal=True)
    assert "● held-out text" in draw_losses({"": falling}, terminal)
    text = draw_losses({"x\x1b[2J": falling, "y": falling}, terminal)
    assert "\x1b" not in text
    lines = text.splitlines()
    assert max(map(len, lines)) == 59
    assert [lines[1][:3], lines[-3][:3]] == ["3.0", "1.0"]
    assert lines[-1].split() == ["0:00", "1:00", "2:00"]
    assert draw_losses({"": []}, terminal) == ""


@pytest.mark.usefixtures("folder")
def test_without_plotext_a_curve_is_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plot, "find_spec", lambda _: None)
    falling = history(3.0, 2.5, 2.0, 1.0)
    assert draw_losses({"": falling}, Stream(terminal=True)) == "held-out text 3.000 █▆▅▁ 1.000\n"
    line = draw_losses({"": history(*range(200))}, Stream(terminal=True))
    assert len(line) <= 60


@posix
def test_curves_are_drawn_on_a_terminal_with_the_bar_below(folder: Path) -> None:
    pytest.importorskip("plotext", reason="an extra: pip install '.[plot]'")

    def shown(*args: str) -> str:
        return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", on_a_terminal(*RUN, *args, cwd=folder))

    first = shown("--plot", "--steps", "60")
    assert "100%|█" in first
    # The last drawing stays, without the bar, and then comes what was reached.
    last = first[first.rindex("● held-out text") :]
    assert "%|" not in last
    assert "saved:  m.npz" in last
    again = shown("--plot", "--resume", "--steps", "60")
    assert "nothing left to do" in again
    assert "●" in again


def test_in_a_pipe_one_note_says_so(folder: Path) -> None:
    done = call(*RUN, "--plot", "--steps", "9", cwd=folder)
    assert done.returncode == 0
    assert done.err.count("stderr shows no chart") == 1
    assert call(*RUN, "--plot", "--steps", "9", "--overwrite", "-q", cwd=folder).returncode == 2
