"""Beginnings to try: what the model writes most often, for a checkpoint has none of its text."""

import re
from collections import Counter
from itertools import islice

import numpy as np

from charrnn.config import SamplingConfig
from charrnn.errors import TrainingError
from charrnn.generate.sample import sample_steps
from charrnn.models import Model
from charrnn.text.vocabulary import Ids

COUNT = 4
# How many texts are drawn, how long, and at a temperature at which words are mostly right.
DRAWN, LENGTH, SAMPLING = 256, 40, SamplingConfig(temperature=0.5)
# How often a beginning must have been drawn.
MIN_DRAWN = 3
# Two words, up to white space or punctuation; letters, of a list or of a script without spaces.
WORDS = r"""["'“«‘—¿¡]?[^\W\d_][\w'’-]*(?: [\w'’-]+)(?=[\s,;:.!?(])"""
LETTERS = r"[^\W\d_]{%d}"


def choose_start(model: Model, *, code: bool) -> Ids:
    """Return what to begin after: in prose the end of a sentence, for its lines may be wrapped."""
    vocabulary = model.vocabulary
    for end in (". ", "。"):
        if set(end) <= vocabulary.index.keys() and not (code or model.config.data.end):
            return vocabulary.encode(end)
    return model.encode_prompt("")


def openings(model: Model, start: Ids) -> list[str]:
    """Return up to COUNT beginnings, no two with the same first word, the commonest first.

    start   ids of what they begin after

    They have two words; in a list two letters, in a script without spaces four.
    """
    lines = model.config.data.separator == "\n"
    letters = lines or " " not in model.vocabulary
    pattern = LETTERS % (2 if lines else 4) if letters else WORDS
    steps = sample_steps(model.distribution(), start, SAMPLING, random_seed=0, count=DRAWN)
    try:
        with np.errstate(over="ignore", invalid="ignore"):
            rows = np.array([step.ids for step in islice(steps, LENGTH)]).T
    except TrainingError:  # exploded weights, which the page says itself
        return []
    matches = (re.match(pattern, model.vocabulary.decode(row)) for row in rows)
    drawn, chosen = Counter(found[0] for found in matches if found), dict[str, str]()
    for text, count in drawn.most_common():
        if count >= MIN_DRAWN:
            chosen.setdefault(text[0] if lines else text.split()[0], text)
    return [*chosen.values()][:COUNT]
