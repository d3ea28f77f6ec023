"""Reading large texts: the speed of counting and encoding, and the peak memory of training.

    python benchmarks/corpus_speed.py CORPUS [--rounds 5] [--megabytes 100 1000]

The corpus is repeated to these sizes in a temporary folder; the first one is read for speed. The
baseline is what most scripts do: read the whole text as one string, and encode it with a dictionary
and a list comprehension.
"""

import json
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

from measuring import alternate, arguments, heading, in_process, peak_memory, row

MEGABYTE = 10**6


def read(path: str) -> float:
    """Return MB/s of charrnn."""
    from charrnn import read_corpus

    started = time.perf_counter()
    read_corpus([path])
    return Path(path).stat().st_size / MEGABYTE / (time.perf_counter() - started)


def read_plainly(path: str) -> float:
    """Return MB/s of the plain way."""
    import numpy as np

    started = time.perf_counter()
    text = Path(path).read_text(encoding="utf-8")
    index = {char: i for i, char in enumerate(sorted(set(text)))}
    np.array([index[char] for char in text])
    return Path(path).stat().st_size / MEGABYTE / (time.perf_counter() - started)


def main() -> None:
    """Print the tables."""
    if sys.argv[1] in {"--read", "--plain"}:
        print(json.dumps((read if sys.argv[1] == "--read" else read_plainly)(sys.argv[2])))
        return
    parser = arguments(__doc__, corpus=True)
    parser.add_argument("--megabytes", type=int, nargs="+", default=[100, 1000])
    parser.add_argument("--time", default="10s", help="of training")
    args = parser.parse_args()
    text, script = args.corpus.read_bytes(), Path(__file__)
    with tempfile.TemporaryDirectory() as folder:
        paths = {}
        for size in args.megabytes:
            paths[size] = Path(folder) / f"{size}.txt"
            with paths[size].open("wb") as file:
                file.writelines(text for _ in range(size * MEGABYTE // len(text)))
        small = paths[args.megabytes[0]]
        median = alternate(
            {
                "charrnn": partial(in_process, sys.executable, script, "--read", small),
                "plain": partial(in_process, sys.executable, script, "--plain", small),
            },
            args.rounds,
        )
        heading("", "charrnn, MB/s", "plain Python, MB/s", "ratio")
        mine, theirs = median["charrnn"], median["plain"]
        what = f"count and encode {args.megabytes[0]} MB"
        row(what, f"{mine:.0f}", f"{theirs:.0f}", f"{mine / theirs:.1f}")
        print()
        heading("training on", "peak memory of the largest process, MB")
        for size, path in paths.items():
            options = ("--time", args.time, "--quiet", "--overwrite", "-o", Path(folder) / "m.npz")
            row(f"{size} MB", f"{peak_memory('train', path, *options)[1]:.0f}")


if __name__ == "__main__":
    main()
