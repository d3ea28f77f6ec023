"""Where ``charrnn xray`` has its text from, and what the model does with it."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from charrnn.cli.options import UnknownPolicy, fit_text
from charrnn.config import Normalization
from charrnn.errors import ConfigError, VocabularyError

if TYPE_CHECKING:
    from charrnn.inference.xray.parts import Place
    from charrnn.inference.xray.trace import Request, Trace
    from charrnn.inference.xray.xray import Xray
    from charrnn.models import Model
    from charrnn.nn.cells import Cell
    from charrnn.text.vocabulary import Ids

# Characters of lines that are read before they are shown.
_LINES_AT_ONCE = 1 << 12


@dataclass
class Source:
    """A text and a model.

    model      the model
    file       path of the text, or -
    seed       the text itself; None: the file
    unknown    what to do with unknown characters
    encoding   of the file
    skipped    characters left out so far
    """

    model: "Model"
    file: str
    seed: str | None
    unknown: UnknownPolicy
    encoding: str
    skipped: int = 0

    @property
    def name(self) -> str:
        """What to call the text."""
        if self.seed is not None:
            return "a text"
        return "standard input" if self.file == "-" else self.file

    @property
    def cell(self) -> "Cell":
        """The cell of the model."""
        from charrnn.nn.cells import make_cell

        shape = self.model.config.model
        return make_cell(shape.cell, shape.nonlinearity)

    def place(self, layer: int | None, part: str | None, neuron: int | None) -> "Place":
        """Return the layer and part of a unit.

        Raises ConfigError if the model has no such layer, part or unit.
        """
        from charrnn.inference.xray.parts import Place, require_part

        shape = self.model.config.model
        name = require_part(self.cell, part)
        number = layer or 0
        for what, given, count in (
            ("layer", number, shape.layers),
            ("unit", neuron or 0, shape.hidden_size),
        ):
            if given >= count:
                has = f"one {what}, 0" if count == 1 else f"{what}s from 0 to {count - 1}"
                raise ConfigError(f"there is no {what} {given}", hint=f"this model has {has}")
        return Place(number, name)

    def traces(self, request: "Request") -> Iterator["Trace"]:
        """Yield what the model does, as the text arrives."""
        from charrnn.cli import terminal
        from charrnn.inference.xray.tracer import Tracer

        if self.seed is None and self.file == "-" and terminal.is_terminal(sys.stdin):
            terminal.note("reading the text from the terminal; Ctrl-D ends it")
        tracer = Tracer(self.model.distribution(), self.model.vocabulary, request)
        if self.model.config.data.lines:
            yield from (tracer.lines(block) for block in self._lines())
        else:
            yield from tracer.text(self._pieces())

    def tell_skipped(self) -> None:
        """Say how many characters were left out, if any."""
        from charrnn.cli import terminal

        if self.skipped:
            terminal.note(f"skipped {self.skipped} unknown characters")

    def xray(self, request: "Request", limit: int) -> "Xray":
        """Return what the model does with the text, of at most so many characters."""
        from charrnn.cli import terminal
        from charrnn.inference.xray.trace import joined
        from charrnn.inference.xray.xray import Xray

        held, count = [], 0
        for trace in self.traces(request):
            if count == limit or len(trace) > limit - count:
                terminal.note(f"this shows the first {limit:,} characters of {self.name}")
                if count < limit:
                    held.append(trace.first(limit - count))
                break
            held.append(trace)
            count += len(trace)
        self.tell_skipped()
        return Xray(self.model.vocabulary, self.cell, joined(held))

    def _pieces(self) -> Iterator["Ids"]:
        from charrnn.text.reading import Reader

        if self.seed is None:
            yield from map(self._encoded, Reader(self.encoding, self._form).pieces(self.file))
        elif self.seed:
            yield self._encoded(self.seed)

    def _lines(self) -> Iterator[list["Ids"]]:
        from charrnn.inference.line_scoring import in_blocks
        from charrnn.text.reading import read_lines

        blocks = (
            [self.seed.splitlines()]
            if self.seed is not None
            else read_lines(self.file, encoding=self.encoding)
        )
        for block in blocks:
            for lines in in_blocks(block, _LINES_AT_ONCE):
                yield [self._encoded(line) for line in lines]

    @property
    def _form(self) -> Normalization:
        return self.model.config.data.normalize

    def _encoded(self, text: str) -> "Ids":
        from charrnn.text.reading import normalized

        vocabulary, text = self.model.vocabulary, normalized(text, self._form)
        fitted = fit_text(text, vocabulary, normalize="none", unknown=self.unknown)
        if self.unknown == "skip":
            self.skipped += len(text) - len(fitted)
        try:
            return vocabulary.encode(fitted)
        except VocabularyError as error:
            if self.seed is None:
                raise
            raise ConfigError(f"--seed: {error}", hint=error.hint) from error
