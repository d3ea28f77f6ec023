"""A given text, put into a sample where the model finds it likeliest.

Several samples are drawn. Of all places in them where a word begins, the one is chosen at which the
given text is likeliest, and the sample goes on from there. So the text reads naturally where it is;
at a place chosen beforehand it would not.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from charrnn.errors import ConfigError
from charrnn.generate.choice import exclude
from charrnn.generate.controls import Controls
from charrnn.generate.match import Flags
from charrnn.generate.originality import dead_end
from charrnn.generate.predictor import Predictor
from charrnn.generate.sample import Sample, Sampler
from charrnn.ngrams.mixture import log_normalized
from charrnn.nn.cell import Array
from charrnn.nn.network import LayerStates, join_states, select_state
from charrnn.text.vocabulary import Vocabulary

# Samples among whose first characters a place is searched.
CANDIDATES, REACH = 16, 1000

# Places scored at once.
_AT_ONCE = 256

# With a smaller share of spaces than this, words are not separated by them.
FEW_SPACES = 0.05


def write_containing(
    sampler: Sampler, controls: Controls, count: int, *, first: int
) -> Iterator[Sample]:
    """Yield complete samples, one after the other, each with the text ``controls.config.contain``.

    The arguments, and samples that do not depend on their number, are those of ``Sampler.write``.
    Raises VocabularyError for unknown characters in the text, ConfigError if it is longer than the
    limit, TrainingError if it would be part of a passage that is copied or repeated.
    """
    text, limit = controls.config.contain or "", controls.limit or 0
    vocabulary, drafts = controls.vocabulary, controls.drafts(1)
    ids = vocabulary.encode(text).astype(np.int64)
    if len(ids) > limit:
        raise ConfigError(f"{text!r} is longer than the {limit:,} characters of a sample")
    begins, ends = find_borders(vocabulary, text[-1:], controls.end)
    room = min(REACH, limit - len(ids))
    for number in range(first, first + count):
        drawn = sampler.write(controls, CANDIDATES, first=number * CANDIDATES)
        candidates = [vocabulary.encode(it.text[:room]).astype(np.int64) for it in drawn]
        places, before, log_p = score_places(sampler, candidates, ids, begins, ends)
        for best in (-log_p).argsort(kind="stable").tolist():
            read = np.concatenate([places[best], ids])
            written = vocabulary.decode(read)
            if drafts is None or drafts.accepts(written, len(text)):
                break
        else:
            raise dead_end()
        start = sampler.predictor.read(read, sampler.start.state)
        start = start._replace(p=exclude(start.p, ends))
        (end,) = replace(sampler, start=start).write(controls.after(written), 1, first=number)
        total = float(before[best] + log_p[best]) + end.log_p if sampler.log_p else 0.0
        yield Sample(written + end.text, total, end.ended)


def find_borders(vocabulary: Vocabulary, last: str, end: str | None) -> tuple[Flags, Flags]:
    """Return after which characters a text may begin, and which may follow its last one, (V,) each.

    A text begins where a word does and, if its last character is a letter, ends where one does. In
    a text of few spaces, such as a list of names, words have no borders.

    end   the character that ends a piece, which does not separate words
    """
    characters, counts = vocabulary.characters, vocabulary.counts
    is_space = np.array([char.isspace() and char != end for char in characters])
    if counts[is_space].sum() <= FEW_SPACES * counts.sum():
        return np.ones_like(is_space), np.ones_like(is_space)
    is_letter = np.array([char.isalnum() for char in characters])
    return is_space, ~is_letter | (not last.isalnum())


def score_places(
    sampler: Sampler,
    candidates: Sequence[NDArray[np.int64]],
    ids: NDArray[np.int64],
    begins: Flags,
    ends: Flags,
) -> tuple[list[NDArray[np.int64]], Array, Array]:
    """Return the beginnings of candidates after which a text may begin, and how likely both are.

    candidates     samples, (N,) each
    ids            the text, (N,)
    begins, ends   after which characters it may begin, and which may follow it; see
                   ``find_borders``

    The log probabilities, in nats, are those of each beginning, and there of the text and its end.
    """
    decoder = sampler.predictor.decoder(len(candidates))
    decoder.start(sampler.start.state)
    p = np.tile(sampler.start.p, (len(candidates), 1))
    sizes = np.array([len(candidate) for candidate in candidates])
    padded = np.array([np.resize(candidate, sizes.max() + 1) for candidate in candidates])
    rows, log_p = np.arange(len(candidates)), np.zeros(len(candidates))
    may_begin = rows == 0  # at the beginning of a sample: once
    places: list[NDArray[np.int64]] = []
    found: list[Array] = []
    states: list[LayerStates] = []
    for size, chosen in enumerate(padded.T):
        at = np.flatnonzero(may_begin & (size <= sizes))
        places += [candidates[row][:size] for row in at.tolist()]
        states.append(select_state(decoder.state(), at))
        found.append(log_p[at])
        log_p = log_p + log_normalized(p)[rows, chosen]
        p, may_begin = decoder.feed(chosen), begins[chosen]
    after = _score(sampler.predictor, join_states(states), ids, ends)
    return places, np.concatenate(found), after


def _score(predictor: Predictor, states: LayerStates, ids: NDArray[np.int64], ends: Flags) -> Array:
    """Return the log probability of a text and its end after each of many states, (N, H)."""
    total = []
    for at in range(0, len(states[0][0]), _AT_ONCE):
        part = select_state(states, slice(at, at + _AT_ONCE))
        log_p = np.zeros(len(part[0][0]))
        decoder = predictor.decoder(len(log_p))
        decoder.start(part)
        p = decoder.predict()
        for chosen in ids.tolist():
            log_p += log_normalized(p)[:, chosen]
            p = decoder.feed(np.full(len(log_p), chosen))
        total.append(log_p + np.logaddexp.reduce(log_normalized(p)[:, ends], axis=1))
    return np.concatenate(total)
