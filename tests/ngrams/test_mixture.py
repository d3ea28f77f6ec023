"""The network and the n-grams as one model: whoever asks, and in whatever pieces, gets the same."""

from typing import Any

import numpy as np
import pytest

from charrnn import ModelConfig, score
from charrnn.generate.predictor import Predictor
from charrnn.ngrams import fitting
from charrnn.ngrams.contexts import GROUPS
from charrnn.ngrams.count import count_ngrams
from charrnn.ngrams.fitting import fit_weights, leave_out, left_out_loss
from charrnn.ngrams.kneser_ney import build_ngrams
from charrnn.ngrams.mixture import Mixture, log_normalized
from charrnn.nn.network import LanguageModel, log_softmax
from charrnn.scoring.likelihood import score_sequences
from charrnn.scoring.line_scorer import LineModel, LineScorer
from charrnn.text.split import stream_bounds
from charrnn.text.vocabulary import Vocabulary
from tests.support import TEXT

VOCABULARY = Vocabulary.from_text(TEXT)
V = len(VOCABULARY)
NEWLINE = VOCABULARY.index["\n"]


def encode(text: str) -> Any:
    return VOCABULARY.encode(text).astype(np.int64)


def make_network(cell: str = "lstm", layers: int = 1) -> LanguageModel:
    config = ModelConfig(cell=cell, hidden_size=9, layers=layers)
    return LanguageModel(config, V).init(np.random.default_rng(0))


IDS: Any = encode(TEXT)
NEW: Any = encode("The dog sat on the cat. The bog dug in the mat.\nThe cat\n")
IN_WORDS = VOCABULARY.in_words()  # not the point and the line break
NGRAMS = build_ngrams(IDS, V, 5).with_weights(np.linspace(0.2, 0.9, GROUPS), None, IN_WORDS)
NETWORK = make_network()


def weighted(weights: Any) -> Mixture:
    return Mixture(NETWORK, NGRAMS.with_weights(np.broadcast_to(weights, GROUPS), None))


def log_p_of(network: LanguageModel, ids: Any) -> Any:
    """Return log p of all characters after each, (T, V), from the equation of the mixture."""
    logits, _, _ = network.forward(ids[:, None], network.zero_state(1))
    own = np.exp(log_softmax(logits.astype(float)))[:, 0]
    tree = NGRAMS.with_weights(np.zeros(GROUPS), None).tree
    nodes = tree.read(np.zeros(1, int), ids[:, None])[:, 0]
    q = own[:, IN_WORDS].sum(axis=1, keepdims=True) * IN_WORDS / IN_WORDS.sum()
    tree.mix(q, nodes)  # now of the n-grams alone
    w = NGRAMS.weights[tree.groups[nodes], None]
    return np.log(np.where(IN_WORDS, w * own + (1 - w) * q, own))


@pytest.mark.parametrize(("cell", "layers"), [("rnn", 1), ("lstm", 2), ("gru", 1)])
def test_scores_distributions_and_samples_follow_the_equation(cell: str, layers: int) -> None:
    network = make_network(cell, layers)
    mixture, log_p = Mixture(network, NGRAMS), log_p_of(network, NEW)
    nats = -log_p[np.arange(len(NEW) - 1), NEW[1:]].sum()
    assert score(mixture, NEW).nats == pytest.approx(nats, rel=1e-5)
    found, state, _ = mixture.forward(NEW[:30, None], mixture.zero_state(1))
    rest, _, _ = mixture.forward(NEW[30:, None], state)
    np.testing.assert_allclose(np.concatenate([found, rest])[:, 0], log_p, atol=1e-4)
    predictor = Predictor(mixture)
    decoder, first = predictor.decoder(3), predictor.read(NEW[2:5], predictor.read(NEW[:2]).state)
    np.testing.assert_allclose(log_normalized(first.p[None])[0], log_p[4], atol=1e-4)
    decoder.start(first.state)
    for id_, expected in zip(NEW[5:], log_p[5:], strict=True):
        p = decoder.feed(np.array([id_] * 3))
        np.testing.assert_allclose(log_normalized(p), [expected] * 3, atol=1e-4)


