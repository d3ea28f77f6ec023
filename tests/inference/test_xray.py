"""What is taken down of a model, against one step at a time, by the equations."""

from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from charrnn import (
    ConfigError,
    CorpusError,
    LanguageModel,
    Model,
    ModelConfig,
    VocabularyError,
    train,
)
from charrnn.inference.xray import tracer as tracing
from charrnn.inference.xray.parts import Place, parts_of
from charrnn.inference.xray.trace import Request, Trace, joined
from charrnn.inference.xray.tracer import Tracer
from charrnn.nn.loss import log_softmax
from tests import oracle
from tests.generate.models import VOCABULARY, make_model
from tests.inference.planted import bracket_counter
from tests.support import MIXED_TEXT, trained

V = len(VOCABULARY)
CELLS: list[dict[str, Any]] = [
    {"cell": "rnn"}, {"cell": "rnn", "nonlinearity": "relu"}, {"cell": "gru"}, {"cell": "lstm"},
    {"cell": "lstm", "layers": 2},
]  # fmt: skip


def text_ids(length: int, seed: int = 0) -> Any:
    return np.random.default_rng(seed).integers(V, size=length).astype(np.uint8)


def traced(model: LanguageModel, pieces: list[Any], top: int = 3) -> Trace:
    places = tuple(
        Place(layer, part) for layer in range(model.config.layers) for part in parts_of(model.cell)
    )
    return joined(Tracer(model, VOCABULARY, Request(top, places)).text(pieces))


def same(one: Trace, other: Trace, tolerance: float = 1e-6) -> None:
    np.testing.assert_array_equal(one.ids, other.ids)
    np.testing.assert_allclose(one.nats, other.nats, atol=tolerance)
    np.testing.assert_allclose(one.top_p, other.top_p, atol=tolerance)
    assert one.activations.keys() == other.activations.keys()
    for place, values in one.activations.items():
        np.testing.assert_allclose(values, other.activations[place], atol=tolerance)


@pytest.mark.parametrize("settings", CELLS, ids=str)
def test_surprise_guesses_and_states_are_those_of_one_step_at_a_time(
    settings: dict[str, Any],
) -> None:
    model, ids = make_model(VOCABULARY.characters, **settings), text_ids(40)
    model.flat /= 4 if "nonlinearity" in settings else 1
    trace, state = traced(model, [ids]), model.zero_state(1)
    assert np.isnan(trace.nats[0])
    assert np.isnan(trace.top_p[0]).all()
    for at, (this, following) in enumerate(pairwise(ids.tolist())):
        logits, state, _ = model.forward(np.array([[this]]), state)
        log_p = log_softmax(logits[0, 0])
        assert trace.nats[at + 1] == pytest.approx(-log_p[following], abs=1e-5)
        best = np.argsort(-log_p)[:3]
        assert trace.top_ids[at + 1].tolist() == best.tolist()
        np.testing.assert_allclose(trace.top_p[at + 1], np.exp(log_p[best]), atol=1e-5)
        for layer, states in enumerate(state):
            np.testing.assert_allclose(
                trace.activations[Place(layer, "hidden")][at], states[0][0], atol=1e-5
            )


def test_the_gates_are_those_of_the_equations() -> None:
    for cell, names in (("lstm", ("input", "forget", "candidate", "output")),
                        ("gru", ("reset", "update", "candidate"))):  # fmt: skip
        model, ids = make_model(VOCABULARY.characters, cell=cell), text_ids(9)
        held, layer = traced(model, [ids]).activations, model.layers[0]
        state: Any = tuple(part[0] for part in model.zero_state(1)[0])
        for at, this in enumerate(ids):
            x, h = np.eye(V)[this], state[0]
            for number, name in enumerate(names):
                from_input, from_state = oracle.gate(layer, number, x, h)
                if (cell, name) == ("gru", "candidate"):
                    expected = np.tanh(from_input + held[Place(0, "reset")][at] * from_state)
                else:
                    bend = np.tanh if name == "candidate" else oracle.logistic
                    expected = bend(from_input + from_state)
                np.testing.assert_allclose(held[Place(0, name)][at], expected, atol=1e-5)
            step = oracle.lstm_step if cell == "lstm" else oracle.gru_step
            state = step(layer, x, state)
            if cell == "lstm":
                np.testing.assert_allclose(held[Place(0, "cell")][at], np.tanh(state[1]), atol=1e-5)


def test_a_text_in_pieces_is_the_same_text(monkeypatch: pytest.MonkeyPatch) -> None:
    model, ids = make_model(VOCABULARY.characters), text_ids(300)
    whole = traced(model, [ids])
    same(traced(model, [ids[:1], ids[1:3], ids[3:170], ids[170:]]), whole)
    monkeypatch.setattr(tracing, "WINDOW", 7)
    monkeypatch.setattr(tracing, "BLOCK", 50)
    same(traced(model, [ids]), whole)


