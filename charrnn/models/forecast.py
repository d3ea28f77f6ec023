"""What training on a text will choose, take and reach, before it is trained on.

What it chooses is what ``charrnn train`` would choose: the same code decides. The loss is that of
the network on the held-out text, as training reports it, without n-grams beside it. It follows
from three things that are measured in a second or two: what an n-gram model of the text leaves of
its held-out part (H), what the base model leaves of the text before training, if the run starts
from one (B), and how much the run will read, in characters (R) and in passes through the text, or
through a million characters of a longer one (P):

    from nothing    ln loss = k + ln H + s log2(1 + 1,000,000 / R)
    from a base     ln loss = k + a ln H + b ln B + s log2(1 + 3 / P)

``benchmarks/forecast.py`` fits the numbers to runs of charrnn; benchmarks/QUALITY.md says how well
they foretell runs on other texts.
"""

import math
import time
from contextlib import closing
from dataclasses import dataclass, replace

import numpy as np

from charrnn.config import Config
from charrnn.models.prepared import Prepared, prepare
from charrnn.models.runs import with_workers
from charrnn.models.start import choose_start
from charrnn.ngrams.kneser_ney import build_ngrams
from charrnn.nn.language_model import param_shapes
from charrnn.nn.parameters import count
from charrnn.text.corpus import Corpus
from charrnn.text.lines import split_lines
from charrnn.text.split import split
from charrnn.text.vocabulary import Ids
from charrnn.training.budget import work_per_second
from charrnn.training.loop import train_events
from charrnn.training.next_character import NextCharacter, initial_state
from charrnn.training.recipe import Recommendation, recommend


@dataclass(frozen=True)
class Law:
    """The numbers of a formula above, and the share by which four of five forecasts err at most.

    much   what is much to read: in characters, or in passes through the text
    """

    k: float
    a: float
    b: float
    s: float
    much: float
    error: float

    def nats(self, ngrams: float, base: float | None, read: float) -> float:
        """Return the loss to expect, in nats per character.

        read   how much the run will read, in the unit of ``much``
        """
        log = self.k + self.a * math.log(ngrams) + self.s * math.log2(1 + self.much / read)
        return math.exp(log + (self.b * math.log(base) if base else 0.0))


MILLION = 1_000_000
FROM_NOTHING = Law(k=-0.139, a=1.0, b=0.0, s=0.056, much=MILLION, error=0.07)
FROM_BASE = Law(k=-0.282, a=0.790, b=0.316, s=0.029, much=3, error=0.07)

# Times to choose from, in seconds, and the share of the loss that twice the time must save.
TIMES = (20, 60, 120, 300, 600)
WORTH = 0.015

# Characters that are counted for H, from all over a text; and what a forecast needs.
COUNTED, PIECES = MILLION, 10
FEWEST = 200
# The share to hold out for H where training holds none out, and how much of a text is looked at.
SHARE_OUT, LARGEST = 0.1, 1 << 26
# Seconds to start Python and to save; and of a run whose share for measuring the speed is enough.
AROUND, TRIAL = 1.0, 30.0
# Seconds for which the speed of a run is measured that will end before its time.
MEASURED = 1.5


@dataclass(frozen=True)
class Forecast:
    """What a training run would be.

    seconds          the time to give
    takes            seconds that the whole command takes, less if nothing is left to learn
    start            the base model to start from; None: random weights
    recommendation   what training will choose
    parameters       numbers that are learned
    nats             the loss to expect on held-out text, in nats per character
    low, high        four of five runs are between these
    ngrams           what an n-gram model leaves, in nats per character
    held_out         whether training holds text out, and so reports that loss
    """

    seconds: float
    takes: float
    start: str | None
    recommendation: Recommendation
    parameters: int
    nats: float
    low: float
    high: float
    ngrams: float
    held_out: bool

    @property
    def perplexity(self) -> float:
        """The effective number of choices per character."""
        return math.exp(self.nats)


