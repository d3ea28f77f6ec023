"""How new text is drawn, and what it must obey."""

import math
from dataclasses import dataclass

from charrnn.config.settings import Settings, check, check_whole


@dataclass(frozen=True, kw_only=True)
class SamplingConfig(Settings):
    """How the next character is drawn from the model's distribution.

    temperature  divides the logits; 0 always takes the most likely character
    top_k        draw among the k most likely characters only
    top_p        draw among the fewest characters that together have probability p (Holtzman
                 et al. 2020)
    min_p        draw among the characters at least p times as probable as the most likely one
                 (Nguyen et al. 2024); like top_k and top_p, after the temperature

    Raises ConfigError for a setting out of range.
    """

    temperature: float = 0.8
    top_k: int | None = None
    top_p: float | None = None
    min_p: float | None = None

    def __post_init__(self) -> None:
        check(
            math.isfinite(self.temperature) and self.temperature >= 0,
            f"temperature must be 0 or more and finite, not {self.temperature}",
        )
        check_whole("top-k", self.top_k, 1)
        if self.top_p is not None:
            check(0 < self.top_p <= 1, f"top-p must be above 0 and at most 1, not {self.top_p}")
        if self.min_p is not None:
            check(0 <= self.min_p <= 1, f"min-p must be from 0 to 1, not {self.min_p}")


@dataclass(frozen=True, kw_only=True)
class ControlConfig(Settings):
    """What new text must obey, whatever the model would write.

    stop             the text ends before any of these, and never contains one
    until_sentence   the text goes on after its length until the end of the sentence
    charset          the only characters of the text, as inside the [...] of a regular expression
    match            a regular expression that the whole text matches

    Raises ConfigError for an empty stop text or settings that contradict each other.
    """

    stop: tuple[str, ...] = ()
    until_sentence: bool = False
    charset: str | None = None
    match: str | None = None

    def __post_init__(self) -> None:
        check(not isinstance(self.stop, str), "stop must be a tuple of texts")
        check(all(self.stop), "a stop text must have at least one character")
        check(
            self.match is None or not self.until_sentence,
            "match and until-sentence contradict each other: both say where the text ends",
        )
        check(
            self.match is None or not self.stop,
            "match and stop contradict each other: both say where the text ends",
        )
