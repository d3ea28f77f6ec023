"""A text as a language model sees it, whole."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from charrnn.errors import ConfigError
from charrnn.inference.xray.find import Found, find_units
from charrnn.inference.xray.parts import Place, bounds, require_part
from charrnn.inference.xray.trace import Trace
from charrnn.nn.cells import Array, Cell
from charrnn.text.vocabulary import Vocabulary


@dataclass(frozen=True)
class Xray:
    """What a model does at each of N characters of a text; see ``Model.xray``.

        xray = model.xray("The harbour at night")
        xray.nats                      # surprise of each character, (N,), the first nan
        xray.alternatives(4)           # [("s", 0.12), ("c", 0.08), ...]
        xray.activations("cell")       # (N, H)
        xray.find("brackets")          # the units that keep track of brackets

    vocabulary   characters of the model
    cell         its cell
    trace        surprise, guesses, activations
    """

    vocabulary: Vocabulary
    cell: Cell
    trace: Trace

    @property
    def text(self) -> str:
        """The text, as the model has read it."""
        return self.vocabulary.decode(self.trace.ids)

    @property
    def nats(self) -> Array:
        """-log p of each character in nats, (N,); nan if it was not predicted."""
        return self.trace.nats

    @property
    def nats_per_char(self) -> float:
        """Mean surprise in nats of the characters that were predicted; nan if none was."""
        known = self.nats[~np.isnan(self.nats)]
        return float(known.mean(dtype=np.float64)) if len(known) else float("nan")

    def alternatives(self, position: int) -> list[tuple[str, float]]:
        """Return what the model expected in place of a character, likeliest first.

        Pairs of a character and its probability; none where nothing was predicted.
        """
        if np.isnan(self.nats[position]):
            return []
        ids, p = self.trace.top_ids[position], self.trace.top_p[position]
        return [
            (self.vocabulary.characters[i], float(q))
            for i, q in zip(ids.tolist(), p.tolist(), strict=True)
        ]

    def activations(self, part: str | None = None, layer: int = 0) -> Array:
        """Return the activations of all units of a layer after each character, (N, H).

        part    as in ``inference.xray.parts``; None: the cell state of an LSTM, else the hidden
                state
        layer   from 0

        Raises ConfigError for a part that the cell does not have or that was not taken down.
        """
        place = Place(layer, require_part(self.cell, part))
        if place not in self.trace.activations:
            raise ConfigError(
                f"the activations of part {place.part!r} in layer {layer} were not taken down",
                hint="model.xray(text, parts=...) says which are; layers are counted from 0",
            )
        return self.trace.activations[place]

    def bounds(self, part: str) -> tuple[float, float]:
        """Return the least and greatest possible activation of a part; inf if there is none."""
        return bounds(self.cell, part)

    def find(
        self, features: str | Iterable[str] | None = None, *, part: str | None = None, top: int = 3
    ) -> list[Found]:
        """Return the units, of all layers, that say most about features of the text.

        features   one of ``inference.xray.features.FEATURES`` or several; None: all
        part       whose activations; None: the cell state of an LSTM, else the hidden state
        top        units for each

        Features that never vary in this text are left out. Raises ConfigError for unknown names.
        """
        name = require_part(self.cell, part)
        names = [features] if isinstance(features, str) else features
        return find_units(self.text, self._of_part(name), names, top)

    def _of_part(self, part: str) -> Mapping[Place, Array]:
        layers = [place.layer for place in self.trace.activations if place.part == part]
        return {Place(layer, part): self.activations(part, layer) for layer in layers or [0]}
