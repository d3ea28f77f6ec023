"""``train --plot``: curves on a terminal while training, a note elsewhere."""

import os
import re
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from charrnn.cli.live import MOST_POINTS, Means
from tests.support import CHARRNN, ENVIRONMENT, TEXT, call, posix

if sys.platform != "win32":
    import fcntl
    import pty
    import termios

SMALL = ["--hidden-size", "8", "--random-seed", "1", "--workers", "1"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "text.txt").write_text(TEXT * 10)
    (tmp_path / "x.tsv").write_text("".join(f"{n % 2}\t{'ab'[n % 2] * n}\n" for n in range(90)))
    return tmp_path


def on_terminal(folder: Path, *args: str, columns: int = 80, **environment: str) -> str:
    """Run charrnn with stderr on a terminal, and return what reached it."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 30, columns, 0, 0))
    known = {"TERM": "xterm", "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8", "COLUMNS": "", "LINES": ""}
    settings = {name: value for name, value in {**ENVIRONMENT, **known, **environment}.items()
                if value}  # fmt: skip
    with subprocess.Popen(
        [CHARRNN, *args], cwd=folder, env=settings, stderr=theirs, stdout=subprocess.DEVNULL
    ) as process:
        os.close(theirs)
        shown = b""
        while True:
            try:
                piece = os.read(ours, 65536)
            except OSError:  # the other end is closed
                break
            if not piece:
                break
            shown += piece
        os.close(ours)
    assert process.returncode == 0, shown
    return shown.decode()


@posix
def test_curves_are_drawn_on_a_terminal_with_the_bar_below(folder: Path) -> None:
    unit = "nats per character"
    run = ["train", "text.txt", "-o", "m.npz", "--steps", "60", *SMALL]
    shown = on_terminal(folder, *run, "--plot", "-v")
    assert re.search(rf"{unit} .*training text.*held-out text", shown)
    assert "●" in shown
    assert "100%|█" in shown
    assert shown.index("random seed 1") < shown.index(unit)
    # notes pass above the chart and are whole lines
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown).replace("\r", "\n")
    assert re.search(r"^ *\d+% ETA [^\n]*chars/s$", plain, re.MULTILINE)
    # the last drawing stays, without the bar, and then comes what was reached
    last = shown[shown.rindex("training text") :]
    assert "●" in last
    assert "%|" not in last
    assert "saved:  m.npz" in last
    # the cursor that rich hides is shown again at once, lest a killed run leaves it hidden
    assert shown.index("\x1b[?25h") - shown.index("\x1b[?25l") < 20


@posix
def test_a_resumed_run_begins_with_the_curve_it_has(folder: Path) -> None:
    run = ["train", "text.txt", "-o", "m.npz", *SMALL]
    call(*run, "--steps", "60", cwd=folder)
    shown = on_terminal(folder, *run, "--resume", "--steps", "60", "--plot")
    assert "nothing left to do" in shown
    assert "●" in shown


@posix
def test_a_plain_terminal_gets_ascii(folder: Path) -> None:
    run = ["train", "text.txt", "-o", "m.npz", "--steps", "20", *SMALL, "--plot"]
    assert on_terminal(folder, *run, LANG="C", LC_ALL="C").isascii()


@posix
@pytest.mark.parametrize(
    ("columns", "term", "reason"),
    [(80, "dumb", "cannot move its cursor"), (15, "xterm", "is too small")],
)
def test_a_terminal_that_cannot_show_it_says_so(
    columns: int, term: str, reason: str, folder: Path
) -> None:
    run = ["train", "text.txt", "-o", "m.npz", "--steps", "9", *SMALL, "--plot"]
    shown = on_terminal(folder, *run, columns=columns, TERM=term)
    assert reason in shown
    assert "┤" not in shown


def test_elsewhere_one_note_says_so_and_the_run_is_the_same(folder: Path) -> None:
    run = ["train", "text.txt", "--steps", "9", *SMALL, "--json"]
    done = call(*run, "-o", "m.npz", "--plot", cwd=folder)
    plain = call(*run, "-o", "n.npz", cwd=folder)
    assert done.returncode == plain.returncode == 0
    notes = [line for line in done.err.splitlines() if "no curve is drawn" in line]
    assert notes == [
        "no curve is drawn: stderr is not a terminal; 'charrnn inspect' draws it afterwards"
    ]
    assert len(done.err.splitlines()) == len(plain.err.splitlines()) + 1
    assert done.out.replace("m.npz", "n.npz").split('"seconds"')[0] == plain.out.split('"sec')[0]
    quiet = call(*run, "-o", "o.npz", "--plot", "-q", cwd=folder)
    assert (quiet.returncode, quiet.out) == (2, "")
    assert "--quiet and --plot contradict each other" in quiet.err


def test_a_curve_of_means_is_bounded_and_loses_no_step() -> None:
    means, steps = Means([(0.0, 8.0)]), 12_345
    for step in range(1, steps + 1):
        means.add(float(step), step % 7)
        assert len(means.points) < MOST_POINTS
    assert len(means.points) >= MOST_POINTS // 2 - 1
    times = [time for time, _ in means.points]
    # the beginning of the run is drawn as finely as its end
    gaps = np.diff(times[1:])
    assert gaps.min() > 0
    assert gaps.max() < 2.1 * gaps.min()
    # the mean of many steps is that of the steps
    assert means.points[-2][1] == pytest.approx(3, abs=0.1)
    assert times[-1] > steps * 0.95
