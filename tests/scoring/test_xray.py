"""What is taken down of a model, against one step at a time, by the equations."""

import itertools
from itertools import islice, pairwise
from typing import Any

import numpy as np
import pytest

from charrnn import CharRNNError, LanguageModel, Vocabulary
from charrnn.nn.ensemble import Ensemble
from charrnn.nn.network import log_softmax
from charrnn.scoring import xray as xray_module
from charrnn.scoring.features import FEATURES
from charrnn.scoring.xray import Trace, is_signed, join, parts_of, trace_text
from tests import oracle
from tests.generate.models import CHARACTERS, LINES, make_model, make_network
from tests.support import MIXED_TEXT, trained

VOCABULARY, V = Vocabulary(CHARACTERS), len(CHARACTERS)


def text_ids(length: int, seed: int = 0) -> Any:
    return np.random.default_rng(seed).integers(V, size=length).astype(np.uint8)


def traced(model: LanguageModel | Ensemble, pieces: list[Any]) -> Trace:
    return join(trace_text(model, VOCABULARY, pieces, top=3, parts=parts_of(model.cell)))


@pytest.mark.parametrize(
    "settings",
    [
        {"cell": "rnn"},
        {"cell": "rnn", "nonlinearity": "relu"},
        {"cell": "gru"},
        {"cell": "lstm", "layers": 2},
    ],
    ids=str,
)
def test_surprise_guesses_and_states_are_those_of_one_step_at_a_time(
    settings: dict[str, Any],
) -> None:
    network, ids = make_network(**settings), text_ids(40)
    network.flat /= 4 if "nonlinearity" in settings else 1
    trace, state = traced(network, [ids]), network.zero_state(1)
    assert np.isnan(trace.nats[0])
    assert np.isnan(trace.top_p[0]).all()
    for at, (this, following) in enumerate(pairwise(ids.tolist())):
        logits, state, _ = network.forward(np.array([[this]]), state)
        log_p = log_softmax(logits[0, 0])
        assert trace.nats[at + 1] == pytest.approx(-log_p[following], abs=1e-5)
        best = np.argsort(-log_p)[:3]
        assert trace.top_ids[at + 1].tolist() == best.tolist()
        np.testing.assert_allclose(trace.top_p[at + 1], np.exp(log_p[best]), atol=1e-5)
        for layer, states in enumerate(state):
            found = trace.activations["hidden"][at, layer]
            np.testing.assert_allclose(found, states[0][0], atol=1e-5)
    for part, values in trace.activations.items():
        assert is_signed(network.cell, part) == (values.min() < 0)


@pytest.mark.parametrize(
    ("cell", "gates"),
    [("lstm", "input forget candidate output"), ("gru", "reset update candidate")],
)
def test_the_gates_are_those_of_the_equations(cell: str, gates: str) -> None:
    network, ids = make_network(cell=cell), text_ids(9)
    held = {part: it[:, 0] for part, it in traced(network, [ids]).activations.items()}
    layer, step = network.layers[0], {"lstm": oracle.lstm_step, "gru": oracle.gru_step}[cell]
    state: Any = tuple(part[0] for part in network.zero_state(1)[0])
    for at, this in enumerate(ids):
        x, h = np.eye(V)[this], state[0]
        for number, name in enumerate(gates.split()):
            from_input, from_state = oracle.gate(layer, number, x, h)
            reset = held["reset"][at] if (cell, name) == ("gru", "candidate") else 1
            bend = np.tanh if name == "candidate" else oracle.logistic
            expected = bend(from_input + reset * from_state)
            np.testing.assert_allclose(held[name][at], expected, atol=1e-5)
        state = step(layer, x, state)
        if cell == "lstm":
            np.testing.assert_allclose(held["cell"][at], np.tanh(state[1]), atol=1e-5)


def test_no_more_than_a_window_is_held_and_read_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(xray_module, "WINDOW", 16)
    numbers = itertools.count()
    blocks = (text_ids(40, number) for number in numbers)
    traces = trace_text(make_network(), VOCABULARY, blocks, parts=["hidden"])
    assert [len(trace) for trace in islice(traces, 6)] == [16, 16, 8] * 2
    whole = join(traces, 50)
    assert len(whole) == len(whole.activations["hidden"]) == 50
    assert next(numbers) == 4  # two blocks for the windows before, two for these


