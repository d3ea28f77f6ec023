"""``classify --labelled``: the report, its JSON, and what is refused."""

import json
from pathlib import Path

import pytest

from charrnn import Classifier
from charrnn.models.judging import judge
from charrnn.text.labelled import read_labelled
from tests.support import ROOT, Done, call

CLASSIFIER = ROOT / "tests" / "golden" / "classifier1.npz"
EXAMPLES = [
    ("en", "The bell rang in the harbour"),
    ("fr", "Le moulin tourne sur la colline"),
    ("fr", "The boat was at the harbour\twith a tab"),
    ("en", ""),
    ("en", "sur la colline"),
    ("fr", "名前 👩‍👩‍👧 \x1b[31m"),
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "x.tsv").write_text("".join(f"{a}\t{b}\n" for a, b in EXAMPLES), "utf-8")
    objects = [json.dumps({"text": b, "kind": a}) + "\n" for a, b in EXAMPLES]
    (tmp_path / "x.jsonl").write_text("".join(objects), "utf-8")
    return tmp_path


def judged(folder: Path, *args: str, stdin: bytes = b"") -> Done:
    done = call("classify", CLASSIFIER, *args, "--labelled", cwd=folder, stdin=stdin)
    assert done.returncode == 0, done.err
    assert done.err == ""
    return done


def test_the_json_has_what_the_library_finds(folder: Path) -> None:
    record = json.loads(judged(folder, "x.tsv", "--json", "--show-errors", "9").out)
    found = judge(Classifier.load(CLASSIFIER), read_labelled([str(folder / "x.tsv")]))
    figures = found.evaluation
    assert (record["texts"], record["answered"]) == (6, 5)
    assert record["accuracy"] == figures.accuracy
    assert tuple(record["accuracy_interval"]) == figures.accuracy_interval
    assert record["macro_f1"] == figures.macro_f1
    assert record["confusion"] == figures.confusion.tolist()
    assert record["classes"]["fr"]["count"] == 3
    assert [it["line"] for it in record["errors"]] == [it.line for it in found.mistakes]
    assert {it["line"] for it in record["errors"]} >= {3, 5}
    assert record["errors"][0].keys() == {"line", "text", "label", "predicted", "probability"}


def test_the_report_names_the_surest_mistakes_in_lines_that_a_terminal_can_show(
    folder: Path,
) -> None:
    out = judged(folder, "x.tsv").out
    lines = out.splitlines()
    assert lines[0] == "1 of 6 texts got no label; the others:"
    assert lines[1].startswith("accuracy ")
    assert "95 % interval" in lines[1]
    assert lines[2].startswith("macro F1 ")
    assert any("line 3: fr taken for en (" in line and "\\twith a tab" in line for line in lines)
    assert "\x1b" not in out
    assert "taken for" not in judged(folder, "x.tsv", "--show-errors", "0").out
    assert judged(folder, "x.tsv", "--show-errors", "1").out.count("taken for") == 1


def test_every_format_and_stdin_are_judged_alike(folder: Path) -> None:
    expected = judged(folder, "x.tsv", "--json").out
    content = (folder / "x.tsv").read_bytes()
    assert judged(folder, "--json", stdin=content).out == expected
    assert judged(folder, "x.jsonl", "--json", "--label-column", "kind").out == expected


def test_a_threshold_leaves_doubtful_texts_out(folder: Path) -> None:
    record = json.loads(judged(folder, "x.tsv", "--json", "--threshold", "0.99").out)
    assert 0 < record["answered"] < 5
    assert sum(map(sum, record["confusion"])) == record["answered"]
    nothing = judged(folder, "x.tsv", "--json", "--threshold", "1").out
    assert json.loads(nothing)["accuracy"] is json.loads(nothing)["macro_f1"] is None
    text = judged(folder, "x.tsv", "--threshold", "1").out
    assert text == "6 of 6 texts got no label\n"


@pytest.mark.parametrize(
    ("args", "code", "complaint"),
    [
        (["x.tsv", "--show-errors", "3"], 2, "--show-errors goes with --labelled"),
        (["x.tsv", "--text-column", "2"], 2, "--text-column goes with --labelled"),
        (["x.tsv", "--labelled", "--jsonl"], 2, "--jsonl and --labelled contradict"),
        (["none.tsv", "--labelled"], 1, "none.tsv: no such file"),
        (["new.tsv", "--labelled"], 1, "new.tsv: the classifier does not know the labels 'it'"),
        (["plain.txt", "--labelled"], 1, "line 1: there is no TAB"),
        (["empty.tsv", "--labelled"], 1, "empty.tsv: no labeled texts"),
    ],
)
def test_what_cannot_be_judged_is_refused(
    args: list[str], code: int, complaint: str, folder: Path
) -> None:
    (folder / "new.tsv").write_text("en\thello\nit\tciao\n")
    (folder / "plain.txt").write_text("hello\n")
    (folder / "empty.tsv").write_text("")
    done = call("classify", CLASSIFIER, *args, cwd=folder)
    assert (done.returncode, done.out) == (code, "")
    assert complaint in done.err
    assert "hint: " in done.err


def test_json_of_lines_goes_by_both_names(folder: Path) -> None:
    (folder / "lines.txt").write_text("The bell\nLe moulin\n")
    one, other = (call("classify", CLASSIFIER, "lines.txt", name, cwd=folder)
                  for name in ("--json", "--jsonl"))  # fmt: skip
    assert one.out == other.out
    assert [json.loads(line)["text"] for line in one.out.splitlines()] == ["The bell", "Le moulin"]
