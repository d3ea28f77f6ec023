"""``score --lines``, end to end: an object for each line, in order, as they come."""

import itertools
import json
import math
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from charrnn import Model
from tests.support import BASH, CHARRNN, ENVIRONMENT, call, charrnn, fails, ok, posix

ENGLISH = "the cat sat on the mat and the dog dug in the bog\n" * 30
FRENCH = "la bête était sur le tapis et le chien dans la forêt\n" * 30
SMALL = ["--hidden-size", "24", "--layers", "1", "--steps", "80", "--random-seed", "1"]
LINES = ["the cat", "", "xq zw", "the dog dug\tin", "la bête était là", "é", "the cat"]
TEXT = "\n".join(LINES) + "\n"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("score")
    for name, text in (("en", ENGLISH), ("fr", FRENCH)):
        (folder / f"{name}.txt").write_text(text, encoding="utf-8")
        ok("train", f"{name}.txt", "-o", f"{name}.npz", *SMALL, "--workers", "1", cwd=folder)
    (folder / "lines.txt").write_text(TEXT, encoding="utf-8")
    return folder


def scored(home: Path, *options: str, text: str = TEXT) -> list[Any]:
    done = ok("score", "--lines", *options, stdin=text.encode(), cwd=home)
    assert done.err == ""
    return [json.loads(line) for line in done.out.splitlines()]


def test_each_line_gets_an_object_that_says_what_the_api_says(home: Path) -> None:
    model = Model.load(home / "en.npz")
    found = scored(home, "-c", "en.npz")
    assert [it["line"] for it in found] == [1, 2, 3, 4, 5, 6, 7]
    for it, score in zip(found, model.score_lines(LINES, unknown="charge"), strict=True):
        assert it["text"] == score.text
        assert it["chars"] == score.chars == len(score.text) + 1
        assert it["unknown"] == score.unknown == len([c for c in score.text if c not in ENGLISH])
        for name in ("nats", "nats_per_char", "bits_per_char", "surprise_nats"):
            assert it[name] == pytest.approx(getattr(score, name), abs=1e-5)
        assert it["bits_per_char"] == pytest.approx(it["nats"] / it["chars"] / math.log(2))
        assert it["surprise_char"] == (score.text + "\n")[it["surprise_index"]]
    assert found[2]["bits_per_char"] > 2 * found[0]["bits_per_char"]
    (alone,) = scored(home, "-c", "en.npz", "--json", text="\n")
    assert alone == pytest.approx(found[1] | {"line": 1}, abs=1e-5)


def test_a_line_scores_as_the_text_of_it_between_line_breaks(home: Path) -> None:
    (line,) = scored(home, "-c", "en.npz", text="the cat sat\r\n")
    whole = ok("score", "-c", "en.npz", "--json", stdin=b"\nthe cat sat\n", cwd=home)
    assert line["nats_per_char"] == pytest.approx(json.loads(whole.out)["nats_per_char"], abs=1e-5)
    assert line["text"] == "the cat sat"


def test_the_most_surprising_come_first_and_the_rest_can_be_left_out(home: Path) -> None:
    plain = scored(home, "-c", "en.npz")
    texts = [it for it in plain if it["text"]]
    in_order = sorted(texts, key=lambda it: it["bits_per_char"], reverse=True)
    assert scored(home, "-c", "en.npz", "--sort") == [*in_order, plain[1]]  # nothing stands there
    assert scored(home, "-c", "en.npz", "--top", "3") == in_order[:3]
    assert scored(home, "-c", "en.npz", "--top", "3", "--sort", "--at-most", "100") == in_order[:3]
    bound = in_order[2]["bits_per_char"] - 1e-4
    above = scored(home, "-c", "en.npz", "--threshold", str(bound))
    below = scored(home, "-c", "en.npz", "--at-most", str(bound))
    assert len(above) == 3
    assert sorted([*above, *below], key=lambda it: it["line"]) == texts
    assert scored(home, "-c", "en.npz", "--top", "9", "--threshold", str(bound)) == in_order[:3]


