"""``charrnn xray``: the view, records, units and the page."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from rich.cells import cell_len  # the view is drawn with it
from rich.text import Text

from charrnn import Model
from charrnn.cli.console import console
from charrnn.cli.xray import FeatureName
from charrnn.cli.xray_view import BARS, LIMITS
from charrnn.scoring.features import FEATURES
from tests.planted import COUNTER, bracket_counter
from tests.support import MIXED_TEXT, Done, call, trained

TEXT = "the (old (grey) cat) sat\n(far) from\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("xray")
    words = TEXT * 30
    (path / "text.txt").write_text(words)
    bracket_counter(words).save(path / "m.npz")
    trained().save(path / "mixed.npz")
    (path / "mixed.txt").write_text(MIXED_TEXT)
    names = "\n".join(["anna", "bo", "clara", "dot"] * 20)
    (path / "names.txt").write_text(names)
    line = "train names.txt --lines -o lines.npz --steps 2 --hidden-size 8 --networks 2 -q"
    call(*line.split(), cwd=path)
    return path


def xray(folder: Path, *args: str, terminal: bool = False, stdin: str = "") -> Done:
    done = call("xray", *args, cwd=folder, terminal=terminal, stdin=stdin.encode())
    assert done.returncode == 0, done.err
    return done


def test_in_a_pipe_bars_are_under_the_text_and_guesses_under_these(folder: Path) -> None:
    done = xray(folder, "-", "-c", "m.npz", "--top", "2", stdin=TEXT)
    lines = done.out.split("\n")
    seen = Model.load(folder / "m.npz").xray(TEXT, top=2)
    levels = np.searchsorted(LIMITS, np.nan_to_num(seen.nats), side="right")
    first, end = TEXT.split("\n", maxsplit=1)[0], TEXT.index("\n") + 1
    assert lines[0] == first + "↵"
    assert lines[1].ljust(end) == "".join(BARS[level] for level in levels[:end])
    for rank in range(2):
        guesses = "".join(seen.alternatives(at)[rank][0] for at in range(1, end))
        assert lines[2 + rank] == f" {guesses}".replace("\n", "↵").rstrip()
    assert lines[4:6] == ["", "(far) from↵"]
    assert f"{seen.nats_per_char:.3f} nats per character, 35 characters predicted" in done.err


@pytest.fixture
def draw(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Return what draws a text on a terminal, with colors or without."""

    def draw(text: str, width: int, top: int = 0, *, color: bool = True) -> str:
        bracket_counter(text + "()").save(tmp_path / "m.npz")
        terminal = {"COLUMNS": str(width), "COLORTERM": "truecolor", "NO_COLOR": "1" * (not color)}
        for name, value in {**terminal, "TERM": "xterm" if color else "dumb"}.items():
            monkeypatch.setenv(name, value)
        args = ("-", "-c", "m.npz", "--top", str(top))
        return xray(tmp_path, *args, terminal=True, stdin=text).out

    return draw


def test_colors_are_those_of_the_levels_and_the_text_is_whole(draw: Callable[..., str]) -> None:
    text = Text.from_ansi(draw(TEXT, 80))
    assert text.plain.rstrip() == TEXT.replace("\n", "↵\n").rstrip()
    assert len({span.style for span in text.spans}) > 1


@pytest.mark.parametrize("width", [12, 30, 80])
def test_rows_break_behind_words_and_fit_the_width(width: int, draw: Callable[..., str]) -> None:
    words = "the 春の海 é 👩 e\u0301 was " * 4
    lines = draw(words, width, color=False).split("\n")
    shown = [line.rstrip() for line in lines[0:-1:3]]
    assert all(cell_len(line) <= width for line in lines)
    assert " ".join(shown).split() == words.replace("\u0301", "◌\u0301").split()


def test_guesses_are_in_the_column_of_their_character(
    draw: Callable[..., str], tmp_path: Path
) -> None:
    text, _, guesses, *_ = draw("a 春 a 春 ", 80, top=1, color=False).split("\n")
    seen = Model.load(tmp_path / "m.npz").xray("a 春 a 春 ", top=1)
    expected = ["", ""]
    for char, guess in zip(
        seen.text, [" ", *seen.vocabulary.decode(seen.top_ids[1:])], strict=True
    ):
        width = max(cell_len(char), cell_len(guess))
        for row, cell in enumerate((char, guess)):
            expected[row] += cell + " " * (width - cell_len(cell))
    assert [text, guesses] == [row.rstrip() for row in expected]


def test_text_can_do_nothing_to_the_terminal(draw: Callable[..., str]) -> None:
    for top in (0, 2):
        out = draw("été 👩‍👩‍👧\n\0\x1b[2J[bold]\u202e", 80, top)
        codes = re.sub(r"\x1b\[[\d;]*m", "", out)
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f\u202e]", codes)
        assert r"\x1b[2J[bold]\u202e" in codes or top


