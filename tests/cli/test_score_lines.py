"""``score --lines``, end to end: an object for each line, in order, as they come."""

import itertools
import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from charrnn import Model
from tests.support import CHARRNN, ENVIRONMENT, call, posix, shell

ENGLISH = "the cat sat on the mat and the dog dug in the bog\n" * 30
FRENCH = "la bête était sur le tapis et le chien dans la forêt\n" * 30
SMALL = "--hidden-size 24 --layers 1 --steps 80 --random-seed 1 --workers 1"
LINES = ["the cat", "", "xq zw", "the dog dug\tin", "la bête était là", "é", "the cat"]
TEXT = "\n".join(LINES) + "\n"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("score")
    for name, text in (("en", ENGLISH), ("fr", FRENCH)):
        (folder / f"{name}.txt").write_text(text, encoding="utf-8")
        call(*f"train {name}.txt -o {name}.npz {SMALL}".split(), cwd=folder)
    (folder / "lines.txt").write_text(TEXT, encoding="utf-8")
    return folder


def scored(home: Path, options: str, text: bytes = TEXT.encode()) -> list[Any]:
    done = call("score", "--lines", *options.split(), stdin=text, cwd=home)
    assert (done.returncode, done.err) == (0, "")
    return [json.loads(line) for line in done.out.splitlines()]


def test_each_line_gets_an_object_that_says_what_the_api_says(home: Path) -> None:
    found = scored(home, "-c en.npz")
    scores = Model.load(home / "en.npz").score_lines(LINES, unknown="charge")
    for number, (it, score) in enumerate(zip(found, scores, strict=True), 1):
        names = ("text", "chars", "unknown", "surprise_char", "surprise_index")
        assert [it["line"], *(it[name] for name in names)] == [
            number,
            *(getattr(score, name) for name in names),
        ]
        for name in ("nats", "nats_per_char", "bits_per_char", "surprise_nats"):
            assert it[name] == pytest.approx(getattr(score, name), abs=1e-5)
    (alone,) = scored(home, "-c en.npz --json", b"\n")
    assert alone == pytest.approx(found[1] | {"line": 1}, abs=1e-5)


def test_a_line_scores_as_the_text_of_it_between_line_breaks(home: Path) -> None:
    (line,) = scored(home, "-c en.npz", b"the cat sat\r\n")
    whole = call(*["score", "-c", "en.npz", "--json"], stdin=b"\nthe cat sat\n", cwd=home)
    assert line["nats_per_char"] == pytest.approx(json.loads(whole.out)["nats_per_char"], abs=1e-5)
    assert line["text"] == "the cat sat"


def test_the_most_surprising_come_first_and_the_rest_can_be_left_out(home: Path) -> None:
    plain = scored(home, "-c en.npz")
    texts = [it for it in plain if it["text"]]
    in_order = sorted(texts, key=lambda it: it["bits_per_char"], reverse=True)
    bound = in_order[2]["bits_per_char"] - 1e-4
    for options, expected in (
        ("--sort", [*in_order, plain[1]]),  # without text
        ("--top 3", in_order[:3]),
        ("--top 3 --sort --at-most 100", in_order[:3]),
        (f"--top 9 --threshold {bound}", in_order[:3]),
        (f"--threshold {bound}", [it for it in texts if it in in_order[:3]]),
        (f"--at-most {bound}", [it for it in texts if it not in in_order[:3]]),
    ):
        assert scored(home, f"-c en.npz {options}") == expected


@pytest.mark.parametrize("models", ["-c en.npz", "-c en.npz -c fr.npz"])
def test_a_table_has_the_same_columns(home: Path, models: str) -> None:
    out = call(*f"score --lines --tsv {models} lines.txt".split(), cwd=home).out
    names, *rows = [line.split("\t") for line in out.splitlines()]
    for row, it in zip(rows, scored(home, models), strict=True):
        for name, cell in zip(names, row, strict=True):
            value: Any = it
            for part in name.split("."):
                value = value[part]
            assert cell == str(value).replace("\t", "\\t").replace("\n", "\\n")
        assert list(dict.fromkeys(name.split(".")[0] for name in names)) == list(it)
    assert rows[3][1] == "the dog dug\\tin"


