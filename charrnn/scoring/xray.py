"""What a language model does at each character of a text: surprise, guesses, activations.

Before it reads a character: how surprising it is, and what the model expected instead. After: the
activations, from which it predicts the next one.

    text         T    h    e
    predicted    .    h    e        surprise -log p(x_t | x_1 ... x_(t-1)); the first has none
    state        s_1  s_2  s_3      after reading x_t

A model of lines reads each line from a zero state and a line break. So the state that belongs to a
line break is the one in which the next line begins.

The parts of a recurrent layer; the module of each cell has the equations:

    hidden      h_t, what the layer passes on                                all cells
    cell        tanh(c_t), the cell state as its output gate sees it         LSTM
    input, forget, output        its gates, from 0 (shut) to 1 (open)        LSTM
    reset, update                (the same)                                  GRU
    candidate   what would be written into the state                         LSTM, GRU
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from charrnn.errors import ConfigError, CorpusError
from charrnn.nn.cell import Array, Cell
from charrnn.nn.ensemble import AnyLanguageModel, as_ensemble
from charrnn.nn.network import NetworkCache, log_softmax
from charrnn.nn.recurrent import Workspace
from charrnn.scoring.features import FEATURES
from charrnn.scoring.likelihood import require_finite
from charrnn.text.vocabulary import Ids, Vocabulary

HIDDEN, CELL_STATE = "hidden", "cell"

# Characters per forward pass.
WINDOW = 256


class Place(NamedTuple):
    """The part of the network that units belong to: a layer, from 0, and the name of its part."""

    layer: int
    part: str


def parts_of(cell: Cell) -> tuple[str, ...]:
    """Return the names of the parts of a cell, first the one that says most about a unit."""
    state = (CELL_STATE, HIDDEN) if "c" in cell.state_names else (HIDDEN,)
    return (*state, *cell.gate_names)


def require_part(cell: Cell, name: str | None) -> str:
    """Return the name of a part of the cell; None: the first.

    Raises ConfigError if the cell has no such part.
    """
    known = parts_of(cell)
    if name is not None and name not in known:
        kind = type(cell).__name__.removesuffix("Cell")
        raise ConfigError(
            f"a unit of this {kind} has no part {name!r}", hint=f"its parts: {', '.join(known)}"
        )
    return known[0] if name is None else name


def bounds(cell: Cell, part: str) -> tuple[float, float]:
    """Return the least and the greatest activation of a part; inf if it has no bound."""
    if part in cell.gate_names:
        return (0.0, 1.0) if cell.gate_names.index(part) in cell.sigmoids else (-1.0, 1.0)
    relu = part == HIDDEN and getattr(cell, "nonlinearity", "tanh") == "relu"
    return (0.0, float("inf")) if relu else (-1.0, 1.0)


def _activations(cell: Cell, networks: Sequence[NetworkCache], place: Place) -> Array:
    """Return the activations (T, H) of all networks, for the only sample of a forward pass."""
    caches, part = [network.layers[place.layer].cache for network in networks], place.part
    if part in cell.gate_names:
        values = [cache.gates[cell.gate_names.index(part)][:, 0] for cache in caches]
    else:
        values = [cache.states[cell.state_names.index(part[0])][1:, 0] for cache in caches]
    found = np.concatenate(values, axis=1)
    return np.tanh(found) if part == CELL_STATE else found


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


def trace_text(
    model: AnyLanguageModel,
    blocks: Iterable[Ids],
    *,
    top: int = 0,
    places: Iterable[Place] = (),
    end: int | None = None,
) -> Iterator[Trace]:
    """Yield what a model does at each character of a text, WINDOW of them at most at once.

    blocks       of the text, ids (N,) each
    top          how many of the likeliest characters
    places       the layers and parts whose activations
    end          id of the END, if each piece begins from a zero state and one; None: the state is
                 carried through the text, and the first character is not predicted

    Raises TrainingError if the logits are not finite.
    """
    model, workspace = as_ensemble(model), Workspace()
    state = model.zero_state(1)
    expected: Array = np.full(model.vocab_size, np.nan, model.dtype)
    if end is not None:
        logits, state, _ = model.forward(np.array([[end]]), state)
        expected = logits[0, 0]
    for ids in _windows(blocks, end):
        if ids[0] == end:
            state = model.zero_state(1)
        logits, state, caches = model.forward(ids[:, None], state, workspace=workspace)
        require_finite(logits)
        log_p = log_softmax(np.concatenate([expected[None], logits[:-1, 0]]))
        expected = logits[-1, 0].copy()
        top_ids = np.argsort(-log_p, axis=1, kind="stable")[:, :top]
        nats = -log_p[np.arange(len(ids)), ids] + 0  # no minus zero
        top_p = np.exp(np.take_along_axis(log_p, top_ids, 1))
        activations = {place: _activations(model.cell, caches, place) for place in places}
        yield Trace(ids, nats, top_ids, top_p, activations)


def _windows(blocks: Iterable[Ids], end: int | None) -> Iterator[Ids]:
    """Cut blocks into windows, also before each END if there is one."""
    for ids in blocks:
        ends = np.flatnonzero(ids == end) if end is not None else np.empty(0, int)
        for piece in np.split(ids, ends):
            yield from (piece[at : at + WINDOW] for at in range(0, len(piece), WINDOW))


def join(traces: Iterable[Trace], limit: int | None = None) -> Trace:
    """Return traces of texts that follow each other as one, of at most ``limit`` characters.

    No more of them are read than are needed. Raises CorpusError if there is none.
    """
    parts: list[Trace] = []
    count = 0
    for trace in traces:
        parts.append(trace)
        count += len(trace)
        if limit is not None and count >= limit:
            break
    if not parts:
        raise CorpusError("there is no text to look at", hint="name a file that has some")
    columns = zip(*((it.ids, it.nats, it.top_ids, it.top_p) for it in parts), strict=True)
    ids, nats, top_ids, top_p = (np.concatenate(column)[:limit] for column in columns)
    activations = {
        place: np.concatenate([part.activations[place] for part in parts])[:limit]
        for place in parts[0].activations
    }
    return Trace(ids, nats, top_ids, top_p, activations)


@dataclass(frozen=True)
class Found:
    """A unit, and what it says about a feature of a text.

    feature   its name
    layer     of the unit, from 0
    part      the part of the cell
    unit      its number, from 0
    share     squared correlation of activation and feature: the share of the variance explained
    chance    the share of the best unit for the feature of another place in the text
    """

    feature: str
    layer: int
    part: str
    unit: int
    share: float
    chance: float


def _standardize(values: Array) -> Array:
    """Return values (N, U) with mean 0 and variance 1; 0 where they never vary."""
    centered = values - values.mean(axis=0)
    spread = centered.std(axis=0)
    scaled: Array = np.divide(centered, spread, out=centered * 0, where=spread > 0)
    return scaled


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
        characters = self.vocabulary.decode(self.trace.top_ids[position])
        return list(zip(characters, self.trace.top_p[position].tolist(), strict=True))

    def activations(self, part: str | None = None, layer: int = 0) -> Array:
        """Return the activations of all units of a layer after each character, (N, H).

        part    None: the cell state of an LSTM, else the hidden state
        layer   from 0

        Raises ConfigError for a part that the cell does not have or that was not recorded.
        """
        place = Place(layer, require_part(self.cell, part))
        if place not in self.trace.activations:
            raise ConfigError(
                f"the activations of part {place.part!r} in layer {layer} were not recorded",
                hint="model.xray(text, parts=...) says which are; layers are counted from 0",
            )
        return self.trace.activations[place]

    def find(
        self, features: str | Iterable[str] | None = None, *, part: str | None = None, top: int = 3
    ) -> list[Found]:
        """Return the units, of all layers, that say most about each feature, the best known first.

        features   names from ``FEATURES``; None: all. Those that never vary are left out
        part       whose activations; None: the cell state of an LSTM, else the hidden state
        top        units of each feature

        Raises ConfigError for an unknown feature, and for a part that was not recorded.
        """
        name, text = require_part(self.cell, part), self.text
        places = {place: it for place, it in self.trace.activations.items() if place.part == name}
        if not places:
            self.activations(name)  # says that they were not recorded
        units = [(place.layer, unit) for place, it in places.items() for unit in range(it.shape[1])]
        scaled = _standardize(np.concatenate(list(places.values()), axis=1))
        found: list[list[Found]] = []
        features = [features] if isinstance(features, str) else features
        for feature in FEATURES if features is None else features:
            if feature not in FEATURES:
                known = ", ".join(FEATURES)
                raise ConfigError(f"unknown feature {feature!r}", hint=f"known: {known}")
            numbers = _standardize(FEATURES[feature](text).astype(scaled.dtype)[:, None])[:, 0]
            if not numbers.any():
                continue
            # Both change slowly: what goes together by chance is seen where the text is shifted.
            shifted = [np.roll(numbers, len(text) * quarter // 4) for quarter in range(4)]
            shares = (np.array(shifted) @ scaled / len(text)) ** 2
            chance = float(shares[1:].max(axis=1).mean())
            best: list[int] = np.argsort(-shares[0], kind="stable")[:top].tolist()
            found.append([
                Found(feature, units[at][0], name, units[at][1], float(shares[0, at]), chance)
                for at in best
            ])  # fmt: skip
        found.sort(key=lambda group: [-it.share for it in group[:1]])
        return list(chain.from_iterable(found))
