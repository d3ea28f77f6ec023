"""``train-classifier`` and ``classify``, end to end: examples in, labels out, nothing lost."""

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest

from charrnn import CheckpointError, Classifier, CorpusError, Model
from charrnn.errors import ConfigError
from charrnn.text.labelled import Columns, read_labelled
from charrnn.text.reading import read_lines
from tests.support import CHARRNN, ENVIRONMENT, charrnn, fails, ok, posix

ENGLISH = ["the", "cat", "sat", "on", "mat", "and", "dog", "dug", "in", "bog", "with", "a", "bone"]
GERMAN = ["der", "hund", "und", "die", "katze", "sitzt", "auf", "einer", "matte", "dem", "knochen"]
SMALL = ["--hidden-size", "16", "--steps", "150", "--random-seed", "1", "--workers", "1"]


def examples() -> list[tuple[str, str]]:
    rng = np.random.default_rng(0)
    return [
        (label, " ".join(rng.choice(words, 4)))
        for _ in range(120)
        for label, words in (("en", ENGLISH), ("de", GERMAN))
    ]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("classify")
    (folder / "x.tsv").write_text("".join(f"{label}\t{text}\n" for label, text in examples()))
    ok("train-classifier", "x.tsv", "-o", "m.npz", *SMALL, cwd=folder)
    return folder


def test_lines_get_their_label_and_its_probability(home: Path) -> None:
    lines = "the cat dug a bone\r\nder hund und die katze\n\nthe mat"
    done = ok("classify", "m.npz", stdin=lines.encode(), cwd=home)
    assert done.err == ""
    rows = [line.split("\t") for line in done.out.splitlines()]
    assert [label for label, _ in rows][:2] == ["en", "de"]
    assert len(rows) == 4
    assert rows[3][0] == "en"
    assert rows[2][0] == ""  # nothing was said
    assert all(0.5 <= float(probability) <= 1 for _, probability in rows)


def test_json_lines_have_all_probabilities_and_a_threshold_takes_labels_away(home: Path) -> None:
    lines = "the cat dug a bone\nder\n"
    done = ok("classify", "m.npz", "--jsonl", stdin=lines.encode(), cwd=home)
    first, second = map(json.loads, done.out.splitlines())
    assert (first["text"], first["label"], second["text"]) == ("the cat dug a bone", "en", "der")
    assert sum(first["probabilities"].values()) == pytest.approx(1, abs=1e-6)
    assert first["probability"] == first["probabilities"]["en"]
    strict = ok("classify", "m.npz", "--threshold", "1", stdin=lines.encode(), cwd=home)
    assert [line.partition("\t")[0] for line in strict.out.splitlines()] == ["", ""]
    strict = ok("classify", "m.npz", "--threshold", "1", "--jsonl", stdin=b"der", cwd=home)
    assert json.loads(strict.out)["label"] is None


def test_the_same_lines_from_a_file_and_in_pieces_get_the_same_answers(home: Path) -> None:
    text = "".join(f"{text}\n" for _, text in examples())
    (home / "lines.txt").write_text(text)
    from_file = ok("classify", "m.npz", "lines.txt", cwd=home).out
    assert ok("classify", "m.npz", stdin=text.encode(), cwd=home).out == from_file
    model = Classifier.load(home / "m.npz")
    probabilities = model.predict_proba(text.splitlines())
    labels = [model.labels[place] for place in probabilities.argmax(axis=-1)]
    assert [line.partition("\t")[0] for line in from_file.splitlines()] == labels


@posix
def test_an_endless_pipe_is_answered_line_by_line(home: Path) -> None:
    with subprocess.Popen(
        [CHARRNN, "classify", "m.npz"], cwd=home, env=ENVIRONMENT,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    ) as process:  # fmt: skip
        assert process.stdin is not None
        assert process.stdout is not None
        for line, label in ((b"the cat sat\n", b"en"), (b"die katze und\n", b"de")):
            process.stdin.write(line)
            process.stdin.flush()
            assert process.stdout.readline().startswith(label)
        process.stdin.close()
        assert process.stdout.read() == b""
        assert process.wait(30) == 0


def test_a_bad_byte_is_named_after_the_answers_before_it(home: Path) -> None:
    done = charrnn("classify", "m.npz", stdin=b"the cat\nder hund\nd\xe9j\xe0\nvu\n", cwd=home)
    assert done.returncode == 1
    assert len(done.out.splitlines()) == 2
    assert "(line 3) is not valid utf-8: 0xe9" in done.err
    assert len(ok("classify", "m.npz", "--encoding", "latin-1", stdin=b"d\xe9j\xe0", cwd=home).out)


