"""The network and the n-grams as one model: whoever asks, and in whatever pieces, gets the same."""

from itertools import islice
from typing import Any

import numpy as np
import pytest

from charrnn import ModelConfig, SamplingConfig, generate, score
from charrnn.inference.beam import likeliest
from charrnn.inference.blend import Blend
from charrnn.inference.line_scoring import LineScorer
from charrnn.inference.mixture import Mixture, fit_weights
from charrnn.inference.predictor import RememberingPredictor, prediction_of
from charrnn.inference.sampling import write_samples
from charrnn.ngrams.kneser_ney import build_tree
from charrnn.ngrams.table import GROUPS, NGramTable
from charrnn.nn.language_model import LanguageModel
from charrnn.nn.loss import log_softmax
from charrnn.text.vocabulary import Vocabulary
from tests.inference.models import controlled
from tests.support import TEXT

VOCABULARY = Vocabulary.from_text(TEXT)
V = len(VOCABULARY)
IDS: Any = VOCABULARY.encode(TEXT).astype(np.int64)
NEW: Any = VOCABULARY.encode("The dog sat on the cat. The bog dug in the mat.\nThe cat\n").astype(
    int
)
WEIGHTS = np.linspace(0.2, 0.9, GROUPS)
TABLE = NGramTable(build_tree(IDS, V, 5))


def make_network(cell: str = "lstm", layers: int = 1) -> LanguageModel:
    config = ModelConfig(cell=cell, hidden_size=9, layers=layers)
    return LanguageModel(config, V).init(np.random.default_rng(0))


NETWORK = make_network()
MIXTURE = Mixture(NETWORK, TABLE, WEIGHTS)


def expected(ids: Any, network: LanguageModel = NETWORK) -> Any:
    """Return log p of each character but the first, from the equation of the mixture."""
    logits, _, _ = network.forward(ids[:-1, None], network.zero_state(1))
    own = np.exp(log_softmax(logits.astype(float)))[np.arange(len(ids) - 1), 0, ids[1:]]
    nodes = TABLE.read(TABLE.start(1), ids[:-1, None])[:, 0]
    w = WEIGHTS[TABLE.groups[nodes]]
    return np.log(w * own + (1 - w) * TABLE.probabilities(nodes, ids[1:]))


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
@pytest.mark.parametrize("layers", [1, 2])
def test_scoring_follows_the_equation(cell: str, layers: int) -> None:
    network = make_network(cell, layers)
    mixture = Mixture(network, TABLE, WEIGHTS)
    log_p = expected(NEW, network)
    assert score(mixture, NEW).nats == pytest.approx(-log_p.sum(), rel=1e-5)
    pieces = [NEW[:1], NEW[1:20], NEW[20:]]
    assert score(mixture, pieces).nats == pytest.approx(-log_p.sum(), rel=1e-5)


def test_forward_gives_all_log_probabilities_and_the_state_to_go_on() -> None:
    log_p = expected(NEW)
    found, state, _ = MIXTURE.forward(NEW[:30, None], MIXTURE.zero_state(1))
    rest, _, _ = MIXTURE.forward(NEW[30:-1, None], state)
    whole = np.concatenate([found, rest])[:, 0]
    np.testing.assert_allclose(whole[np.arange(len(log_p)), NEW[1:]], log_p, atol=1e-4)
    np.testing.assert_allclose(np.exp(whole).sum(axis=1), 1, atol=1e-5)


def test_score_in_windows_starts_each_from_nothing() -> None:
    windows = [-expected(NEW[at : at + 11]).sum() for at in range(0, 50, 10)]
    assert score(MIXTURE, NEW[:51], window=10).nats == pytest.approx(sum(windows), rel=1e-5)


def test_sampling_sees_the_same_distribution_as_scoring() -> None:
    log_p = expected(NEW)
    first = MIXTURE.read(NEW[:5])
    decoder = MIXTURE.decoder(3)
    decoder.start(first.state)
    logits = np.tile(first.logits, (3, 1))
    for at in range(5, len(NEW)):
        np.testing.assert_allclose(logits[:, NEW[at]], log_p[at - 1], atol=1e-4)
        np.testing.assert_allclose(np.exp(logits).sum(axis=1), 1, atol=1e-5)
        logits = decoder.feed(NEW[at : at + 1].repeat(3))
        expected_nodes = MIXTURE.read(NEW[: at + 1]).state[-1][0].repeat(3, axis=0)
        np.testing.assert_array_equal(decoder.state()[-1][0], expected_nodes)
    again = MIXTURE.read(NEW[20:], MIXTURE.read(NEW[:20]).state)
    np.testing.assert_allclose(again.logits, logits[0], atol=1e-4)
    state = [tuple(part[:1] for part in layer) for layer in decoder.state()]
    np.testing.assert_array_equal(prediction_of(MIXTURE, state).logits, logits[0])


