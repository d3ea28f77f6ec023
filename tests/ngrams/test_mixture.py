"""The network and the n-grams as one model: whoever asks, and in whatever pieces, gets the same."""

from typing import Any

import numpy as np
import pytest

from charrnn import ModelConfig, score
from charrnn.generate.predictor import Predictor
from charrnn.ngrams import fitting
from charrnn.ngrams.contexts import GROUPS
from charrnn.ngrams.count import count_ngrams, merge_counts
from charrnn.ngrams.fitting import fit_weights, leave_out
from charrnn.ngrams.kneser_ney import NGrams, build_ngrams
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


IDS: Any = encode(TEXT)
NEW: Any = encode("The dog sat on the cat. The bog dug in the mat.\nThe cat\n")
WEIGHTS = np.linspace(0.2, 0.9, GROUPS)
IN_WORDS = VOCABULARY.in_words()  # not the point and the line break
NGRAMS = build_ngrams(IDS, V, 5).with_weights(WEIGHTS, None, IN_WORDS)


def make_network(cell: str = "lstm", layers: int = 1) -> LanguageModel:
    config = ModelConfig(cell=cell, hidden_size=9, layers=layers)
    return LanguageModel(config, V).init(np.random.default_rng(0))


NETWORK = make_network()
MIXTURE = Mixture(NETWORK, NGRAMS)
PREDICTOR = Predictor(MIXTURE)


def weighted(weights: Any) -> Mixture:
    return Mixture(NETWORK, NGRAMS.with_weights(np.broadcast_to(weights, GROUPS), None))


def expected(ids: Any, network: LanguageModel = NETWORK, ngrams: NGrams = NGRAMS) -> Any:
    """Return log p of each character but the first, from the equation of the mixture."""
    logits, _, _ = network.forward(ids[:-1, None], network.zero_state(1))
    own = np.exp(log_softmax(logits.astype(float)))[:, 0]
    targets, tree = ids[1:], ngrams.with_weights(np.zeros(GROUPS), None).tree
    nodes = tree.read(np.zeros(1, int), ids[:-1, None])[:, 0]
    spelled = np.tile(IN_WORDS / IN_WORDS.sum(), (len(targets), 1))
    tree.mix(spelled, nodes)  # now p of the n-grams alone
    w, rows = ngrams.weights[tree.groups[nodes]], np.arange(len(targets))
    p = own[rows, targets]
    mixed = w * p + (1 - w) * own[:, IN_WORDS].sum(axis=1) * spelled[rows, targets]
    return np.log(np.where(IN_WORDS[targets], mixed, p))


@pytest.mark.parametrize(("cell", "layers"), [("rnn", 1), ("lstm", 2), ("gru", 1)])
def test_scoring_follows_the_equation(cell: str, layers: int) -> None:
    network = make_network(cell, layers)
    mixture, nats = Mixture(network, NGRAMS), -expected(NEW, network).sum()
    assert score(mixture, NEW).nats == pytest.approx(nats, rel=1e-5)


def test_forward_gives_all_log_probabilities_and_the_state_to_go_on() -> None:
    log_p = expected(NEW)
    found, state, _ = MIXTURE.forward(NEW[:30, None], MIXTURE.zero_state(1))
    rest, _, _ = MIXTURE.forward(NEW[30:-1, None], state)
    together = np.concatenate([found, rest])[:, 0]
    np.testing.assert_allclose(together[np.arange(len(log_p)), NEW[1:]], log_p, atol=1e-4)
    np.testing.assert_allclose(np.exp(together).sum(axis=1), 1, atol=1e-5)


def test_sampling_sees_the_same_distribution_as_scoring() -> None:
    log_p = expected(NEW)
    first = PREDICTOR.read(NEW[:5])
    decoder = PREDICTOR.decoder(3)
    decoder.start(first.state)
    p = np.tile(first.p, (3, 1))
    for at in range(5, len(NEW)):
        np.testing.assert_allclose(log_normalized(p)[:, NEW[at]], log_p[at - 1], atol=1e-4)
        p = decoder.feed(NEW[at : at + 1].repeat(3))
    again = PREDICTOR.read(NEW[20:], PREDICTOR.read(NEW[:20]).state)
    np.testing.assert_allclose(log_normalized(again.p[None])[0], log_normalized(p)[0], atol=1e-4)
    decoder.start([tuple(part[:1] for part in layer) for layer in decoder.state()])
    np.testing.assert_array_equal(decoder.predict(), p)


def test_samples_that_are_selected_go_on_where_they_were() -> None:
    texts = IDS[: 3 * 40].reshape(3, 40)
    decoder, rows = PREDICTOR.decoder(3), np.array([2, 2, 0])
    decoder.start(MIXTURE.zero_state(1))
    for ids in texts.T[:-1]:
        decoder.feed(ids)
    decoder.select(rows)
    found = log_normalized(decoder.feed(texts[rows, -1]))
    log_p, _, _ = MIXTURE.forward(texts.T, MIXTURE.zero_state(3))
    np.testing.assert_allclose(found, log_p[-1, rows], atol=1e-4)
    assert not np.allclose(found[1], found[2])