def test_records_say_what_the_api_says(folder: Path) -> None:
    done = xray(folder, "text.txt", "-c", "m.npz", "--json", "--top", "2")
    records = [json.loads(line) for line in done.out.splitlines()]
    seen = Model.load(folder / "m.npz").xray(TEXT * 30, top=2)
    assert "".join(it["char"] for it in records) == TEXT * 30
    assert [it["position"] for it in records] == list(range(len(records)))
    assert records[0]["nats"] is None
    assert records[0]["top"] == []
    for found, (char, p) in zip(records[9]["top"], seen.alternatives(9), strict=True):
        assert found == {"char": char, "probability": pytest.approx(p, abs=1e-4)}


def test_a_unit_of_the_second_layer_and_its_parts(folder: Path) -> None:
    args = ("--seed", "été [bold]", "-c", "mixed.npz", "--unit", "4", "--json")
    model = Model.load(folder / "mixed.npz")
    for given, layer, part in (
        ("", 0, "cell"),
        ("--layer 1", 1, "cell"),
        ("--layer 1 --part output", 1, "output"),
    ):
        records = map(json.loads, xray(folder, *args, *given.split()).out.splitlines())
        expected = model.xray("été [bold]", parts=(part,)).activations[part][:, layer, 4]
        np.testing.assert_allclose([it["activation"] for it in records], expected, atol=1e-4)
    line = "mixed.txt -c mixed.npz --find all --layer 1 --json"
    found = xray(folder, *line.split())
    assert {json.loads(line)["layer"] for line in found.out.splitlines()} == {1}


def test_the_unit_that_counts_brackets_is_found(folder: Path) -> None:
    done = xray(folder, "text.txt", "-c", "m.npz", "--find", "brackets")
    names, *rows = (line.split("\t") for line in done.out.splitlines())
    assert names == ["feature", "layer", "part", "unit", "share", "chance"]
    assert len(rows) == 3
    assert rows[0][:4] == ["brackets", "0", "cell", str(COUNTER)]
    assert float(rows[0][4]) > 0.8


def test_every_feature_can_be_asked_for() -> None:
    assert get_args(FeatureName) == ("all", *FEATURES)


def test_the_first_characters_are_enough_to_find_units_and_for_a_page(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("charrnn.cli.xray.MAX_VALUES", 12 * 200)
    monkeypatch.setattr("charrnn.cli.xray.MAX_CHARS", 100)
    for options, count in (("--find all", 200), (f"--html {tmp_path / 'x.html'}", 100)):
        done = xray(folder, "text.txt", "-c", "m.npz", *options.split())
        assert f"this shows the first {count} characters of text.txt" in done.err


def test_a_page_opens_with_what_was_asked_for(folder: Path, tmp_path: Path) -> None:
    openings = []
    for number, args in enumerate(("", "--unit 3 --part forget")):
        target = tmp_path / f"{number}.html"
        done = xray(folder, "text.txt", "-c", "m.npz", "--html", str(target), *args.split())
        assert "written: " in done.err
        assert done.out == ""
        found = re.search(r"^const DATA = (.*);$", target.read_text("utf-8"), re.MULTILINE)
        assert found is not None
        data = json.loads(found[1])
        unit = None if data["first"] < 0 else data["units"][data["first"]]["name"]
        openings.append((unit, data["part"]))
    assert openings == [(None, "cell"), ("unit 3", "forget")]
    piped = xray(folder, "text.txt", "-c", "m.npz", "--html", "-")
    assert piped.out == (tmp_path / "0.html").read_text("utf-8")


def test_lines_are_seen_on_their_own_with_their_ends(folder: Path) -> None:
    args = ("-", "-c", "lines.npz", "--json", "--top", "0")
    done = xray(folder, *args, stdin="anna\r\nbo")
    records = [json.loads(line) for line in done.out.splitlines()]
    assert "".join(it["char"] for it in records) == "anna\nbo\n"
    scores = Model.load(folder / "lines.npz").score_lines(["anna", "bo"])
    total = sum(score.nats for score in scores)
    assert sum(it["nats"] for it in records) == pytest.approx(total, abs=1e-3)


@pytest.mark.parametrize("columns", [58, 76])
def test_a_narrow_terminal_shows_every_number_whole(
    columns: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("charrnn.cli.console.is_terminal", lambda _: True)
    monkeypatch.setenv("COLUMNS", str(columns))
    header = ("feature", "layer", "part", "unit", "share", "nats", "entropy", "chance")
    row = ("sentence-start", "0", "cell", "284", "0.461", "0.045", "0.098", "0.050")
    console.table(header, [row])
    shown = capsys.readouterr().out.splitlines()
    assert max(map(len, shown)) <= columns
    assert [line for line in shown if all(number in line for number in row[3:])]
