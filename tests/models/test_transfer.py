"""Old weights on a new alphabet: matched by character, never by index."""

import numpy as np
import pytest

from charrnn import LanguageModel, ModelConfig, Vocabulary
from charrnn.models.transfer import merge_vocabularies, transfer_weights


def make(characters: str, seed: int, members: int = 1) -> tuple[LanguageModel, Vocabulary]:
    config = ModelConfig(hidden_size=6, layers=2, members=members, dtype="float64")
    model = LanguageModel(config, len(characters)).init(np.random.default_rng(seed))
    return model, Vocabulary(characters)


@pytest.mark.parametrize("members", [1, 2])
def test_a_known_character_keeps_its_logit_wherever_its_index_moved(members: int) -> None:
    old, old_vocabulary = make("bdf", seed=0, members=members)
    new, new_vocabulary = make("abcdefg", seed=1, members=members)
    assert transfer_weights(old, old_vocabulary, new, new_vocabulary) == 3
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


def test_merged_vocabularies_keep_every_character_and_the_new_counts() -> None:
    merged = merge_vocabularies(Vocabulary.from_text("aab"), Vocabulary.from_text("bbbé"))
    assert merged.characters == "abé"
    assert merged.counts.tolist() == [0, 3, 1]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_without_new_characters_it_is_a_copy(dtype: str) -> None:
    config = ModelConfig(hidden_size=4, dtype=dtype)  # type: ignore[arg-type]
    vocabulary = Vocabulary("abc")
    old, new = (LanguageModel(config, 3).init(np.random.default_rng(seed)) for seed in (0, 1))
    transfer_weights(old, vocabulary, new, vocabulary)
    np.testing.assert_array_equal(old.flat, new.flat)