def test_samples_that_are_selected_go_on_where_they_were() -> None:
    texts = IDS[: 3 * 40].reshape(3, 40)
    decoder, rows = MIXTURE.decoder(3), np.array([2, 2, 0])
    decoder.start(MIXTURE.zero_state(1))
    for ids in texts.T[:-1]:
        decoder.feed(ids)
    decoder.select(rows)
    found = decoder.feed(texts[rows, -1])
    expected, _, _ = MIXTURE.forward(texts.T, MIXTURE.zero_state(3))
    np.testing.assert_allclose(found, expected[-1, rows], atol=1e-4)
    assert not np.allclose(found[1], found[2])


@pytest.mark.parametrize("count", [1, 3])
def test_what_both_hold_impossible_is_only_very_unlikely(count: int) -> None:
    sure = make_network()
    sure.flat *= 1000
    decoder = Mixture(sure, TABLE, np.ones(GROUPS)).decoder(count)
    logits = decoder.feed(np.zeros(count, np.int64))
    assert logits.min() < -80
    assert np.isfinite(logits).all()


def test_a_sample_does_not_depend_on_its_batch() -> None:
    config = SamplingConfig(temperature=1)
    settings = {"random_seed": 4, "length": 80}
    together = [ids for ids, _ in write_samples(MIXTURE, NEW[:3], config, count=70, **settings)]  # type: ignore[arg-type]
    for row in (0, 1, 63, 64, 69):
        alone = list(islice(generate(MIXTURE, NEW[:3], config, random_seed=4, first=row), 80))
        np.testing.assert_array_equal([step.ids[0] for step in alone], together[row])


def test_samples_follow_the_table_where_it_has_the_weight() -> None:
    table_alone = Mixture(NETWORK, TABLE, np.zeros(GROUPS))
    steps = generate(table_alone, IDS[:1], SamplingConfig(temperature=0), random_seed=1)
    text = VOCABULARY.decode(np.array([step.ids[0] for step in islice(steps, 60)]))
    assert "The " in text
    network_alone = Mixture(NETWORK, TABLE, np.ones(GROUPS))
    assert score(network_alone, NEW).nats == pytest.approx(score(NETWORK, NEW).nats, rel=1e-5)


def test_lines_are_scored_each_from_nothing() -> None:
    scores = LineScorer(MIXTURE, VOCABULARY).score(["The cat", "", "The dog sat on the mat."])
    for found in scores:
        ids = VOCABULARY.encode(f"\n{found.text}\n").astype(int)
        assert found.nats == pytest.approx(-expected(ids).sum(), rel=1e-5)


def test_controls_beams_blends_and_memory_take_it_as_any_other_model() -> None:
    text = controlled(30, model=MIXTURE, vocabulary=VOCABULARY, match="The [a-z]+ [a-z]+")  # type: ignore[arg-type]
    assert text.startswith("The ")
    found = likeliest(MIXTURE, MIXTURE.read(NEW[:4]), count=2, length=3, width=8, stops=None)
    best = NEW[:4].tolist() + list(found[0].ids)
    assert found[0].log_p == pytest.approx(expected(np.array(best))[3:].sum(), abs=1e-3)
    blend = Blend([(MIXTURE, VOCABULARY), (MIXTURE, VOCABULARY)], [1, 1])
    np.testing.assert_allclose(blend.read(NEW).logits, MIXTURE.read(NEW).logits, atol=1e-4)
    remembering = RememberingPredictor(MIXTURE)
    remembering.read(NEW[:9])
    np.testing.assert_allclose(remembering.read(NEW).logits, MIXTURE.read(NEW).logits, atol=1e-4)


def test_fitted_weights_predict_the_held_out_text_best() -> None:
    weights, loss = fit_weights(NETWORK, TABLE, NEW)
    assert ((weights > 0) & (weights < 1)).all()
    assert loss == pytest.approx(score(Mixture(NETWORK, TABLE, weights), NEW).nats_per_char, 1e-3)
    for other in (0.0, 0.05, 0.5, 0.9):
        constant = Mixture(NETWORK, TABLE, np.full(GROUPS, other))
        assert loss < score(constant, NEW).nats_per_char + 0.05
    # An untrained network gets little, one that is right gets all.
    assert weights.mean() < 0.3
    poor = NGramTable(build_tree(np.zeros(5, np.int64), V, 5))
    assert fit_weights(NETWORK, poor, NEW)[0].mean() > 0.9


def test_weights_in_line_mode_are_fitted_to_lines_from_nothing() -> None:
    newline = VOCABULARY.index["\n"]
    lines = np.concatenate([[newline], NEW])
    table = NGramTable(build_tree(IDS, V, 5, line_break=newline))
    weights, loss = fit_weights(NETWORK, table, lines, newline)
    each = LineScorer(Mixture(NETWORK, table, weights), VOCABULARY).score(
        VOCABULARY.decode(NEW).splitlines()
    )
    nats, chars = sum(line.nats for line in each), sum(line.chars for line in each)
    assert loss == pytest.approx(nats / chars, rel=1e-4)


def test_a_state_that_no_run_left_does_no_harm() -> None:
    state = MIXTURE.read(NEW).state
    state[-1] = (np.array([[10**9]], np.int32),)
    assert np.isfinite(MIXTURE.read(NEW, state).logits).all()
    assert np.isfinite(prediction_of(MIXTURE, state).logits).all()