def test_the_report_has_every_class_and_the_confusion(home: Path, tmp_path: Path) -> None:
    done = ok("train-classifier", home / "x.tsv", "-o", "m.npz", *SMALL, "--json", cwd=tmp_path)
    summary = json.loads(done.out)
    assert summary["judged_on"] == "held out"
    assert summary["accuracy"] >= 0.9
    assert set(summary["classes"]) == {"de", "en"}
    assert sum(map(sum, summary["confusion"])) == summary["classes"]["de"]["count"] * 2 > 0
    for word in ("precision", "recall", "f1", "confusion matrix"):
        assert word in done.err
    quiet = ok("train-classifier", home / "x.tsv", "-o", "q.npz", *SMALL, "-q", cwd=tmp_path)
    assert (quiet.out, quiet.err) == ("", "")


def test_a_classifier_goes_on_as_if_it_had_not_stopped(home: Path, tmp_path: Path) -> None:
    half = [*SMALL[:2], "--steps", "75", *SMALL[4:]]
    ok("train-classifier", home / "x.tsv", "-o", "m.npz", *half, "--log", "log", cwd=tmp_path)
    ok("train-classifier", home / "x.tsv", "-o", "m.npz", "--resume", "--steps", "150",
       "--log", "log", cwd=tmp_path)  # fmt: skip
    resumed = Classifier.load(tmp_path / "m.npz")
    assert resumed.progress.step == 150
    log = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    assert [entry["step"] for entry in log] == list(range(1, 151))
    fails(2, "cannot change --hidden-size", "train-classifier", home / "x.tsv", "-o", "m.npz",
          "--resume", "--hidden-size", "8", cwd=tmp_path)  # fmt: skip
    done = ok("train-classifier", home / "x.tsv", "-o", "m.npz", "--resume", cwd=tmp_path)
    assert "nothing left to do" in done.err


@posix
def test_a_signal_saves_and_a_resumed_run_is_the_same_to_the_last_bit(
    home: Path, tmp_path: Path
) -> None:
    run = ["train-classifier", str(home / "x.tsv"), "-o", "m.npz", "--hidden-size", "16",
           "--random-seed", "1", "--workers", "1", "--steps", "300"]  # fmt: skip
    with subprocess.Popen(
        [CHARRNN, *run, "--log", "log"], cwd=tmp_path, env=ENVIRONMENT, stderr=subprocess.PIPE
    ) as process:
        log = tmp_path / "log"
        while not (log.exists() and log.read_text().count("\n") > 20):
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert b"--resume" in err
    stopped = Classifier.load(tmp_path / "m.npz").progress.step
    assert 20 <= stopped < 300
    ok(*run, "--resume", cwd=tmp_path)
    ok(*[*run[:2], "-o", "whole.npz", *run[4:]], cwd=tmp_path)
    one, other = (Classifier.load(tmp_path / name) for name in ("m.npz", "whole.npz"))
    for ours, theirs in ((one.weights, other.weights), (one.resume, other.resume)):
        for name, array in theirs.items():
            np.testing.assert_array_equal(ours[name], array, err_msg=name)


def test_an_existing_checkpoint_is_never_replaced_unasked(home: Path) -> None:
    before = (home / "m.npz").read_bytes()
    fails(1, "exists already", "train-classifier", "x.tsv", "-o", "m.npz", *SMALL, cwd=home)
    assert (home / "m.npz").read_bytes() == before


def test_each_command_names_the_other_kind_of_checkpoint(home: Path, tmp_path: Path) -> None:
    fails(1, "is a classifier", "sample", "-c", home / "m.npz")
    fails(1, "is a classifier", "score", "-c", home / "m.npz", stdin=b"x")
    (tmp_path / "t.txt").write_text("abc" * 50)
    ok("train", "t.txt", "-o", "g.npz", "--steps", "1", "--hidden-size", "4", cwd=tmp_path)
    fails(1, "is a text generator", "classify", tmp_path / "g.npz", stdin=b"x")
    # neither replaces the other, and an export replaces neither
    for command, existing in (("train", home / "m.npz"), ("train-classifier", tmp_path / "g.npz")):
        fails(1, ": is a ", command, home / "x.tsv", "-o", existing, "--overwrite")
    fails(1, "is a checkpoint", "export", tmp_path / "g.npz", "--to", "html", "--overwrite", "-o",
          home / "m.npz")  # fmt: skip
    # without -c, a newer classifier is no hindrance
    folder = tmp_path / "checkpoints"
    folder.mkdir()
    (folder / "g.npz").write_bytes((tmp_path / "g.npz").read_bytes())
    (folder / "z.npz").write_bytes((home / "m.npz").read_bytes())
    ok("export", folder / "g.npz", "--to", "torch-names")
    future = time.time() + 10
    for newer in ("z.npz", "g.torch.npz"):
        os.utime(folder / newer, (future, future))
    assert len(ok("sample", "-n", "5", cwd=tmp_path).out) == 6


