"""What to train, and for how long, on this text in this time: the settings that nobody gave.

The rules were found by measurement: benchmarks/QUALITY.md has the figures, benchmarks/search.py
the runs. They answer the same questions for any text:

    how much can be read?            steps, passes, or the time and the speed of this machine
    how large a model pays?          one that reads enough characters for each of its weights
    how soon is it known by heart?   the sooner, the more is dropped while training
    when is nothing left to get?     a small text is learned long before five minutes are over

With ``--steps`` or ``--epochs`` the answers depend on nothing but the text and the settings. With
``--time`` the speed is measured first, in a few steps of a model of middling size, and once more if
a larger one is chosen.
"""

import math
import statistics
from collections.abc import Collection, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import pairwise

from charrnn.config import Config, ModelConfig
from charrnn.nn.cells import make_cell
from charrnn.parallel.launch import default_workers
from charrnn.text.vocabulary import Ids
from charrnn.training.loop import train_events
from charrnn.training.next_character import NextCharacter, initial_state

# Units per layer to choose from: sizes that BLAS is quick with.
SIZES = (48, 64, 96, 128, 192, 256, 384, 512, 768, 1024)

# Characters to be read for each recurrent weight. Where fewer are read, fewer weights learn more.
READ_PER_WEIGHT = 3.5

# Passes through a text after which nothing more is learned, whatever is dropped.
MOST_PASSES = 150.0

# How many networks to divide the units among, and from which product of passes and weights for each
# character on.
MEMBERS = {4: 400.0, 2: 50.0}
SMALLEST_MEMBER = 32

# The peak rate for up to so many units; more need a lower one.
RATES = {"lstm": 0.03, "gru": 0.02, "rnn": 0.008}
FULL_RATE_SIZE = 256

# The model whose speed is measured first, if its size is still to be chosen, and how long a
# measurement may take: so many steps, or this share of the run.
TRIAL_SIZE = 256
TRIAL_STEPS = 16
TRIAL_ROUND = 4  # of local steps, between which there is a meeting of machines
TRIAL_SHARE = 0.02

# What a character costs beside its products with weights, in weights.
FIXED_COST = 45_000


@dataclass(frozen=True)
class Recommendation:
    """A complete config, and what it was chosen for.

    passes   how often the run will read the text, about
    enough   True if more passes would not help, so that the run ends before its time
    fixed    names of the settings that someone gave
    fine_tuning   the run starts from a model that predicts the text already
    """

    config: Config
    passes: float
    enough: bool
    fixed: frozenset[str] = frozenset()
    fine_tuning: bool = False

    def for_passes(self, passes: float, chars: int) -> "Recommendation":
        """Return the same with what is dropped chosen for another number of passes.

        chars   of the training text
        """
        model = _dropped(self.config.model, self.fixed, passes, chars, fine_tuning=self.fine_tuning)
        return replace(self, config=replace(self.config, model=model), passes=passes)


