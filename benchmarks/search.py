"""The hyperparameter search behind the recipe, including settings that charrnn does not have.

    python benchmarks/search.py corpus.txt --jobs 2 < settings.jsonl >> search.jsonl

Each line of the input is one run: a JSON object with settings by name (hidden_size, dropout,
learning_rate, steps ...), any of the switches below, and these (defaults in parentheses):

    piece    [from, to], the slice of the corpus to use, in characters (all of it)
    judge    share of the slice, at its end, to hold out for the validation loss (0.1)
    skipped  share of the rest, at its end, to leave out (0)

Each line of the output is the same object with val_loss, train_loss, parameters, chars_per_s and
minutes. Runs are limited by steps, so that results do not depend on the load of the machine.
search.jsonl has all runs so far, on tiny Shakespeare, and can be used as input again. Switches that
charrnn does not have:

    no_frequencies   random initial output bias, instead of the log frequencies of the characters
    variational      one dropout mask for all steps of a window (Gal & Ghahramani 2016)
    orthogonal       orthogonal initialization of the recurrent weights
    forget_bias      initial bias of the forget gate (1)
    input_scale      factor on the initial input weights (1)
    output_scale     factor on the initial output weights (1)
    hold             share of the run before the learning rate starts to decay (0)
    power            the learning rate decays as (1 - progress) to this power (1: linear)
    beta1, beta2, epsilon   of Adam
"""

import argparse
import json
import os
import sys
from collections import deque
from dataclasses import fields, replace
from multiprocessing import Pool
from pathlib import Path
from typing import Any
from unittest import mock

os.environ["OPENBLAS_NUM_THREADS"] = "1"

import numpy as np
from charrnn.training.next_character import initial_state
from charrnn.training.optimizers.adam import Adam

from charrnn import LanguageModel, NextCharacter, TrainingState, read_corpus, train_events
from charrnn.config import Config, OptimizerConfig, RunConfig, ScheduleName
from charrnn.nn import network, stack
from charrnn.nn.kernels import Array
from charrnn.nn.stack import drop_mask
from charrnn.scoring.likelihood import evaluate
from charrnn.text.vocabulary import Ids
from charrnn.training import schedule as schedules

SWITCHES = {
    *("piece", "judge", "skipped", "no_frequencies", "variational", "orthogonal", "forget_bias"),
    *("input_scale", "output_scale", "hold", "power", "beta1", "beta2", "epsilon"),
}

RESULTS = {"val_loss", "train_loss", "parameters", "chars_per_s", "minutes"}


def make_config(settings: dict[str, Any]) -> Config:
    """Return the default config with these settings, whichever part each belongs to."""
    base = Config(
        optimizer=OptimizerConfig(learning_rate=0.02), run=RunConfig(seconds=None, steps=1)
    )
    parts: dict[str, Any] = {}
    left = settings.keys() - SWITCHES
    for part in ("model", "data", "optimizer", "run"):
        known = {field.name for field in fields(getattr(base, part))} & left
        parts[part] = replace(getattr(base, part), **{name: settings[name] for name in known})
        left -= known
    if left:
        raise SystemExit(f"unknown: {', '.join(sorted(left))}")
    return replace(base, **parts)


def start(
    config: Config, settings: dict[str, Any], vocab_size: int, ids: Ids
) -> TrainingState[LanguageModel]:
    """Return the state before the first step, changed as the switches say."""
    state = initial_state(config, vocab_size, None if settings.get("no_frequencies") else ids)
    H, rng = config.model.hidden_size, np.random.default_rng(config.run.random_seed)
    for layer in state.network.layers:
        if settings.get("orthogonal"):
            for gate in layer["weight_hh"].reshape(-1, H, H):
                gate[...] = np.linalg.qr(rng.standard_normal((H, H)))[0]
        layer["bias_ih"][H : 2 * H] *= settings.get("forget_bias", 1)
    state.network.layers[0]["weight_ih"][...] *= settings.get("input_scale", 1)
    state.network.params["output.weight"][...] *= settings.get("output_scale", 1)
    return state


def variational(array: Array, chance: float, rng: np.random.Generator | None) -> Array | None:
    """Draw a dropout mask for outputs (T, B, H) that is the same at every step."""
    is_weight = array.ndim == 2
    return drop_mask(array if is_weight else array[:1], chance, rng)


def run(work: tuple[Path, dict[str, Any]]) -> dict[str, Any]:
    """Train with these settings and judge."""
    path, settings = work
    settings = {name: value for name, value in settings.items() if name not in RESULTS}
    config = make_config(settings)
    corpus = read_corpus([str(path)])
    first, last = settings.get("piece", (0, len(corpus.ids)))
    ids = corpus.ids[first:last]
    judged = int(len(ids) * settings.get("judge", 0.1))
    ids, unseen = ids[:-judged], ids[-judged:]
    ids = ids[: round(len(ids) * (1 - settings.get("skipped", 0)))]
    state = start(config, settings, len(corpus.vocabulary), ids)
    adam = {name: settings.get(name, getattr(Adam, name))
            for name in ("beta1", "beta2", "epsilon")}  # fmt: skip
    hold, power = settings.get("hold", 0), settings.get("power", 1)

    def schedule(name: ScheduleName, progress: float) -> float:
        if name != "linear":
            return plain(name, progress)
        return float(min(1, (1 - progress) / (1 - hold)) ** power)

    plain = schedules.schedule
    mask = variational if settings.get("variational") else drop_mask
    with (
        mock.patch.multiple(Adam, **adam),
        mock.patch.object(schedules, "schedule", schedule),
        mock.patch.object(network, "drop_mask", mask),
        mock.patch.object(stack, "drop_mask", mask),
    ):
        objective = NextCharacter(config, ids, ids[:0])
        (event,) = deque(train_events(state, objective, config), maxlen=1)
    nats, chars = evaluate(state.network, unseen)
    return settings | {
        "val_loss": round(nats / chars, 4),
        "train_loss": round(float(state.history[-1]["train_loss"] or 0), 4),
        "parameters": state.network.size,
        "chars_per_s": round(event.chars_per_s),
        "minutes": round(event.seconds / 60, 1),
    }


def main() -> None:
    """Read settings, write results."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--jobs", type=int, default=1)
    args = parser.parse_args()
    work = [(args.corpus, json.loads(line)) for line in sys.stdin if line.strip()]
    with Pool(args.jobs, maxtasksperchild=1) as pool:
        for result in pool.imap(run, work, chunksize=1):
            print(json.dumps(result), flush=True)


if __name__ == "__main__":
    main()
