"""Charts: every point is where it belongs, and nothing that is read can break them."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from charrnn.cli.chart import (
    BRAILLE,
    GUTTER,
    Curve,
    Frame,
    clock,
    draw,
    draws_braille,
    loss_curves,
    text_of,
)
from charrnn.cli.terminal import styled

# So wide and high that a point has a cell of its own in ASCII.
FRAME = Frame(GUTTER + 21, 14, plain=True)


def cells(text: str) -> list[str]:
    """Return what is right of the axis, without legend and times."""
    return [line[GUTTER:] for line in text.splitlines()[1:-2]]


def test_points_stand_where_time_and_loss_put_them() -> None:
    curve = Curve("a", [(0, 3.0), (5, 2.0), (20, 1.0)], mark="x", joined=False)
    rows = cells(text_of(draw([curve], FRAME, "nats")))
    found = {(at, number) for number, row in enumerate(rows) for at, char in enumerate(row)
             if char == "x"}  # fmt: skip
    assert len(rows) == 11
    assert found == {(0, 0), (5, 5), (20, 10)}


def test_axes_name_the_limits() -> None:
    curve = Curve("my run", [(10, 2.5), (130, 1.25)], mark="x")
    lines = text_of(draw([curve], FRAME, "nats per text")).splitlines()
    assert lines[0].startswith("nats per text")
    assert "x my run" in lines[0]
    assert lines[1].startswith(" 2.500 +")
    assert lines[11].startswith(" 1.250 +")
    assert lines[-1].split() == ["0:00", "1:05", "2:10"]


def test_a_line_has_no_gaps_and_braille_dots_are_the_same_line_finer() -> None:
    curve = Curve("a", [(0, 9.0), (1, 1.0), (9, 0.0)])
    plain = cells(text_of(draw([curve], FRAME)))
    assert all("." in row for row in plain)  # it falls through every row
    rows = cells(text_of(draw([curve], Frame(FRAME.width, FRAME.height))))
    drawn = "".join(rows)
    assert all(char == " " or 0 < ord(char) - BRAILLE < 256 for char in drawn)
    # the first dot of the curve is the upper left one, the last the lower right one
    assert (ord(rows[0][0]) - BRAILLE) & 0x01
    assert (ord(rows[-1][20]) - BRAILLE) & 0x80


def test_ascii_is_ascii_and_marks_stand_above_lines() -> None:
    points = [(0.0, 1.0), (50.0, 0.5)]
    text = text_of(draw(loss_curves(points, points, plain=True), FRAME, "nats"))
    assert text.isascii()
    assert cells(text)[0][0] == "o"


def test_no_points_make_no_chart_and_neither_does_a_tiny_frame() -> None:
    assert draw([Curve("a", [])], FRAME) == []
    assert draw([Curve("a", [(0, 1)])], Frame(GUTTER + 5, 20)) == []
    assert draw([Curve("a", [(0, 1)])], Frame(60, 3)) == []


LOSSES = st.floats(-1e300, 1e300)
POINTS = st.lists(st.tuples(LOSSES, LOSSES), min_size=1, max_size=30)


@given(POINTS, POINTS, st.integers(0, 90), st.integers(0, 30), st.booleans())
def test_whatever_a_file_holds_fits_into_the_frame(
    one: list[tuple[float, float]],
    other: list[tuple[float, float]],
    width: int,
    height: int,
    plain: bool,
) -> None:
    curves = [Curve("one" * 50, one, "a"), Curve("other", other, joined=False, mark="b")]
    rows = draw(curves, Frame(width, height, plain), "nats per character")
    assert len(rows) in (0, height)
    assert all(sum(len(text) for text, _ in row) <= width for row in rows)
    if rows:
        assert "b" in text_of(rows[1:-2])


def test_times_are_as_exact_as_the_run_is_short() -> None:
    assert [clock(time, 4.2) for time in (0, 2.1, 4.2)] == ["0 s", "2.1 s", "4.2 s"]
    assert [clock(time, 3723) for time in (0, 3723)] == ["0:00", "1:02:03"]
    assert clock(math.inf, math.inf) == "inf s"


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"LANG": "en_US.UTF-8"}, True),
        ({"LANG": "C.utf8", "TERM": "xterm"}, True),
        ({}, True),
        ({"LANG": "en_US.UTF-8", "LC_ALL": "C"}, False),
        ({"LANG": "de_DE.ISO-8859-1"}, False),
        ({"LANG": "en_US.UTF-8", "TERM": "linux"}, False),
        ({"LANG": "en_US.UTF-8", "TERM": "dumb"}, False),
    ],
)
def test_a_terminal_without_the_characters_gets_ascii(
    environment: dict[str, str], expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("LANG", "LC_ALL", "LC_CTYPE", "TERM"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("sys.platform", "linux")
    assert draws_braille() is expected


def test_nothing_of_a_name_reaches_the_terminal_as_a_command() -> None:
    rows = draw([Curve("\x1b[31mred", [(0, 1)])], Frame(60, 8))
    assert "\x1b" not in styled(rows).plain