def test_every_damaged_classifier_is_refused(home: Path, tmp_path: Path) -> None:
    data = (home / "m.npz").read_bytes()
    path = tmp_path / "m.npz"
    for place in [*range(0, 3000, 97), *range(3000, len(data), 4001)]:
        path.write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
        with pytest.raises(CheckpointError):
            Classifier.load(path)
    with pytest.raises(CheckpointError, match="is a classifier"):
        Model.load(home / "m.npz")


def write(path: Path, text: str) -> str:
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_tsv_jsonl_and_csv_say_the_same(tmp_path: Path) -> None:
    rows = [("a", 'say "hi", you'), ("b", "tab\there"), ("a", "été")]
    tsv = write(tmp_path / "x.tsv", "".join(f"{a}\t{b}\r\n" for a, b in rows) + "\n")
    objects = [{"text": b, "label": a, "id": 3} for a, b in rows]
    jsonl = write(tmp_path / "x.jsonl", "\n".join(map(json.dumps, objects)))
    quoted = "".join(f'9,"{b.replace(chr(34), chr(34) * 2)}",{a}\n' for a, b in rows)
    table = write(tmp_path / "x.csv", "id,text,label\n" + quoted)
    for path in (tsv, jsonl, table):
        read = read_labelled([path])
        assert list(zip(read.labels, read.texts, strict=True)) == rows, path


def test_a_row_of_names_is_no_example(tmp_path: Path) -> None:
    tsv = write(tmp_path / "x.tsv", "Label\tText\na\tone\nlabel\ttext\n")
    assert read_labelled([tsv]).labels == ["a", "label"]
    table = write(tmp_path / "x.csv", "text,kind\none,a\n")
    assert read_labelled([table], columns=Columns("2", "1")).labels == ["a"]


def test_columns_are_named_or_counted(tmp_path: Path) -> None:
    named = write(tmp_path / "x.tsv", "nr\tkind\tbody\n1\ta\tone\n2\tb\ttwo\n")
    for columns in (Columns("kind", "body"), Columns("kind", "3"), Columns("2", "body")):
        assert read_labelled([named], columns=columns).labels == ["a", "b"]
    bare = write(tmp_path / "y.tsv", "1\tone\ta\n2\ttwo\tb\n")
    read = read_labelled([bare], columns=Columns("3", "2"))
    assert (read.labels, read.texts) == (["a", "b"], ["one", "two"])
    keys = write(tmp_path / "z.jsonl", '{"kind": true, "body": "x"}\n{"kind": 3, "body": "y"}\n')
    assert read_labelled([keys], columns=Columns("kind", "body")).labels == ["true", "3"]
    for columns in (Columns("2"), Columns("body", "3"), Columns("0"), Columns("²")):
        with pytest.raises(ConfigError, match=r"same column|counted from 1|no column"):
            read_labelled([named], columns=columns)
    with pytest.raises(ConfigError, match="no column 'other' among 'nr', 'kind', 'body'"):
        read_labelled([named], columns=Columns("other"))


@pytest.mark.parametrize(
    ("name", "content", "complaint"),
    [
        ("x.tsv", "a\tone\nno tab here\n", "line 2: there is no TAB"),
        ("x.tsv", "\tone\n", "line 1: the label is empty"),
        ("x.tsv", "\n\n", "no labeled texts"),
        ("x.jsonl", '{"label": "a", "text": "b"}\n{oops\n', "line 2: not a JSON object"),
        ("x.jsonl", "[1]\n", "line 1: not an object with 'label' and 'text'"),
        ("x.jsonl", '{"label": "a", "text": 3}\n', "line 1: not an object"),
        ("x.csv", "label,text\na\n", r"line 2: 1 column\(s\), not 2"),
        ("x.jsonl", '{"label": "\\ud800", "text": "x"}\n', "line 1: it holds a lone surrogate"),
        ("x.jsonl", '{"label": "a", "text": "\\udc00"}\n', "line 1: it holds a lone surrogate"),
        ("x.tsv", "b" * 300 + "\tx\n", "line 1: a label of 300 characters"),
    ],
)
def test_examples_that_cannot_be_understood_are_named_by_line(
    name: str, content: str, complaint: str, tmp_path: Path
) -> None:
    with pytest.raises(CorpusError, match=complaint):
        read_labelled([write(tmp_path / name, content)])


