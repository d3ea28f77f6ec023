"""``charrnn score --lines``: its speed and memory, and what it finds.

    python benchmarks/score_lines.py speed [--lines 100000]
    python benchmarks/score_lines.py odd names.txt [--time 60s]
    python benchmarks/score_lines.py languages --english *.txt --french *.txt [--time 60s]

speed       lines per second of a whole run with an LSTM 1x128, and peak memory, also with ten times
            as many lines
odd         of a list of names, one per line, each once: 19,800 are judged, with 200 strings of as
            many uniformly random letters among them, and the model is trained on the rest. The area
            under the ROC curve of the order that --sort gives
languages   models of corpora/harbour.txt and corpora/moulin.txt tell lines of other texts apart:
            2,000 of each language, of about 60 characters
"""

import json
import os
import random
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

from measuring import heading, make_parser, peak_memory, row

if TYPE_CHECKING:
    from collections.abc import Callable

CORPORA = Path(__file__).parent.parent / "corpora"
JUDGED, INJECTED = 20_000, 200
LINES_OF_A_LANGUAGE, WIDTH = 2000, 60
LETTERS = "abcdefghijklmnopqrstuvwxyz"


def charrnn(folder: Path, *args: object, stdin: Path | None = None) -> str:
    """Return what a command writes."""
    with open(stdin or os.devnull, "rb") as text:
        done = subprocess.run(
            [sys.executable, "-m", "charrnn", *map(str, args)],
            cwd=folder, stdin=text, stdout=subprocess.PIPE, check=True, text=True,
        )  # fmt: skip
    return done.stdout


def speed(folder: Path, count: int) -> None:
    """Print lines per second and peak memory."""
    size = ["--hidden-size", 128, "--layers", 1, "--steps", 1, "--workers", 1, "-q"]
    charrnn(folder, "train", CORPORA / "harbour.txt", "-o", "m.npz", *size)
    text = (CORPORA / "harbour.txt").read_text(encoding="utf-8").replace("\n", " ")
    rng = random.Random(0)
    prose = (CORPORA / "harbour.txt").read_text(encoding="utf-8").splitlines()

    def cut() -> str:
        at = rng.randrange(len(text) - 9)
        return text[at : at + 9]

    kinds: dict[str, tuple[Callable[[], str], tuple[int, ...]]] = {
        "the same 9 characters": (lambda: "some text", (1, 10)),
        "9 characters out of a text": (cut, (1, 10)),
        "lines of prose, 44 characters": (lambda: rng.choice(prose) + rng.choice(LETTERS), (1,)),
    }
    heading("lines", "count", "s", "lines/s", "characters/s", "peak memory, MB")
    for name, (make, sizes) in kinds.items():
        for times in sizes:
            path = folder / "lines.txt"
            with path.open("w", encoding="utf-8") as file:
                file.writelines(make() + "\n" for _ in range(count * times))
            score = ("score", "--lines", "-c", folder / "m.npz")
            seconds, peak = peak_memory(*score, stdin=path)
            total = count * times
            chars = path.stat().st_size / seconds
            figures = (f"{seconds:.1f}", f"{total / seconds:,.0f}", f"{chars:,.0f}", f"{peak:.0f}")
            row(name, f"{total:,}", *figures)


def odd(folder: Path, names: Path, limit: str) -> None:
    """Print how well random strings are found among names."""
    rng = random.Random(1)
    listed = sorted(set(names.read_text(encoding="utf-8").split()))
    rng.shuffle(listed)
    judged, train = listed[: JUDGED - INJECTED], listed[JUDGED - INJECTED :]
    strings = ["".join(rng.choices(LETTERS, k=len(name))) for name in rng.sample(judged, INJECTED)]
    lines = [*judged, *strings]
    rng.shuffle(lines)
    (folder / "train.txt").write_text("\n".join(train) + "\n", encoding="utf-8")
    (folder / "lines.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    charrnn(folder, "train", "train.txt", "-o", "m.npz", "--time", limit, "--random-seed", 1, "-q")
    out = charrnn(folder, "score", "lines.txt", "--lines", "--sort", "-c", "m.npz")
    found = [json.loads(line) for line in out.splitlines()]
    known = set(listed)
    heading("length", "names", "random strings", "ROC-AUC", "random among the first 200")
    for label, low, high in (("all", 0, 99), ("2 to 4", 2, 4), ("5 to 6", 5, 6), ("7 on", 7, 99)):
        part = [it["text"] not in known for it in found if low <= len(it["text"]) <= high]
        first = f"{sum(part[:INJECTED])}" if label == "all" else ""
        row(label, f"{len(part) - sum(part):,}", sum(part), f"{area(part):.4f}", first)


def area(positives_first: list[bool]) -> float:
    """Return the area under the ROC curve of an order in which positives should come first."""
    above = pairs = 0
    for positive in positives_first:
        if positive:
            above += 1
        else:
            pairs += above
    return pairs / (above * (len(positives_first) - above))


def languages(folder: Path, texts: dict[str, list[Path]], limit: str) -> None:
    """Print how often the right model is named."""
    for name, corpus in (("english", "harbour.txt"), ("french", "moulin.txt")):
        options = ["-o", f"{name}.npz", "--time", limit, "--random-seed", 1, "-q"]
        charrnn(folder, "train", CORPORA / corpus, *options)
    heading("text", "lines", "characters", "right", "unknown to the right model")
    for name, paths in texts.items():
        rng = random.Random(2)
        for path in paths:
            text = " ".join(path.read_text(encoding="utf-8").split())
            cut = textwrap.wrap(text, WIDTH)
            lines = rng.sample(cut, min(len(cut), LINES_OF_A_LANGUAGE // len(paths)))
            (folder / "lines.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
            models = ["-c", "english.npz", "-c", "french.npz"]
            out = charrnn(folder, "score", "lines.txt", "--lines", *models)
            found = [json.loads(line) for line in out.splitlines()]
            right = sum(it["model"] == name for it in found)
            odd_ones = sum(it["unknown"] for it in found)
            share = f"{right / len(found):.2%}"
            row(f"{name}: {path.name}", len(found), sum(map(len, lines)), share, odd_ones)


def main() -> None:
    """Run one of the three."""
    parser = make_parser(__doc__)
    parser.add_argument("what", choices=["speed", "odd", "languages"])
    parser.add_argument("names", type=Path, nargs="?")
    parser.add_argument("--lines", type=int, default=100_000)
    parser.add_argument("--time", default="60s")
    parser.add_argument("--english", type=Path, nargs="+", default=[])
    parser.add_argument("--french", type=Path, nargs="+", default=[])
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        if args.what == "speed":
            speed(Path(name), args.lines)
        elif args.what == "odd":
            odd(Path(name), args.names.resolve(), args.time)
        else:
            languages(Path(name), {"english": args.english, "french": args.french}, args.time)


if __name__ == "__main__":
    main()