@pytest.mark.parametrize("count", [1, 3])
def test_what_both_hold_impossible_is_only_very_unlikely(count: int) -> None:
    sure = make_network()
    sure.flat *= 1000
    mixture = Mixture(sure, NGRAMS.with_weights(np.ones(GROUPS), None))
    decoder = Predictor(mixture).decoder(count)
    decoder.start(mixture.zero_state(1))
    log_p = log_normalized(decoder.feed(np.zeros(count, np.int64)))
    assert log_p.min() < -80
    assert np.isfinite(log_p).all()


def test_lines_are_scored_each_from_nothing() -> None:
    # The last one is shorter than another in its batch.
    scorer = LineScorer([LineModel(MIXTURE, VOCABULARY)])
    for (found,) in scorer.score(["The cat", "", "The dog sat on.", "a mat"]):
        log_p = expected(encode(f"\n{found.text}\n"))
        assert found.nats == pytest.approx(-log_p.sum(), rel=1e-5)


def test_fitted_weights_predict_best_what_they_were_not_fitted_to(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    text = np.tile(NEW, 20)
    choices = [~IN_WORDS, IN_WORDS, np.ones(V, bool)]
    fits = [fit_weights(NETWORK, [(NGRAMS, text)], spelled=[choice]) for choice in choices]
    nats = [fit.nats for fit in fits]
    assert nats.index(min(nats)) > 0
    # The first that is not worse by more than this.
    for cost, chosen in ((0, nats.index(min(nats))), (9, 0)):
        monkeypatch.setattr(fitting, "COST", cost)
        found = fit_weights(NETWORK, [(NGRAMS, text)], spelled=choices)
        np.testing.assert_array_equal(found.spelled, choices[chosen])
    weights, loss, _ = fits[1]
    assert ((weights > 0) & (weights < 1)).all()
    assert np.ptp(weights) > 0.05
    assert weights.mean() < 0.3  # an untrained network gets little
    assert loss == pytest.approx(score(weighted(weights), text).nats_per_char, abs=0.02)
    for other in (0.0, 0.05, 0.5, 0.9):
        assert loss < score(weighted(other), text).nats_per_char + 0.01
    poor = build_ngrams(np.zeros(5, np.int64), V, 5)
    assert fit_weights(NETWORK, [(poor, text)])[0].mean() > 0.9


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
    lines = ["The cat", "The dog sat on the mat.", "Th", "The bog dug in the mat."] * 40
    ngrams = build_ngrams(IDS, V, 5, end=NEWLINE)
    weights, loss, _ = fit_weights(
        NETWORK, [(ngrams, encode("\n" + "\n".join(lines) + "\n"))], pieces=True
    )
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
    fits = [
        fit_weights(NETWORK, [(ngrams, ids)], pieces=True)
        for ids in (np.concatenate([long, rest]), np.concatenate([long, rest[-1:]]))
    ]
    assert fits[0][1] == fits[1][1]


def test_each_part_that_is_left_out_is_predicted_by_the_rest_alone() -> None:
    lines = [f"{a}{b}{'t' * (b in 'ag')}" for a in "Tcdm" for b in "aegnou"]
    flat = encode("\n" + "\n".join(lines) + "\n")
    older = count_ngrams(NEW, V, 3)
    parts = list(leave_out(flat, V, 3, NEWLINE, older))
    texts = [VOCABULARY.decode(part).strip("\n").split("\n") for _, part in parts]
    assert [line for text in texts for line in text] == lines
    for (ngrams, part), text in zip(parts, texts, strict=True):
        assert part[0] == part[-1] == NEWLINE
        rest = encode("\n" + "\n".join(line for line in lines if line not in text) + "\n")
        counts = merge_counts(count_ngrams(rest, V, 3, end=NEWLINE), older, V)
        others = NGrams(counts, V).to_arrays()
        for name, array in ngrams.to_arrays().items():
            np.testing.assert_array_equal(array, others[name])
    assert len(list(leave_out(np.zeros(400_000, np.uint8), V, 2))) == 1  # one is enough
    # Where every line is new, the n-grams predict worse than those that have counted it.
    counted = build_ngrams(flat, V, 3, end=NEWLINE)
    fair = fit_weights(NETWORK, list(leave_out(flat, V, 3, NEWLINE)), pieces=True)[0]
    assert fair.mean() > fit_weights(NETWORK, [(counted, flat)], pieces=True)[0].mean() + 0.1


def test_a_network_that_has_seen_the_text_is_not_trusted_beyond_what_is_usual() -> None:
    text, network = np.tile(NEW, 20), make_network()
    network.params["output.bias"][...] = np.log(np.bincount(text, minlength=V) / len(text) + 1e-3)
    network.params["output.weight"][...] = 0  # it knows how frequent each character is
    worse = build_ngrams(np.full(50, IDS[0], np.uint8), V, 2)  # and these know less
    trusted, *_ = fit_weights(network, [(worse, text)])
    doubted, *_ = fit_weights(network, [(worse, text)], trained_on=True)
    assert trusted.mean() > doubted.mean() + 0.1
    # A network that is no better is taken at its word.
    weights, again = (
        fit_weights(NETWORK, [(NGRAMS, text)], trained_on=trained_on)[0]
        for trained_on in (False, True)
    )
    np.testing.assert_array_equal(weights, again)
