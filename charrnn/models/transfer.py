"""Starting from another model's weights on a text with other characters."""

import numpy as np

from charrnn.nn.language_model import LanguageModel
from charrnn.text.vocabulary import Vocabulary


def merge_vocabularies(old: Vocabulary, new: Vocabulary) -> Vocabulary:
    """Return the characters of both, with the counts of the new text."""
    characters = "".join(sorted(set(old.characters) | set(new.characters)))
    counts = np.zeros(len(characters), np.int64)
    merged = Vocabulary(characters, counts)
    counts[merged.encode(new.characters)] = new.counts
    return merged


def transfer_weights(
    source: LanguageModel, known: Vocabulary, target: LanguageModel, wanted: Vocabulary
) -> int:
    """Copy a model's weights into another of the same shape but for its vocabulary.

    Ensembles have the same number of members.

    Characters are matched by character, never by index: vocabularies are sorted, so a new one
    shifts the index of all that follow. What belongs to a new character keeps the values that
    ``target`` was initialized with.

    Returns the number of characters that were matched.
    """
    shared = "".join(char for char in wanted.characters if char in known)
    from_ids, to_ids = known.encode(shared), wanted.encode(shared)
    for name, values in source.params.items():
        param = target.params[name]
        if name.startswith("output."):  # a row for each character
            param[to_ids] = values[from_ids]
        elif name == "weight_ih_l0":  # a column for each character
            param[:, to_ids] = values[:, from_ids]
        else:
            param[...] = values
    return len(shared)
