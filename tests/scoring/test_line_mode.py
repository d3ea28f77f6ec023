"""Line mode: lines are learned, held out, scored and written whole."""

from itertools import product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import charrnn
from charrnn import Vocabulary
from charrnn.text import pieces as piece_mode
from charrnn.text import storage
from charrnn.text.pieces import flatten_pieces, shuffle_pieces, split_pieces
from charrnn.text.vocabulary import Ids
from charrnn.text.windows import Streams
from tests.support import call, fails_in

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


@pytest.mark.parametrize("line_break", ["\r\n", "\r"])
def test_a_line_is_the_same_whatever_ends_it(line_break: str) -> None:
    text = TEXT.replace("\n", line_break)
    model, other = (
        charrnn.train(text=it, lines=True, steps=3, hidden_size=8, random_seed=1)
        for it in (TEXT, text)
    )
    assert other.vocabulary == model.vocabulary
    assert other.network().flat.tobytes() == model.network().flat.tobytes()
    lines = (f"{name}{line_break}" for name in NAMES)
    assert [*model.score_lines(lines)] == [*model.score_lines(NAMES)]
    assert model.score(text) == model.score(TEXT)
    np.testing.assert_array_equal(model.xray(text).nats, model.xray(TEXT).nats)


def test_what_is_not_learned_is_said(tmp_path: Path) -> None:
    # in English, so that a base model can take it up, which knows line breaks
    english = "There was no break at all, and the line went on and on. " * 20
    for name, text in {"names": TEXT, "odd": "ab\n\n\n" * 30, "one": english}.items():
        (tmp_path / f"{name}.txt").write_text(text)
    odd = "train odd.txt --lines --steps 1 --val-fraction 0 -o o.npz"
    done = call(*odd.split(), cwd=tmp_path)
    assert "30 lines, 2 to 2 characters; 60 empty ones left out" in done.err
    for start in ("none", "english"):
        one = f"train one.txt --lines --steps 1 -o p.npz --from {start}"
        fails_in(1, "separates nothing", *one.split(), cwd=tmp_path)
    for lines, is_said in (("", True), ("--lines", False)):
        done = call(*f"train names.txt --steps 1 -o l{lines}.npz {lines}".split(), cwd=tmp_path)
        assert ("with --lines each is learned on its own" in done.err) is is_said
