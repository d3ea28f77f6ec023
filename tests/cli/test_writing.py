"""Text that obeys, streams and goes on: sample and complete from end to end."""

import contextlib
import json
import re
import subprocess
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len  # text is wrapped with it

from charrnn import Model
from charrnn.cli.console import console
from charrnn.cli.writing import BLOCK_CHARS, wrap_words
from tests.support import CHARRNN, ENVIRONMENT, TEXT, call, posix, shell

TEXT_MODEL = "checkpoints/text.npz"
COUNTED = ("--count", "3", "-n", "60", "--random-seed", "1")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("home")
    (folder / "text.txt").write_text(TEXT)
    line = "train text.txt --hidden-size 24 --steps 150 --random-seed 1 -q"
    call(*line.split(), cwd=folder)
    return folder


def sample(home: Path, *args: str) -> str:
    done = call("sample", "-c", TEXT_MODEL, *args, cwd=home)
    assert done.returncode == 0, done.err
    return done.out


# Controls


def test_controls_hold_for_many_samples_and_json_lines(home: Path) -> None:
    args = ["--seed", "The", "--match", " [a-z]+ (?:sat|dug).*", "-n", "30", "--random-seed", "1"]
    rows = sample(home, *args, "--count", "20", "--jsonl").splitlines()
    records = [json.loads(row) for row in rows]
    assert all(re.fullmatch(args[3], record["text"]) for record in records)
    assert all(record["log_probability"] < 0 for record in records)
    assert {record["ended"] for record in records} == {"match"}
    texts = [f"The{record['text']}\n" for record in records]
    assert sample(home, *args, "--count", "20") == "".join(texts)
    assert sample(home, *args) == texts[0]


@pytest.mark.parametrize(
    ("options", "ended", "said"),
    [
        ("-n 9", "length", ""),
        ("--stop ttt", "length", "the sample had 10,000 characters before --stop\n"),
        ("--stop ttt -n 9", "length", "the sample had 9 characters before --stop\n"),
        ("--until-sentence", "sentence", ""),
        (r"--stop \n --stop \x2e", "stop", ""),
    ],
)
def test_a_text_is_not_cut_silently(options: str, ended: str, said: str, home: Path) -> None:
    text = f"sample --random-seed 3 --jsonl -c {TEXT_MODEL} {options}"
    done = call(*text.split(), cwd=home)
    assert (json.loads(done.out)["ended"], done.err) == (ended, said)


def test_a_stop_text_that_cannot_occur_is_said(home: Path) -> None:
    done = call("sample", "--stop", "ß\x1b", "-c", TEXT_MODEL, cwd=home)
    assert "never occurs" in done.err
    assert "\x1b" not in done.err
    assert "before --stop" not in done.err
    assert len(done.out) == 201  # as without it


def test_samples_of_several_lines_stand_apart(home: Path) -> None:
    rows = sample(home, *COUNTED, "--jsonl").splitlines()
    texts = [f"{json.loads(row)['text']}\n" for row in rows]
    assert sample(home, *COUNTED) == "\n".join(texts)
    assert sample(home, *COUNTED, "--delimiter", r"--\t") == "--\t\n".join(texts)
    on_terminal = call("sample", "-c", TEXT_MODEL, *COUNTED, cwd=home, terminal=True).out
    assert len(re.findall("^─+$", on_terminal, re.MULTILINE)) == 2
    assert len(sample(home, *COUNTED, "--charset", "a-z").splitlines()) == 3


def rows_of(sent: str, width: int) -> list[str]:
    """Return the rows of a terminal after it was sent a text that moves words."""
    rows = [""]
    for piece in re.findall(r"\x1b\[\d+G\x1b\[K|[^\x1b]", sent):
        if piece[0] == "\x1b":  # forget what is at the column and behind it
            column = int(piece[2 : piece.index("G")]) - 1
            while cell_len(rows[-1]) > column:
                rows[-1] = rows[-1][:-1]
        elif piece == "\n":
            rows.append("")
        else:  # the terminal itself breaks what is too long
            rows += [""] * (cell_len(rows[-1] + piece) > width)
            rows[-1] += piece
    return rows


@pytest.mark.parametrize("width", [16, 20, 33, 80])
def test_words_are_not_broken_at_the_edge_of_a_terminal(width: int) -> None:
    text = "the checkpoint was read again, the sea and a lighthouse were drawn so often. " * 7
    rows = rows_of("".join(map(wrap_words(width), text)), width)
    assert [row.rstrip() for row in rows if row] == textwrap.wrap(text, width)
    odd = "read 春の海春の海春の海 incomprehensibly\nsaid \x1b[2J é. " * 5
    rows = rows_of("".join(map(wrap_words(width), odd)), width)
    assert max(map(cell_len, rows)) <= width
    assert "".join(rows).replace(" ", "") == re.sub(r"\s", "", odd.replace("\x1b", r"\x1b"))


def test_a_seed_that_looks_like_a_number_gets_a_hint(home: Path) -> None:
    done = call("sample", "--seed", "42", "-c", TEXT_MODEL, "--unknown", "skip", cwd=home)
    assert "--random-seed 42 would repeat a text" in done.err
    assert "--random-seed" not in call("sample", "--seed", "a1", "-c", TEXT_MODEL, cwd=home).err


# Seeds


