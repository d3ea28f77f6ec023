"""What was read is known: pieces that are new, and text that copies and repeats no long passage."""

import zlib
from dataclasses import replace
from difflib import SequenceMatcher
from functools import partial
from itertools import product
from typing import Any

import numpy as np
import pytest

import charrnn
from charrnn import ConfigError, Model, PieceConfig, TrainingError, Vocabulary
from charrnn.generate import seen as seen_module
from charrnn.generate.novelty import keep_pieces
from charrnn.generate.sample import Sample
from charrnn.generate.seen import SPAN, STRIDE, Bits, is_seen, longest_copy, seen_pieces, seen_spans
from charrnn.nn.network import log_softmax
from charrnn.randomness import Purpose, generator
from charrnn.text.pieces import flatten_pieces
from tests.generate.models import LINES, MODEL, make_model, make_network, write

RNG = np.random.default_rng(1)
WORDS = ["".join(RNG.choice([*"abdeilnorst"], 5)) for _ in range(250)]
SOURCE, SLACK = " ".join(WORDS), 2 * (STRIDE - 1)
NAMES = ["".join(parts) for parts in product(("bar", "cor", "dal"), ("a", "on", "ette"), "lnrs")]
LETTERS = " abcdefg"
NETWORK = make_network(len(LETTERS), dtype="float64")
BABBLER = make_model(LETTERS, NETWORK)


def piece_filter(lines: list[str], older: Bits | None = None) -> Bits:
    text = "\n".join(lines)
    vocabulary = Vocabulary.from_text(text + "\n")
    pieces = flatten_pieces(vocabulary.encode(text), vocabulary.index["\n"])
    return seen_pieces(pieces, vocabulary, older)


def span_filter(text: str) -> Bits:
    vocabulary = Vocabulary.from_text(text)
    found = seen_spans(vocabulary.encode(text), vocabulary)
    assert found is not None
    return found


def test_a_seen_line_is_always_found_and_another_rarely_taken_for_one() -> None:
    every = ["".join(RNG.choice([*"abcdefgh"], 12)) for _ in range(4000)]
    bits = piece_filter(every[:2000])
    assert bits.size == 4000
    assert all(is_seen(bits, line) for line in every[:2000])
    assert sum(is_seen(bits, line) for line in every[2000:]) < 9  # 0.06 % are expected: 1.2


def test_a_copy_is_found_wherever_it_begins_and_another_passage_rarely() -> None:
    bits = span_filter(SOURCE)
    assert bits.size <= len(SOURCE) / 4  # two bytes for eight characters
    for size in (SPAN + STRIDE - 1, 55):
        for at in range(len(SOURCE) - size + 1):
            assert longest_copy(bits, f"no {SOURCE[at : at + size]}") >= size - SLACK
    assert longest_copy(bits, SOURCE[5:60] + SOURCE[300:355]) <= 56
    others = ("".join(RNG.choice([*"abcdefgh"], SPAN)) for _ in range(3000))
    assert sum(longest_copy(bits, text) > 0 for text in others) < 10  # 0.06 % are expected: 1.8


