"""New and different lines from a model of lines."""

import json
import zlib
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import charrnn
from charrnn import ConfigError, TrainingError, Vocabulary
from charrnn.generate import novelty as novelty_module
from charrnn.generate import seen as seen_module
from charrnn.generate.novelty import PieceFilter
from charrnn.generate.sample import Sample
from charrnn.generate.seen import Bits, is_seen, seen_pieces, seen_spans
from charrnn.text.pieces import flatten_pieces
from tests.support import call

BEGINNINGS, MIDDLES, ENDS = ("bar", "cor", "dal", "mi"), ("a", "on", "ette"), "lnrs"
NAMES = ["".join(parts) for parts in product(BEGINNINGS, MIDDLES, ENDS)]
LINES = st.lists(st.text("abc", min_size=1, max_size=6), min_size=2, max_size=30)


def filter_of(lines: list[str]) -> Bits:
    text = "\n".join(lines)
    vocabulary = Vocabulary.from_text(text + "\n")
    return seen_pieces(flatten_pieces(vocabulary.encode(text), vocabulary.index["\n"]), vocabulary)


def test_a_seen_line_is_always_found_and_another_rarely_taken_for_one() -> None:
    rng = np.random.default_rng(1)
    every = ["".join(rng.choice([*"abcdefgh"], 12)) for _ in range(8000)]
    bits = filter_of(every[:4000])
    assert bits.size == 8000
    assert all(is_seen(bits, line) for line in every[:4000])
    wrong = sum(is_seen(bits, line) for line in every[4000:])
    assert wrong < 12  # 0.06 % are expected: 2.4


@pytest.mark.parametrize("at_once", [1, 8192])
def test_filters_are_as_models_have_saved_them_in_whatever_blocks(
    at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(seen_module, "_AT_ONCE", at_once)
    vocabulary = Vocabulary.from_text(text := "Aberdeen, a harbour\nBraemar\n")
    ids, end = vocabulary.encode(text), vocabulary.index["\n"]
    pieces, spans = seen_pieces(flatten_pieces(ids, end), vocabulary), seen_spans(ids, vocabulary)
    assert spans is not None
    assert (zlib.crc32(pieces.tobytes()), zlib.crc32(spans.tobytes())) == (2711164071, 581280931)


@given(LINES, st.booleans(), st.booleans(), st.integers(0, 4), st.none() | st.integers(4, 6))
def test_kept_lines_are_new_different_whole_and_of_the_length_asked_for(
    lines: list[str], unique: bool, drop_cut: bool, shortest: int, longest: int | None
) -> None:
    seen = {*lines[: len(lines) // 2], "ccc"}
    rules = PieceFilter(filter_of([*seen]), unique, shortest, longest, drop_cut)
    drawn = [Sample(it, 0.0, "length" if len(it) == 5 else "piece") for it in lines]
    kept = [sample.text for sample in rules.keep(drawn)]
    fits = [it for it in lines if it not in seen and shortest <= len(it) <= (longest or 99)]
    fits = [it for it in fits if not (drop_cut and len(it) == 5)]
    lost = set(fits) - set(kept)
    assert len(lost) <= 1  # rarely, a new line is taken for a seen one
    expected = [it for it in fits if it not in lost]
    assert kept == ([*dict.fromkeys(expected)] if unique else expected)


def test_a_search_without_end_ends_with_advice() -> None:
    forever = iter(lambda: Sample("x", 0.0, "piece"), None)
    with pytest.raises(TrainingError, match="20,000 pieces in a row") as caught:
        next(PieceFilter(min_length=5).keep(forever))
    assert caught.value.hint


def test_only_pieces_that_are_dropped_in_a_row_end_a_search(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(novelty_module, "MAX_DROPPED", 3)
    drawn = [Sample(it, 0.0, "piece") for it in ["a", "b", "long"] * 9]
    assert len(list(PieceFilter(min_length=4).keep(drawn))) == 9


def test_a_prefix_counts_for_the_length_of_a_piece() -> None:
    rules = PieceFilter(min_length=12)
    rules.require_room("Berlin", 6)
    with pytest.raises(ConfigError, match="--length 5 is below --min-length 12"):
        rules.require_room("Berlin", 5)


def test_a_piece_may_be_longer_than_the_longest_of_the_text(tmp_path: Path) -> None:
    pytest.importorskip("interegular")
    text = "ab" * 900 + "\n" + "cd\n" * 40
    model = charrnn.train(text=text, lines=True, steps=1, hidden_size=4, random_seed=1)
    model.save(tmp_path / "m.npz")
    options = ("--charset", "a", "--match", "a{1801,}", "--jsonl")
    (row,) = call("sample", "-c", "m.npz", *options, cwd=tmp_path).out.splitlines()
    assert 1800 < len(json.loads(row)["text"]) <= 3600


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("lines")
    (folder / "names.txt").write_text("\n".join(NAMES) + "\n")
    options = "--lines --steps 150 --hidden-size 24 --random-seed 1 -o m.npz"
    call("train", "names.txt", *options.split(), cwd=folder)
    return folder


def write(home: Path, options: str) -> list[str]:
    return call("sample", "-c", "m.npz", *options.split(), cwd=home).out.splitlines()


def test_a_model_of_lines_writes_whole_lines_and_new_ones_if_asked(home: Path) -> None:
    lines = write(home, "--count 30")
    assert len(lines) == 30
    assert all(0 < len(line) < 20 for line in lines)
    assert sum(line in NAMES for line in lines) > 10
    lines = write(home, "--count 30 --new --unique -t 1.2")
    assert len(set(lines)) == 30
    assert not set(lines) & set(NAMES)
    lines = write(home, "--prefix da --min-length 5 --max-length 6 --count 20")
    assert len(lines) == 20
    assert all(line.startswith("da") and 5 <= len(line) <= 6 for line in lines)
    assert write(home, "--prefix cor -n 0") == ["cor"]


def test_a_line_ends_where_the_model_ends_it_and_says_so(home: Path) -> None:
    options = ("sample", "-c", "m.npz", "--jsonl", "--charset", "a-z", "--count", "9")
    done = call(*options, cwd=home)
    assert {json.loads(line)["ended"] for line in done.out.splitlines()} == {"piece"}
    assert done.err == ""
    done = call(*options, "-n", "2", cwd=home)
    lines = [json.loads(line) for line in done.out.splitlines()]
    assert [(len(it["text"]), it["ended"]) for it in lines] == [(2, "length")] * 9
    assert "9 of 9 samples had 2 characters before the end of the line" in done.err
