"""Runs a language model over a text and takes down what it does at each character.

What is said of a character is of two moments. Before the model reads it: how surprising it is, and
what the model expected instead. After: the activations, from which it predicts the next one.

    text         T    h    e
    predicted    .    h    e        surprise -log p(x_t | x_1 ... x_(t-1)); the first has none
    state        s_1  s_2  s_3      after reading x_t

A model of lines reads each line from a zero state and a line break, and predicts the line break at
its end. So a line break has a surprise, and the state that belongs to it is the one in which the
next line begins.

A step for six samples takes little longer than one step for one. So a long text is read in six
parts side by side. For the state in which a part begins, the model reads the text before it from a
zero state: recurrent networks forget. Whether this one has forgotten where it started is checked
where two parts meet. If the second did not begin in the state in which the first ended, it is read
again from there, until the states are those of the first reading.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from charrnn.errors import TrainingError
from charrnn.inference.xray.parts import Place, write_activations
from charrnn.inference.xray.trace import Request, Trace, joined
from charrnn.ngrams.mixture import AnyLanguageModel
from charrnn.nn.cells import Array
from charrnn.nn.language_model import ModelState
from charrnn.nn.loss import log_softmax
from charrnn.text.vocabulary import Ids, Vocabulary

# Steps per forward pass, and characters after which a trace is yielded.
WINDOW, BLOCK = 256, 1 << 14
# Lines per batch: OpenBLAS has faster kernels for up to 61 rows, see ``kernels``.
LINES_AT_ONCE = 60
# Parts of a text that are read side by side, the characters read before each, and by how much the
# states of two parts may differ where they meet.
PARTS, BEFORE, TOLERANCE = 6, 1024, 1e-4

_NONE: Array = np.empty((0, 0, 0))


@dataclass(frozen=True)
class _Sheet:
    """Where to take down what the model does in T steps of B samples.

    nats, top_ids, top_p   of each target: (B, T), (B, T, K), (B, T, K)
    activations            after each input, (B, T, H) of each place
    """

    nats: Array
    top_ids: NDArray[np.intp]
    top_p: Array
    activations: dict[Place, Array]

    def cut(self, rows: slice, steps: slice) -> "_Sheet":
        """Return a view of some samples and steps."""
        held = {place: values[rows, steps] for place, values in self.activations.items()}
        part = rows, steps
        return _Sheet(self.nats[part], self.top_ids[part], self.top_p[part], held)

    def parts(self, steps: slice, count: int) -> "_Sheet":
        """Return a view of steps of the only sample as those of several parts of equal length.

        The figures are those of the next step, because a step predicts the next character.
        """
        after, length = slice(steps.start + 1, steps.stop + 1), (steps.stop - steps.start) // count
        held = {
            place: values[0, steps].reshape(count, length, -1)
            for place, values in self.activations.items()
        }
        K = self.top_p.shape[-1]
        return _Sheet(
            self.nats[0, after].reshape(count, length),
            self.top_ids[0, after].reshape(count, length, K),
            self.top_p[0, after].reshape(count, length, K),
            held,
        )

    def trace(self, row: int, ids: Ids) -> Trace:
        """Return the beginning of one sample as the trace of these characters, its targets."""
        n = len(ids)
        held = {place: values[row, :n] for place, values in self.activations.items()}
        return Trace(ids, self.nats[row, :n], self.top_ids[row, :n], self.top_p[row, :n], held)


class Tracer:
    """Runs a language model over texts and takes down what was asked for.

    model        the language model
    vocabulary   its characters
    request      what to take down
    """

    def __init__(self, model: AnyLanguageModel, vocabulary: Vocabulary, request: Request) -> None:
        self.model, self.vocabulary, self.request = model, vocabulary, request
        self._workspaces = model.workspaces()
        self._top = min(request.top, len(vocabulary))

    def text(self, pieces: Iterable[Ids]) -> Iterator[Trace]:
        """Yield what the model does at each character of a text, of which pieces (N,) arrive.

        The state is carried through the text. The first character is not predicted. Raises
        TrainingError if the logits are not finite.
        """
        state = self.model.zero_state(1)
        expected = np.full((1, 1, self.model.vocab_size), np.nan, self.model.flat.dtype)
        for piece in pieces:
            for at in range(0, len(piece), BLOCK):
                ids = piece[at : at + BLOCK]
                sheet = self._sheet(1, len(ids) + 1)
                self._judge(sheet.cut(slice(1), slice(1)), expected, ids[:1, None])
                state, expected = self._block(sheet, ids, state)
                yield sheet.trace(0, ids)

    def lines(self, lines: Sequence[Ids]) -> Trace:
        """Return what the model does at each character of lines (N,) each, on their own.

        A line break follows each line; the model must know it. Raises CorpusError if there is no
        line, TrainingError if the logits are not finite.
        """
        newline = self.vocabulary.index["\n"]
        order = sorted(range(len(lines)), key=lambda at: len(lines[at]))
        traces: dict[int, Trace] = {}
        for at in range(0, len(order), LINES_AT_ONCE):
            which = order[at : at + LINES_AT_ONCE]
            longest = max(len(lines[line]) for line in which)
            padded = np.full((longest + 2, len(which)), newline, np.uint32)
            for column, line in enumerate(which):
                padded[1 : len(lines[line]) + 1, column] = lines[line]
            sheet = self._sheet(len(which), longest + 1)
            self._run(sheet, padded[:-1], padded[1:], self.model.zero_state(len(which)))
            for column, line in enumerate(which):
                end = len(lines[line]) + 1
                # What belongs to a line break is the state in which a line begins, the first one.
                for values in sheet.activations.values():
                    values[column, :end] = np.roll(values[column, :end], -1, axis=0)
                traces[line] = sheet.trace(column, padded[1 : end + 1, column])
        return joined(traces[line] for line in range(len(lines)))

    def _block(self, sheet: _Sheet, ids: Ids, state: ModelState) -> tuple[ModelState, Array]:
        """Run the model over ids (T,), and judge all but the first.

        sheet   of one sample and T + 1 steps; the last one is of no use

        Returns the state at the end, and the logits (1, 1, V) of what comes next.
        """
        T, logits = len(ids), _NONE
        whole = T - T % PARTS if T >= PARTS * BEFORE else 0
        targets = np.append(ids[1:], ids[:1])
        if whole:
            part = sheet.parts(slice(0, whole), PARTS)
            state, logits = self._side_by_side(part, ids[:whole], targets[:whole], state)
        if whole < T:
            part = sheet.parts(slice(whole, T), 1)
            states, logits = self._run(part, ids[whole:, None], targets[whole:, None], state)
            state = states[-1]
        return state, logits

    def _side_by_side(
        self, sheet: _Sheet, ids: Ids, targets: Ids, state: ModelState
    ) -> tuple[ModelState, Array]:
        """Run the model over ids (PARTS * T,) in parts, each of them a sample of the sheet."""
        first = [
            tuple(np.concatenate(halves) for halves in zip(mine, others, strict=True))
            for mine, others in zip(state, self._states_before(ids), strict=True)
        ]
        inputs, wanted = ids.reshape(PARTS, -1).T, targets.reshape(PARTS, -1).T
        states, logits = self._run(sheet, inputs, wanted, first)
        while (bad := _first_unlike(first, states[-1])) is not None:
            # All parts from there on begin again where the one before has ended.
            rows = slice(bad, PARTS)
            state = _samples(states[-1], slice(bad - 1, PARTS - 1))
            _put(first, rows, state)
            for number, after in enumerate(states):
                window = slice(number * WINDOW, (number + 1) * WINDOW), rows
                view = sheet.cut(rows, window[0])
                (state,), again = self._run(view, inputs[window], wanted[window], state)
                known = _samples(after, rows)
                _put(after, rows, state)
                if number == len(states) - 1:
                    logits[:, rows] = again
                if _alike(known, state):
                    break
        return _samples(states[-1], slice(PARTS - 1, PARTS)), logits[:, -1:]

    def _states_before(self, ids: Ids) -> ModelState:
        """Return about the states in which the parts of a sample begin, all but the first."""
        starts, states = np.arange(1, PARTS) * (len(ids) // PARTS), self.model.zero_state(PARTS - 1)
        for at in range(-BEFORE, 0, WINDOW):
            inputs = ids[starts + np.arange(at, min(at + WINDOW, 0))[:, None]]
            _, states, _ = self.model.forward(inputs, states, workspaces=self._workspaces)
        return states

    def _sheet(self, samples: int, steps: int) -> _Sheet:
        dtype, shape = self.model.flat.dtype, (samples, steps)
        wide, K = (*shape, self.model.config.hidden_size), (*shape, self._top)
        held = {place: np.empty(wide, dtype) for place in self.request.places}
        return _Sheet(np.empty(shape, dtype), np.empty(K, np.intp), np.empty(K, dtype), held)

    def _run(
        self, sheet: _Sheet, inputs: Ids, targets: Ids, state: ModelState
    ) -> tuple[list[ModelState], Array]:
        """Run the model over samples (T, B), and take down how it predicts the targets (T, B).

        Returns the states after each window, and the logits (1, B, V) of what comes next.
        """
        states, logits = [], _NONE
        for start in range(0, len(inputs), WINDOW):
            window = slice(start, start + WINDOW)
            part = sheet.cut(slice(None), window)
            logits, state, cache = self.model.forward(
                inputs[window], state, workspaces=self._workspaces
            )
            if not np.isfinite(logits).all():
                raise TrainingError(
                    "the model's outputs are not finite numbers: its weights have exploded",
                    hint="train again with a lower --learning-rate, or with --nonlinearity tanh",
                )
            for place, values in part.activations.items():
                saved = cache.stack.cells[place.layer]
                write_activations(self.model.cell, saved, place.part, values.swapaxes(0, 1))
            self._judge(part, logits, targets[window])
            states.append(state)
        return states, logits[-1:].copy()

    def _judge(self, sheet: _Sheet, logits: Array, targets: NDArray[Any]) -> None:
        """Take down surprise and guesses for logits (T, B, V), nan where they are nan."""
        log_p = log_softmax(logits).swapaxes(0, 1)
        nats = -np.take_along_axis(log_p, targets.T[..., None].astype(np.intp), -1)[..., 0]
        sheet.nats[...] = nats + 0  # no minus zero
        if not self._top:
            return
        first = log_p.shape[-1] - self._top
        top = np.argpartition(log_p, first, -1)[..., first:]
        values = np.take_along_axis(log_p, top, -1)
        order = np.argsort(-values, -1, kind="stable")
        sheet.top_ids[...] = np.take_along_axis(top, order, -1)
        sheet.top_p[...] = np.exp(np.take_along_axis(values, order, -1))


def _samples(states: ModelState, rows: slice) -> ModelState:
    """Return a copy of the states of some samples."""
    return [tuple(values[rows].copy() for values in layer) for layer in states]


def _put(states: ModelState, rows: slice, some: ModelState) -> None:
    """Give some samples other states, in place."""
    for layer, new_layer in zip(states, some, strict=True):
        for values, new in zip(layer, new_layer, strict=True):
            values[rows] = new


def _first_unlike(began: ModelState, ended: ModelState) -> int | None:
    """Return the first part that did not begin where the one before has ended; None: all did."""
    for part in range(1, PARTS):
        if not _alike(
            _samples(began, slice(part, part + 1)), _samples(ended, slice(part - 1, part))
        ):
            return part
    return None


def _alike(one: ModelState, other: ModelState) -> bool:
    """Return True if two states are the same but for TOLERANCE."""
    layers = (zip(a, b, strict=True) for a, b in zip(one, other, strict=True))
    return all(bool((abs(a - b) < TOLERANCE).all()) for layer in layers for a, b in layer)
