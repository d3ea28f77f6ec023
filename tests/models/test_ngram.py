"""The n-grams of a model: from the text into the checkpoint and back."""

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import charrnn
from charrnn import Model
from charrnn.models.train import prepare_run
from charrnn.ngrams.fitting import fit_weights, leave_out
from charrnn.ngrams.kneser_ney import NGrams, build_ngrams
from charrnn.text.pieces import flatten_pieces
from charrnn.text.split import split, split_pieces
from tests.support import ROOT

SETTINGS: Any = {
    "hidden_size": 8, "steps": 12, "random_seed": 1, "batch_size": 8, "seq_length": 8,
}  # fmt: skip
MOULIN = ROOT / "corpora/moulin.txt"


@pytest.fixture(scope="module")
def model() -> Model:
    return charrnn.train(MOULIN, **SETTINGS)


def same(ngrams: NGrams, others: NGrams) -> bool:
    """Return whether these are the same n-grams, whatever their weights are."""
    arrays, expected = ngrams.to_arrays(), others.to_arrays()
    names = ("characters", "children", "adjusted", "dropped")
    return all(np.array_equal(arrays[name], expected[name]) for name in names)


@pytest.mark.parametrize(
    ("text", "lines", "held_out"),
    [
        (MOULIN.read_text(encoding="utf-8"), False, True),
        ("anna\nbob\nlise\nnora\nolga\n" * 60, True, True),
        ("\n".join(f"{a} makes {b}" for a in "abcde" for b in "uvwxyz"), True, False),
    ],
    ids=["stream", "lines", "all"],
)
def test_counts_come_from_the_training_part_and_weights_from_what_is_held_or_left_out(
    text: str, *, lines: bool, held_out: bool
) -> None:
    steps = 12 if held_out else 150  # by then, it knows its text better than a part is predicted
    model = charrnn.train(text=text, lines=lines, **SETTINGS | {"steps": steps})
    V, end = len(model.vocabulary), model.vocabulary.index["\n"] if lines else None
    ids = model.encode(text)
    if end is None:
        train_ids, val_ids = split(ids, None)
    else:
        train_ids, val_ids = split_pieces(flatten_pieces(ids, end), None, 1)
    assert (len(val_ids) > 1) is held_out
    expected = build_ngrams(train_ids, V, 7, end=end)
    assert model.ngram is not None
    assert same(expected, model.ngram)
    parts = [(expected, val_ids)] if held_out else list(leave_out(train_ids, V, 7, end))
    weights, loss, _ = fit_weights(
        model.network(), parts, spelled=[model.ngram.spelled], pieces=lines, trained_on=not held_out
    )
    np.testing.assert_allclose(model.ngram.weights, weights, atol=1e-6)
    assert model.ngram.val_loss == (pytest.approx(loss) if held_out else None)


@pytest.mark.parametrize(
    ("text", "lines"),
    [("ab", False), ("ab\n", False), ("a\nb", False), ("a\nb", True), ("ab\n", True)],
)
def test_the_shortest_texts_have_weights_too(text: str, *, lines: bool) -> None:
    model = charrnn.train(text=text, lines=lines, hidden_size=4, steps=2, random_seed=1)
    assert model.ngram is not None
    written = model.sample("a", 10)
    assert written.startswith("a")
    assert len(written) <= 11 if lines else len(written) == 11


def test_the_mixture_predicts_unseen_text_better_than_the_network(model: Model) -> None:
    alone = replace(model, ngram=None)
    unseen = "Le vieux meunier descendit vers la rivière et s’assit sans rien dire.\n" * 2
    assert model.score(unseen).nats_per_char < alone.score(unseen).nats_per_char - 0.5
    assert model.ngram is not None
    assert model.ngram.val_loss is not None
    assert model.ngram.val_loss < model.progress.best_val_loss - 0.5
    assert 0 < model.ngram.weights.mean() < 1


def test_a_checkpoint_keeps_it(model: Model, tmp_path: Path) -> None:
    model.save(tmp_path / "m.npz")
    again = charrnn.load(tmp_path / "m.npz")
    again.save(tmp_path / "again.npz")
    assert (tmp_path / "again.npz").read_bytes() == (tmp_path / "m.npz").read_bytes()


def test_a_resumed_run_drops_and_adds_them(model: Model, tmp_path: Path) -> None:
    path = tmp_path / "m.npz"
    model.save(path)
    for order in (0, 7):
        run = prepare_run([str(MOULIN)], {"ngram": order, "steps": 12}, resumed=path)
        run.finish()
        run.model().save(path)
        assert (Model.load(path).ngram is None) == (order == 0)
    assert run.ngram is not None
    assert model.ngram is not None
    assert same(run.ngram, model.ngram)
    np.testing.assert_array_equal(run.ngram.weights, model.ngram.weights)


def test_whatever_scores_completes_or_looks_uses_the_mixture(model: Model) -> None:
    text = "Le vieux meunier descendit vers la rivière."
    nats, start = model.score(text).nats, model.score("\nLe m").nats
    assert model.xray(text).nats[1:].sum() == pytest.approx(nats, rel=1e-3)
    (line,) = model.score_lines([text])
    assert line.nats == pytest.approx(model.score(f"\n{text}\n").nats, rel=1e-5)
    likeliest, *_ = model.complete("Le m")
    whole = model.score(f"\nLe m{likeliest.text}").nats
    assert likeliest.log_p == pytest.approx(start - whole, rel=1e-3)


def test_n_grams_that_make_the_held_out_loss_worse_are_left_out() -> None:
    noise = "".join(map(str, np.random.default_rng(1).integers(10, size=20_000)))
    model = charrnn.train(text=noise, hidden_size=8, steps=40, base="none", random_seed=1)
    assert model.ngram is None
    assert model.progress.best_val_loss < math.log(10) + 0.02
