"""Small models of all shapes, with weights that are far from zero, so that each of them counts."""

from dataclasses import replace
from typing import Any

import numpy as np

from charrnn import Config, DataConfig, Model, ModelConfig, Vocabulary
from charrnn.ngrams.contexts import GROUPS
from charrnn.ngrams.count import count_ngrams
from charrnn.ngrams.kneser_ney import NGrams
from charrnn.training.state import initial_state
from tests.support import ROOT

LETTERS = "\n abcdefghijklmnopqrstuvwxyzABCDE.,'é日👩\u200d👧\u0301<&\"/"
SHAPES: dict[str, dict[str, Any]] = {
    "rnn-relu-2": {"cell": "rnn", "nonlinearity": "relu", "layers": 2},
    "gru-2": {"cell": "gru", "layers": 2},
    "gru-2-ensemble": {"cell": "gru", "layers": 2, "members": 4},
    "lstm": {"cell": "lstm"},
    "lstm-ensemble": {"cell": "lstm", "members": 2},
    "lstm-3": {"cell": "lstm", "layers": 3, "hidden_size": 25},
}
HARBOUR = (ROOT / "corpora/harbour.txt").read_text(encoding="utf-8").lower()
READ = "".join(char for char in HARBOUR if char in LETTERS) + "Abe é\n日日 b\u0301👩\u200d👧\n" * 9


def make_model(
    shape: str = "lstm-ensemble",
    characters: str = LETTERS,
    *,
    lines: bool = False,
    strong: float = 4,
    ngram: bool = False,
    normalize: Any = "none",
) -> Model:
    """Return a model; with ngram, with the n-grams of READ."""
    vocabulary = Vocabulary("".join(sorted(set(characters))))
    config = Config(
        model=ModelConfig(**{"hidden_size": 24} | SHAPES[shape]),
        data=DataConfig(separator="\n" if lines else None, seq_length=12, normalize=normalize),
    )
    state = initial_state(config, len(vocabulary))
    for network in state.networks:
        if config.model.nonlinearity == "tanh":  # relu has no bound
            network.flat *= strong
        if lines:  # not a thousand characters long
            network.params["output.bias"][vocabulary.index["\n"]] += 2
    model = Model.of(config, vocabulary, state)
    if not ngram:
        return model
    ids, end = vocabulary.encode(READ), vocabulary.index["\n"] if lines else None
    # So few are kept that some have suffixes that are not.
    counts = count_ngrams(ids, len(vocabulary), 6, end=end, max_entries=4000)
    weights, spelled = np.linspace(0.05, 0.8, GROUPS), vocabulary.in_words()
    return replace(model, ngram=NGrams(counts, len(vocabulary), weights, None, spelled))
