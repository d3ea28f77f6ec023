"""New pieces: those that a text does not have, each once, of a certain length.

A piece is drawn as the model has it and kept or dropped as a whole. So what is kept has the
distribution of the model, given that it is new, or short.
"""

import sys
from collections.abc import Iterable, Iterator

from charrnn.config import PieceConfig
from charrnn.errors import TrainingError
from charrnn.generate.sample import Sample
from charrnn.generate.seen import Bits, is_seen

# Pieces dropped in a row before the search for another one ends.
MAX_DROPPED = 20_000


def keep_pieces(
    drawn: Iterable[Sample],
    conditions: PieceConfig,
    prefix: str = "",
    *,
    seen: Bits | None = None,
    drop_cut: bool = False,
) -> Iterator[Sample]:
    """Yield the samples whose pieces, each a prefix and a sample, meet the conditions.

    seen       a filter from ``seen_pieces``, for ``new``
    drop_cut   leave out those that the limit of the length has cut

    Raises TrainingError after MAX_DROPPED in a row that do not.
    """
    longest = sys.maxsize if conditions.max_length is None else conditions.max_length
    kept, dropped = set[str](), 0
    for sample in drawn:
        piece = prefix + sample.text
        fits = conditions.min_length <= len(piece) <= longest and piece not in kept
        is_cut = drop_cut and sample.ended == "length"
        is_old = conditions.new and seen is not None and is_seen(seen, piece)
        if fits and not is_cut and not is_old:
            dropped = 0
            if conditions.unique:
                kept.add(piece)
            yield sample
            continue
        dropped += 1
        if dropped >= MAX_DROPPED:
            raise TrainingError(
                f"{dropped:,} pieces in a row were old, too short or too long",
                hint="try a higher --temperature, another --prefix, or fewer conditions",
            )
