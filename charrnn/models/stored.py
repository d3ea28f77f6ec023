"""What only the checkpoint of a text generator has: the filter of its lines, and its n-grams."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from charrnn.checkpoint.format import Arrays, Header, require
from charrnn.ngrams.kneser_ney import NGrams

# The name of the filter in the file, and how those of the n-grams begin.
SEEN_LINES, PREFIX = "lines.seen", "ngram."


def stored(seen: NDArray[np.uint8] | None, ngram: NGrams | None) -> Arrays:
    """Return the arrays of the file; see ``Model`` for both."""
    arrays: Arrays = {} if seen is None else {SEEN_LINES: seen}
    found = {} if ngram is None else ngram.to_arrays()
    return arrays | {f"{PREFIX}{name}": array for name, array in found.items()}


def taken(header: Header, arrays: Arrays) -> dict[str, Any]:
    """Return the fields ``seen_lines`` and ``ngram`` of a ``Model``, taken out of the arrays."""
    seen = arrays.pop(SEEN_LINES, None)
    sound = seen is None or (seen.dtype == np.uint8 and seen.ndim == 1 and seen.size > 0)
    require(sound, "the filter of lines is not an array of bytes")
    characters = header.get("characters")
    require(isinstance(characters, str), "characters must be a text")
    names = [name for name in arrays if name.startswith(PREFIX)]
    own = {name.removeprefix(PREFIX): arrays.pop(name) for name in names}
    try:
        ngram = NGrams.from_arrays(own, len(str(characters))) if own else None
    except ValueError as error:
        require(False, str(error))  # noqa: FBT003
    return {"seen_lines": seen, "ngram": ngram}