def recommend(  # noqa: PLR0913  # six, and all of them matter
    config: Config,
    fixed: set[str],
    train_ids: Ids,
    vocab_size: int,
    *,
    fine_tuning: bool = False,
    work: float | None = None,
) -> Recommendation:
    """Choose what nobody fixed.

    config      fitted to the text; what is not fixed is replaced
    fixed       names of the settings that someone gave
    train_ids   what there is to train on
    fine_tuning   the run starts from a model that predicts the text already
    work          what this machine does in a second; see ``work_per_second``. None: it is measured
    """
    budget, chars = _Budget(config, fixed, train_ids, vocab_size, work), len(train_ids)
    model, run = config.model, config.run
    most = MOST_PASSES * chars if run.epochs is run.steps is None else math.inf
    if "hidden_size" not in fixed:
        model = _largest_that_pays(model, SIZES, budget, most)
        if model.hidden_size > TRIAL_SIZE and budget.measure(model):
            # Larger weights may no longer fit the CPU's caches, and cost more than their number.
            smaller = [size for size in SIZES if size <= model.hidden_size]
            model = _largest_that_pays(model, smaller, budget, most)
        if "members" not in fixed:
            passes = min(budget.readable(model), most) / chars
            count = members(passes, recurrent_weights(model) / chars)
            room = max(model.hidden_size // SMALLEST_MEMBER, 1)  # 3 for 96 units, which makes 2
            model = replace(model, members=min(count, 1 << (room.bit_length() - 1)))
    readable = budget.readable(model)
    passes = min(readable, most) / chars
    model = _dropped(model, fixed, passes, chars, fine_tuning=fine_tuning)
    optimizer = config.optimizer
    if "learning_rate" not in fixed and optimizer.name == "adam":
        rate = fine_tuning_rate(model, passes) if fine_tuning else peak_rate(model)
        optimizer = replace(optimizer, learning_rate=rate)
    if readable > most:
        run = replace(run, epochs=math.ceil(MOST_PASSES))
    chosen = replace(config, model=model, optimizer=optimizer, run=run)
    return Recommendation(chosen, passes, readable > most, frozenset(fixed), fine_tuning)


def _largest_that_pays(
    model: ModelConfig, sizes: Sequence[int], budget: "_Budget", most: float
) -> ModelConfig:
    """Return the largest model that reads enough characters for each of its weights.

    most   the most characters that are worth reading
    """
    sized = [replace(model, hidden_size=size) for size in sizes]
    pays = [
        model
        for model in sized
        if min(budget.readable(model), most) >= READ_PER_WEIGHT * recurrent_weights(model)
    ]
    return max(pays, default=sized[0], key=lambda model: model.hidden_size)


def _dropped(
    model: ModelConfig, fixed: Collection[str], passes: float, chars: int, *, fine_tuning: bool
) -> ModelConfig:
    """Return the model with dropout and weight drop for so many passes, if nobody fixed them."""
    overfit = passes * recurrent_weights(model) / chars
    if fine_tuning:
        shares = fine_tuning_dropout(overfit)
    else:
        shares = (
            dropout(passes, model.members),
            weight_drop(passes, recurrent_weights(model) / chars, model.members),
        )
    chosen = dict(zip(("dropout", "weight_drop"), shares, strict=True))
    return replace(model, **{name: p for name, p in chosen.items() if name not in fixed})  # type: ignore[arg-type]


def recurrent_weights(model: ModelConfig) -> int:
    """Return the number of weights of all products with the state of a layer below or before."""
    matrices = 2 * model.layers - 1
    return matrices * make_cell(model.cell).gates * model.hidden_size**2


def members(passes: float, weights_per_char: float) -> int:
    """Return how many networks to divide the units among.

    The sooner one network would know the text by heart, the more several smaller ones gain.
    """
    soon = passes * weights_per_char
    return next((count for count, least in MEMBERS.items() if soon >= least), 1)


def dropout(passes: float, members: int = 1) -> float:
    """Return the dropout for a text that is read so many times. Small networks need less of it."""
    share = 0.08 * math.log2(passes / 2.5) - 0.07 * math.log2(members)
    return min(max(round(20 * share) / 20, 0.0), 0.5)


def weight_drop(passes: float, weights_per_char: float, members: int = 1) -> float:
    """Return the share of recurrent weights to drop.

    It takes many passes and many weights for each character of the text to learn it by heart.
    """
    share = 0.07 * math.log2(passes * weights_per_char) - 0.03 - 0.22 * math.log2(members)
    return min(max(round(20 * share) / 20, 0.0), 0.7)


def peak_rate(model: ModelConfig) -> float:
    """Return the peak learning rate of Adam."""
    rate = RATES[model.cell] * min(FULL_RATE_SIZE / model.hidden_size, 1)
    return float(f"{rate:.2g}")


def fine_tuning_rate(model: ModelConfig, passes: float) -> float:
    """Return the peak learning rate of Adam for a run that starts from a model.

    The more often the text is read, the less a step may undo of what the model knows.
    """
    share = 0.8 * (3 / max(passes, 3.0)) ** 0.35
    return float(f"{peak_rate(model) * share:.2g}")


def fine_tuning_dropout(overfit: float) -> tuple[float, float]:
    """Return dropout and weight drop for a run that starts from a model.

    overfit   passes times recurrent weights for each character of the text

    Dropping more weights than a fifth destroys what the model knows, however long the run.
    """
    size = math.log2(max(overfit, 1.0))
    shares = (round(20 * (slope * size - 0.1)) / 20 for slope in (0.06, 0.04))
    first, second = (max(share, 0.0) for share in shares)
    return min(first, 0.35), min(second, 0.2)


class _Budget:
    """How much text a run can read with a given model."""

    def __init__(
        self,
        config: Config,
        fixed: set[str],
        train_ids: Ids,
        vocab_size: int,
        work: float | None,
    ) -> None:
        run = config.run
        self.config, self.train_ids, self.vocab_size = config, train_ids, vocab_size
        limits = [
            run.steps and run.steps * NextCharacter(config, train_ids, train_ids[:0]).step_size,
            run.epochs and run.epochs * len(train_ids),
        ]
        self.most = min((limit for limit in limits if limit), default=math.inf)
        self.seconds = run.seconds
        self.measures = self.seconds is not None and work is None
        if self.seconds is not None:
            work = work or work_per_second(config, fixed, train_ids, vocab_size)
            self.work = work * self.seconds

    def measure(self, model: ModelConfig) -> bool:
        """Measure again with this model; return False if nothing is to be measured."""
        if self.seconds is None or not self.measures:
            return False
        config = replace(self.config, model=model)
        self.work = self.seconds * work_per_second(
            config, {"hidden_size"}, self.train_ids, self.vocab_size
        )
        return True

    def readable(self, model: ModelConfig) -> float:
        """Return the number of characters that can be read."""
        if self.seconds is None:
            return self.most
        return min(self.work / _cost(model, self.vocab_size), self.most)


def _cost(model: ModelConfig, vocab_size: int) -> int:
    """Return what a character costs, in weights."""
    return FIXED_COST + recurrent_weights(model) + vocab_size * model.hidden_size


def work_per_second(
    config: Config, fixed: Collection[str], train_ids: Ids, vocab_size: int
) -> float:
    """Measure how many characters this machine learns in a second, times what one costs."""
    trial = config.model
    if "hidden_size" not in fixed:
        trial = replace(trial, hidden_size=TRIAL_SIZE)
    speed = characters_per_second(replace(config, model=trial), train_ids, vocab_size)
    return speed * _cost(trial, vocab_size)


def characters_per_second(config: Config, train_ids: Ids, vocab_size: int) -> float:
    """Measure the speed of training, in a few steps that teach nobody anything."""
    data, model = config.data, config.model
    workers = config.run.workers or default_workers(model, data.seq_length, data.batch_size)
    every = 1 if config.run.sync_every == 1 else TRIAL_ROUND
    run = replace(
        config.run, seconds=None, epochs=None, steps=TRIAL_STEPS, workers=workers, sync_every=every
    )
    trial = NextCharacter(replace(config, run=run), train_ids, train_ids[:0])
    state = initial_state(config, vocab_size)
    ends = [0.0]
    with closing(train_events(state, trial, trial.config)) as events:
        for event in events:
            ends.append(event.seconds)
            if event.step > 1 and event.seconds > TRIAL_SHARE * (config.run.seconds or math.inf):
                break
    steps = [after - before for before, after in pairwise(ends)]
    # The first step makes the scratch memory.
    return trial.step_size / statistics.median(steps[1:] or steps)
