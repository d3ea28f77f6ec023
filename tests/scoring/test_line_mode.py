"""Line mode: lines are learned, held out, scored and written whole."""

import json
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import charrnn
from charrnn import Model, Vocabulary
from charrnn.text import pieces as piece_mode
from charrnn.text import storage
from charrnn.text.pieces import flatten_pieces, shuffle_pieces, split_pieces
from charrnn.text.vocabulary import Ids
from charrnn.text.windows import Streams
from tests.support import fails, ok

BEGINNINGS, MIDDLES, ENDS = ("bar", "cor", "dal", "mi"), ("a", "on", "ette"), "lnrs"
NAMES = ["".join(parts) for parts in product(BEGINNINGS, MIDDLES, ENDS)]
TEXT = "\n".join(NAMES) + "\n"
LINES = st.lists(st.text("abc", min_size=1, max_size=6), min_size=2, max_size=30)


def flat(lines: list[str]) -> tuple[Ids, Vocabulary]:
    text = "\n".join(lines)
    vocabulary = Vocabulary.from_text(text + "\n")
    return flatten_pieces(vocabulary.encode(text), vocabulary.index["\n"]), vocabulary


@pytest.mark.parametrize("text", ["a\nbb\n", "a\nbb", "\n\na\n\n\nbb\n\n", "\na\nbb"])
def test_flat_lines_have_one_break_around_each_and_no_empty_one(text: str) -> None:
    vocabulary = Vocabulary.from_text(text)
    lines = flatten_pieces(vocabulary.encode(text), vocabulary.index["\n"])
    assert vocabulary.decode(lines) == "\na\nbb\n"


@given(LINES)
def test_both_parts_of_a_split_are_whole_lines_and_together_all(lines: list[str]) -> None:
    ids, vocabulary = flat(lines)
    parts = [vocabulary.decode(part) for part in split_pieces(ids, 0.3, 7)]
    assert sorted("".join(parts).split()) == sorted(lines)
    assert len(parts[1].split()) == min(round(0.3 * len(lines)), len(lines) - 1)
    assert all(not part or (part[0] == part[-1] == "\n") for part in parts)


def test_short_and_long_lines_are_held_out_alike_and_from_all_over_the_list() -> None:
    lines = sorted("x" * size + chr(97 + n) for n in range(26) for size in range(10))
    ids, vocabulary = flat(lines)
    train, held_out = (vocabulary.decode(it).split() for it in split_pieces(ids, 0.1, 1))
    assert len(held_out) == 26
    assert abs(np.mean([*map(len, train)]) - np.mean([*map(len, held_out)])) < 0.3
    places = [lines.index(line) for line in held_out]
    assert min(places) < 60
    assert max(places) > 200


@given(LINES, st.integers(1, 8))
def test_an_epoch_reads_every_line_once_up_to_the_last_batch(lines: list[str], size: int) -> None:
    ids, vocabulary = flat(lines)
    size = min(size, len(ids) - 1)
    batches = Streams(ids, 1, size, 1, pieces=True)
    for epoch in range(2):
        steps = [batches.at(epoch * batches.steps_per_epoch + step)
                 for step in range(batches.steps_per_epoch)]  # fmt: skip
        inputs, targets, starts = (np.concatenate([getattr(step, part) for step in steps])
                                   for part in ("inputs", "targets", "starts"))  # fmt: skip
        assert [step.fresh for step in steps] == [True] + [False] * (len(steps) - 1)
        read = vocabulary.decode(np.append(inputs.T.ravel(), targets[-1, -1]))
        assert read[1:] == vocabulary.decode(targets.T.ravel())
        np.testing.assert_array_equal(starts, inputs == vocabulary.index["\n"])
        whole = read.split("\n")[1:-1]  # the first and the last may be cut
        assert not [line for line in set(whole) if whole.count(line) > lines.count(line)]
        assert len(ids) - len(read) < size


