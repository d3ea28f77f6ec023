"""What ``complete`` and ``suggest`` share: the likeliest continuations of a prompt."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from charrnn.errors import ConfigError

if TYPE_CHECKING:
    from charrnn.cli.prompts import Prompt
    from charrnn.inference.beam import Continuation
    from charrnn.models.writer import Writer

# The beam, unless it is given: enough for what is likely, and three characters in a millisecond.
BEAM = 16


@dataclass(frozen=True)
class Search:
    """How continuations are searched.

    writer   the model
    count    number of continuations
    length   characters of each that no stop text ends before
    beam     texts that the search follows at once; at least ``count`` are
    stop     texts before which a continuation ends
    """

    writer: "Writer"
    count: int
    length: int
    beam: int
    stop: tuple[str, ...]

    def __post_init__(self) -> None:
        if not all(self.stop):
            raise ConfigError("a stop text must have at least one character")

    def likeliest(self, prompt: "Prompt") -> "list[Continuation]":
        """Return the likeliest continuations of a prompt, likeliest first."""
        from charrnn.inference.beam import likeliest
        from charrnn.inference.endings import StopTable
        from charrnn.text.reading import normalized

        stops = [normalized(stop, self.writer.normalize) for stop in self.stop]
        return likeliest(
            self.writer.predictor,
            prompt.start,
            count=self.count,
            length=self.length,
            width=max(self.beam, self.count),
            stops=StopTable(stops, self.writer.vocabulary.characters) if stops else None,
        )

    def described(self, prompt: "Prompt") -> list[dict[str, Any]]:
        """Return the continuations of a prompt as records."""
        characters = self.writer.vocabulary.characters
        return [
            {
                "text": "".join(characters[chosen] for chosen in found.ids),
                "probability": math.exp(found.log_p),
                "log_probability": found.log_p,
                "stopped": found.ended,
            }
            for found in self.likeliest(prompt)
        ]