@pytest.mark.parametrize("at_once", [1, 8192])
def test_filters_are_as_models_have_saved_them_in_whatever_blocks(
    at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(seen_module, "_AT_ONCE", at_once)
    lines = ["Aberdeen, a harbour", "Braemar"]
    assert zlib.crc32(piece_filter(lines).tobytes()) == 2711164071
    assert zlib.crc32(span_filter("Aberdeen, a harbour\nBraemar\n").tobytes()) == 581280931
    for older in (lines[:1], [*lines, "Crail"]):  # one of them has all that the other has
        assert len(piece_filter(lines, piece_filter(older))) == 1
    monkeypatch.setattr(seen_module, "MAX_LENGTH", 3)
    assert seen_spans(np.zeros(4, np.uint8), Vocabulary("a")) is None  # it would be too large


def test_a_search_without_end_ends_with_advice() -> None:
    drawn = [Sample(it, 0.0, "piece") for it in [*["x"] * 19_999, "long"] * 2 + ["x"] * 20_000]
    kept = keep_pieces(drawn, PieceConfig(min_length=4))
    assert [next(kept).text, next(kept).text] == ["long", "long"]
    with pytest.raises(TrainingError, match="20,000 pieces in a row") as caught:
        next(kept)
    assert caught.value.hint


def test_a_piece_that_a_limit_has_cut_can_be_left_out() -> None:
    drawn = [Sample("a", 0.0, "length"), Sample("b", 0.0, "piece")]
    for drop_cut, expected in ((False, drawn), (True, drawn[1:])):
        assert [*keep_pieces(drawn, PieceConfig(), drop_cut=drop_cut)] == expected


@pytest.fixture(scope="module")
def names() -> Model:
    text = "".join(f"{name}\n" for name in NAMES)
    return charrnn.train(text=text, lines=True, steps=150, hidden_size=24, random_seed=1)


@pytest.mark.parametrize(
    ("rules", "length"),
    [
        ({"new": True, "unique": True}, None),
        ({"min_length": 6}, None),
        ({"max_length": 6, "min_length": 5}, None),
        ({}, 6),
    ],
)
def test_kept_lines_are_new_different_whole_and_of_the_length_asked_for_in_their_order(
    names: Model, rules: dict[str, Any], length: int | None
) -> None:
    drawn = list(names.samples("", 400, length=length, random_seed=1))
    assert sum(sample.text in NAMES for sample in drawn) > 60
    lines = [it.text for it in drawn if it.ended == "piece" or length is not None]
    shortest, longest = rules.get("min_length", 0), rules.get("max_length", 99)
    seen = NAMES if "new" in rules else []
    lines = [it for it in lines if it not in seen and shortest <= len(it) <= longest]
    lines = [*dict.fromkeys(lines)] if "unique" in rules else lines
    kept = names.samples("", 30, length=length, random_seed=1, **rules)
    assert len(lines) > 5
    assert [sample.text for sample in kept][: len(lines)] == lines[:30]


def test_a_prefix_counts_for_the_length_of_a_piece(names: Model) -> None:
    kept = list(names.samples("da", 20, min_length=5, max_length=6, random_seed=1))
    assert {len(sample.text) for sample in kept} == {3, 4}
    assert len(list(names.samples("dalona", 1, max_length=6, length=0))) == 1
    assert len(list(names.samples("dalona", 1, min_length=7, length=1))) == 1


def test_one_piece_meets_the_conditions_that_many_do(names: Model) -> None:
    conditions: list[dict[str, Any]] = [{"new": True}, {"min_length": 7}, {"max_length": 4}]
    for seed, rules in product(range(9), [*conditions, {"unique": True}]):
        (first,) = names.samples("", 1, random_seed=seed, **rules)
        assert names.sample(random_seed=seed, **rules) == first.text


def test_a_new_piece_may_be_twice_as_long_as_the_longest_of_the_text(names: Model) -> None:
    assert names.longest == len("dalettes")
    assert names.piece_limit == 1000
    assert names.origin is not None
    longer = replace(names, origin=replace(names.origin, longest=1800))
    written = longer.sample(charset="a", match="a{1801,}", random_seed=1)
    assert 1800 < len(written) <= 3600


def longest_shared(text: str) -> int:
    """Return the length of the longest passage of a text that is in the source."""
    return SequenceMatcher(None, text, SOURCE, autojunk=False).find_longest_match().size


@pytest.fixture(scope="module")
def model() -> charrnn.Model:
    """Return a model that knows its text by heart."""
    settings: Any = {"dropout": 0.0, "weight_drop": 0.0, "base": "none", "random_seed": 1}
    return charrnn.train(text=SOURCE, hidden_size=64, steps=250, **settings)


@pytest.mark.parametrize(("size", "temperature"), [(22, 0.5), (30, 0.0), (45, 0.5)])
def test_no_passage_that_is_longer_than_asked_for_is_copied(
    model: charrnn.Model, size: int, temperature: float
) -> None:
    draw = partial(model.sample, "", 400, temperature=temperature, random_seed=1)
    shared = longest_shared(free := draw())
    assert shared - SLACK <= model.longest_copy(free) <= shared
    assert shared > 45
    for contain in (None, WORDS[77], WORDS[78]):
        text = draw(max_copied=size, contain=contain)
        assert len(text) == 400
        assert contain is None or contain in text
        assert longest_shared(text) <= size
    assert not set(draw(max_copied=size, charset="a-m ")) - set("abcdefghijklm ")
    with pytest.raises(TrainingError, match="cannot go on without a passage that is copied"):
        draw(max_copied=size, contain=SOURCE[50:120])


def write_slowly(length: int, size: int, random_seed: int) -> str:
    """Write a text that repeats nothing, each character predicted from all that is before it."""
    rng, written, word = generator(random_seed, Purpose.SAMPLE, 0), "", ""
    excluded: dict[int, list[int]] = {}
    while len(written) < length:
        ids = np.array([0, *map(LETTERS.index, written + word)])  # it begins after a space
        logits, _, _ = NETWORK.forward(ids[:, None], NETWORK.zero_state(1))
        p = np.exp(log_softmax(logits[-1, 0]))
        p[[*excluded.get(len(word), ())]] = 0
        word += LETTERS[np.searchsorted(np.cumsum(p), (1 - rng.random()) * p.sum())]
        text = written + word
        if len(text) > size and text[-size:] in text[:-1]:
            tried = len(excluded.get(0, []))
            kept = len(word) - 1 if tried >= 4 else 0  # four words, then one character
            excluded.setdefault(kept, []).append(LETTERS.index(word[kept]))
            word = word[:kept]
        elif not word[-1].isalpha() or len(word) >= 16:
            written, word, excluded = text, "", {}
    return written[:length]


def test_a_word_that_repeats_something_is_drawn_anew_as_if_it_had_never_been() -> None:
    for seed in range(4):
        text, _ = write(BABBLER, 150, random_seed=seed, temperature=1, no_repeat=3)
        assert text == write_slowly(150, 3, seed)


def test_a_text_that_contains_another_repeats_nothing_either_or_cannot_go_on() -> None:
    for seed in range(5):
        text, _ = write(BABBLER, 60, random_seed=seed, no_repeat=4, contain="abc")
        assert "abc" in text
        assert len({text[at : at + 4] for at in range(57)}) == 57
    for rules in ({"no_repeat": 2}, {"no_repeat": 3, "contain": "abcabcd"}):
        with pytest.raises(TrainingError, match="cannot go on without a passage that is copied"):
            write(BABBLER, 100, **rules)


def test_a_model_without_filters_promises_nothing_new() -> None:
    for ask, unknown in (
        (partial(LINES.sample, new=True), "pieces"),
        (partial(MODEL.sample, max_copied=30), "passages"),
        (partial(MODEL.longest_copy, "a passage"), "passages"),
    ):
        with pytest.raises(ConfigError, match=f"does not know which {unknown} its text has"):
            ask()
