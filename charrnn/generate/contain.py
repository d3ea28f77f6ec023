"""A given text, put into a sample where the model finds it likeliest.

Several samples are drawn. Of all places in them where a word begins, the one is chosen at which the
given text is likeliest, and the sample goes on from there. So the text reads naturally where it is;
at a place chosen beforehand it would not.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice

import numpy as np

from charrnn.errors import ConfigError
from charrnn.generate.controls import Controls
from charrnn.generate.match import Flags
from charrnn.generate.originality import Word, dead_end
from charrnn.generate.sample import Sample, Sampler
from charrnn.ngrams.mixture import log_normalized
from charrnn.nn.cell import Array
from charrnn.nn.network import LayerStates, join_states, select_state
from charrnn.randomness import Purpose
from charrnn.text.vocabulary import Ids

# Samples among whose first characters a place is searched, and how many places are tried.
CANDIDATES, REACH, TRIES = 16, 1000, 16

# Places scored at once.
_AT_ONCE = 256

# With a smaller share of spaces than this, words are not separated by them.
FEW_SPACES = 0.05


def write_containing(
    sampler: Sampler, controls: Controls, count: int, *, first: int
) -> Iterator[Sample]:
    """Yield complete samples, one after the other, each with the text ``controls.config.contain``.

    The arguments, and samples that do not depend on their number, are those of ``Sampler.write``.
    Raises TrainingError if the text would be part of a passage that is copied or repeated wherever
    it is, ConfigError if other controls would end the samples before it does.
    """
    text, drafts = controls.config.contain or "", controls.drafts(1)
    begins, ends = find_borders(controls, text)
    room = max(0, min(REACH, controls.length - len(text)))
    for number in range(first, first + count):
        drawn = sampler.write(controls, CANDIDATES, first=number * CANDIDATES)
        candidates = [it.text[:room] for it in drawn]
        places = rank_places(sampler, controls, candidates, begins, ends)
        written = (place + text for place in places)
        if drafts is not None:
            written = (it for it in written if drafts.accepts(it, len(text)))
        for tried, beginning in enumerate(islice(written, TRIES), number * TRIES):
            sample = go_on(sampler, controls, beginning, ends, tried)
            if len(sample.text) >= len(beginning):  # else a rule ended it before
                yield sample
                break
        else:
            if drafts is not None:
                raise dead_end()
            raise ConfigError(
                f"{text!r} overlaps a stop text or the last sentence wherever it is",
                hint="contain another text, or leave out --stop and --until-sentence",
            )


def find_borders(controls: Controls, text: str) -> tuple[Flags, Flags]:
    """Return after which characters a text may begin, and which may follow it, (V,) each.

    A text begins where a word does and, if its last character is a letter, ends where one does. In
    a text of few spaces, such as a list of names, words have no borders.
    """
    characters, allowed = controls.vocabulary.characters, controls.allowed
    counts = np.where(allowed, controls.vocabulary.counts, 0)
    # The end of a piece does not separate words.
    is_space = np.array([char.isspace() and char != controls.end for char in characters])
    if counts[is_space].sum() <= FEW_SPACES * counts.sum():
        return np.ones_like(is_space), allowed
    is_letter = np.array([char.isalnum() for char in characters])
    return is_space, allowed & (~is_letter | (not text[-1:].isalnum()))


def rank_places(
    sampler: Sampler, controls: Controls, candidates: Sequence[str], begins: Flags, ends: Flags
) -> list[str]:
    """Return the beginnings of samples after which the text may be, where it is likeliest first.

    begins, ends   see ``find_borders``
    """
    encode = controls.vocabulary.encode
    decoder = sampler.predictor.decoder(len(candidates), sampler.start.memory)
    decoder.start(sampler.start.state)
    sizes = np.array([len(candidate) for candidate in candidates])
    ids = [np.resize(encode(it), sizes.max() + 1) for it in candidates]
    may_begin = np.arange(len(candidates)) == 0  # at the beginning of a sample: once
    places: list[str] = []
    states: list[LayerStates] = []
    for size, chosen in enumerate(np.array(ids, np.int64).T):
        at = np.flatnonzero(may_begin & (size <= sizes))
        places += [candidates[row][:size] for row in at.tolist()]
        states.append(select_state(decoder.state(), at))
        decoder.feed(chosen)
        may_begin = begins[chosen]
    log_p = score_text(sampler, join_states(states), encode(controls.config.contain or ""), ends)
    return [places[place] for place in (-log_p).argsort(kind="stable")]


def score_text(sampler: Sampler, states: LayerStates, ids: Ids, ends: Flags) -> Array:
    """Return the log probability, in nats, of a text and its end after each of N states."""
    total = []
    for at in range(0, len(states[0][0]), _AT_ONCE):
        part = select_state(states, slice(at, at + _AT_ONCE))
        log_p = np.zeros(len(part[0][0]))
        decoder = sampler.predictor.decoder(len(log_p), sampler.start.memory)
        decoder.start(part)
        p = decoder.predict()
        for chosen in ids.tolist():
            log_p += log_normalized(p)[:, chosen]
            p = decoder.feed(np.full(len(log_p), chosen))
        total.append(log_p + np.logaddexp.reduce(log_normalized(p)[:, ends], axis=1))
    return np.concatenate(total)


def go_on(sampler: Sampler, controls: Controls, beginning: str, ends: Flags, number: int) -> Sample:
    """Return the sample of a number that begins so; ``ends``: which characters may follow."""
    start, written = sampler.start, Word()
    decoder, p = sampler.predictor.decoder(1, start.memory), start.p[None]
    decoder.start(start.state)
    for chosen in controls.vocabulary.encode(beginning).tolist():
        written.append((chosen, float(log_normalized(p)[0, chosen]) if sampler.log_p else 0.0))
        p = decoder.feed(np.array([chosen]))
    start = start._replace(p=p[0], state=decoder.state())
    sampler = replace(sampler, start=start, purpose=Purpose.CONTINUATION)
    return next(sampler.write(controls.after(written, ends), 1, first=number))
