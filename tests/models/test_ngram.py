"""The n-grams of a model: from the text into the checkpoint and back."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import charrnn
from charrnn import Model
from charrnn.ngrams.fitting import fit_weights, leave_out
from charrnn.ngrams.kneser_ney import NGrams, build_ngrams
from charrnn.text.corpus import read_corpus
from charrnn.text.pieces import flatten_pieces, split_pieces
from charrnn.text.split import split
from tests.support import ROOT, TEXT, call

SETTINGS: Any = {
    "hidden_size": 8, "steps": 12, "random_seed": 1, "batch_size": 8, "seq_length": 8,
}  # fmt: skip
MOULIN = str(ROOT / "corpora/moulin.txt")


@pytest.fixture(scope="module")
def model() -> Model:
    return charrnn.train(MOULIN, **SETTINGS)


def same(ngrams: NGrams, others: NGrams) -> bool:
    """Return whether these are the same n-grams, whatever their weights are."""
    arrays, expected = ngrams.to_arrays(), others.to_arrays()
    names = ("characters", "children", "adjusted", "dropped")
    return all(np.array_equal(arrays[name], expected[name]) for name in names)


def test_counts_come_from_the_training_part_and_weights_from_the_other(model: Model) -> None:
    corpus = read_corpus([MOULIN])
    train_ids, val_ids = split(corpus.ids, None)
    assert model.ngram is not None
    expected = build_ngrams(train_ids, len(corpus.vocabulary), 7)
    assert same(expected, model.ngram)
    spelled = [model.ngram.spelled]
    weights, loss, _ = fit_weights(model.network(), [(expected, val_ids)], spelled=spelled)
    np.testing.assert_allclose(model.ngram.weights, weights, atol=1e-6)
    assert model.ngram.val_loss == pytest.approx(loss)


@pytest.mark.parametrize("held_out", [True, False])
def test_lines_are_counted_each_for_itself_and_parts_left_out_where_none_is_held_out(
    *, held_out: bool
) -> None:
    text = "anna\nbob\nlise\nnora\nolga\n" * 60
    if not held_out:
        text = "\n".join(f"{a} makes {b}" for a in "abcde" for b in "uvwxyz")
    model = charrnn.train(text=text, lines=True, **SETTINGS)
    V, newline = len(model.vocabulary), model.vocabulary.index["\n"]
    flat = flatten_pieces(model.encode(text), newline)
    lines, val_ids = split_pieces(flat, None, 1)
    assert (len(val_ids) > 1) is held_out
    expected = build_ngrams(lines, V, 7, end=newline)
    assert model.ngram is not None
    if held_out:
        assert same(expected, model.ngram)
    assert (model.ngram.val_loss is not None) is held_out
    parts = [(expected, val_ids)] if held_out else list(leave_out(flat, V, 7, newline))
    weights, *_ = fit_weights(
        model.network(), parts, spelled=[model.ngram.spelled], pieces=True, trained_on=not held_out
    )
    np.testing.assert_allclose(model.ngram.weights, weights, atol=1e-6)


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


def test_a_resumed_run_keeps_adds_and_drops_them(tmp_path: Path) -> None:
    (tmp_path / "t.txt").write_text(TEXT * 8)
    run = "train t.txt --hidden-size 6 --random-seed 1 --workers 1 --dropout 0 --weight-drop 0 -q"

    def do(name: str, *more: str) -> Model:
        done = call(*run.split(), "-o", name, *more, cwd=tmp_path)
        assert done.returncode == 0, done.err
        return Model.load(tmp_path / name)

    first = do("parts.npz", "--steps", "4").ngram
    second = do("parts.npz", "--steps", "8", "--resume").ngram
    assert first is not None
    assert second is not None
    assert same(first, second)
    assert do("parts.npz", "--resume", "--no-ngram").ngram is None
    added = do("parts.npz", "--resume", "--ngram", "7").ngram
    assert added is not None
    np.testing.assert_array_equal(added.weights, second.weights)


def test_exports_say_what_they_leave_out(model: Model, tmp_path: Path) -> None:
    model.save(tmp_path / "m.npz")
    for form in ("safetensors", "compact"):
        done = call("export", "m.npz", "--to", form, cwd=tmp_path)
        assert done.returncode == 0, done.err
        assert f"{form} has the network alone" in done.err
        assert "nats per character worse" in done.err
    assert Model.load(tmp_path / "m.compact.npz").ngram is None
    assert "alone" not in call("export", "m.npz", "--to", "html", cwd=tmp_path).err  # has them
    replace(model, ngram=None).save(tmp_path / "n.npz")
    assert "alone" not in call("export", "n.npz", "--to", "compact", cwd=tmp_path).err


def test_every_command_uses_the_mixture(model: Model, tmp_path: Path) -> None:
    model.save(tmp_path / "m.npz")
    text = "Le vieux meunier descendit vers la rivière."
    (tmp_path / "t.txt").write_text(text)

    def out(*line: str) -> str:
        done = call(*line, "-c", "m.npz", cwd=tmp_path)
        assert done.returncode == 0, done.err
        return done.out

    scored = json.loads(out("score", "t.txt", "--json"))
    assert scored["nats_per_char"] == pytest.approx(model.score(text).nats_per_char)
    (line,) = out("score", "t.txt", "--lines").splitlines()
    assert json.loads(line)["nats"] == pytest.approx(next(model.score_lines([text])).nats, rel=1e-5)
    sampled = out("sample", "--seed", "Le ", "-n", "40", "--random-seed", "2")
    assert sampled == model.sample("Le ", 40, random_seed=2) + "\n"
    answer = json.loads(out("complete", "Le m", "--json"))
    assert answer["continuations"][0]["text"] == model.complete("Le m")[0][0]
    seen = [json.loads(row) for row in out("xray", "t.txt", "--json").splitlines()]
    nats = [it["nats"] for it in seen if it.get("nats") is not None]
    assert sum(nats) == pytest.approx(model.score(text).nats, rel=1e-3)
    assert model.xray(text).nats[1:].sum() == pytest.approx(sum(nats), rel=1e-3)
