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

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
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

# Characters per forward pass.
WINDOW = 256


def parts_of(cell: Cell) -> tuple[str, ...]:
    """Return the names of the parts of a cell, first the one that says most about a unit."""
    state = ("cell", "hidden") if "c" in cell.state_names else ("hidden",)
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


def require_number(what: str, number: int | None, count: int) -> None:
    """Raise ConfigError for a layer or a unit that the model does not have."""
    if number is not None and not 0 <= number < count:
        has = f"one {what}, 0" if count == 1 else f"{what}s from 0 to {count - 1}"
        raise ConfigError(f"there is no {what} {number}", hint=f"this model has {has}")


def is_signed(cell: Cell, part: str) -> bool:
    """Return whether the activations of a part may be below 0."""
    if part in cell.gate_names:
        return cell.gate_names.index(part) not in cell.sigmoids
    return getattr(cell, "nonlinearity", "tanh") == "tanh"


class Found(NamedTuple):
    """A unit, and what it says about a feature of a text.

    feature   its name
    layer     of the unit, from 0
    part      the part of the cell
    unit      its number, from 0
    share     squared correlation of activation and feature: the share of the variance explained
    chance    the best share of any unit for the feature of the text read backwards
    """

    feature: str
    layer: int
    part: str
    unit: int
    share: float
    chance: float


@dataclass(frozen=True, repr=False)
class Trace:
    """What a model does at each of N characters of a text; see ``Model.xray``.

        trace = model.xray("The harbour at night")
        trace.nats                      # surprise of each character, (N,), the first nan
        trace.alternatives(4)           # [("s", 0.12), ("c", 0.08), ...]
        trace.activations["cell"]       # (N, layers, H)
        trace.find("brackets")          # the units that keep track of brackets

    vocabulary    characters of the model
    ids           the text, (N,)
    nats          surprise -log p of each character in nats, (N,); nan where nothing was predicted
    top_ids       the K likeliest characters in its place, likeliest first, (N, K)
    top_p         their probabilities, (N, K); nan where nothing was predicted
    activations   of all units after each character, by the name of the part, (N, layers, H)
    """

    vocabulary: Vocabulary
    ids: Ids
    nats: Array
    top_ids: NDArray[np.intp]
    top_p: Array
    activations: dict[str, Array]

    def __len__(self) -> int:
        return len(self.ids)

    def __repr__(self) -> str:
        return f"Trace({len(self)} characters, {self.nats_per_char:.3f} nats per character)"

    @property
    def text(self) -> str:
        """The text, as the model has read it."""
        return self.vocabulary.decode(self.ids)

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
        guesses = zip(self.top_ids[position].tolist(), self.top_p[position].tolist(), strict=True)
        return [(self.vocabulary.characters[it], p) for it, p in guesses]

    def find(self, *features: str, layer: int | None = None, top: int = 3) -> list[Found]:
        """Return the units that say most about each feature, the best known feature first.

        features   names from ``FEATURES``; none: all. Those that never vary are left out
        layer      of the units; None: all layers
        top        units of each feature

        Their activations are those of the first part in the trace. Raises ConfigError for an
        unknown feature, or a layer that the model does not have.
        """
        part, values = next(iter(self.activations.items()))
        require_number("layer", layer, values.shape[1])
        layers = range(values.shape[1]) if layer is None else [layer]
        width = values.shape[2]
        units = _standardize(values[:, layers].reshape(len(self), -1))
        found: list[list[Found]] = []
        for name in features or FEATURES:
            if name not in FEATURES:
                known = ", ".join(FEATURES)
                raise ConfigError(f"unknown feature {name!r}", hint=f"known: {known}")
            feature = _standardize(FEATURES[name](self.text).astype(units.dtype))
            if not feature.any():
                continue
            # Backwards, it varies in the same way, and goes together with a unit by chance alone.
            shares, by_chance = (np.stack([feature, feature[::-1]]) @ units / len(self)) ** 2
            chance = float(by_chance.max())
            best: list[int] = np.argsort(-shares, kind="stable")[:top].tolist()
            found.append([
                Found(name, layers[at // width], part, at % width, float(shares[at]), chance)
                for at in best
            ])  # fmt: skip
        found.sort(key=lambda group: [-it.share for it in group[:1]])
        return [it for group in found for it in group]


def _standardize(values: Array) -> Array:
    """Return values (N, ...) with mean 0 and variance 1; 0 where they never vary."""
    centered = values - values.mean(axis=0)
    std = centered.std(axis=0)
    scaled: Array = np.divide(centered, std, out=centered * 0, where=std > 0)
    return scaled


def trace_text(
    model: AnyLanguageModel,
    vocabulary: Vocabulary,
    blocks: Iterable[Ids],
    *,
    top: int = 0,
    parts: Iterable[str] = (),
    end: int | None = None,
) -> Iterator[Trace]:
    """Yield what a model does at each character of a text, WINDOW of them at most at once.

    vocabulary   of the model
    blocks       of the text, ids (N,) each
    top          how many of the likeliest characters
    parts        whose activations
    end          id of the END, if each piece begins from a zero state and one; None: the state is
                 carried through the text, and the first character is not predicted

    Raises CorpusError if there is no text, TrainingError if the logits are not finite.
    """
    model, workspace, is_empty = as_ensemble(model), Workspace(), True
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
        values = {part: _activations(model.cell, caches, part) for part in parts}
        yield Trace(vocabulary, ids, nats, top_ids, top_p, values)
        is_empty = False
    if is_empty:
        raise CorpusError("there is no text to look at", hint="name a file that has some")


def _windows(blocks: Iterable[Ids], end: int | None) -> Iterator[Ids]:
    """Cut blocks into windows, also before each END if there is one."""
    for ids in blocks:
        for piece in np.split(ids, np.flatnonzero(ids == (-1 if end is None else end))):
            yield from (piece[at : at + WINDOW] for at in range(0, len(piece), WINDOW))


def _activations(cell: Cell, networks: Iterable[NetworkCache], part: str) -> Array:
    """Return the activations (N, layers, H) of all networks, for the only text of a batch."""
    is_gate = part in cell.gate_names
    number = cell.gate_names.index(part) if is_gate else cell.state_names.index(part[0])
    found = []
    for network in networks:
        caches = [layer.cache for layer in network]
        each = [it.gates[number] if is_gate else it.states[number][1:] for it in caches]
        found.append(np.stack(each, axis=2)[:, 0])
    values = np.concatenate(found, axis=2)
    return np.tanh(values) if part == "cell" else values


def join(traces: Iterable[Trace], limit: int | None = None) -> Trace:
    """Return traces of texts that follow each other as one, of at most ``limit`` characters.

    No more of them are read than are needed.
    """
    read: list[Trace] = []
    count = 0
    for trace in traces:
        read.append(trace)
        count += len(trace)
        if limit is not None and count >= limit:
            break
    ids, nats, top_ids, top_p = (
        np.concatenate([getattr(trace, name) for trace in read])[:limit]
        for name in ("ids", "nats", "top_ids", "top_p")
    )
    activations = {
        part: np.concatenate([trace.activations[part] for trace in read])[:limit]
        for part in read[0].activations
    }
    return Trace(read[0].vocabulary, ids, nats, top_ids, top_p, activations)
