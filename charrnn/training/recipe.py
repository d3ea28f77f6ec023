"""What to train, and for how long, on this text in this time: the settings that were not given.

The rules were found by measurement: benchmarks/QUALITY.md has the figures. They hold for any text:

    size          the largest that reads 3.5 characters for each of its recurrent weights
    networks      several small ones instead of one that memorizes a short text, or of one with more
                  than 256 units; on 4 cores or more, one for every two of them
    batch         16 windows for each process of a network
    dropout       the more, the more often the text is read and the larger a network is for it
    rate          falls with the size beyond 256 units
    passes        150 at most: then nothing more is learned

With ``--steps`` or ``--epochs`` the choice depends on nothing but text and settings. With
``--time`` the speed of training is measured first, in a short timing run.
"""

import math
import statistics
from collections.abc import Collection
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import pairwise

from charrnn.config import Config, ModelConfig
from charrnn.nn.stack import make_cell
from charrnn.parallel import mpi
from charrnn.parallel.cores import available_cores
from charrnn.parallel.group import Group
from charrnn.parallel.launch import MIN_WINDOWS, can_fork, count_teams, default_workers
from charrnn.text.vocabulary import Ids
from charrnn.training import memory
from charrnn.training.loop import train_events
from charrnn.training.state import initial_state
from charrnn.training.step import Trainer

# Units per layer to choose from: sizes that BLAS is quick with.
SIZES = (48, 64, 96, 128, 192, 256, 384, 512, 768, 1024)

# Characters to be read for each recurrent weight. Where fewer are read, fewer weights learn more.
CHARS_PER_WEIGHT = 3.5

# Passes through a text after which nothing more is learned: from nothing, and from a model that
# predicts the text already.
MAX_PASSES, MAX_TUNING_PASSES = 150, 20

# On a shorter text, the units of one network are divided among several.
LONG_TEXT = 100_000

# How many, from which product of passes and weights per character on; and the smallest of them.
DIVISIONS = {4: 400.0, 2: 50.0}
MIN_UNITS = 32

# On a longer text, networks of half the units, but at least so many, take the place of one; up to
# so many, for so many times the cost of the one.
MIN_UNITS_OF_MANY, MAX_MEMBERS, MAX_COST = 256, 4, 1.25

# Cores for each network, the largest batch that teaches more in a step than a smaller one, and the
# fewest steps of a pass through the text that leave a batch that large.
CORES_PER_NETWORK, MAX_BATCH, MIN_STEPS = 2, 128, 50

# The peak rate of Adam for up to so many units; more need a lower one.
RATES, FULL_RATE_UNITS = {"lstm": 0.03, "gru": 0.02, "rnn": 0.008}, 256

# Of a model that knows the text, the most dropout and weight drop; from so many passes on, it needs
# as much as one that starts from nothing.
MAX_TUNING_DROPOUT, MAX_TUNING_WEIGHT_DROP, LONG_TUNING = 0.35, 0.2, 4

# A timing run has so many steps, or takes this share of the run. A network of this size is timed if
# the size is to be chosen.
TIMING_STEPS, TIMING_SHARE, TIMED_UNITS = 16, 0.02, 256

# Fixed cost per character, in multiply-adds.
FIXED_COST = 45_000


@dataclass(frozen=True)
class Recommendation:
    """A complete config, and what it was chosen for.

    passes   how often the run will read the text, about
    enough   True if more passes would not help, so that the run ends before its time
    """

    config: Config
    passes: float
    enough: bool


def recommend(
    config: Config,
    fixed: set[str],
    train_ids: Ids,
    vocab_size: int,
    *,
    fine_tuning: bool = False,
    known: bool = False,
    work: float | None = None,
) -> Recommendation:
    """Choose the settings that were not given.

    config        fitted to the text; what is not fixed is replaced
    fixed         names of the settings that were given
    train_ids     the training text
    fine_tuning   the run starts from a model
    known         that model predicts the text already
    work          multiply-adds per second of this machine for each network; None: measured
    """
    run, chars = config.run, len(train_ids)
    max_passes = MAX_TUNING_PASSES if known else MAX_PASSES
    unlimited = run.epochs is None and run.steps is None
    max_chars = max_passes * chars if unlimited else math.inf
    budget = Budget(config, train_ids, vocab_size, max_chars, work)
    model = replace(config.model, members=budget.teams)
    if work is None and run.seconds is not None:
        timed = model if "hidden_size" in fixed else replace(model, hidden_size=TIMED_UNITS)
        budget.measure(timed)
    if "hidden_size" not in fixed:
        model = choose_size(model, budget)
        if work is None and run.seconds is not None and model.hidden_size > TIMED_UNITS:
            # Larger weights may not fit the CPU's caches, and cost more than their number.
            budget.measure(model)
            model = choose_size(model, budget, model.hidden_size)
        if "members" not in fixed:
            model = choose_members(model, budget)
    readable = budget.readable(model)
    passes = min(readable, max_chars) / chars
    chances = choose_dropout(model, passes, chars, fine_tuning=fine_tuning)
    free = {name: chance for name, chance in chances.items() if name not in fixed}
    optimizer = config.optimizer
    if "learning_rate" not in fixed and optimizer.name == "adam":
        rate = choose_rate(model, passes if fine_tuning else None)
        optimizer = replace(optimizer, learning_rate=rate)
    enough = readable > max_chars
    chosen = replace(
        config,
        model=replace(model, **free),  # type: ignore[arg-type]
        optimizer=optimizer,
        run=replace(run, epochs=max_passes) if enough else run,
    )
    return Recommendation(chosen, passes, enough)


