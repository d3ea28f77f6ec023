"""New pieces: those that a text does not have, each once, of a certain length.

A piece is drawn as the model has it and kept or dropped as a whole. So what is kept has the
distribution of the model, given that it is new, or short.

The pieces of a text are a Bloom filter of two bytes a piece; see ``bloom``.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from charrnn.config import END
from charrnn.errors import ConfigError, TrainingError
from charrnn.generate.bloom import Bits, add_hashes, empty_filter, has_hashes, mix
from charrnn.generate.sample import Sample
from charrnn.text.pieces import find_ends
from charrnn.text.storage import release
from charrnn.text.vocabulary import Ids, Vocabulary, code_points

# Pieces dropped in a row before the search for another one ends.
MAX_DROPPED = 20_000

# Pieces hashed together, to bound the memory.
PIECES_AT_ONCE = 1 << 12

_BASE = np.uint64(0x9E3779B97F4A7C15)


def seen_pieces(ids: Ids, vocabulary: Vocabulary) -> Bits:
    """Return the filter of flat pieces; see ``text.pieces``."""
    ends = find_ends(ids)
    bits = empty_filter(len(ends) - 1)
    points = code_points(vocabulary.characters)
    for at in range(0, len(ends) - 1, PIECES_AT_ONCE):
        bounds = ends[at : at + PIECES_AT_ONCE + 1]
        text = points[ids[bounds[0] : bounds[-1]]]
        add_hashes(bits, _hash(text, bounds - bounds[0]))
        release(ids)
    return bits


def is_seen(bits: Bits, piece: str) -> bool:
    """Return True if a piece is in the text, and rarely if it is not."""
    points = code_points(END + piece)
    return bool(has_hashes(bits, _hash(points, np.array([0, len(points)])))[0])


def _hash(points: NDArray[np.uint32], bounds: NDArray[np.int64]) -> NDArray[np.uint64]:
    """Return a hash of each piece: a polynomial in _BASE modulo 2^64, mixed.

    points   code points of pieces, each after an END
    bounds   where the ENDs are, and the end of the array
    """
    lengths = np.diff(bounds)
    powers = np.full(lengths.max() + 1, _BASE)
    powers[:2] = 0, 1  # an END does not count
    np.multiply.accumulate(powers[1:], out=powers[1:])
    places = np.arange(len(points)) - np.repeat(bounds[:-1], lengths)
    terms = (points + np.uint64(1)) * powers[places]
    hashes: NDArray[np.uint64] = np.add.reduceat(terms, bounds[:-1])
    hashes += (lengths - 1).astype(np.uint64)
    return mix(hashes)


@dataclass(frozen=True)
class PieceFilter:
    """Which pieces are kept.

    seen         a filter from ``seen_pieces``, whose pieces are not; None: any
    unique       each piece once
    min_length   the fewest characters
    max_length   the most characters; None: any number
    whole        leave out those that the limit of the length has cut
    """

    seen: Bits | None = None
    unique: bool = False
    min_length: int = 0
    max_length: int | None = None
    whole: bool = False

    def keeps(self, piece: str) -> bool:
        """Return True if a piece is kept, whichever came before."""
        too_long = self.max_length is not None and len(piece) > self.max_length
        if len(piece) < self.min_length or too_long:
            return False
        return self.seen is None or not is_seen(self.seen, piece)

    def require_room(self, prefix: str, limit: int) -> None:
        """Raise ConfigError if no piece of a prefix and so many characters at most is kept."""
        if self.max_length is not None and len(prefix) > self.max_length:
            raise ConfigError(f"the prefix is longer than --max-length {self.max_length}")
        if len(prefix) + limit < self.min_length:
            raise ConfigError(f"--length {limit} is below --min-length {self.min_length}")

    def keep(self, samples: Iterable[Sample], prefix: str = "") -> Iterator[Sample]:
        """Yield the samples whose pieces are kept; a piece is the prefix and the text of a sample.

        Raises TrainingError after MAX_DROPPED in a row that are not.
        """
        before: set[str] = set()
        dropped = 0
        for sample in samples:
            piece, is_cut = prefix + sample.text, self.whole and sample.ended == "length"
            if not is_cut and self.keeps(piece) and piece not in before:
                dropped = 0
                if self.unique:
                    before.add(piece)
                yield sample
                continue
            dropped += 1
            if dropped >= MAX_DROPPED:
                raise TrainingError(
                    f"{dropped:,} pieces in a row were old, too short or too long",
                    hint="try a higher --temperature, another --prefix, or fewer conditions",
                )
