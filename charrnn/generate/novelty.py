"""New pieces: those that a text does not have, each once, of a certain length.

A piece is drawn as the model has it and kept or dropped as a whole. So what is kept has the
distribution of the model, given that it is new, or short.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from charrnn.errors import ConfigError, TrainingError
from charrnn.generate.sample import Sample
from charrnn.generate.seen import Bits, is_seen

# Pieces dropped in a row before the search for another one ends.
MAX_DROPPED = 20_000


@dataclass(frozen=True)
class PieceFilter:
    """Which pieces are kept.

    seen         a filter from ``seen_pieces``, whose pieces are not; None: any
    unique       each piece once
    min_length   the fewest characters
    max_length   the most characters; None: any number
    drop_cut     leave out those that the limit of the length has cut
    """

    seen: Bits | None = None
    unique: bool = False
    min_length: int = 0
    max_length: int | None = None
    drop_cut: bool = False

    def require_room(self, prefix: str, limit: int) -> None:
        """Raise ConfigError if no piece of a prefix and at most ``limit`` characters is kept."""
        if self.max_length is not None and len(prefix) > self.max_length:
            raise ConfigError(f"the prefix is longer than --max-length {self.max_length}")
        if len(prefix) + limit < self.min_length:
            raise ConfigError(f"--length {limit} is below --min-length {self.min_length}")

    def keep(self, samples: Iterable[Sample], prefix: str = "") -> Iterator[Sample]:
        """Yield the samples whose pieces are kept; a piece is the prefix and the text of a sample.

        Raises TrainingError after MAX_DROPPED in a row that are not.
        """
        kept, dropped = set[str](), 0
        for sample in samples:
            piece = prefix + sample.text
            if self._fits(piece, sample) and piece not in kept:
                dropped = 0
                if self.unique:
                    kept.add(piece)
                yield sample
                continue
            dropped += 1
            if dropped >= MAX_DROPPED:
                raise TrainingError(
                    f"{dropped:,} pieces in a row were old, too short or too long",
                    hint="try a higher --temperature, another --prefix, or fewer conditions",
                )

    def _fits(self, piece: str, sample: Sample) -> bool:
        if self.drop_cut and sample.ended == "length":
            return False
        longest = len(piece) if self.max_length is None else self.max_length
        if not self.min_length <= len(piece) <= longest:
            return False
        return self.seen is None or not is_seen(self.seen, piece)