def count_networks(config: Config, fixed: Collection[str]) -> int:
    """Return how many networks to train because there are cores for them."""
    if config.run.seconds is None or not {"hidden_size", "members"}.isdisjoint(fixed):
        return config.model.members
    processes, count, given = _count_processes(config), MAX_MEMBERS, _given_processes(config)
    # Of five cores, four are used; five processes that were asked for are one team.
    while count > 1 and (processes < CORES_PER_NETWORK * count or (given and processes % count)):
        count //= 2
    return count


def choose_batch(config: Config, fixed: Collection[str], chars: int) -> Config:
    """Return the config with a batch that gives every process of a network enough windows.

    chars   of the training text
    """
    data, processes, members = config.data, _count_processes(config), config.model.members
    if "batch_size" in fixed or not config.run.seconds:
        return config
    # Of five cores, two networks use four.
    teams = count_teams(processes, members)
    if not _given_processes(config):
        teams = min(processes, members)
    batch_size = min(processes // teams * MIN_WINDOWS, MAX_BATCH)
    if batch_size * data.seq_length * MIN_STEPS > chars:
        return config
    return replace(config, data=replace(data, batch_size=max(data.batch_size, batch_size)))


def _given_processes(config: Config) -> bool:
    """Return True if all processes are to be used, because someone asked for so many."""
    return config.run.workers is not None or mpi.launched_processes() > 1


def _count_processes(config: Config) -> int:
    launched = mpi.launched_processes()
    if launched > 1:
        return launched
    return config.run.workers or (available_cores() if can_fork() else 1)


class Budget:
    """How many characters a run can read with a model of a given size.

    config      of which data, optimizer and limits count; ``members`` networks are trained by teams
                of processes of their own
    max_chars   the most that are worth reading
    work        multiply-adds per second of each team; None: not measured yet
    """

    def __init__(
        self,
        config: Config,
        train_ids: Ids,
        vocab_size: int,
        max_chars: float,
        work: float | None,
    ) -> None:
        self.config, self.train_ids, self.vocab_size = config, train_ids, vocab_size
        self.max_chars, self.work, self.teams = max_chars, work, config.model.members
        run, data = config.run, config.data
        limits = [
            run.steps and run.steps * data.seq_length * data.batch_size,
            run.epochs and run.epochs * len(train_ids),
        ]
        self.limit = min((limit for limit in limits if limit), default=math.inf)

    def cost(self, model: ModelConfig) -> int:
        """Return the multiply-adds per character of one network."""
        return FIXED_COST + recurrent_weights(model) + self.vocab_size * model.hidden_size

    def readable(self, model: ModelConfig) -> float:
        """Return the number of characters that can be read."""
        if self.config.run.seconds is None:
            return self.limit
        assert self.work is not None  # measured before
        per_team = model.members / self.teams
        return min(self.work * self.config.run.seconds / (self.cost(model) * per_team), self.limit)

    def measure(self, model: ModelConfig) -> None:
        """Measure the work of each team, training as many networks like this as there are teams."""
        config = replace(self.config, model=model)
        self.work = measure_speed(config, self.train_ids, self.vocab_size) * self.cost(model)

    def fits(self, model: ModelConfig) -> bool:
        """Return False if a run with a time limit has no memory for this model."""
        data, run, free = self.config.data, self.config.run, memory.available()
        if run.seconds is None or free is None:
            return True
        workers = run.workers or default_workers(model, data.seq_length, data.batch_size)
        config = replace(self.config, model=model, run=replace(run, workers=workers))
        return memory.estimate(config, self.vocab_size, self.train_ids) <= free


def measure_speed(config: Config, train_ids: Ids, vocab_size: int) -> float:
    """Return how many characters a second this machine trains on, by a short timing run."""
    data, run, group = config.data, config.run, None
    workers = run.workers or default_workers(config.model, data.seq_length, data.batch_size)
    if (launched := mpi.launched_processes()) > 1:
        # One process measures its share of the batch.
        data = replace(data, batch_size=max(data.batch_size // launched, 1))
    trial = replace(
        config,
        data=data,
        run=replace(run, seconds=None, epochs=None, steps=TIMING_STEPS, workers=workers),
    )
    state = initial_state(trial, vocab_size)
    if launched > 1:
        group = Group(state.networks[0].flat.size, trial.model.dtype)
    trainer = Trainer(trial, train_ids, train_ids[:0], state, group)
    ends, budget = [0.0], TIMING_SHARE * (run.seconds or math.inf)
    with closing(train_events(trainer)) as events:
        for event in events:
            ends.append(event.seconds)
            if event.step > 1 and event.seconds > budget:
                break
    # The first step makes the scratch memory.
    seconds = [after - before for before, after in pairwise(ends)]
    return launched * trainer.step_chars / statistics.median(seconds[1:] or seconds)


def recurrent_weights(model: ModelConfig) -> int:
    """Return the number of weights of all products with the state of a layer below or before."""
    matrices = 2 * model.layers - 1
    return matrices * make_cell(model.cell).gates * model.hidden_size**2


def choose_size(model: ModelConfig, budget: Budget, largest: int = SIZES[-1]) -> ModelConfig:
    """Return the model in the largest size that reads enough characters for its weights."""
    sizes = [replace(model, hidden_size=size) for size in SIZES if size <= largest]
    sizes = [sized for sized in sizes if budget.fits(sized)] or sizes[:1]
    paying = [
        sized
        for sized in sizes
        if min(budget.readable(sized), budget.max_chars)
        >= CHARS_PER_WEIGHT * recurrent_weights(sized)
    ]
    return paying[-1] if paying else sizes[0]


def choose_members(model: ModelConfig, budget: Budget) -> ModelConfig:
    """Return an ensemble of equal cost that predicts better than networks of this size."""
    chars, teams, size = len(budget.train_ids), budget.teams, model.hidden_size
    if chars < LONG_TEXT:
        passes = min(budget.readable(model), budget.max_chars) / chars
        count = divide_units(passes, recurrent_weights(model) / chars)
        count = min(count, 1 << (max(size // MIN_UNITS, 1).bit_length() - 1))
        if count == 1:
            return model
        # More networks of full size would gain little on a text as short as that.
        return replace(model, hidden_size=size // count, members=max(count, teams))
    if size <= MIN_UNITS_OF_MANY:
        return model
    max_cost = MAX_COST * budget.cost(model)
    half = replace(model, hidden_size=max(size // 2, MIN_UNITS_OF_MANY))
    count = min(int(max_cost / budget.cost(half)), MAX_MEMBERS // teams)
    count = 1 << (max(count, 1).bit_length() - 1)
    if count == 1:
        return model
    sizes = (units for units in SIZES if half.hidden_size <= units < size)
    affordable = [
        units
        for units in sizes
        if count * budget.cost(replace(model, hidden_size=units)) <= max_cost
    ]
    return replace(model, hidden_size=affordable[-1], members=count * teams)


def divide_units(passes: float, weights_per_char: float) -> int:
    """Return how many networks to divide the units of one among, on a short text.

    The sooner one network would memorize the text, the more several smaller ones gain.
    """
    overfit = passes * weights_per_char
    return next((count for count, least in DIVISIONS.items() if overfit >= least), 1)


def choose_dropout(
    model: ModelConfig, passes: float, chars: int, *, fine_tuning: bool
) -> dict[str, float]:
    """Return dropout and weight drop, rounded to 0.05.

    It takes many passes, and many weights for each character, to memorize a text. What each network
    memorizes is lost in the mean of several. When fine-tuning, dropping more than a fifth of the
    recurrent weights destroys what the model knows.
    """
    members = math.log2(model.members)
    overfit = passes * recurrent_weights(model) / chars
    dropout = 0.08 * math.log2(passes / 2.5) - 0.07 * members * (chars < LONG_TEXT)
    weight_drop = 0.07 * math.log2(overfit) - 0.03 - 0.08 * members
    dropout, weight_drop = _round_chance(dropout, 0.5), _round_chance(weight_drop, 0.7)
    if fine_tuning:
        excess = math.log2(max(overfit, 1.0))
        from_nothing = (dropout, weight_drop) if passes >= LONG_TUNING else (0.0, 0.0)
        dropout = max(_round_chance(0.06 * excess - 0.1, 1), from_nothing[0])
        weight_drop = max(_round_chance(0.04 * excess - 0.1, 1), from_nothing[1])
        dropout = min(dropout, MAX_TUNING_DROPOUT)
        weight_drop = min(weight_drop, MAX_TUNING_WEIGHT_DROP)
    return {"dropout": dropout, "weight_drop": weight_drop}


def _round_chance(chance: float, largest: float) -> float:
    return min(max(round(20 * chance) / 20, 0.0), largest)


def choose_rate(model: ModelConfig, tuning_passes: float | None = None) -> float:
    """Return the peak learning rate of Adam.

    tuning_passes   passes of a run that starts from a model; None: from nothing. The more often the
                    text is read, the less a step may undo of what the model knows
    """
    rate = RATES[model.cell] * min(FULL_RATE_UNITS / model.hidden_size, 1)
    if tuning_passes is not None:
        rate = float(f"{rate:.2g}") * 0.8 * (3 / max(tuning_passes, 3.0)) ** 0.35
    return float(f"{rate:.2g}")