def test_long_lists_are_handled_in_blocks_and_are_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def arrays() -> list[Ids]:
        ids, _ = flat(NAMES)
        order = shuffle_pieces(ids, np.random.default_rng(1))
        return [ids, order, *split_pieces(ids, 0.3, 1)]

    expected = arrays()
    assert expected[0].tobytes() != expected[1].tobytes() == arrays()[1].tobytes()
    for module, name, size in (
        (storage, "IN_MEMORY", 20), (storage, "BLOCK", 7), (piece_mode, "BLOCK", 7),
        (piece_mode, "PIECES_AT_ONCE", 5),
    ):  # fmt: skip
        monkeypatch.setattr(module, name, size)
    for array, other in zip(arrays(), expected, strict=True):
        assert isinstance(array.base, np.memmap)
        np.testing.assert_array_equal(array, other)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("lines")
    (folder / "names.txt").write_text(TEXT)
    options = "--lines --steps 250 --hidden-size 32 --networks 2 --random-seed 1 -o m.npz"
    ok("train", "names.txt", *options.split(), cwd=folder)
    return folder


def test_a_score_reads_each_line_on_its_own(home: Path) -> None:
    whole = json.loads(ok("score", "names.txt", "-c", "m.npz", "--json", cwd=home).out)
    found = ok("score", "--lines", "names.txt", "-c", "m.npz", cwd=home).out.splitlines()
    lines = [json.loads(line) for line in found]
    assert whole["chars"] == sum(line["chars"] for line in lines) == len(TEXT)
    nats = sum(line["nats"] for line in lines)
    assert whole["nats_per_char"] == pytest.approx(nats / len(TEXT), rel=1e-5)
    model = charrnn.load(home / "m.npz")
    assert isinstance(model, Model)
    assert model.score(TEXT).nats == pytest.approx(nats, rel=1e-5)


@pytest.mark.parametrize("line_break", ["\r\n", "\r"])
def test_a_line_is_the_same_whatever_ends_it(home: Path, line_break: str) -> None:
    model = Model.load(home / "m.npz")
    text = TEXT.replace("\n", line_break)
    (home / "other.txt").write_bytes(text.encode())
    done = ok("score", "--lines", "other.txt", "-c", "m.npz", cwd=home)
    scores = [json.loads(line) for line in done.out.splitlines()]
    expected = [score.nats for score in model.score_lines(NAMES)]
    assert [score["text"] for score in scores] == NAMES
    assert [score["nats"] for score in scores] == pytest.approx(expected, rel=1e-4)
    lines = (f"{name}{line_break}" for name in NAMES)
    assert [score.nats for score in model.score_lines(lines)] == expected
    assert model.score(text) == model.score(TEXT)
    np.testing.assert_array_equal(model.xray(text).nats, model.xray(TEXT).nats)
    learned, other = (
        charrnn.train(str(home / name), lines=True, steps=3, hidden_size=8, random_seed=1)
        for name in ("names.txt", "other.txt")
    )
    assert other.vocabulary == learned.vocabulary
    assert other.network().flat.tobytes() == learned.network().flat.tobytes()


def test_a_stopped_run_of_lines_goes_on_bit_for_bit(home: Path) -> None:
    settings = (
        "--lines --hidden-size 16 --networks 2 --random-seed 3 --schedule constant --warmup 0 "
        "--dropout 0.2 --weight-drop 0.1"
    )
    for steps in ("12", "30"):
        run = ("train", "names.txt", *settings.split(), "--steps", steps)
        ok(*run, "-o", f"{steps}.npz", cwd=home)
    ok(*["train", "names.txt", "--resume", "--steps", "30", "-o", "12.npz"], cwd=home)
    resumed, whole = (Model.load(home / name) for name in ("12.npz", "30.npz"))
    for name, array in whole.resume.items():
        assert array.tobytes() == resumed.resume[name].tobytes(), name


def test_what_is_not_learned_is_said(home: Path) -> None:
    (home / "odd.txt").write_text("ab\n\n\n" * 30)
    odd = "train odd.txt --lines --steps 1 --val-fraction 0 -o o.npz"
    done = ok(*odd.split(), cwd=home)
    assert "30 lines, 2 to 2 characters; 60 empty ones left out" in done.err
    # in English, so that a base model can take it up, which knows line breaks
    (home / "one.txt").write_text("There was no break at all, and the line went on and on. " * 20)
    one = ("train", "one.txt", "--lines", "--steps", "1", "-o", "p.npz")
    fails(1, "separates nothing", *one, cwd=home)
    fails(1, "separates nothing", *one, "--from", "english", cwd=home)

    advice = "with --lines each is learned on its own"
    for lines, said in ([], True), (["--lines"], False):
        run = f"train names.txt --steps 1 -o l{len(lines)}.npz"
        done = ok(*run.split(), *lines, cwd=home)
        assert (advice in done.err) is said