def test_normalization_comes_after_parsing(tmp_path: Path) -> None:
    table = write(tmp_path / "x.csv", "label,text\na,\u4f60\u597d\uff0c\u4e16\n")
    assert read_labelled([table], normalize="NFKC").texts == ["\u4f60\u597d,\u4e16"]
    escaped = write(tmp_path / "x.jsonl", json.dumps({"label": "a", "text": "e\u0301"}))
    assert read_labelled([escaped], normalize="NFC").texts == ["\u00e9"]


def test_labels_that_cannot_be_learned_from_are_refused(tmp_path: Path) -> None:
    (tmp_path / "one.tsv").write_text("a\tx\na\ty\n")
    fails(1, "all texts have the label 'a'", "train-classifier", "one.tsv", "-o", "m.npz",
          cwd=tmp_path)  # fmt: skip
    (tmp_path / "empty.tsv").write_text("a\t\nb\t\n")
    fails(1, "all texts are empty", "train-classifier", "empty.tsv", "-o", "m.npz", cwd=tmp_path)
    (tmp_path / "many.tsv").write_text("".join(f"{n}\tx\n" for n in range(1001)))
    fails(1, "1,001 different labels", "train-classifier", "many.tsv", "-o", "m.npz", cwd=tmp_path)
    fails(2, "both the text to learn and the checkpoint", "train-classifier", "one.tsv",
          "-o", "one.tsv", "--overwrite", cwd=tmp_path)  # fmt: skip
    assert (tmp_path / "one.tsv").read_text() == "a\tx\na\ty\n"
    fails(1, "no such file", "train-classifier", "none.tsv", "-o", "m.npz", cwd=tmp_path)
    fails(2, "threshold must be from 0 to 1", "classify", "m.npz", "--threshold", "2", cwd=tmp_path)
    assert not (tmp_path / "m.npz").exists()


def test_what_occurs_in_held_out_texts_alone_is_unknown_and_a_resumed_run_splits_alike(
    tmp_path: Path,
) -> None:
    # Every text has a character of its own, and those of the same class are otherwise alike.
    lines = [f"{label}\t{label * 3}{chr(0x4E00 + 50 * i + n)}\n"
             for i, label in enumerate("ab") for n in range(40)]  # fmt: skip
    (tmp_path / "x.tsv").write_text("".join(lines), encoding="utf-8")
    run = ["train-classifier", "x.tsv", "-o", "m.npz", *SMALL[:2], *SMALL[4:]]
    ok(*run, "--steps", "3", cwd=tmp_path)
    first = Classifier.load(tmp_path / "m.npz")
    assert len(first.vocabulary) == 2 + 80 * 9 // 10
    done = ok(*run, "--steps", "6", "--resume", "--json", cwd=tmp_path)
    assert sum(map(sum, json.loads(done.out)["confusion"])) == 8
    assert Classifier.load(tmp_path / "m.npz").vocabulary == first.vocabulary


def test_two_examples_are_enough_to_begin_with(tmp_path: Path) -> None:
    lines = b'{"label": "a", "text": "aaa"}\n{"label": "b", "text": "bbb"}\n'
    done = ok("train-classifier", "-", "-o", "m.npz", "--steps", "40", stdin=lines, cwd=tmp_path)
    assert "none held out" in done.err
    assert [line[0] for line in ok("classify", "m.npz", stdin=b"aa\nbb\n",
                                   cwd=tmp_path).out.splitlines()] == ["a", "b"]  # fmt: skip


def test_lines_come_as_they_are_written(tmp_path: Path) -> None:
    path = tmp_path / "lines"
    path.write_bytes("one\r\n\ntwo\u2028still two\nlast".encode())
    assert [line for lines in read_lines(str(path)) for line in lines] == [
        *("one", "", "two\u2028still two", "last")
    ]
    path.write_bytes(b"x" * 1_200_000 + b"\ny")
    assert [len(line) for lines in read_lines(str(path)) for line in lines] == [1_200_000, 1]


def test_csv_from_stdin_is_known_by_its_row_of_names(tmp_path: Path) -> None:
    rows = "".join(f'{n},"{word}, {n}",{label}\n' for n in range(6) for word, label in
                   (("yes", "a"), ("no", "b")))  # fmt: skip
    done = ok("train-classifier", "-", "-o", "m.npz", "--steps", "2", "--hidden-size", "4",
              stdin=f"id,text,label\n{rows}".encode(), cwd=tmp_path)  # fmt: skip
    assert "texts: 12 of 2 classes" in done.err
    fails(1, "there is no TAB", "train-classifier", "-", "-o", "n.npz", stdin=rows.encode(),
          cwd=tmp_path)  # fmt: skip