def test_a_model_of_lines_sees_each_line_on_its_own() -> None:
    lines = ["ab", "a.", "", "c a", "ab"]
    xray, at = LINES.xray("\n".join(lines)), 0
    assert xray.text == "".join(f"{line}\n" for line in lines)
    network = LINES.network()
    _, state, _ = network.forward(LINES.encode("\n")[:, None], network.zero_state(1))
    for score in LINES.score_lines(lines):
        end = at + len(score.text)
        assert xray.nats[at : end + 1].sum() == pytest.approx(score.nats, abs=1e-4)
        # The next line begins in the state that belongs to the line break before it.
        found = xray.activations["cell"][end, 0]
        np.testing.assert_allclose(found, np.tanh(state[0][1][0]), atol=1e-6)
        at = end + 1


def test_the_api_says_what_score_says() -> None:
    model = trained()
    xray = model.xray(MIXED_TEXT, top=4, parts=("cell", "forget"))
    assert xray.text == MIXED_TEXT
    assert xray.nats_per_char == pytest.approx(model.score(MIXED_TEXT).nats_per_char, abs=1e-5)
    assert xray.alternatives(0) == []
    assert repr(xray).startswith(f"Trace({len(MIXED_TEXT)} characters, ")
    every = model.xray("été", top=99).alternatives(2)
    assert sum(p for _, p in every) == pytest.approx(1, abs=1e-5)
    assert model.xray("été").alternatives(2) == every[:5]
    assert xray.activations["forget"].shape == (len(MIXED_TEXT), 2, 5)
    for ask, complaint in (
        (lambda: xray.find("rhymes"), "unknown feature"),
        (lambda: xray.find(layer=2), "there is no layer 2"),
        (lambda: model.xray(""), "no text"),
    ):
        with pytest.raises(CharRNNError, match=complaint):
            ask()


def test_a_text_in_pieces_and_an_ensemble_are_seen_as_the_one_that_they_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = Ensemble([make_network(number=number, hidden_size=6) for number in range(2)])
    ids = text_ids(300)
    whole = traced(model, [ids])
    traces = [traced(model.merge(), [ids]), traced(model, [ids[:1], ids[1:3], ids[3:]])]
    monkeypatch.setattr(xray_module, "WINDOW", 7)
    for trace in (*traces, traced(model, [ids])):
        np.testing.assert_array_equal(trace.ids, ids)
        np.testing.assert_allclose(trace.nats, whole.nats, atol=1e-5)
        for part, values in whole.activations.items():
            np.testing.assert_allclose(trace.activations[part], values, atol=1e-5)


def test_a_share_is_the_squared_correlation_and_chance_that_of_the_text_backwards() -> None:
    text = "".join(np.random.default_rng(0).choice(["ab, ", "c, "], 500))
    trace = make_model(" ,abc", make_network(5, layers=2)).xray(text)
    units = trace.activations["cell"][:, 1]
    found = trace.find(layer=1, top=12)
    order = [
        (-max(it.share for it in found if it.feature == one.feature), -one.share) for one in found
    ]
    assert order == sorted(order)
    assert {it.feature for it in found}.isdisjoint({"digits", "capitals", "brackets"})
    for it in found:
        feature = FEATURES[it.feature](text)
        expected = np.corrcoef(units[:, it.unit], feature)[0, 1] ** 2
        assert it.share == pytest.approx(expected, abs=1e-4)
        backwards = [np.corrcoef(unit, feature[::-1])[0, 1] ** 2 for unit in units.T]
        assert it.chance == pytest.approx(max(backwards), abs=1e-4)
        assert (it.layer, it.part) == (1, "cell")


def test_a_feature_is_what_is_known_after_reading_the_character() -> None:
    for feature, text, numbers in (
        ("quotes", 'a "b c" d', "001111000"),
        ("quotes", "it's 'so' ‘x’", "0000011100110"),
        ("brackets", "a(b[c])d)(e)", "011111000110"),
        ("line-position", "abc\nde", "123012"),
        ("indentation", "a\n  b\n\tc\n", "002222444"),
        ("digits", "a1b2", "0101"),
        ("capitals", "aBc", "010"),
        ("whitespace", "a \n", "011"),
        ("punctuation", "a,b ", "0100"),
        ("word-position", "ab, c1e", "1200123"),
    ):
        assert "".join(f"{number:g}" for number in FEATURES[feature](text)) == numbers, feature
