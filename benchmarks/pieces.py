r"""Whole pieces against a stream of them: the loss on unseen pieces, and how many are well formed.

    python benchmarks/pieces.py tunes.abc --separator '\n\n' --form '(?s)X:.*\nK:.*\|'

Holds out one piece in twenty, trains two models on the rest for --time, one of pieces and one of a
single text, and prints for each the nats of all unseen pieces by their number of characters (what
ends or separates them is paid for, and not counted), and how many of 200 pieces match the regular
expression --form. The last column says how many of the unseen pieces do.
"""

import json
import random
import re
import tempfile
from pathlib import Path

from measuring import heading, make_parser, row
from quality import charrnn

SAMPLES, HELD_OUT = 200, 20


def main() -> None:
    """Print a row of the table, and ten pieces with --show."""
    parser = make_parser(__doc__)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--separator", required=True)
    parser.add_argument("--form", required=True, type=re.compile)
    parser.add_argument("--time", default="60s")
    parser.add_argument("--show", action="store_true", help="print ten pieces of the model, too")
    args = parser.parse_args()
    between = args.separator.replace("\\n", "\n")
    text = args.corpus.read_text(encoding="utf-8")
    pieces = [piece for piece in text.split(between) if piece.strip()]
    random.Random(1).shuffle(pieces)
    unseen, seen = pieces[: len(pieces) // HELD_OUT], pieces[len(pieces) // HELD_OUT :]
    chars, found = sum(map(len, unseen)), {}
    with tempfile.TemporaryDirectory() as name:
        train, judge, model = (Path(name) / file for file in ("train.txt", "judge.txt", "m.npz"))
        for path, part in ((train, seen), (judge, unseen)):
            path.write_text(between.join(part) + between, encoding="utf-8")
        size = len(between) + sum(map(len, seen)) // len(seen)
        for options in (["--separator", args.separator], []):
            settings = ("--time", args.time, "--random-seed", 1, "--overwrite", "-q", "-o", model)
            charrnn("train", train, *settings, *options)
            score = ("score", judge, "-c", model, "--json", "--unknown", "skip")
            scored = json.loads(charrnn(*score))
            many = ("--count", SAMPLES) if options else ("-n", 2 * size * SAMPLES)
            lines = charrnn(
                "sample", "-c", model, "--jsonl", "--random-seed", 1, *many
            ).splitlines()
            texts = [json.loads(line)["text"] for line in lines]
            # The first and the last piece of a stream may be cut.
            written = texts if options else texts[0].split(between)[1:-1][:SAMPLES]
            nats = scored["nats_per_char"] * scored["chars"] / chars
            found[bool(options)] = f"{nats:.3f}", f"{count(args.form, written)} of {len(written)}"
            if args.show and options:
                print(between.join(written[:10]))
    columns = zip(found[True], found[False], strict=True)
    heading(
        "pieces", "characters", "nats: pieces", "stream", "well-formed: pieces", "stream", "real"
    )
    real = f"{count(args.form, unseen)} of {len(unseen)}"
    row(len(seen), sum(map(len, seen)), *(cell for pair in columns for cell in pair), real)


def count(form: re.Pattern[str], pieces: list[str]) -> int:
    """Return how many pieces match a regular expression."""
    return sum(form.fullmatch(piece) is not None for piece in pieces)


if __name__ == "__main__":
    main()
