"""Beam search: the likeliest continuations of a text, with their probabilities."""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from charrnn.errors import TrainingError
from charrnn.inference.endings import StopTable
from charrnn.inference.predictor import Prediction, Predictor
from charrnn.nn.cells import Array
from charrnn.nn.loss import log_softmax


class Continuation(NamedTuple):
    """How a text may go on.

    ids     of its characters, without the stop text
    log_p   log probability in nats that the text goes on so and, if ``ended``, ends here
    ended   a stop text follows
    """

    ids: tuple[int, ...]
    log_p: float
    ended: bool


class _Beam(NamedTuple):
    """The likeliest texts of one length, B of them.

    ids     (B, t)
    held    their states in the table of stop texts, (B,)
    log_p   (B,)
    rows    the row of the step before that each goes on from, (B,)
    """

    ids: NDArray[np.int64]
    held: NDArray[np.int64]
    log_p: Array
    rows: NDArray[np.int64]


def likeliest(  # noqa: PLR0913
    predictor: Predictor,
    start: Prediction,
    *,
    count: int,
    length: int,
    width: int,
    stops: StopTable | None = None,
) -> list[Continuation]:
    """Return the likeliest continuations that beam search finds, likeliest first.

    start    the prediction after the prompt
    count    how many to return, at most
    length   number of characters of each that no stop text ends before
    width    number of texts of each length that are followed
    stops    where a continuation ends

    The probability of a continuation that ends at several stop texts is the sum of theirs. The
    result is exact if ``width`` is at least V ** (length - 1). Raises TrainingError if the logits
    are not finite.
    """
    zero = np.zeros(1, np.int64)
    beam = _Beam(np.zeros((1, 0), np.int64), zero, np.zeros(1), zero)
    ended: dict[tuple[int, ...], float] = {}
    decoder, logits = predictor.decoder(width), start.logits[None]
    decoder.start(start.state)
    for _ in range(length):
        if not np.isfinite(logits.max(axis=1)).all():
            raise TrainingError("the model's outputs are not finite numbers", hint="train it again")
        beam = _next_beam(beam, logits, width, stops, ended)
        if not len(beam.rows):
            break
        full = np.resize(np.arange(len(beam.rows)), width)  # rows that are not needed repeat others
        decoder.select(beam.rows[full])
        logits = decoder.feed(beam.ids[full, -1])[: len(beam.rows)]
    found = [Continuation(ids, log_p, ended=True) for ids, log_p in ended.items()]
    if beam.ids.shape[1] == length:
        found += [
            Continuation(tuple(ids), log_p, ended=False)
            for ids, log_p in zip(beam.ids.tolist(), beam.log_p.tolist(), strict=True)
        ]
    return sorted(found, key=lambda continuation: -continuation.log_p)[:count]


def _next_beam(
    beam: _Beam,
    logits: Array,
    width: int,
    stops: StopTable | None,
    ended: dict[tuple[int, ...], float],
) -> _Beam:
    """Return the likeliest texts with one more character, and add those that end to ``ended``."""
    log_p = log_softmax(logits.astype(np.float64)) + beam.log_p[:, None]
    if stops is not None:
        _end(beam, log_p, stops, ended)
    flat = log_p.ravel()
    best = np.argpartition(-flat, min(width, flat.size - 1))[:width]
    best = best[np.argsort(-flat[best], kind="stable")]
    best = best[flat[best] > -np.inf]
    rows, chosen = np.divmod(best, log_p.shape[1])
    held = beam.held[rows]
    if stops is not None:
        held = stops.after[held, chosen].astype(np.int64)
    texts = np.concatenate([beam.ids[rows], chosen[:, None]], axis=1)
    return _Beam(texts, held, flat[best], rows)


def _end(beam: _Beam, log_p: Array, stops: StopTable, ended: dict[tuple[int, ...], float]) -> None:
    """Add the texts that a next character ends to ``ended``, and exclude it in log_p (B, V)."""
    found = stops.found[stops.after[beam.held]]
    for row, chosen in np.argwhere(found > 0).tolist():
        length = beam.ids.shape[1] + 1 - int(found[row, chosen])
        ids = tuple(beam.ids[row, :length].tolist())
        ended[ids] = float(np.logaddexp(ended.get(ids, -math.inf), log_p[row, chosen]))
        log_p[row, chosen] = -np.inf
