"""Whole lines from a model of lines: new ones, different ones, of a certain length.

A line is drawn as the model has it and kept or thrown away as a whole. So what is kept has the
distribution of the model, given that it is new, or short: nothing bends it on the way.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from charrnn.errors import TrainingError
from charrnn.text.seen import Bits, is_seen
from charrnn.text.vocabulary import Ids

# Where a line is cut that does not end, unless someone says otherwise.
LONGEST_LINE = 1000

# Lines in a row that are thrown away before the search for another one ends.
MOST_REFUSED = 20_000


@dataclass(frozen=True)
class LineRules:
    """Which lines are kept.

    seen         lines that are not, by a filter of ``text.seen``; None: any is
    unique       each line once
    min_length   the fewest characters
    max_length   the most characters; None: any number
    """

    seen: Bits | None = None
    unique: bool = False
    min_length: int = 0
    max_length: int | None = None

    def keeps(self, line: str) -> bool:
        """Return True if a line is kept, whichever came before."""
        long = self.max_length is not None and len(line) > self.max_length
        if len(line) < self.min_length or long:
            return False
        return self.seen is None or not is_seen(self.seen, line)


def kept_lines(
    drawn: Iterable[tuple[Ids, float]], decode: Callable[[Ids], str], rules: LineRules
) -> Iterator[tuple[Ids, float]]:
    """Yield the samples whose lines are kept.

    drawn    ids and log p of samples, without end
    decode   returns the line of a sample

    Raises TrainingError after MOST_REFUSED in a row that are not.
    """
    before: set[str] = set()
    refused = 0
    for sample in drawn:
        line = decode(sample[0])
        if rules.keeps(line) and line not in before:
            refused = 0
            if rules.unique:
                before.add(line)
            yield sample
            continue
        refused += 1
        if refused >= MOST_REFUSED:
            raise TrainingError(
                f"{refused:,} lines in a row were old, too short or too long",
                hint="try a higher --temperature, another --prefix, or fewer conditions",
            )
