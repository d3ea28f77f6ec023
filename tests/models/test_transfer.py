"""Old weights on a new alphabet: matched by character, never by index."""

import numpy as np

from charrnn import LanguageModel, ModelConfig, Vocabulary
from charrnn.models.start import transfer_weights


def make(characters: str, seed: int) -> tuple[LanguageModel, Vocabulary]:
    config = ModelConfig(hidden_size=6, layers=2, dtype="float64")
    model = LanguageModel(config, len(characters)).init(np.random.default_rng(seed))
    return model, Vocabulary(characters)


def test_a_known_character_keeps_its_logit_wherever_its_index_moved() -> None:
    old, old_vocabulary = make("bdf", seed=0)
    new, new_vocabulary = make("abcdefg", seed=1)
    transfer_weights(old, old_vocabulary, new, new_vocabulary)
    text = "bdffdb"
    logits = {}
    for model, vocabulary in ((old, old_vocabulary), (new, new_vocabulary)):
        ids = vocabulary.encode(text)[:, None]
        rows, _, _ = model.forward(ids, model.zero_state(1))
        logits[vocabulary.characters] = rows[:, 0, vocabulary.encode("bdf")]
    before, after = logits.values()
    np.testing.assert_array_equal(before, after)


def test_new_characters_get_fresh_rows_of_their_own() -> None:
    old, old_vocabulary = make("bd", seed=0)
    new, new_vocabulary = make("abcd", seed=1)
    fresh = {name: param.copy() for name, param in new.params.items()}
    transfer_weights(old, old_vocabulary, new, new_vocabulary)
    for index in new_vocabulary.encode("ac"):
        for name in ("output.weight", "output.bias"):
            np.testing.assert_array_equal(new.params[name][index], fresh[name][index])
        np.testing.assert_array_equal(
            new.params["weight_ih_l0"][:, index], fresh["weight_ih_l0"][:, index]
        )
