"""``charrnn xray`` as its users see it: on terminals with and without colors, and in pipes."""

import io
import json
import re
import sys
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
from rich.text import Text  # noqa: TID251  # reads what a terminal is sent

from charrnn import Model, Vocabulary
from charrnn.cli import terminal, xray_colors
from charrnn.cli.xray_layout import Column, Rows, cells, shown
from charrnn.cli.xray_paint import Bars, Colors, Scale
from charrnn.inference.xray.scale import NO_LEVEL, SURPRISE_LIMITS, surprise_levels
from tests.inference.planted import COUNTER, bracket_counter
from tests.support import MIXED_TEXT, Done, call, trained

TEXT = "the (old (grey) cat) sat\n(far) from\n"
SURPRISE = Scale("surprise", ["0", *map(str, SURPRISE_LIMITS)], signed=False)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("xray")
    words = TEXT * 30
    (path / "text.txt").write_text(words)
    bracket_counter("lstm", Vocabulary.from_text(words)).save(path / "m.npz")
    trained().save(path / "mixed.npz")
    (path / "mixed.txt").write_text(MIXED_TEXT)
    names = "\n".join(["anna", "bo", "clara", "dot"] * 20)
    (path / "names.txt").write_text(names)
    line = "train names.txt --lines -o lines.npz --steps 2 --hidden-size 8 --members 2 -q"
    call(*line.split(), cwd=path)
    return path


def xray(folder: Path, *args: str, terminal: bool = False, stdin: str = "") -> Done:
    done = call("xray", *args, cwd=folder, terminal=terminal, stdin=stdin.encode())
    assert done.returncode == 0, done.err
    return done


def test_in_a_pipe_bars_stand_under_the_text_and_guesses_under_these(folder: Path) -> None:
    done = xray(folder, "-", "-c", "m.npz", "--top", "2", stdin=TEXT)
    lines = done.out.split("\n")
    seen = Model.load(folder / "m.npz").xray(TEXT, top=2)
    levels = np.maximum(surprise_levels(seen.nats), 0)
    first, end = TEXT.split("\n", maxsplit=1)[0], TEXT.index("\n") + 1
    assert lines[0] == first + "↵"
    assert lines[1].ljust(end) == "".join(" ▁▂▃▄▅▆▇█"[level] for level in levels[:end])
    signs = {" ": "␣", "\n": "↵"}
    for rank in range(2):
        guesses = [seen.alternatives(at)[rank][0] for at in range(1, end)]
        assert lines[2 + rank] == " " + "".join(signs.get(char, char) for char in guesses)
    assert lines[4:6] == ["", "(far) from↵"]
    assert "surprise in nats:" in done.err
    assert f"{seen.nats_per_char:.3f} nats per character, 35 characters predicted" in done.err


