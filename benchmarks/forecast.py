"""The loss that ``charrnn doctor`` foretells, and the one that training reaches.

    python benchmarks/forecast.py run corpus.txt --times 20 60 >> benchmarks/forecast.jsonl
    python benchmarks/forecast.py fit benchmarks/forecast.jsonl

``run`` trains with --time and prints one JSON object per run: what the forecast goes by, and the
validation loss. ``fit`` prints the numbers of ``charrnn/models/forecast.py`` that fit the rows, and
how far each row is from a forecast whose numbers were fitted to the other texts alone.
"""

import argparse
import json
import math
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from charrnn import Model
from charrnn.config import Config
from charrnn.models.forecast import FROM_BASE, FROM_NOTHING, MILLION, ngrams_of
from charrnn.models.prepared import prepare
from charrnn.models.start import choose_start, measure
from charrnn.text.corpus import read_corpus
from charrnn.training.next_character import NextCharacter

Row = dict[str, Any]


def run(corpus: Path, seconds: float, options: list[str]) -> Row:
    """Train once."""
    with tempfile.TemporaryDirectory() as folder:
        model = f"{folder}/model.npz"
        command = ["train", corpus, "-o", model, "--time", f"{seconds:g}s", "--random-seed", 1]
        done = subprocess.run(
            [sys.executable, "-m", "charrnn", *map(str, command), "-q", "--json", *options],
            check=True, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        trained = json.loads(done.stdout)
        config = Model.load(model).config
    return {"text": corpus.stem, "seconds": seconds, "options": shlex.join(options)} | described(
        corpus, config, trained
    )


def described(corpus: Path, config: Config, trained: Row) -> Row:
    """Return what a forecast goes by, and what a run reached."""
    text, base = read_corpus([str(corpus)]), trained["start"]
    start = choose_start(base or "none", Config(data=config.data, run=config.run), set(), text)
    ready = prepare(start, text, set())
    read = trained["steps"] * NextCharacter(config, ready.train_ids, ready.val_ids).step_size
    return {
        "base": base,
        "lines": config.data.lines,
        "ngrams": round(ngrams_of(ready), 4),
        "before": round(measure(Model.load(base), text).nats, 4) if base else None,
        "read": read,
        "passes": round(read / min(len(ready.train_ids), MILLION), 4),
        "val_loss": round(trained["val_loss"], 4),
    }


def from_nothing(row: Row) -> tuple[list[float], float]:
    """Return what is multiplied by k and s, and what is to be explained."""
    known = math.log(row["ngrams"])
    return [1, math.log2(1 + FROM_NOTHING.much / row["read"])], math.log(row["val_loss"]) - known


def from_base(row: Row) -> tuple[list[float], float]:
    """Return what is multiplied by k, a, b and s, and what is to be explained."""
    often = math.log2(1 + FROM_BASE.much / row["passes"])
    features = [1, math.log(row["ngrams"]), math.log(row["before"]), often]
    return features, math.log(row["val_loss"])


def fitted(
    rows: list[Row], law: Callable[[Row], tuple[list[float], float]]
) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return the numbers that fit best, each text counting as one."""
    texts = [row["text"] for row in rows]
    weights = np.array([texts.count(text) ** -0.5 for text in texts])
    features, wanted = zip(*map(law, rows), strict=True)
    solution = np.linalg.lstsq(np.array(features) * weights[:, None], wanted * weights, rcond=None)
    return np.asarray(solution[0])


def errors(
    rows: list[Row], law: Callable[[Row], tuple[list[float], float]]
) -> Iterator[tuple[Row, float]]:
    """Yield each row and the share by which a forecast fitted to other texts is off."""
    for text, own in groupby(sorted(rows, key=lambda row: row["text"]), lambda row: row["text"]):
        numbers = fitted([row for row in rows if row["text"] != text], law)
        for row in own:
            features, wanted = law(row)
            yield row, math.exp(float(np.dot(features, numbers)) - wanted) - 1


def fit(path: Path) -> None:
    """Print the numbers and the errors."""
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    for name, law, chosen in (
        ("from nothing: k, s", from_nothing, [row for row in rows if not row["base"]]),
        ("from a base: k, a, b, s", from_base, [row for row in rows if row["base"]]),
    ):
        print(f"{name} = {', '.join(f'{number:.3f}' for number in fitted(chosen, law))}")
        found = list(errors(chosen, law))
        for row, error in found:
            how = f"{row['seconds']:g} s {row['options']}"
            print(f"  {row['text']:20} {how:24} {row['val_loss']:.3f} {error:+.1%}")
        sizes = sorted(abs(error) for _, error in found)
        print(f"  four of five are within {sizes[math.ceil(0.8 * len(sizes)) - 1]:.1%}")


def main() -> None:
    """Run or fit."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parts = parser.add_subparsers(required=True, dest="part")
    part = parts.add_parser("run")
    part.add_argument("corpus", type=Path, nargs="+")
    part.add_argument("--times", type=float, nargs="+", default=[20, 60])
    part.add_argument("--options", type=shlex.split, default=[], help="further ones of train")
    parts.add_parser("fit").add_argument("rows", type=Path)
    args = parser.parse_args()
    if args.part == "fit":
        fit(args.rows)
        return
    for corpus in args.corpus:
        for seconds in args.times:
            print(json.dumps(run(corpus, seconds, args.options)), flush=True)


if __name__ == "__main__":
    main()