@contextlib.contextmanager
def conversation(home: Path, *args: str) -> Iterator[Callable[[str], Any]]:
    """Give what sends a line to charrnn and returns the JSON line that answers it."""
    with subprocess.Popen(
        [CHARRNN, *args, "-c", TEXT_MODEL], cwd=home, env=ENVIRONMENT,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as process:  # fmt: skip
        assert process.stdin is not None
        assert process.stdout is not None
        to, back = process.stdin, process.stdout

        def ask(line: str) -> Any:
            to.write(f"{line}\n".encode())
            to.flush()
            return json.loads(back.readline())

        yield ask
        assert process.communicate(timeout=30) == (b"", b"")
        assert process.returncode == 0


def test_each_line_is_answered_before_the_next_is_read(home: Path) -> None:
    with conversation(home, "sample", "--seeds", "-", "--jsonl", "-n", "9") as ask:
        for number, line in enumerate(["The", "cat", "", "The"]):
            record = ask(line)
            assert (record["index"], record["seed"]) == (number, line)
            assert len(record["text"]) == 9
    args = ["sample", "-c", TEXT_MODEL, "--seeds", "-", "-n", "3", "--charset", "a"]
    without_its_end = b"The\ncat"
    assert call(*args, stdin=without_its_end, cwd=home).out == "Theaaa\ncataaa\n"


def test_the_samples_of_a_prompt_are_those_of_its_number(home: Path, tmp_path: Path) -> None:
    (tmp_path / "seeds").write_text("The\ncat\n")
    args = ["--random-seed", "3", "-n", "20", "--jsonl", "--count"]
    lines = sample(home, *args, "2", "--seeds", str(tmp_path / "seeds")).splitlines()
    assert sample(home, *args, "2", "--seed", "The", "--seed", "cat").splitlines() == lines
    the, cat = (sample(home, *args, "4", "--seed", it).splitlines() for it in ("The", "cat"))
    assert lines == [*the[:2], *cat[2:]]
    plain = sample(home, *args[:4], "--seeds", str(tmp_path / "seeds"))
    assert plain.startswith(f"The{json.loads(the[0])['text']}\n\ncat")


def test_an_unknown_character_in_a_line_is_named_with_it(home: Path) -> None:
    done = call("sample", "--seeds", "-", "-c", TEXT_MODEL, "-n", "3",
                   stdin="The\né\n".encode(), cwd=home)  # fmt: skip
    assert done.returncode == 2
    assert "line 2: unknown character: 'é'" in done.err
    assert done.out.startswith("The")


# complete


def test_complete_shows_a_table_for_a_prompt(home: Path) -> None:
    args = ["complete", "-c", TEXT_MODEL, "--count", "2", "--length", "4"]
    header, best, _ = call(*args, "The cat", cwd=home).out.splitlines()
    assert header == "probability\tcontinuation"
    assert best.endswith("\t sat")
    model = Model.load(home / TEXT_MODEL)
    likeliest, _ = model.with_memory().complete("The cat", count=2, length=4)
    assert likeliest.text == " sat"
    assert float(best.split("\t")[0]) == pytest.approx(likeliest.probability, rel=1e-3)


def test_complete_answers_each_line_before_the_next_is_read(home: Path) -> None:
    with conversation(home, "complete", "--stop", r"\x20") as ask:
        for line in ("The c", "The ca", "The d\x1b", "", "é"):
            answer = ask(line)
            assert answer["prompt"] == re.sub("[\x1bé]", "", line)
            found = answer["continuations"]
            assert len(found) == 5
            if line.startswith("The "):
                assert line.strip("\x1b") + found[0]["text"] in {"The cat", "The dog"}
                assert found[0]["ended"] == "stop"
    done = call("complete", "-c", TEXT_MODEL, stdin=b"The c\xff\nThe c\n", cwd=home)
    damaged, sound = map(json.loads, done.out.splitlines())
    assert damaged == sound  # a byte that is not valid is an unknown character


def test_a_text_to_write_like_is_read_first_without_what_is_unknown(home: Path) -> None:
    like = "The bog sat in the cat. " * 3 + "\n"
    (home / "like.txt").write_text(like.replace("bog", "bóg") + like, encoding="utf-8")
    options = ["-n", "300", "--random-seed", "1", "-t", "0.7"]
    done = call("sample", "-c", TEXT_MODEL, "--like", "like.txt", *options, cwd=home)
    assert done.err == "skipped 3 unknown characters of like.txt\n"
    assert "bog sat in the cat" in done.out
    assert "bog sat in" not in sample(home, *options)
    ask = ["complete", "-c", TEXT_MODEL, "The bog", "-n", "4", "--count", "1"]
    assert call(*ask, "--like", "like.txt", cwd=home).out.endswith("\t sat\n")


# Streaming


@pytest.mark.parametrize("terminal", [True, False])
def test_characters_are_written_at_once_on_a_terminal_and_in_blocks_on_a_pipe(
    home: Path, monkeypatch: pytest.MonkeyPatch, *, terminal: bool
) -> None:
    written: list[str] = []
    monkeypatch.setattr(console, "write", lambda text, **_: written.append(text))
    prompt = "The cat sat. " * 100
    line = ("sample", "-c", TEXT_MODEL, "-n", "3000", "--seed", prompt)
    call(*line, cwd=home, terminal=terminal)
    assert "".join(written).startswith(prompt[:50])
    if terminal:
        assert len(written) >= 3001
    else:
        assert 3 <= len(written) < 60
        assert max(map(len, written)) <= BLOCK_CHARS


@posix
@pytest.mark.parametrize("options", ["", "--charset '^x'", "--stop tttt"])
def test_head_ends_endless_text_quietly(home: Path, options: str) -> None:
    line = f"'{CHARRNN}' sample -c {TEXT_MODEL} --endless {options} | head -c 3000"
    done = shell(f"{line}; exit ${{PIPESTATUS[0]}}", home)
    assert (len(done.stdout), done.stderr, done.returncode) == (3000, b"", 0)
    assert sample(home, "--endless", "--stop", " ", "--seed", "The", "--greedy") == "The\n"
