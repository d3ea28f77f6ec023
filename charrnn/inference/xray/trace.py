"""What is taken down of a language model at each character of a text."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from charrnn.errors import CorpusError
from charrnn.inference.xray.parts import Place
from charrnn.nn.cells import Array
from charrnn.text.vocabulary import Ids


@dataclass(frozen=True)
class Request:
    """What to take down at each character.

    top      how many of the likeliest characters
    places   the layers and parts whose activations
    """

    top: int = 0
    places: tuple[Place, ...] = ()


@dataclass(frozen=True)
class Trace:
    """What a model did at each of N characters.

    ids           the characters, (N,)
    nats          surprise -log p of each in nats, (N,); nan where nothing was predicted
    top_ids       the K likeliest characters in its place, likeliest first, (N, K)
    top_p         their probabilities, (N, K); nan where nothing was predicted
    activations   of each place, after each character, (N, H)
    """

    ids: Ids
    nats: Array
    top_ids: NDArray[np.intp]
    top_p: Array
    activations: Mapping[Place, Array]

    def __len__(self) -> int:
        return len(self.ids)

    def first(self, count: int) -> "Trace":
        """Return the first characters."""
        held = {place: values[:count] for place, values in self.activations.items()}
        part = slice(count)
        return Trace(self.ids[part], self.nats[part], self.top_ids[part], self.top_p[part], held)


def joined(traces: Iterable[Trace]) -> Trace:
    """Return several traces, of texts that follow each other, as one.

    Raises CorpusError if there is none.
    """
    parts = list(traces)
    if not parts:
        raise CorpusError("there is no text to look at")
    if len(parts) == 1:
        return parts[0]
    ids, nats, top_ids, top_p = (
        np.concatenate([getattr(part, name) for part in parts])
        for name in ("ids", "nats", "top_ids", "top_p")
    )
    places = parts[0].activations
    held = {place: np.concatenate([part.activations[place] for part in parts]) for place in places}
    return Trace(ids, nats, top_ids, top_p, held)
