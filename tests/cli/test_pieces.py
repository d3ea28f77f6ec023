"""Pieces are learned, held out, written and scored whole, from the command line as from Python."""

import json
import shlex
from itertools import product
from pathlib import Path

import pytest

import charrnn
from charrnn import Model
from tests.support import Done, call, fails_in

FLOWERS, COLORS = ("rose", "daisy", "lily", "tulip"), ("red", "white", "blue", "pink")
WHOSE = ("mine", "yours", "hers")
POEMS = [f"The {flower}\nis {color}\nand {whose}."
         for flower, color, whose in product(FLOWERS, COLORS, WHOSE)]  # fmt: skip
TEXT = "\n\n\n".join(POEMS) + "\n"
SMALL = "--hidden-size 32 --random-seed 1 --workers 1 --seq-length 16 --batch-size 8 --dropout 0"


def ran(line: str, folder: Path, text: str = "") -> Done:
    done = call(*shlex.split(line), cwd=folder, stdin=text.encode())
    assert done.returncode == 0, done.err
    return done


def is_whole(poem: str) -> bool:
    lines = poem.split("\n")
    return len(lines) == 3 and lines[0].startswith("The ") and lines[2].endswith(".")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pieces")
    (folder / "poems.txt").write_text(TEXT)
    (folder / "poems").mkdir()
    for number, poem in enumerate(POEMS):
        (folder / "poems" / f"{number:02}.txt").write_text(poem)
    (folder / "poems.jsonl").write_text("".join(f"{json.dumps({'t': it})}\n" for it in POEMS))
    done = ran(rf"train poems.txt --separator '\n\n' --steps 250 {SMALL} -o m.npz", folder)
    assert "48 pieces of 25 to 29 characters" in done.err
    return folder


def test_samples_are_whole_pieces_separated_as_in_the_text(home: Path) -> None:
    written = ran("sample -c m.npz --count 20 --random-seed 1", home).out
    poems = written.removesuffix("\n").split("\n\n")
    assert len(poems) == 20
    assert sum(map(is_whole, poems)) > 16
    rows = ran("sample -c m.npz --count 20 --random-seed 1 --jsonl", home).out.splitlines()
    assert [json.loads(row)["text"] for row in rows] == poems
    assert {json.loads(row)["ended"] for row in rows} == {"piece"}


def test_every_way_to_name_the_pieces_teaches_the_same(home: Path) -> None:
    ways = (r"poems.txt --separator '\n\n'", "poems --separator file", "poems.jsonl --field t")
    for number, way in enumerate(ways):
        ran(f"train {way} --steps 5 {SMALL} -o {number}.npz", home)
    models = [Model.load(home / f"{number}.npz") for number in range(3)]
    models.append(charrnn.train(
        text=TEXT.replace("\n", "\r\n"), separator="\r\n\r\n", steps=5, hidden_size=32,
        random_seed=1, seq_length=16, batch_size=8, dropout=0.0,
    ))  # fmt: skip
    weights = {model.network().flat.tobytes() for model in models}
    assert len(weights) == 1
    assert {model.longest for model in models} == {29}


@pytest.mark.parametrize(
    ("name", "rest"), [("few.jsonl", '{"by": "me"}\n{"t": 5}\n'), ("few.csv", "2,\n3\n\n")]
)
def test_records_without_a_text_are_counted(name: str, rest: str, tmp_path: Path) -> None:
    record = '{"t": "one two"}\n' if name == "few.jsonl" else "1,one two\n"
    (tmp_path / name).write_text("by,t\n" * (name == "few.csv") + record * 20 + rest)
    done = ran(f"train {name} --field t --steps 2 {SMALL} -o m.npz", tmp_path)
    assert "20 pieces of 7 characters; 2 empty ones left out" in done.err


def test_a_score_reads_each_piece_on_its_own(home: Path) -> None:
    model = Model.load(home / "m.npz")
    alone = [score.nats for score in model.score_lines(POEMS)]
    rows = ran("score --pieces poems.txt -c m.npz", home).out.splitlines()
    for number, (row, poem) in enumerate(zip(map(json.loads, rows), POEMS, strict=True)):
        assert (row["piece"], row["text"], row["chars"]) == (number + 1, poem, len(poem) + 1)
        assert row["nats"] == pytest.approx(alone[number], rel=1e-4)
    whole = json.loads(ran("score poems.txt -c m.npz --json", home).out)
    assert whole["nats_per_char"] * whole["chars"] == pytest.approx(sum(alone), rel=1e-4)
    assert whole["chars"] == sum(map(len, POEMS)) + len(POEMS)
    assert model.score(TEXT).nats == pytest.approx(sum(alone), rel=1e-4)
    windows = json.loads(ran("score poems.txt -c m.npz --json --window 20", home).out)
    expected = model.score(TEXT, window=20).nats_per_char
    assert windows["nats_per_char"] == pytest.approx(expected, rel=1e-4)
    assert expected > whole["nats_per_char"] + 0.01  # less is known of a piece's beginning
    traced = model.xray("\n\n".join(POEMS[:9])).nats
    assert traced.sum() == pytest.approx(sum(alone[:9]), rel=1e-3)