def test_colors_are_those_of_the_levels_and_the_text_is_whole(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLORTERM", "truecolor")
    done = xray(folder, "text.txt", "-c", "m.npz", "--top", "0", "--color", "always")
    text = Text.from_ansi(done.out)
    assert text.plain == (TEXT * 30).replace("\n", "↵\n")
    nats = Model.load(folder / "m.npz").xray(TEXT * 30).nats
    levels, at = surprise_levels(nats), TEXT.index("grey")
    offset = at + TEXT[:at].count("\n")
    (style,) = [span.style for span in text.spans if span.start <= offset < span.end][-1:]
    assert style.bgcolor.triplet.hex == xray_colors.SURPRISE[levels[at]]  # type: ignore[union-attr]


def test_colors_are_for_terminals_that_have_them(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("NO_COLOR", "COLORTERM", "FORCE_COLOR", "TTY_COMPATIBLE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    args = ("text.txt", "-c", "m.npz", "--top", "0")
    assert "\x1b[38;5;" in xray(folder, *args, terminal=True).out
    assert "\x1b[" not in xray(folder, *args).out
    assert "\x1b[" not in xray(folder, *args, "--color", "never", terminal=True).out
    for name, value in (("NO_COLOR", "1"), ("TERM", "dumb"), ("TERM", "linux")):
        with monkeypatch.context() as changed:
            changed.setenv(name, value)
            plain = xray(folder, *args, terminal=True).out
            assert "\x1b[" not in plain
            assert "▄▅" in plain


def test_text_can_do_nothing_to_the_terminal(folder: Path) -> None:
    text = "été 👩‍👩‍👧\n\0[bold]"
    for top in ("0", "2"):
        for color in ("always", "never"):
            args = ("--seed", text, "-c", "mixed.npz", "--top", top, "--color", color)
            out = xray(folder, *args, terminal=True).out
            codes = re.sub(r"\x1b\[[\d;]*m", "", out)
            assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f]", codes)
            assert "␀" in codes


def columns(text: str, guesses: str = "") -> list[Column]:
    weights = [0.5] * len(guesses)
    return [Column(char, 3, list(guesses), weights) for char in text]


def broken(text: str, width: int, guesses: str = "") -> list[str]:
    rows = Rows(width)
    found = [*rows.add(columns(text, guesses)), *rows.rest()]
    return ["".join(column.char for column in row) for row in found]


def test_rows_break_behind_words_and_fit_the_width() -> None:
    assert broken("the cat sat\non a", 9) == ["the cat ", "sat\n", "on a"]
    assert broken("abcdefghij", 4) == ["abcd", "efgh", "ij"]
    assert broken("你好世界", 5) == ["你好", "世界"]
    assert broken("你好", 1) == ["你", "好"]
    assert broken("abcd", 4, "你") == ["ab", "cd"]
    assert broken("\ta", 4) == ["\t", "a"]
    assert broken("", 4) == []


def test_every_line_of_a_row_is_as_wide_as_the_text_above_it() -> None:
    text = "a你e\u0301\t👍🏽z"
    for guesses in ("", "x你"):
        rows = Rows(80)
        (row,) = [*rows.add(columns(text, guesses)), *rows.rest()]
        width = sum(column.width for column in row)
        lines = Colors(SURPRISE, "256").lines(row)
        plain = [re.sub(r"\x1b\[[\d;]*m", "", line) for line in lines if line]
        assert {cells(line) for line in plain} == {width}
        assert Bars(SURPRISE).lines(row)[0] == plain[0].rstrip()


def test_marks_stay_on_their_letters_unless_guesses_stand_under_them() -> None:
    rows = Rows(80)
    alone = [*rows.add(columns("e\u0301👩‍👧x")), *rows.rest()][0]
    assert [column.char for column in alone] == ["e\u0301", "👩‍👧", "x"]
    rows = Rows(80)
    guessed = [*rows.add(columns("e\u0301", "a")), *rows.rest()][0]
    assert [column.shown for column in guessed] == ["e", "◌\u0301"]
    assert shown("\u202e") == "\\u202e"
    # The level of several characters is the strongest; one that was not predicted has none.
    rows = Rows(80)
    (row,) = [*rows.add([Column("e", NO_LEVEL), Column("\u0301", 2)]), *rows.rest()]
    assert row[0].level == 2


def test_records_say_what_the_api_says(folder: Path) -> None:
    done = xray(folder, "text.txt", "-c", "m.npz", "--json", "--top", "2")
    records = [json.loads(line) for line in done.out.splitlines()]
    seen = Model.load(folder / "m.npz").xray(TEXT * 30, top=2)
    assert "".join(it["char"] for it in records) == TEXT * 30
    assert [it["position"] for it in records] == list(range(len(records)))
    assert records[0]["nats"] is None
    assert records[0]["top"] == []
    assert records[9]["nats"] == pytest.approx(float(seen.nats[9]), abs=1e-4)
    for found, (char, p) in zip(records[9]["top"], seen.alternatives(9), strict=True):
        assert found == {"char": char, "probability": pytest.approx(p, abs=1e-4)}
    table = xray(folder, "text.txt", "-c", "m.npz", "--tsv", "--top", "2").out.splitlines()
    rows = [line.split("\t") for line in table]
    assert rows[0] == ["position", "char", "nats", "top1", "p1", "top2", "p2"]
    assert {len(row) for row in rows} == {7}
    assert rows[1] == ["0", "t", "", "", "", "", ""]
    assert rows[TEXT.index("\n") + 1][1] == "\\n"


def test_a_unit_of_the_second_layer_and_its_parts(folder: Path) -> None:
    args = ("--seed", "été [bold]", "-c", "mixed.npz", "--neuron", "4", "--json")
    model = Model.load(folder / "mixed.npz")
    for given, layer, part in (
        ("", 0, "cell"),
        ("--layer 1", 1, "cell"),
        ("--layer 1 --part output", 1, "output"),
    ):
        records = map(json.loads, xray(folder, *args, *given.split()).out.splitlines())
        expected = model.xray("été [bold]", parts=(part,)).activations(part, layer)[:, 4]
        np.testing.assert_allclose([it["activation"] for it in records], expected, atol=1e-4)
    line = "mixed.txt -c mixed.npz --find --layer 1 --json"
    found = xray(folder, *line.split())
    assert {json.loads(line)["layer"] for line in found.out.splitlines()} == {1}


def test_the_unit_that_counts_brackets_is_found(folder: Path) -> None:
    done = xray(folder, "text.txt", "-c", "m.npz", "--find", "bracket-depth", "--tsv")
    rows = [line.split("\t") for line in done.out.splitlines()]
    names = ["feature", "layer", "part", "unit", "share", "nats", "entropy", "chance"]
    assert rows[0] == names
    assert len(rows) == 11
    assert rows[1][:4] == ["bracket-depth", "0", "cell", str(COUNTER)]
    share, nats, entropy = map(float, rows[1][4:7])
    assert share > 0.95
    assert nats == pytest.approx(share * entropy, abs=0.002)


def test_the_value_of_find_can_be_left_out_anywhere(folder: Path) -> None:
    lines = "text.txt --find", "--find text.txt", "--find all text.txt", "--find=all text.txt"
    outs = {xray(folder, *line.split(), "-c", "m.npz", "--top", "1").out for line in lines}
    (out,) = outs
    assert len(out.splitlines()) > 5
    assert xray(folder, "--find", "-", "-c", "m.npz", "--top", "1", stdin=TEXT * 30).out == out


def test_the_first_characters_are_enough_to_find_units(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("charrnn.cli.xray_views._MOST_VALUES", 12 * 200)
    done = xray(folder, "text.txt", "-c", "m.npz", "--find")
    assert "this shows the first 200 characters of text.txt" in done.err


def test_a_page_opens_with_what_was_asked_for(folder: Path, tmp_path: Path) -> None:
    openings = []
    for number, args in enumerate(("", "--neuron 3 --part forget", "--find brackets")):
        target = tmp_path / f"{number}.html"
        done = xray(folder, "text.txt", "-c", "m.npz", "--html", str(target), *args.split())
        assert "written: " in done.err
        assert done.out == ""
        found = re.search(r"^const DATA = (.*);$", target.read_text("utf-8"), re.MULTILINE)
        assert found is not None
        data = json.loads(found[1])
        unit = None if data["first"] < 0 else data["units"][data["first"]]["name"]
        openings.append((unit, data["part"]))
    assert openings == [(None, "cell"), ("unit 3", "forget"), (f"unit {COUNTER}", "cell")]
    piped = xray(folder, "text.txt", "-c", "m.npz", "--html", "-")
    assert piped.out == (tmp_path / "0.html").read_text("utf-8")


def test_a_page_takes_the_first_characters_of_a_long_text(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("charrnn.cli.xray_page.MOST_CHARS", 100)
    done = xray(folder, "text.txt", "-c", "m.npz", "--html", str(tmp_path / "x.html"))
    assert "this shows the first 100 characters of text.txt" in done.err
    assert "100 characters" in done.err.splitlines()[-1]


def test_lines_are_seen_on_their_own_with_their_ends(folder: Path) -> None:
    args = ("-", "-c", "lines.npz", "--json", "--top", "0")
    done = xray(folder, *args, stdin="anna\r\nbo")
    records = [json.loads(line) for line in done.out.splitlines()]
    assert "".join(it["char"] for it in records) == "anna\nbo\n"
    scores = Model.load(folder / "lines.npz").score_lines(["anna", "bo"])
    total = sum(score.nats for score in scores)
    assert sum(it["nats"] for it in records) == pytest.approx(total, abs=1e-3)


@pytest.mark.parametrize(
    ("code", "complaint", "args"),
    [
        (1, "nowhere.txt: no such file", "nowhere.txt -c m.npz"),
        (1, "there is no text to look at", "- -c m.npz"),
        (1, "there is no text to look at", "- -c lines.npz"),
        (1, "there is no text to look at", "- -c m.npz --html x.html"),
        (1, "there is no text to look at", "- -c m.npz --find"),
        (1, "unknown characters: 'a'", "names.txt -c mixed.npz"),
        (1, "names.txt: exists and is not a web page", "text.txt -c m.npz --html names.txt"),
        (1, "digits never varies in this text", "text.txt -c m.npz --find digits"),
        (2, "a file and --seed contradict each other", "text.txt --seed a -c m.npz"),
        (2, "--seed: unknown character: 'z'", "--seed z -c m.npz"),
        (2, "--json and --tsv contradict", "text.txt -c m.npz --json --tsv"),
        (2, "--html and --json contradict", "text.txt -c m.npz --json --html x"),
        (2, "--neuron and --find contradict", "text.txt -c m.npz --neuron 1 --find"),
        (2, "there is no unit 12", "text.txt -c m.npz --neuron 12"),
        (2, "there is no layer 1", "text.txt -c m.npz --neuron 1 --layer 1"),
        (2, "has no part 'reset'", "text.txt -c m.npz --neuron 1 --part reset"),
        (2, "--layer and --part go with units", "text.txt -c m.npz --layer 0"),
        (2, "--overwrite goes with --html", "text.txt -c m.npz --overwrite"),
        (2, "'rhymes' is not one of 'all', 'quotes'", "text.txt -c m.npz --find rhymes"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(
    code: int, complaint: str, args: str, folder: Path
) -> None:
    done = call("xray", *args.split(), cwd=folder)
    lines = done.err.splitlines()
    assert done.returncode == code
    assert lines[-2].startswith("charrnn: error: ")
    assert complaint in lines[-2]
    assert lines[-1].startswith("hint: ")
    assert not done.out


def test_the_scale_is_told_where_someone_looks() -> None:
    painter = Colors(SURPRISE, "truecolor")
    for watched in (True, False):
        stream = io.StringIO()
        stream.isatty = lambda watched=watched: watched  # type: ignore[method-assign,misc]
        with mock.patch.object(sys, "stderr", stream):
            painter.tell()
        assert ("surprise: " in stream.getvalue()) == watched
    assert terminal.colors() is None  # pytest is no terminal


@pytest.mark.parametrize("columns", [30, 44, 58, 65, 76])
def test_a_narrow_terminal_shows_every_number_whole(
    columns: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(terminal, "is_terminal", lambda _: True)
    monkeypatch.setenv("COLUMNS", str(columns))
    header = ("feature", "layer", "part", "unit", "share", "nats", "entropy", "chance")
    row = ("sentence-start", "0", "cell", "284", "0.461", "0.045", "0.098", "0.050")
    terminal.print_table(header, [row])
    shown = capsys.readouterr().out.splitlines()
    # The terminal folds the lines that are too long even so.
    assert max(map(len, shown)) <= max(columns, 46)
    assert [line for line in shown if all(number in line for number in row[3:])]