@pytest.mark.parametrize("forgets", [True, False])
@pytest.mark.parametrize("length", [300, 317])
def test_parts_read_side_by_side_are_the_same_text(
    forgets: bool, length: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    if forgets:
        model = make_model(VOCABULARY.characters)
        model.flat /= 4
    else:  # what it has counted in one part changes all of the next
        model = bracket_counter("lstm", VOCABULARY, ".", "!").network()
    ids = text_ids(length)
    once = traced(model, [ids], top=0)
    monkeypatch.setattr(tracing, "WINDOW", 8)
    monkeypatch.setattr(tracing, "BEFORE", 20)
    steps: list[int] = []
    forward = LanguageModel.forward

    def counted(self: LanguageModel, ids: Any, state: Any, **settings: Any) -> Any:
        steps.append(len(ids))
        return forward(self, ids, state, **settings)

    monkeypatch.setattr(LanguageModel, "forward", counted)
    same(traced(model, [ids], top=0), once, 2e-4)
    side_by_side = 20 + length // tracing.PARTS + length % tracing.PARTS
    assert (sum(steps) <= side_by_side + 8 * tracing.PARTS) == forgets


@pytest.fixture(scope="module")
def lines_model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    """Return a model of lines, hardly trained."""
    path = tmp_path_factory.mktemp("lines") / "names.txt"
    path.write_text("\n".join(["anna", "bo", "clara", "dot"] * 20))
    return train(str(path), lines=True, steps=3, hidden_size=8, random_seed=1, base="none")


def test_a_model_of_lines_sees_each_line_on_its_own(lines_model: Model) -> None:
    lines = ["bo", "anna", "", "clara", "bo"]
    xray = lines_model.xray("\n".join(lines))
    assert xray.text == "".join(f"{line}\n" for line in lines)
    at = 0
    for score in lines_model.score_lines(lines):
        end = at + len(score.text) + 1
        assert xray.nats[at:end].sum() == pytest.approx(score.nats, abs=1e-4)
        alone = lines_model.xray(score.text + "\n")
        np.testing.assert_allclose(xray.activations()[at:end], alone.activations(), atol=1e-6)
        at = end
    # Each line begins in the state that belongs to the line break before it.
    breaks = [at for at, char in enumerate(xray.text) if char == "\n"]
    beginnings = xray.activations()[breaks]
    np.testing.assert_allclose(beginnings, np.broadcast_to(beginnings[0], beginnings.shape))
    network = lines_model.network()
    start = np.array([[lines_model.vocabulary.index["\n"]]])
    _, state, _ = network.forward(start, network.zero_state(1))
    np.testing.assert_allclose(beginnings[0], np.tanh(state[0][1][0]), atol=1e-6)


def test_long_and_many_lines_are_read_like_others(
    lines_model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "\n".join(["anna" * 30, *["bo", "clara"] * 40])
    before = lines_model.xray(text)
    monkeypatch.setattr(tracing, "WINDOW", 16)
    monkeypatch.setattr(tracing, "LINES_AT_ONCE", 3)
    same(lines_model.xray(text).trace, before.trace, 1e-5)


def test_the_api_says_what_score_says() -> None:
    model = trained()
    xray = model.xray(MIXED_TEXT, top=4, parts=("cell", "forget"))
    assert xray.text == MIXED_TEXT
    assert xray.nats_per_char == pytest.approx(model.score(MIXED_TEXT).nats_per_char, abs=1e-5)
    assert xray.alternatives(0) == []
    guesses = xray.alternatives(5)
    assert len(guesses) == 4
    assert [p for _, p in guesses] == sorted((p for _, p in guesses), reverse=True)
    assert xray.activations("forget", 1).shape == (len(MIXED_TEXT), 5)
    assert 0 <= xray.activations("forget").min() <= xray.activations("forget").max() <= 1
    with pytest.raises(ConfigError, match="not taken down"):
        xray.activations("output")
    with pytest.raises(ConfigError, match="no part 'reset'"):
        model.xray("t", parts=("reset",))
    with pytest.raises(ConfigError, match="unknown feature"):
        xray.find("rhymes")
    with pytest.raises(VocabularyError, match="unknown character"):
        model.xray("Ж")
    with pytest.raises(CorpusError, match="no text"):
        model.xray("")


def test_more_guesses_than_characters_are_all_characters() -> None:
    xray = trained().xray("été", top=99)
    assert sum(p for _, p in xray.alternatives(2)) == pytest.approx(1, abs=1e-5)


def test_an_ensemble_is_seen_as_the_network_that_it_is() -> None:
    config = ModelConfig(hidden_size=12, members=2)
    model = LanguageModel(config, V).init(np.random.default_rng(0))
    single = LanguageModel(ModelConfig(hidden_size=12), V).set_merged(model.merged_params())
    ids = text_ids(30)
    same(traced(model, [ids]), traced(single, [ids]))
