"""Loss curves on a terminal, and ``train --plot``."""

import math
import re
from pathlib import Path

import pytest

from charrnn.cli.plot import Curve, chart, loss_curves
from tests.support import TEXT, call, on_a_terminal, posix

RUN = ["train", "text.txt", "-o", "m.npz", "--hidden-size", "8", "--random-seed", "1"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "text.txt").write_text(TEXT * 10)
    return tmp_path


def on_terminal(folder: Path, *args: str, **environment: str) -> str:
    """Return what a run shows on a terminal, without colors and moves."""
    shown = on_a_terminal(*args, cwd=folder, **environment)
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown)


def test_a_chart_has_the_losses_and_times_and_names_its_curves() -> None:
    pytest.importorskip("plotext", reason="an extra: pip install '.[plot]'")
    both = chart(loss_curves([(0, 2.0), (9, 1.0)], [(9, 1.5)]), 60, 12, color=False)
    assert "training text" in both
    assert "● held-out text" in both
    falling = Curve("x\x1b[2J", [(0, 3.0), (60, 2.0), (120, 1.0), (130, math.nan)])
    text = chart([falling], 60, 12, color=False)
    assert "\x1b" not in text
    lines = text.splitlines()
    assert max(map(len, lines)) == 60
    assert [lines[1][:3], lines[-3][:3]] == ["3.0", "1.0"]
    assert lines[-1].split() == ["0:00", "1:00", "2:00"]
    assert chart([falling], 20, 12) == chart([Curve("none", [])], 60) == ""


def test_without_plotext_the_curve_is_a_line_of_bars(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("charrnn.cli.plot.find_spec", lambda _: None)
    curve = Curve("held-out", [(second, 8 - second) for second in range(8)])
    assert chart([curve], 60) == "held-out 8.000 █▇▆▅▄▃▂▁ 1.000\n"
    assert len(chart([Curve("x", [(at, at % 9) for at in range(999)])], 60)) <= 61


@posix
def test_curves_are_drawn_on_a_terminal_with_the_bar_below(folder: Path) -> None:
    pytest.importorskip("plotext", reason="an extra: pip install '.[plot]'")
    shown = on_terminal(folder, *RUN, "--plot", "--steps", "60")
    assert "● held-out text" in shown
    assert "100%|█" in shown
    # the last drawing stays, without the bar, and then comes what was reached
    last = shown[shown.rindex("training text") :]
    assert "%|" not in last
    assert "saved:  m.npz" in last
    again = on_terminal(
        folder, *RUN, "--plot", "--resume", "--steps", "60"
    )  # begins with what it has
    assert "nothing left to do" in again
    assert "●" in again


@posix
@pytest.mark.parametrize(
    ("setting", "reason"),
    [({"TERM": "dumb"}, "cannot move its cursor"), ({"COLUMNS": "15"}, "is too small")],
)
def test_a_terminal_that_cannot_show_it_says_so(
    setting: dict[str, str], reason: str, folder: Path
) -> None:
    shown = on_terminal(folder, *RUN, "--plot", "--steps", "9", **setting)
    assert reason in shown.replace("\r\n", " ")
    assert "┤" not in shown


def test_in_a_pipe_one_note_says_so(folder: Path) -> None:
    done = call(*RUN, "--plot", "--steps", "9", cwd=folder)
    assert done.returncode == 0
    assert "no curve is drawn: stderr is not a terminal" in done.err
    assert call(*RUN, "--plot", "--steps", "9", "--overwrite", "-q", cwd=folder).returncode == 2