@pytest.mark.parametrize("models", [["en.npz"], ["en.npz", "fr.npz"]])
def test_a_table_has_the_same_columns(home: Path, models: list[str]) -> None:
    named = [word for model in models for word in ("-c", model)]
    objects = scored(home, *named)
    options = ["--lines", "--tsv", *named]
    out = ok("score", *options, "lines.txt", cwd=home).out
    names, *rows = [line.split("\t") for line in out.splitlines()]
    assert len(rows) == len(objects)
    for row, it in zip(rows, objects, strict=True):
        cells = dict(zip(names, row, strict=True))
        for name, cell in cells.items():
            value: Any = it
            for part in name.split("."):
                value = value[part]
            plain = value if isinstance(value, str) else str(value)
            assert cell == plain.replace("\t", "\\t").replace("\n", "\\n")
        assert list(dict.fromkeys(name.split(".")[0] for name in names)) == list(it)
    assert rows[3][1] == "the dog dug\\tin"


def test_the_likelier_of_two_models_is_named(home: Path) -> None:
    found = scored(home, "-c", "fr.npz", "-c", "en.npz")
    named = [it["model"] for it in found if len(it["text"]) > 5]
    assert named == ["en", "en", "fr", "en"]
    for it in found:
        nats = {name: of["nats"] for name, of in it["models"].items()}
        assert list(nats) == ["fr", "en"]
        assert it["nats"] == min(nats.values()) == nats[it["model"]]
        assert it["margin"] == pytest.approx(max(nats.values()) - min(nats.values()), abs=1e-5)
        assert it["models"]["en"]["chars"] == it["models"]["fr"]["chars"] == len(it["text"]) + 1


def test_what_a_model_does_not_know_is_charged_for_unless_told_otherwise(home: Path) -> None:
    run = ["score", "--lines", "-c", "en.npz", "-c", "fr.npz"]
    text = "une fête d'été à côté".encode()
    (line,) = map(json.loads, ok(*run, stdin=text, cwd=home).out.splitlines())
    assert line["model"] == "fr"
    charged = ok(*run, "--unknown", "charge", stdin=text, cwd=home).out
    assert charged.splitlines() == [json.dumps(line, ensure_ascii=False)]
    skipped = json.loads(ok(*run, "--unknown", "skip", stdin=text, cwd=home).out)
    assert len({of["chars"] for of in skipped["models"].values()}) == 1
    fails(1, "line 1: unknown character", *run, "--unknown", "error", stdin=text, cwd=home)