def test_models_of_other_pieces_are_compared_by_lines(home: Path) -> None:
    ran(f"train poems.txt --lines --steps 5 {SMALL} -o lines.npz", home)
    done = ran("score --lines -c m.npz -c lines.npz --unknown skip", home, POEMS[0])
    assert [json.loads(row)["line"] for row in done.out.splitlines()] == [1, 2, 3]
    ran(f"train poems.txt --separator '\\n\\n' --steps 2 {SMALL} -o other.npz", home)
    done = ran("score --lines -c m.npz -c other.npz", home, TEXT)
    assert [json.loads(row)["piece"] for row in done.out.splitlines()] == [*range(1, 49)]


def test_a_completion_ends_with_its_piece(home: Path) -> None:
    done = ran("complete -c m.npz --json 'The rose\nis red\nand min'", home)
    best = json.loads(done.out)["continuations"][0]
    assert (best["text"], best["ended"]) == ("e.", "stop")


def test_a_run_goes_on_with_its_pieces_and_says_how_it_was_made(home: Path) -> None:
    ran(f"train poems.txt --separator '\\n\\n' --steps 4 {SMALL} -o r.npz", home)
    ran("train poems.txt --resume --steps 5 -o r.npz", home)
    assert Model.load(home / "r.npz").config.data.separator == "\n\n"
    shown = ran("inspect r.npz", home).out
    assert r"--separator '\n\n'" in shown
    assert "piece by piece" in shown


def test_a_run_that_goes_on_with_another_text_counts_what_is_in_that_one(home: Path) -> None:
    ran(f"train poems.txt --separator '\\n\\n' --steps 4 {SMALL} -o r.npz --overwrite", home)
    (home / "half.txt").write_text("\n\n".join(POEMS[::2]))
    said = ran("train half.txt --resume --steps 5 -o r.npz", home).err
    assert "24 pieces of 25 to 29 characters\n" in said
    described = json.loads(ran("inspect r.npz --json", home).out)
    assert described["chars"] == sum(map(len, POEMS[::2])) + 24  # each has its END


def test_what_is_not_learned_is_said(tmp_path: Path) -> None:
    # in English, so that a base model can take it up, which knows line breaks
    english = "There was no break at all, and the line went on and on. " * 20
    names = "anna\nbo\nclara\n" * 40 + "dot"
    for name, text in {"names": names, "odd": "ab\n\n\n" * 30, "one": english}.items():
        (tmp_path / f"{name}.txt").write_text(text)
    odd = "train odd.txt --lines --steps 1 --val-fraction 0 -o o.npz"
    done = call(*odd.split(), cwd=tmp_path)
    assert "30 lines of 2 characters; 60 empty ones left out" in done.err
    for start in ("none", "english"):
        one = f"train one.txt --lines --steps 1 -o p.npz --from {start}"
        fails_in(1, "separates nothing", *one.split(), cwd=tmp_path)
    for lines, is_said in (("", True), ("--lines", False)):
        done = call(*f"train names.txt --steps 1 -o l{lines}.npz {lines}".split(), cwd=tmp_path)
        assert ("with --lines each is learned on its own" in done.err) is is_said
        assert "left out" not in done.err  # the last line has no line break
        assert "copies" not in done.err  # none are held out


def test_copies_are_counted_as_they_are_held_out(tmp_path: Path) -> None:
    for name, numbers in {"once": [*range(220)], "twice": [*range(110)] * 2}.items():
        poems = (f"The sea.\nNo {number}.\nBy." for number in numbers)
        (tmp_path / f"{name}.txt").write_text("\n\n".join(poems))
        said = ran(f"train {name}.txt --separator '\\n\\n' --steps 1 -o {name}.npz", tmp_path).err
        assert ("most pieces are copies" in said) is (name == "twice")
    assert "most lines are copies" in ran("train once.txt --lines --steps 1 -o l.npz", tmp_path).err
