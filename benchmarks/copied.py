"""How much of what a model writes is copied from what it has read.

    python benchmarks/copied.py model.npz corpus.txt [what the base model read ...]

Samples 10,000 characters at temperature 0.8 and prints the share of their spans of 30 characters
that stand, letter for letter, in one of the texts; line breaks and spaces count as the same.
"""

import subprocess
import sys
from pathlib import Path

from measuring import make_parser

CHARACTERS, SPAN = 10_000, 30


def spans(text: str) -> list[str]:
    """Return all spans of a text in which runs of white space are one space."""
    flat = " ".join(text.split())
    return [flat[at : at + SPAN] for at in range(len(flat) - SPAN + 1)]


def main() -> None:
    """Print the share for each text and for all of them."""
    parser = make_parser(__doc__)
    parser.add_argument("model")
    parser.add_argument("text", type=Path, nargs="+")
    args = parser.parse_args()
    command = [sys.executable, "-m", "charrnn", "sample", "-c", args.model, "-n", str(CHARACTERS)]
    done = subprocess.run(
        [*command, "--random-seed", "1"], check=True, stdout=subprocess.PIPE, text=True
    )
    written, found = spans(done.stdout), set[str]()
    for path in args.text:
        copied = [*filter(set(spans(path.read_text(encoding="utf-8"))).__contains__, written)]
        found.update(copied)
        print(f"{path}: {len(copied) / len(written):.1%}")
    print(f"all: {sum(span in found for span in written) / len(written):.1%}")


if __name__ == "__main__":
    main()
