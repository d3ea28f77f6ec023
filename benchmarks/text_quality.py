"""How text that a model writes differs from text that people write.

    python benchmarks/text_quality.py model.npz train.txt play.txt --words words.txt

model.npz was trained on train.txt. Of play.txt, which it has not read, the first 20,000 characters
are the text to write like, the next 20,000 are the row of real text, and the rest is what 4-grams
are compared with. Closest to the row of real text is best, not lowest:

    invented     share of words that are neither in what the model has read nor in a list of words
    distinct-2   share of pairs of words that are different, of the first 3,000 words
    repeated     share of sequences of four words that were there before
    copied       share of spans of 30 characters that are in train.txt; in play.txt's beginning
    longest      characters of the longest passage that is in either
    divergence   Jensen-Shannon divergence of character 4-grams from the rest of play.txt, in nats
    fidelity     share of names that are in play.txt's beginning. A name is a capitalized word that
                 nobody writes in small letters
"""

import re
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
from measuring import heading, make_parser, row

from charrnn import Model

SIZE, SAMPLES, SPAN = 20_000, 5, 30


def words_of(text: str) -> list[str]:
    """Return the words of a text."""
    return re.findall(r"[^\W\d_]+(?:['’][^\W\d_]+)*", text)


def flat(text: str) -> str:
    """Return a text in which runs of white space are one space."""
    return " ".join(text.split())


def spans(text: str, size: int) -> Iterator[str]:
    """Yield all spans of this size."""
    return (text[at : at + size] for at in range(len(text) - size + 1))


def copied(text: str, sources: list[str], size: int) -> list[float]:
    """Return the share of a text's spans that each source has."""
    found = []
    for source in sources:
        known = set(spans(source, size))
        found.append(float(np.mean([span in known for span in spans(text, size)])))
    return found


def longest_copy(text: str, sources: list[str]) -> int:
    """Return the characters of the longest passage of a text that a source has."""
    low, high = 0, 2_000
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if any(copied(text, sources, middle)) else (low, middle - 1)
    return low


def divergence(one: str, other: str) -> float:
    """Return the Jensen-Shannon divergence of the 4-grams of two texts, in nats."""
    counts = [Counter(spans(text, 4)) for text in (one, other)]
    p, q = (
        np.array([count[gram] for gram in counts[0] | counts[1]]) / count.total()
        for count in counts
    )
    mean = (p + q) / 2
    parts = [part[part > 0] * np.log(part[part > 0] / mean[part > 0]) for part in (p, q)]
    return float(sum(part.sum() for part in parts) / 2)


def measure(text: str, like: str, train: str, rest: str, listed: set[str]) -> list[str]:
    """Return the cells of a text."""
    read = words_of(train + like)
    small, known = {*read, *listed}, {word.lower() for word in read} | listed
    words, lower = words_of(text), [word.lower() for word in words_of(text)]
    names = [word for word in words if word[0].isupper() and word.lower() not in small]
    fours = list(zip(*(lower[at:] for at in range(4)), strict=False))
    pairs = list(pairwise(lower[:3000]))
    passages, sources = flat(text), [flat(train), flat(like)]
    own, its = copied(passages, sources, SPAN)
    figures = [
        f"{np.mean([word not in known for word in lower]):.1%}",
        f"{len(set(pairs)) / len(pairs):.3f}",
        f"{1 - len(set(fours)) / len(fours):.2%}",
        f"{own:.2%}; {its:.2%}",
        f"{longest_copy(passages, sources)}",
        f"{divergence(text, rest):.3f}",
    ]
    here = {word.lower() for word in words_of(like)}
    return [*figures, f"{sum(name.lower() in here for name in names)} of {len(names)}"]


def main() -> None:
    """Print the table."""
    parser = make_parser(__doc__)
    parser.add_argument("model")
    parser.add_argument("train", type=Path)
    parser.add_argument("text", type=Path)
    parser.add_argument("--words", type=Path, help="a list of words, one a line")
    parser.add_argument("--show", action="store_true", help="print 600 characters of each as well")
    args = parser.parse_args()
    model, train = Model.load(args.model), args.train.read_text(encoding="utf-8")
    text = "".join(filter(model.vocabulary.index.__contains__, args.text.read_text("utf-8")))
    like, real, rest = text[:SIZE], text[SIZE : 2 * SIZE], text[2 * SIZE :]
    listed = set(args.words.read_text("utf-8").lower().split()) if args.words else set[str]()
    heading("", "invented", "distinct-2", "repeated", "copied", "longest", "divergence", "fidelity")
    row("real text", *measure(real, like, train, rest, listed))
    for temperature in (0.6, 0.8, 1.0):
        for told in (None, like):
            samples = [
                model.sample(
                    length=SIZE // SAMPLES, temperature=temperature, like=told, random_seed=seed
                )
                for seed in range(SAMPLES)
            ]
            name = f"{temperature}" if told is None else f"{temperature}, like"
            row(name, *measure("\n".join(samples), like, train, rest, listed))
            if args.show:
                print(samples[0][:600])


if __name__ == "__main__":
    main()
