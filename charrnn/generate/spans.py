"""Spans of a text: a compact filter that finds what is copied from it.

Stored is a hash of every STRIDE-th span of SPAN characters, in a Bloom filter: two
bytes for eight characters of text. Whatever its place, a copied passage of SPAN + STRIDE - 1
characters has a stored span in it, and with every STRIDE characters more the next one, exactly
STRIDE characters further. So a row of k spans at this distance, a run, is a copy of
SPAN + STRIDE (k - 1) characters at least and 2 (STRIDE - 1) more at most. Nothing that is copied is
missed. A span is found by mistake once in about 1,700 times, two in a row hardly ever.
"""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from charrnn.errors import ConfigError
from charrnn.generate.bloom import Bits, add_hashes, empty_filter, has_hashes, mix
from charrnn.text.storage import release
from charrnn.text.vocabulary import Ids, Vocabulary, code_points

SPAN, STRIDE = 16, 8

# The longest copy that may hold no stored span: the smallest that can be promised.
SHORTEST = SPAN + STRIDE - 2

# Longer texts have no filter: it would be larger than the model.
MAX_LENGTH = 1 << 26

_AT_ONCE = 1 << 14

_POWERS = np.multiply.accumulate(np.full(SPAN, 0x9E3779B97F4A7C15, np.uint64))


def seen_spans(ids: Ids, vocabulary: Vocabulary) -> Bits | None:
    """Return the filter of a text (N,); None for one of more than MAX_LENGTH characters."""
    if len(ids) > MAX_LENGTH:
        return None
    count = max(0, (len(ids) - SPAN) // STRIDE + 1)
    bits = empty_filter(count)
    points = code_points(vocabulary.characters)
    for at in range(0, count * STRIDE, _AT_ONCE * STRIDE):
        text = points[ids[at : at + (_AT_ONCE - 1) * STRIDE + SPAN]]
        add_hashes(bits, hash_spans(sliding_window_view(text, SPAN)[::STRIDE]))
        release(ids)
    return bits


def require_spans(bits: Bits | None) -> Bits:
    """Return the filter of a model. Raises ConfigError if it has none."""
    if bits is None:
        raise ConfigError(
            "the model does not know which passages its text has",
            hint="train one: base models and texts of more than 64 MB have no filter",
        )
    return bits


def hash_spans(points: NDArray[np.uint32]) -> NDArray[np.uint64]:
    """Return a hash of each span, code points (N, SPAN)."""
    return mix((points.astype(np.uint64) + np.uint64(1)) @ _POWERS)


def allowed_run(max_copied: int) -> int:
    """Return the longest run of stored spans in a copy of at most ``max_copied`` characters."""
    return (max_copied - SHORTEST) // STRIDE


def longest_copy(bits: Bits, text: str) -> int:
    """Return the length of the longest passage of a text that was found, or 0.

    The passage may be up to 2 (STRIDE - 1) characters longer; one shorter than SPAN + STRIDE - 1
    may not be found.
    """
    points = code_points(text)
    if len(points) < SPAN:
        return 0
    hits = has_hashes(bits, hash_spans(sliding_window_view(points, SPAN)))
    hits = np.concatenate([hits, np.zeros(-len(hits) % STRIDE, bool)])
    run, longest = np.zeros(STRIDE, int), 0
    for row in hits.reshape(-1, STRIDE):
        run = (run + 1) * row
        longest = max(longest, int(run.max()))
    return SPAN + STRIDE * (longest - 1) if longest else 0