def test_the_likelier_of_two_models_is_named(home: Path) -> None:
    found = scored(home, "-c fr.npz -c en.npz")
    assert [it["model"] for it in found if len(it["text"]) > 5] == ["en", "en", "fr", "en"]
    for it in found:
        nats = {name: of["nats"] for name, of in it["models"].items()}
        assert list(nats) == ["fr", "en"]
        assert it["nats"] == min(nats.values()) == nats[it["model"]]
        assert it["margin"] == pytest.approx(max(nats.values()) - min(nats.values()), abs=1e-5)
    (home / "b").mkdir()
    (home / "b" / "en.npz").write_bytes((home / "fr.npz").read_bytes())
    (line,) = scored(home, "-c en.npz -c b/en.npz -c fr.npz", b"x")
    assert list(line["models"]) == ["en.npz", "b/en.npz", "fr"]


def test_what_a_model_does_not_know_is_charged_for_unless_told_otherwise(home: Path) -> None:
    both, text = "-c en.npz -c fr.npz", "une fête d'été à côté".encode()
    (line,) = scored(home, both, text)
    assert line["model"] == "fr"
    assert scored(home, f"{both} --unknown charge", text) == [line]
    (skipped,) = scored(home, f"{both} --unknown skip", text)
    assert len({of["chars"] for of in skipped["models"].values()}) == 1


def test_a_terminal_gets_a_table_with_the_surprising_character_marked(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    run = ("score", "--lines", "-c", "en.npz", "lines.txt")
    header, *rows = call(*run, cwd=home, terminal=True).out.splitlines()
    assert header.split() == ["bits", "line"]
    assert [row.split()[1] for row in rows] == [str(number) for number in range(1, 8)]
    for row, it in zip(rows, scored(home, "-c en.npz"), strict=True):
        mark = re.search(r"\x1b\[7m(.*?)\x1b\[0m", row)
        assert mark is not None
        assert mark[1] == it["surprise_char"].replace("\n", "↵").replace("\t", "\\t")
    assert call(*run, "--json", cwd=home, terminal=True).out == call(*run, cwd=home).out


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
        assert process.communicate(timeout=30)[0] == b""
        assert process.returncode == 0


@posix
def test_a_reader_that_leaves_early_ends_it_quietly(home: Path) -> None:
    line = f"yes 'the cat' | '{CHARRNN}' score --lines -c en.npz | head -n 3"
    done = shell(f"{line}; exit ${{PIPESTATUS[1]}}", home)
    assert [json.loads(text)["line"] for text in done.out.splitlines()] == [1, 2, 3]
    assert (done.returncode, done.err) == (0, "")


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
        assert len(done.stdout.splitlines()) == (5 if options else 6000 * times)
        peaks.append(int(done.stderr))
    assert peaks[1] < peaks[0] * 1.15


@pytest.mark.parametrize(
    ("line", "complaint"),
    [("the dög".encode(), "line 4: unknown character: 'ö' (U+00F6)"),
     (b"d\xe9j\xe0", "(line 4) is not valid utf-8: 0xe9")],
)  # fmt: skip
@pytest.mark.parametrize(
    ("options", "numbers"), [("", [1, 2, 3]), ("--top 2", [2, 1]), ("--sort", [2, 1, 3])]
)
def test_lines_before_an_error_are_answered(
    home: Path, options: str, numbers: list[int], line: bytes, complaint: str
) -> None:
    lines = b"the cat\ntttt oo\nthe dog\n" + line + b"\nvu\n"
    run = f"score --lines -c en.npz --unknown error {options}"
    done = call(*run.split(), stdin=lines, cwd=home)
    assert done.returncode == 1
    assert complaint in done.err
    assert [json.loads(row)["line"] for row in done.out.splitlines()] == numbers


@pytest.mark.parametrize("unknown", ["charge", "skip"])
def test_a_byte_that_is_not_valid_ends_no_watch(home: Path, unknown: str) -> None:
    run = f"score --lines -c en.npz --unknown {unknown}"
    done = call(*run.split(), stdin=b"the cat\nthe d\xffg\n\xff\xff\nthe dog\n", cwd=home)
    scores = [json.loads(line) for line in done.out.splitlines()]
    assert [it["unknown"] for it in scores] == [0, 1, 2, 0]
    assert scores[1]["text"] == "the d\ufffdg"
    assert (scores[1]["surprise_char"] == "\ufffd") == (unknown == "charge")
    assert done.err.startswith("line 2 has bytes that are not utf-8, or lost characters")
    assert done.err.count("\n") == 1


def test_the_network_alone_scores_a_text(home: Path) -> None:
    model, text = Model.load(home / "en.npz"), (home / "en.txt").read_text()
    for options, judge in (((), model), (("--no-ngram",), replace(model, ngram=None))):
        done = call("score", "en.txt", "-c", "en.npz", "--json", *options, cwd=home)
        assert json.loads(done.out)["nats_per_char"] == judge.score(text).nats_per_char
