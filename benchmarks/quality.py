"""The loss that charrnn reaches on a text in a given number of seconds, through the command line.

    python benchmarks/quality.py corpus.txt --times 20 60 300 --seeds 1 2 3 >> quality.jsonl

Trains on the first 90 % of the corpus with --time as the only option (and those in --options),
scores the last 10 %, which is never trained on, and prints one JSON object per run:

    carried        nats per character, with the state carried through the text
    cold           nats per character in independent windows of 256 characters, each from a zero
                   state
    wall           wall-clock seconds of the training command
    alone          the first two for the network without its n-grams, with --alone
    sample         a sample of this many characters, with --sample
"""

import argparse
import dataclasses
import json
import random
import shlex
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from measuring import make_parser

from charrnn.models.model import Model

JUDGED = 0.1
WINDOW = 256


def charrnn(*args: object) -> str:
    """Run a command in a fresh process and return what it prints."""
    command = [sys.executable, "-m", "charrnn", *map(str, args)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return done.stdout


def divide(text: str, lines: int | None) -> tuple[str, str]:
    """Return what to train on and what to judge by: the last tenth, or lines drawn at random.

    lines   how many lines; 0: a tenth; None: the last tenth of the text instead
    """
    if lines is None:
        seen = len(text) - int(len(text) * JUDGED)
        return text[:seen], text[seen:]
    every = text.splitlines(keepends=True)
    count = lines or int(len(every) * JUDGED)
    unseen = set(random.Random(0).sample(range(len(every)), count))  # the same for all runs
    parts = ["".join(line for i, line in enumerate(every) if (i in unseen) == judged)
             for judged in (False, True)]  # fmt: skip
    return parts[0], parts[1]


def judged(judge: Path, model: Path) -> dict[str, float]:
    """Score a text in both ways."""
    score = ("score", judge, "-c", model, "--json", "--unknown", "skip")
    ways = {"carried": (), "cold": ("--window", WINDOW)}
    return {name: round(float(json.loads(charrnn(*score, *way))["nats_per_char"]), 4)
            for name, way in ways.items()}  # fmt: skip


def measure(args: argparse.Namespace, corpus: Path, seconds: float, seed: int) -> dict[str, Any]:
    """Train and score once."""
    lines, seen_and_unseen = args.lines, divide(corpus.read_text(encoding="utf-8"), args.lines)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        train, judge, model = (folder / file for file in ("train.txt", "judge.txt", "model.npz"))
        for path, text in zip((train, judge), seen_and_unseen, strict=True):
            path.write_text(text, encoding="utf-8")
        began = time.perf_counter()
        trained = json.loads(
            charrnn(
                *("train", train, "-o", model, "--time", f"{seconds:g}s", "--random-seed", seed),
                *("-q", "--json", *args.options),
            )
        )
        wall = time.perf_counter() - began
        losses = judged(judge, model)
        written: dict[str, Any] = {}
        if args.alone:
            network = dataclasses.replace(Model.load(model), ngram=None)
            network.save(folder / "network.npz")
            written = {"alone": judged(judge, folder / "network.npz")}
        if args.sample:
            out = charrnn("sample", "-c", model, "-n", args.sample, "--random-seed", 1)
            written["sample"] = out
    return {
        "text": corpus.name,
        "seconds": seconds,
        "seed": seed,
        "options": shlex.join(args.options),
        "judged": "last tenth" if lines is None else f"{lines or 'a tenth of the'} lines",
        **losses,
        "wall": round(wall, 2),
        **{name: trained[name] for name in ("steps", "parameters", "train_loss", "val_loss")},
        **written,
    }


def main() -> None:
    """Measure all combinations."""
    parser = make_parser(__doc__)
    parser.add_argument("corpus", type=Path, nargs="+")
    parser.add_argument("--times", type=float, nargs="+", default=[20, 60])
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--options", type=shlex.split, default=[], help="further ones of train")
    parser.add_argument(
        "--lines", type=int, metavar="N", help="judge by N lines drawn at random; 0: a tenth"
    )
    parser.add_argument("--sample", type=int, default=0, metavar="N", help="write N characters")
    parser.add_argument("--alone", action="store_true", help="score without n-grams as well")
    args = parser.parse_args()
    for corpus in args.corpus:
        for seconds in args.times:
            for seed in args.seeds:
                print(json.dumps(measure(args, corpus, seconds, seed)), flush=True)


if __name__ == "__main__":
    main()
