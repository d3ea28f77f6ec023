"""A text that grows: what is learned from its second part keeps what the first one taught."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import charrnn
from charrnn import Model
from charrnn.generate.seen import is_seen
from charrnn.models.train import prepare_run
from tests.support import ROOT, call

TOWNS = (ROOT / "corpora/towns.txt").read_text(encoding="utf-8").split()
HELD_OUT, FIRST, SECOND = TOWNS[::5], TOWNS[1::5] + TOWNS[2::5], TOWNS[3::5] + TOWNS[4::5]
RUN: dict[str, Any] = {"steps": 150, "hidden_size": 32, "random_seed": 1, "val_fraction": 0.1}


def listed(towns: list[str]) -> str:
    return "".join(f"{town}\n" for town in towns)


def learn(text: str, base: str = "none", **settings: Any) -> Model:
    return charrnn.train(text=text, base=base, **RUN | settings)


def table(model: Model) -> Any:
    assert model.ngram is not None
    return model.ngram.counts


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("first") / "first.npz"
    learn(listed(FIRST), lines=True).save(path)
    return str(path)


@pytest.fixture(scope="module")
def grown(first: str) -> Model:
    return learn(listed(SECOND), first, lines=True)


def test_names_learned_in_two_halves_are_known_as_if_learned_at_once(
    first: str, grown: Model
) -> None:
    def nats(model: Model) -> float:
        scores = model.score_lines(HELD_OUT, unknown="charge")
        return float(np.mean([score.nats_per_char for score in scores]))

    at_once = nats(learn(listed(FIRST + SECOND), lines=True))
    assert nats(grown) < at_once + 0.02
    assert nats(learn(listed(SECOND), lines=True)) > at_once + 0.06
    assert nats(charrnn.load(first)) > at_once + 0.06
    assert grown.vocabulary.counts.sum() == len(listed(SECOND))  # of the text that it learned last


def test_what_was_read_once_counts_as_seen_whatever_is_read_after_it(
    first: str, grown: Model, tmp_path: Path
) -> None:
    once = charrnn.load(first)
    assert once.seen_pieces is not None
    assert not all(is_seen(once.seen_pieces, town) for town in SECOND)
    assert once.longest_copy(listed(SECOND[-20:])) <= 30
    again = grown
    for text, rows in ((SECOND, 2), (FIRST[:200], 2), (FIRST + SECOND, 3), (FIRST + SECOND, 3)):
        again.save(tmp_path / "m.npz")
        again = learn(listed(text), str(tmp_path / "m.npz"), lines=True, steps=2)
        assert again.seen_pieces is not None
        assert len(again.seen_pieces) == rows
        assert all(is_seen(again.seen_pieces, town) for town in FIRST + SECOND)
        new = [town for town in HELD_OUT if town not in FIRST + SECOND]
        assert sum(is_seen(again.seen_pieces, town) for town in new) <= 3
        for part in (FIRST[:20], SECOND[-20:]):
            assert again.longest_copy(listed(part)) > len(listed(part)) - 30


def test_a_run_resumed_with_another_text_still_knows_the_first(first: str, tmp_path: Path) -> None:
    text = listed([*FIRST[100:], *(town * 2 for town in FIRST[:50])])
    (tmp_path / "other.txt").write_text(text)
    again = prepare_run([str(tmp_path / "other.txt")], {"steps": 152}, resumed=Path(first)).model()
    assert again.seen_pieces is not None
    assert all(is_seen(again.seen_pieces, town) for town in FIRST)


@pytest.mark.parametrize("how", [{"lines": True}, {}], ids=["lines", "stream"])
def test_a_text_that_holds_the_older_one_is_not_counted_twice(
    how: dict[str, Any], tmp_path: Path
) -> None:
    learn(listed(FIRST), **how).save(tmp_path / "old.npz")
    whole = listed(SECOND + FIRST)
    again = learn(whole, str(tmp_path / "old.npz"), **how, steps=2)
    assert again.origin is not None
    assert again.origin.start == "old.npz"
    for ours, theirs in zip(table(again), table(learn(whole, **how, steps=2)), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_n_grams_that_do_not_help_are_left_out(tmp_path: Path) -> None:
    words = TOWNS[::37]
    learn(" ".join(np.random.default_rng(1).choice(words, 2000))).save(tmp_path / "any.npz")
    in_order = " ".join(words * 50)
    model = learn(in_order, str(tmp_path / "any.npz"), steps=20)
    assert model.origin is not None
    assert model.origin.start == "any.npz"
    for ours, theirs in zip(table(model), table(learn(in_order, steps=2)), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_n_grams_of_lines_are_not_added_to_those_of_a_stream(first: str) -> None:
    models = [learn(listed(SECOND), base, steps=2) for base in (first, "none")]
    assert models[0].network().flat.tobytes() != models[1].network().flat.tobytes()
    assert len({model.ngram.entries for model in models if model.ngram is not None}) == 1


def test_a_text_of_empty_lines_is_refused(first: str) -> None:
    with pytest.raises(charrnn.CorpusError, match="empty pieces only"):
        learn("\n\n\n", first, lines=True)


def test_a_resumed_run_keeps_what_was_added(grown: Model, tmp_path: Path) -> None:
    (tmp_path / "second.txt").write_text(listed(SECOND))
    grown.save(tmp_path / "m.npz")
    done = call("train", "second.txt", "-o", "m.npz", "--resume", "--steps", "152", cwd=tmp_path)
    assert done.returncode == 0, done.err
    for ours, theirs in zip(table(charrnn.load(tmp_path / "m.npz")), table(grown), strict=True):
        np.testing.assert_array_equal(ours, theirs)