def test_a_terminal_gets_a_table_with_the_surprising_character_marked(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    run = ("score", "--lines", "-c", "en.npz", "lines.txt")
    header, *rows = call(*run, cwd=home, terminal=True).out.splitlines()
    assert header.split() == ["bits", "line"]
    assert [row.split()[1] for row in rows] == [str(number) for number in range(1, 8)]
    marked = [re.search(r"\x1b\[7m(.*?)\x1b\[0m", row) for row in rows]
    objects = [json.loads(line) for line in call(*run, cwd=home).out.splitlines()]
    for mark, it in zip(marked, objects, strict=True):
        assert mark is not None
        assert mark[1] == it["surprise_char"].replace("\n", "↵").replace("\t", "\\t")
    assert call(*run, "--json", cwd=home, terminal=True).out == call(*run, cwd=home).out


def test_models_of_the_same_name_are_told_apart_by_their_paths(home: Path) -> None:
    (home / "b").mkdir()
    (home / "b" / "en.npz").write_bytes((home / "fr.npz").read_bytes())
    (line,) = scored(home, "-c", "en.npz", "-c", "b/en.npz", "-c", "fr.npz", text="x")
    assert list(line["models"]) == ["en.npz", "b/en.npz", "fr"]


@posix
def test_an_endless_pipe_is_answered_line_by_line(home: Path) -> None:
    with subprocess.Popen(
        [CHARRNN, "score", "--lines", "-c", "en.npz"], cwd=home, env=ENVIRONMENT,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    ) as process:  # fmt: skip
        assert process.stdin is not None
        assert process.stdout is not None
        for line in (b"the cat sat\n", b"the dog\n", b"\n"):
            process.stdin.write(line)
            process.stdin.flush()
            answer = json.loads(process.stdout.readline())
            assert answer["text"].encode() + b"\n" == line
        process.stdin.close()
        assert process.stdout.read() == b""
        assert process.wait(30) == 0


@posix
def test_a_reader_that_leaves_early_ends_it_quietly(home: Path) -> None:
    line = (
        f"yes 'the cat' | '{CHARRNN}' score --lines -c en.npz | head -n 3; echo ${{PIPESTATUS[1]}}"
    )
    done = subprocess.run(
        [BASH, "-c", line], cwd=home, capture_output=True, timeout=60, check=False, env=ENVIRONMENT
    )
    *lines, code = done.stdout.decode().splitlines()
    assert [json.loads(text)["line"] for text in lines] == [1, 2, 3]
    assert code == "0"
    assert done.stderr == b""


PEAK = """
import resource, sys
from charrnn.cli import main
try: main()
except SystemExit: pass
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr)
"""


@posix
@pytest.mark.parametrize("options", [[], ["--top", "5"]])
def test_many_lines_take_no_more_memory_than_a_few(home: Path, options: list[str]) -> None:
    peaks = []
    for times in (1, 10):
        letters = itertools.islice(itertools.product("the cat", repeat=5), 6000)
        text = "\n".join(map("".join, letters)) + "\n"
        done = subprocess.run(
            [sys.executable, "-c", PEAK, "score", "--lines", "-c", "en.npz", *options],
            cwd=home, input=text.encode() * times, capture_output=True, check=True,
            env=ENVIRONMENT,
        )  # fmt: skip
        lines = done.stdout.splitlines()
        assert len(lines) == (5 if options else 6000 * times)
        assert options or json.loads(lines[-1])["line"] == 6000 * times
        peaks.append(int(done.stderr))
    assert peaks[1] < peaks[0] * 1.15


@pytest.mark.parametrize(
    ("line", "complaint"),
    [("the dög".encode(), "line 4: unknown character: 'ö' (U+00F6)"),
     (b"d\xe9j\xe0", "(line 4) is not valid utf-8: 0xe9")],
)  # fmt: skip
@pytest.mark.parametrize(
    ("options", "numbers"), [([], [1, 2, 3]), (["--top", "2"], [2, 1]), (["--sort"], [2, 1, 3])]
)
def test_lines_before_an_error_are_answered(
    home: Path, options: list[str], numbers: list[int], line: bytes, complaint: str
) -> None:
    lines = b"the cat\ntttt oo\nthe dog\n" + line + b"\nvu\n"
    run = ["score", "--lines", "-c", "en.npz", "--unknown", "error", *options]
    done = charrnn(*run, stdin=lines, cwd=home)
    assert done.returncode == 1
    assert complaint in done.err
    assert [json.loads(row)["line"] for row in done.out.splitlines()] == numbers


def test_a_byte_that_is_not_valid_ends_no_watch(home: Path) -> None:
    for unknown, counted in (("charge", True), ("skip", False)):
        run = ["score", "--lines", "-c", "en.npz", "--unknown", unknown]
        done = ok(*run, stdin=b"the cat\nthe d\xffg\n\xff\xff\nthe dog\n", cwd=home)
        scores = [json.loads(line) for line in done.out.splitlines()]
        assert [it["unknown"] for it in scores] == [0, 1, 2, 0]
        assert scores[1]["text"] == "the d\ufffdg"
        assert (scores[1]["surprise_char"] == "\ufffd") == counted
        assert done.err.startswith("line 2 has bytes that are not utf-8, or lost characters")
        assert done.err.count("\n") == 1


def test_the_network_alone_scores_a_text(tmp_path: Path) -> None:
    (tmp_path / "t.txt").write_text("The cat sat on the mat. " * 20)
    call("train", "t.txt", "--steps", "9", "--hidden-size", "8", "-o", "m.npz", cwd=tmp_path)
    model, text = Model.load(tmp_path / "m.npz"), (tmp_path / "t.txt").read_text()
    ways = {(): model, ("--no-ngram",): replace(model, ngram=None)}
    for options, judge in ways.items():
        done = call("score", "t.txt", "-c", "m.npz", "--json", *options, cwd=tmp_path)
        assert json.loads(done.out)["nats_per_char"] == judge.score(text).nats_per_char
