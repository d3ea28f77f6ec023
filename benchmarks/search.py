"""The hyperparameter search behind the recipe.

    python benchmarks/search.py corpus.txt --jobs 2 < settings.jsonl >> search.jsonl

Each line of the input is one run: a JSON object with settings by name (hidden_size, dropout,
learning_rate, batch_size, steps ...), and any of these (defaults in parentheses):

    piece            [from, to], the slice of the corpus to use, in characters (all of it)
    judge            share of the slice, at its end, to hold out for the validation loss (0.1)
    skipped          share of the rest, at its end, to leave out (0)
    no_frequencies   random initial output bias, instead of the frequencies of characters (false)

Each line of the output is the same object with val_loss, train_loss, parameters, chars_per_s and
minutes. Runs are limited by steps, so that results do not depend on the load of the machine.
search.jsonl has the runs on tiny Shakespeare. Some have settings of experiments that are not in
charrnn any more: variational dropout, orthogonal weights, scales, other schedules and Adams.
"""

import json
import os
import sys
from collections import deque
from dataclasses import fields, replace
from multiprocessing import Pool
from pathlib import Path
from typing import Any

os.environ["OPENBLAS_NUM_THREADS"] = "1"

from measuring import make_parser

from charrnn import Config, RunConfig, Trainer, initial_state, read_corpus, train_events
from charrnn.nn.ensemble import Ensemble
from charrnn.scoring.likelihood import evaluate

SWITCHES = {"piece", "judge", "skipped", "no_frequencies"}
RESULTS = {"val_loss", "train_loss", "parameters", "chars_per_s", "minutes"}


def make_config(settings: dict[str, Any]) -> Config:
    """Return the default config with these settings, whichever part each belongs to."""
    base = Config(run=RunConfig(seconds=None, steps=1))
    parts: dict[str, Any] = {}
    left = {"learning_rate": 0.02} | {n: v for n, v in settings.items() if n not in SWITCHES}
    for part in ("model", "data", "optimizer", "run"):
        config = getattr(base, part)
        known = {field.name for field in fields(config)} & left.keys()
        parts[part] = replace(config, **{name: left.pop(name) for name in known})
    if left:
        raise SystemExit(f"unknown: {', '.join(sorted(left))}")
    return replace(base, **parts)


def run(work: tuple[Path, dict[str, Any]]) -> dict[str, Any]:
    """Train with these settings and judge."""
    path, given = work
    settings = {name: value for name, value in given.items() if name not in RESULTS}
    config, corpus = make_config(settings), read_corpus([str(path)])
    first, last = settings.get("piece", (0, len(corpus.ids)))
    ids = corpus.ids[first:last]
    judged = int(len(ids) * settings.get("judge", 0.1))
    ids, unseen = ids[:-judged], ids[-judged:]
    ids = ids[: round(len(ids) * (1 - settings.get("skipped", 0)))]
    counted = None if settings.get("no_frequencies") else ids
    state = initial_state(config, len(corpus.vocabulary), counted)
    (event,) = deque(train_events(Trainer(config, ids, ids[:0], state)), maxlen=1)
    nats, chars = evaluate(Ensemble(state.networks), unseen)
    return settings | {
        "val_loss": round(nats / chars, 4),
        "train_loss": round(float(state.history[-1]["train_loss"] or 0), 4),
        "parameters": sum(network.flat.size for network in state.networks),
        "chars_per_s": round(event.chars_per_s),
        "minutes": round(event.seconds / 60, 1),
    }


def main() -> None:
    """Read settings, write results."""
    parser = make_parser(__doc__)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--jobs", type=int, default=1)
    args = parser.parse_args()
    work = [(args.corpus, json.loads(line)) for line in sys.stdin if line.strip()]
    with Pool(args.jobs, maxtasksperchild=1) as pool:
        for result in pool.imap(run, work, chunksize=1):
            print(json.dumps(result), flush=True)


if __name__ == "__main__":
    main()