def forecast(corpus: Corpus, *, lines: bool = False, reading: float = 0.0) -> Forecast | None:
    """Say what training on a text would choose, take and reach; None for a text too short for it.

    lines     whether each line would be an example of its own
    reading   seconds that it takes to read the text
    """
    if len(corpus.ids) < FEWEST or len(corpus.vocabulary) < 2:  # noqa: PLR2004
        return None
    began, share = time.perf_counter(), min(1.0, LARGEST / len(corpus.ids))
    corpus, config = _shortened(corpus), Config()
    config = replace(config, data=replace(config.data, lines=lines))
    start = choose_start(None, config, set(), corpus)
    ready = prepare(start, corpus, set())
    before, began = time.perf_counter() - began + reading + AROUND, time.perf_counter()
    trial = replace(ready.config, run=replace(ready.config.run, seconds=TRIAL))
    work = work_per_second(trial, ready.fixed, ready.train_ids, len(ready.corpus.vocabulary))
    chosen_in, ngrams = time.perf_counter() - began, ngrams_of(ready)
    base = start.fit.nats if start.fit else None
    law = FROM_BASE if base else FROM_NOTHING
    runs = [_chosen(ready, seconds, work, fine_tuning=base is not None) for seconds in TIMES]
    read = [run.passes * len(ready.train_ids) for run in runs]
    unit = min(len(ready.train_ids), MILLION) if base else 1
    losses = [law.nats(ngrams, base, chars / unit) for chars in read]
    best = _worthwhile(runs, losses)
    run, nats = runs[best], losses[best]
    takes = before + min(chosen_in + _seconds(run, ready), TIMES[best])
    run = replace(run, passes=run.passes * share)
    model = run.config.model
    return Forecast(
        seconds=TIMES[best],
        takes=takes,
        start=start.name,
        recommendation=run,
        parameters=count(param_shapes(model, len(ready.corpus.vocabulary))),
        nats=nats,
        low=nats * (1 - law.error),
        high=nats * (1 + law.error),
        ngrams=ngrams,
        held_out=len(ready.val_ids) > 0,
    )


def _shortened(corpus: Corpus) -> Corpus:
    """Return as much of a text as can be read in any of TIMES, and more."""
    return replace(corpus, ids=corpus.ids[:LARGEST]) if len(corpus.ids) > LARGEST else corpus


def ngrams_of(ready: Prepared) -> float:
    """Return what n-grams of the training text leave of the held-out text."""
    train_ids, val_ids = ready.train_ids, ready.val_ids
    if not len(val_ids):
        data = ready.config.data
        train_ids, val_ids = (
            split_lines(train_ids, SHARE_OUT, 0) if data.lines else split(train_ids, SHARE_OUT)
        )
    ngrams = build_ngrams(_from_all_over(train_ids), len(ready.corpus.vocabulary), 5)
    p, _, _ = ngrams.score(ngrams.start(1), val_ids[:-1, None], val_ids[1:, None])
    return -float(np.log(p).mean())


def _from_all_over(ids: Ids) -> Ids:
    """Return up to COUNTED of the ids, as pieces from all over the text."""
    if len(ids) <= COUNTED:
        return ids
    length = COUNTED // PIECES
    starts = np.linspace(0, len(ids) - length, PIECES).astype(int)
    pieces: Ids = np.concatenate([ids[start : start + length] for start in starts])
    return pieces


def _chosen(ready: Prepared, seconds: float, work: float, *, fine_tuning: bool) -> Recommendation:
    """Return what training would choose for this time."""
    config = replace(ready.config, run=replace(ready.config.run, seconds=float(seconds)))
    size = len(ready.corpus.vocabulary)
    return recommend(
        config,
        ready.fixed,
        ready.train_ids,
        size,
        fine_tuning=fine_tuning,
        known=fine_tuning,  # a base model is taken only if it predicts the text
        work=work,
    )


def _worthwhile(runs: list[Recommendation], losses: list[float]) -> int:
    """Return which time is worth giving: the first of which twice as much would save little."""
    for number, (run, loss, later) in enumerate(zip(runs, losses, losses[1:], strict=False)):
        doublings = math.log2(TIMES[number + 1] / TIMES[number])
        if run.enough or (loss - later) / doublings < WORTH * loss:
            return number
    return len(runs) - 1


def _seconds(run: Recommendation, ready: Prepared) -> float:
    """Return after which time nothing is left to learn."""
    if not run.enough or run.config.run.epochs is None:
        return math.inf
    objective = NextCharacter(run.config, ready.train_ids, ready.train_ids[:0])
    steps = run.config.run.epochs * objective.batches.steps_per_epoch
    return steps * seconds_per_step(run.config, ready, objective)


def seconds_per_step(config: Config, ready: Prepared, objective: NextCharacter) -> float:
    """Measure how long a step of training takes, as a mean over MEASURED seconds.

    Other load on the machine counts, as it will when the run trains.
    """
    run = replace(config.run, seconds=2 * MEASURED, epochs=None)
    config = with_workers(replace(config, run=run))
    state = initial_state(config, len(ready.corpus.vocabulary))
    with closing(train_events(state, objective, config)) as events:
        first = last = next(events)  # which makes the scratch memory
        for last in events:
            if last.seconds >= first.seconds + MEASURED:
                break
    return (last.seconds - first.seconds) / max(last.step - first.step, 1)