def test_samples_that_are_selected_or_start_anew_go_on_where_they_are() -> None:
    mixture = Mixture(NETWORK, NGRAMS)
    texts = IDS[: 3 * 40].reshape(3, 40)
    decoder, rows = Predictor(mixture).decoder(3), np.array([2, 2, 0])
    decoder.start(mixture.zero_state(1))
    for ids in texts.T[:-1]:
        decoder.feed(ids)
    decoder.select(rows)
    before = decoder.state()
    decoder.start(mixture.zero_state(1), 0)
    decoder.start(before)
    found = log_normalized(decoder.feed(texts[rows, -1]))
    log_p, _, _ = mixture.forward(texts.T, mixture.zero_state(3))
    np.testing.assert_allclose(found, log_p[-1, rows], atol=1e-4)
    assert not np.allclose(found[1], found[2])
    decoder.start(before)
    decoder.start(mixture.zero_state(1), 1)
    found = log_normalized(decoder.feed(texts[rows, -1]))
    alone, _, _ = mixture.forward(texts[2:, -1:], mixture.zero_state(1))
    np.testing.assert_allclose(found, [log_p[-1, 2], alone[0, 0], log_p[-1, 0]], atol=1e-4)


@pytest.mark.parametrize("count", [1, 3])
def test_what_both_hold_impossible_is_only_very_unlikely(count: int) -> None:
    sure = make_network()
    sure.flat *= 1e5
    mixture = Mixture(sure, NGRAMS.with_weights(np.ones(GROUPS), None))
    decoder = Predictor(mixture).decoder(count)
    decoder.start(mixture.zero_state(1))
    log_p = log_normalized(decoder.feed(np.zeros(count, np.int64)))
    assert log_p.min() < -80
    assert np.isfinite(log_p).all()
    assert np.isfinite(score(mixture, NEW).nats)


