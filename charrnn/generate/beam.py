"""Beam search: the likeliest continuations of a text, with their probabilities."""

import math
from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np

from charrnn.generate.predictor import Prediction, Predictor
from charrnn.ngrams.mixture import log_normalized
from charrnn.nn.cell import Array
from charrnn.scoring.likelihood import Indices, require_finite

# Texts that are followed at once, by default.
WIDTH = 16


class Continuation(NamedTuple):
    """How a text may go on.

    text    without the stop text
    log_p   log probability in nats that the text goes on so and, if a stop text ended it, ends here
    ended   why it is complete
    """

    text: str
    log_p: float
    ended: Literal["stop", "length"]

    @property
    def probability(self) -> float:
        """Probability that the text goes on so."""
        return math.exp(self.log_p)


def find_likeliest(
    predictor: Predictor,
    start: Prediction,
    characters: str,
    *,
    count: int,
    length: int,
    width: int = WIDTH,
    stops: Sequence[str] = (),
) -> list[Continuation]:
    """Return the likeliest continuations that beam search finds, likeliest first.

    start        the prediction after the prompt
    characters   of the model, V of them
    count        how many to return, at most
    length       number of characters of each that no stop text ends before
    width        number of texts of each length that are followed; at least ``count`` are
    stops        texts before which a continuation ends

    The probability of a continuation that ends at several stop texts is the sum of theirs. The
    result is exact if ``width`` is at least V ** (length - 1). Raises TrainingError if
    probabilities are not finite.
    """
    width = max(width, count)
    stops = sorted((stop for stop in stops if set(stop) <= set(characters)), key=len)
    texts, ended = [""], dict[str, float]()
    log_p: Array = np.zeros(1)
    decoder, p = predictor.reuse_decoder(width, start.memory), start.p[None]
    decoder.start(start.state)
    for _ in range(length):
        require_finite(p.max(axis=1))
        scores = log_normalized(p) + log_p[:, None]
        _end_texts(texts, scores, characters, stops, ended)
        rows, chosen, log_p = _choose_best(scores, width)
        pairs = zip(rows.tolist(), chosen.tolist(), strict=True)
        texts = [texts[row] + characters[it] for row, it in pairs]
        if not texts:
            break
        full = np.resize(np.arange(len(texts)), width)  # rows that are not needed repeat others
        decoder.select(rows[full])
        p = decoder.feed(chosen[full])[: len(texts)]
    found = [Continuation(text, nats, "stop") for text, nats in ended.items()]
    unended = zip(texts, log_p.tolist(), strict=True)
    found += [Continuation(text, nats, "length") for text, nats in unended]
    return sorted(found, key=lambda continuation: -continuation.log_p)[:count]


def _choose_best(scores: Array, width: int) -> tuple[Indices, Indices, Array]:
    """Return row, column and value of the largest scores, in order, without those of -inf."""
    flat = scores.ravel()
    best = np.argpartition(-flat, min(width, flat.size - 1))[:width]
    best = best[np.argsort(-flat[best], kind="stable")]
    best = best[flat[best] > -np.inf]
    return *np.divmod(best, scores.shape[1]), flat[best]


def _end_texts(
    texts: list[str], scores: Array, characters: str, stops: Sequence[str], ended: dict[str, float]
) -> None:
    """Move what a next character ends from the scores (B, V) to ``ended``; short stops first."""
    for row, text in enumerate(texts):
        sizes = {stop[-1]: len(stop) - 1 for stop in stops if text.endswith(stop[:-1])}
        for char, size in sizes.items():
            chosen, kept = characters.index(char), text[: len(text) - size]
            ended[kept] = float(np.logaddexp(ended.get(kept, -math.inf), scores[row, chosen]))
            scores[row, chosen] = -np.inf
