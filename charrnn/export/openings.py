"""Beginnings to try: what the model writes most often, for a checkpoint has none of its text."""

import re
from collections import Counter
from collections.abc import Sequence
from itertools import islice

import numpy as np

from charrnn.config import SamplingConfig
from charrnn.errors import TrainingError
from charrnn.generate.sample import sample_steps
from charrnn.models import Model
from charrnn.text.vocabulary import Ids

COUNT = 4
# How many texts are drawn, how long, and at a temperature at which words are mostly right.
DRAWN, LENGTH, TEMPERATURE = 256, 40, 0.5
# How often a beginning must have been drawn.
MIN_DRAWN = 3
# So many words more than one, up to white space or punctuation.
WORDS = r"""["'“«‘—¿¡]?([^\W\d_])[\w'’-]*(?: [\w'’-]+){%d}(?=[\s,;:.!?(])"""
# Of entries of a list, and of scripts without spaces.
LETTERS = r"([^\W\d_]){%d}"


def choose_start(model: Model, *, code: bool) -> Ids:
    """Return what to begin after: in prose the end of a sentence, for its lines may be wrapped."""
    vocabulary = model.vocabulary
    for end in (". ", "。"):
        if set(end) <= vocabulary.index.keys() and not (code or model.config.data.end):
            return vocabulary.encode(end)
    return model.encode_prompt("")


def draw_texts(model: Model, start: Ids) -> list[str]:
    """Return texts that begin after these characters, always the same."""
    config = SamplingConfig(temperature=TEMPERATURE)
    steps = sample_steps(model.distribution(), start, config, random_seed=0, count=DRAWN)
    try:
        with np.errstate(over="ignore", invalid="ignore"):
            ids = np.array([step.ids for step in islice(steps, LENGTH)]).T
    except TrainingError:  # exploded weights, which the page says itself
        return []
    return [model.vocabulary.decode(row) for row in ids]


def openings(model: Model, texts: Sequence[str], *, code: bool) -> list[str]:
    """Return up to COUNT beginnings, no two with the same first word, the commonest first.

    texts   from ``draw_texts``

    They have two or three words; in a list two letters, in a script without spaces four.
    """
    characters, lines = model.vocabulary.characters, model.config.data.separator == "\n"
    sentences = any(map(str.isupper, characters)) and not code and not model.config.data.end
    patterns = [WORDS % 1, WORDS % 2]
    if lines or " " not in characters:
        patterns = [LETTERS % (2 if lines else 4)]
    drawn = Counter[str]()
    for found in (re.match(pattern, text) for text in texts for pattern in patterns):
        if found and not (sentences and found[1].islower()):
            drawn[found[0]] += 1
    chosen: dict[str, str] = {}
    for text, count in drawn.most_common():
        first = text[0] if lines else text.split()[0]
        # Three words rather than two, where they are common too.
        if count >= MIN_DRAWN and (first not in chosen or text.startswith(chosen[first] + " ")):
            chosen[first] = text
    return [*chosen.values()][:COUNT]