def test_fitted_weights_predict_best_what_they_were_not_fitted_to(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    text, choices = np.tile(NEW, 20), [~IN_WORDS, IN_WORDS, np.ones(V, bool)]
    fits = [fit_weights(NETWORK, [(NGRAMS, text)], spelled=[choice]) for choice in choices]
    best = min(range(3), key=lambda number: fits[number].nats)
    assert best > 0
    for cost, chosen in ((0, best), (9, 0)):  # the first that is not worse by more than this
        monkeypatch.setattr(fitting, "COST", cost)
        found = fit_weights(NETWORK, [(NGRAMS, text)], spelled=choices)
        np.testing.assert_array_equal(found.spelled, choices[chosen])
    for fit in fits:
        mixture = Mixture(NETWORK, NGRAMS.with_weights(fit.weights, None, fit.spelled))
        assert fit.nats == pytest.approx(score(mixture, text).nats_per_char, abs=0.02)
    weights, loss, _ = fits[1]
    assert np.ptp(weights) > 0.05
    kept = Mixture(NETWORK, NGRAMS.with_weights(weights, None, IN_WORDS))
    assert score(weighted(weights), text) == score(kept, text)
    assert 0 < weights.mean() < 0.3  # an untrained network gets little
    for other in (0.0, 0.05, 0.5, 0.9):
        assert loss < score(weighted(other), text).nats_per_char + 0.01
    poor = build_ngrams(np.zeros(5, np.int64), V, 5)
    assert fit_weights(NETWORK, [(poor, text)]).weights.mean() > 0.9


def test_the_loss_of_a_character_is_not_that_of_weights_fitted_to_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # The n-grams are right in one of two streams, wrong in the other; blocks are one of each.
    monkeypatch.setattr(fitting, "BLOCK", 1)
    text = np.concatenate([IDS[:64], np.random.default_rng(0).integers(0, V, 65)])
    weights, loss, _ = fit_weights(NETWORK, [(NGRAMS, text)])
    windows = score_sequences(weighted(weights), text, *stream_bounds(len(text)))
    assert loss > np.mean([it.nats.mean() for it in windows]) + 0.1


def test_weights_in_line_mode_are_fitted_to_lines_from_nothing() -> None:
    lines = [TEXT[at : at + 1 + at % 30].replace("\n", " ") for at in range(0, 3 * 160, 3)]
    ngrams = build_ngrams(IDS, V, 5, end=NEWLINE)
    text = encode("\n".join(["", *lines, ""]))
    weights, loss, _ = fit_weights(NETWORK, [(ngrams, text)], pieces=True)
    mixture = Mixture(NETWORK, ngrams.with_weights(weights, None))
    each = [line for (line,) in LineScorer([LineModel(mixture, VOCABULARY)]).score(lines)]
    nats, chars = sum(line.nats for line in each), sum(line.chars for line in each)
    assert loss == pytest.approx(nats / chars, abs=0.015)


def test_a_piece_longer_than_what_is_fitted_is_fitted_in_part(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(fitting, "MAX_FITTED", 40)
    ngrams = build_ngrams(IDS, V, 5, end=NEWLINE)
    long, rest = encode("\n" + "The cat sat on the mat. " * 9), encode("a" * 99 + "\n")
    whole, cut = (
        fit_weights(NETWORK, [(ngrams, np.append(long, ids))], pieces=True)
        for ids in (rest, rest[-1:])
    )
    assert whole.nats == cut.nats


def test_each_part_that_is_left_out_is_predicted_by_the_rest_alone() -> None:
    lines = [f"{a}{b}{'t' * (b in 'ag')}\n" for a in "Tcdm" for b in "aegnou"]
    flat, older = encode("\n" + "".join(lines)), count_ngrams(NEW, V, 3)
    left_out = []
    for ngrams, part in leave_out(flat, V, 3, NEWLINE, older):
        text = VOCABULARY.decode(part)[1:].splitlines(keepends=True)
        rest = encode("\n" + "".join(line for line in lines if line not in text))
        others = build_ngrams(rest, V, 3, end=NEWLINE, older=older)
        for column, expected in zip(ngrams.counts, others.counts, strict=True):
            np.testing.assert_array_equal(column, expected)
        left_out += text
    assert left_out == lines
    assert len(list(leave_out(np.zeros(400_000, np.uint8), V, 2))) == 1  # one is enough
    # Where every line is new, the n-grams predict worse than those that have counted it.
    counted = build_ngrams(flat, V, 3, end=NEWLINE)
    fair = fit_weights(NETWORK, list(leave_out(flat, V, 3, NEWLINE)), pieces=True).weights
    known = fit_weights(NETWORK, [(counted, flat)], pieces=True).weights
    assert fair.mean() > known.mean() + 0.1


@pytest.mark.parametrize("end", [None, NEWLINE])
def test_the_loss_of_n_grams_is_that_of_each_part_under_those_of_the_others(
    end: int | None,
) -> None:
    nats, chars = 0.0, 0
    for ngrams, part in leave_out(IDS, V, 5, end):
        found = score(Mixture(NETWORK, ngrams.with_weights(np.zeros(GROUPS))), part)
        nats, chars = nats + found.nats, chars + found.chars
    assert left_out_loss(IDS, V, 5, end) == pytest.approx(nats / chars, rel=1e-5)


def test_a_network_that_has_seen_the_text_is_not_trusted_beyond_what_is_usual() -> None:
    text, network = np.tile(NEW, 20), make_network()
    network.params["output.bias"][...] = np.log(np.bincount(text, minlength=V) / len(text) + 1e-3)
    network.params["output.weight"][...] = 0  # it knows how frequent each character is
    wrong = "".join(a + b for a, b in zip("abcdgim", "gimabcd", strict=True))
    worse = build_ngrams(encode("The " * 50 + wrong * 5), V, 2)  # and these only one word
    alike = build_ngrams(text, V, 1)  # it knows that too
    pairs = [(network, worse), (network, alike), (NETWORK, NGRAMS)]
    usual, doubted = (
        [fit_weights(each, [(ngrams, text)], loss_before=loss).weights for each, ngrams in pairs]
        for loss in (None, np.inf)
    )
    assert 0.9 > usual[0].mean() > doubted[0].mean() + 0.1
    # A network that is not much better, or was as good before, is taken at its word.
    np.testing.assert_array_equal(usual[1:], doubted[1:])
    loss = score(network, text).nats_per_char
    weights = fit_weights(network, [(worse, text)], loss_before=loss).weights
    assert weights.mean() > usual[0].mean() - 0.02
