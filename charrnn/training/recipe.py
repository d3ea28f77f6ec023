"""What to train, and for how long, on this text in this time: the settings that were not given.

The rules were found by measurement: benchmarks/QUALITY.md has the figures. With ``--steps`` or
``--epochs`` the choice depends on nothing but text and settings. With ``--time`` the speed of
training is measured first, in a short timing run.
"""

import math
import statistics
from collections.abc import Collection
from contextlib import closing
from dataclasses import replace
from itertools import pairwise
from typing import NamedTuple

from charrnn.config import CELL_RATES, Config, ModelConfig
from charrnn.nn.network import make_cell
from charrnn.parallel import mpi
from charrnn.parallel.group import Group
from charrnn.parallel.launch import MIN_WINDOWS, count_teams, default_workers
from charrnn.parallel.machine import available_cores, available_memory
from charrnn.text.vocabulary import Ids
from charrnn.training import memory
from charrnn.training.loop import train_events
from charrnn.training.state import initial_state
from charrnn.training.step import Trainer

# Units per layer to choose from: sizes that BLAS is quick with. The largest is chosen that
# reads this many characters for each of its recurrent weights: with fewer, a smaller one is better.
SIZES = (48, 64, 96, 128, 192, 256, 384, 512, 768, 1024)
CHARS_PER_WEIGHT = 3.5

# Passes through a text after which nothing more is learned: from nothing, and from a model that
# predicts the text already, at most. It does if its cross-entropy is lower than that of the
# character frequencies alone by the share MIN_GAIN: by 0.4 or more on texts in its language, by
# 0.12 or less on others.
MAX_PASSES, MAX_TUNING_PASSES, MIN_GAIN = 150, 40, 0.25

# On a shorter text, the units of one network are divided among several: how many, from which
# product of passes and weights per character on; and the smallest of them.
LONG_TEXT, DIVISIONS, MIN_UNITS = 100_000, {4: 400.0, 2: 50.0}, 32

# On a longer text, several networks of half the units take the place of one: the fewest units of
# each, the most networks, and their largest cost in costs of the one.
MIN_UNITS_OF_MANY, MAX_MEMBERS, MAX_COST = 256, 4, 1.25

# Cores for each network, the largest batch that teaches more in a step than a smaller one, and the
# fewest steps of a pass through the text that leave a batch that large.
CORES_PER_NETWORK, MAX_BATCH, MIN_STEPS = 2, 128, 50

# The steps of a pass through a short text, if that takes no smaller batch than this.
SHORT_PASS, MIN_BATCH = 10, 8

# The units and the batch for which a peak rate of Adam holds; more units or fewer windows need a
# lower one.
FULL_RATE_UNITS, FULL_RATE_BATCH = 256, 32

# Passes from which on a run that starts from a model needs as much dropout as one from nothing.
LONG_TUNING = 4

# The most steps of a timing run, and its largest share of the run. The units of the network that is
# timed if the size is to be chosen.
TIMING_STEPS, TIMING_SHARE, TIMED_UNITS = 16, 0.02, 256

# Fixed cost per character, in multiply-adds.
FIXED_COST = 45_000


class Recommendation(NamedTuple):
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
    gain: float | None = None,
) -> Recommendation:
    """Choose the settings that were not given.

    config      fitted to the text; what is not fixed is replaced
    fixed       names of the settings that were given
    train_ids   the training text
    gain        of the model that the run starts from, see MIN_GAIN; None: from nothing
    """
    run, model, chars = config.run, config.model, len(train_ids)
    fine_tuning, max_passes = gain is not None, MAX_PASSES
    if gain is not None and gain >= MIN_GAIN:
        max_passes = math.ceil(MAX_TUNING_PASSES * share_to_learn(gain))
    unlimited = run.epochs is None and run.steps is None
    budget = Budget(config, train_ids, vocab_size, max_passes * chars if unlimited else math.inf)
    if "hidden_size" in fixed:
        budget.measure(model)
    else:
        budget.measure(replace(model, hidden_size=TIMED_UNITS))
        model = choose_size(model, budget)
        if run.seconds is not None and model.hidden_size > TIMED_UNITS:
            # Larger weights may not fit the CPU's caches, and cost more than their number.
            budget.measure(model)
            model = choose_size(model, budget, model.hidden_size)
        if "members" not in fixed:
            model = choose_members(model, budget)
    passes = budget.worth_reading(model) / chars
    enough = budget.max_read(model) > budget.max_chars
    dropout, weight_drop = choose_dropout(model, passes, chars, fine_tuning=fine_tuning)
    if "dropout" not in fixed:
        model = replace(model, dropout=dropout)
    if "weight_drop" not in fixed:
        model = replace(model, weight_drop=weight_drop)
    config = replace(config, model=model)
    if "learning_rate" not in fixed and config.optimizer.name == "adam":
        rate = choose_rate(model, config.data.batch_size)
        if gain is not None:
            rate = lower_rate(rate, passes, gain)
        config = replace(config, optimizer=replace(config.optimizer, learning_rate=rate))
    if enough:
        config = replace(config, run=replace(run, epochs=max_passes))
    return Recommendation(config, passes, enough)


def use_cores(config: Config, fixed: Collection[str], chars: int) -> Config:
    """Set the number of networks and the batch size from the cores.

    Only a run with a time limit depends on the machine.

    fixed   names of the settings that were given
    chars   of the training text
    """
    data, members, launched = config.data, config.model.members, mpi.launched_processes()
    if config.run.seconds is None:
        return config
    given = launched if launched > 1 else config.run.workers
    processes = given or available_cores()
    if {"hidden_size", "members"}.isdisjoint(fixed):
        members = MAX_MEMBERS
        # Of five cores, four are used; five processes that were asked for are one team.
        while members > 1 and (
            processes < CORES_PER_NETWORK * members or (given and processes % members)
        ):
            members //= 2
    # Of five cores, two networks use four.
    teams = count_teams(processes, members) if given else min(processes, members)
    batch_size = min(processes // teams * MIN_WINDOWS, MAX_BATCH)
    too_large = batch_size * data.seq_length * MIN_STEPS > chars
    if "batch_size" not in fixed and not too_large:
        data = replace(data, batch_size=max(data.batch_size, batch_size))
    return replace(config, data=data, model=replace(config.model, members=members))


def shrink_batch(config: Config, fixed: Collection[str], chars: int) -> Config:
    """Make the batch smaller if a pass through a short text would have few steps.

    With a given number of steps, that would mean to read less.
    """
    data, run = config.data, config.run
    if "batch_size" in fixed or run.steps is not None:
        return config
    windows = chars // (data.stride or data.seq_length)
    smallest = max(MIN_BATCH, run.workers or mpi.launched_processes())
    batch_size = max(_power_of_two(windows // SHORT_PASS), smallest)
    return replace(config, data=replace(data, batch_size=min(data.batch_size, batch_size)))


class Budget:
    """How many characters a run can read with a model of a given size.

    config      each of its networks is trained by a team of processes of its own
    max_chars   the most that are worth reading
    """

    def __init__(self, config: Config, train_ids: Ids, vocab_size: int, max_chars: float) -> None:
        self.config, self.train_ids, self.vocab_size = config, train_ids, vocab_size
        self.max_chars, self.teams = max_chars, config.model.members
        self._work = 0.0  # multiply-adds per second of each team
        step_chars = config.data.seq_length * config.data.batch_size
        steps, epochs = config.run.steps or math.inf, config.run.epochs or math.inf
        self._limit = min(steps * step_chars, epochs * len(train_ids))

    def measure(self, model: ModelConfig) -> None:
        """Measure how fast as many networks like this as there are teams are trained."""
        if self.config.run.seconds is not None:
            config = replace(self.config, model=model)
            self._work = measure_speed(config, self.train_ids, self.vocab_size) * self.cost(model)

    def cost(self, model: ModelConfig) -> int:
        """Return the multiply-adds per character of one network."""
        return FIXED_COST + recurrent_weights(model) + self.vocab_size * model.hidden_size

    def max_read(self, model: ModelConfig) -> float:
        """Return the number of characters that can be read."""
        seconds, per_team = self.config.run.seconds, model.members / self.teams
        if seconds is None:
            return self._limit
        return min(self._work * seconds / (self.cost(model) * per_team), self._limit)

    def worth_reading(self, model: ModelConfig) -> float:
        """Return the number of characters that can be read and are worth it."""
        return min(self.max_read(model), self.max_chars)

    def fits(self, model: ModelConfig) -> bool:
        """Return False if a run with a time limit has no memory for this model."""
        run, free = self.config.run, available_memory()
        if run.seconds is None or free is None:
            return True
        config = _with_workers(replace(self.config, model=model))
        return memory.estimate(config, self.vocab_size, self.train_ids) <= free


def measure_speed(config: Config, train_ids: Ids, vocab_size: int) -> float:
    """Return how many characters a second this machine trains on, by a short timing run."""
    budget, group = TIMING_SHARE * (config.run.seconds or math.inf), None
    trial = _with_workers(config)
    run = replace(trial.run, seconds=None, epochs=None, steps=TIMING_STEPS)
    state = initial_state(trial, vocab_size)
    if (launched := mpi.launched_processes()) > 1:
        # One process measures its share of the batch.
        batch_size = max(trial.data.batch_size // launched, 1)
        trial = replace(trial, data=replace(trial.data, batch_size=batch_size))
        group = Group(state.networks[0].flat.size, trial.model.dtype)
    trainer = Trainer(replace(trial, run=run), train_ids, train_ids[:0], state, group)
    ends = [0.0]
    with closing(train_events(trainer)) as events:
        for event in events:
            ends.append(event.seconds)
            if event.step > 1 and event.seconds > budget:
                break
    # The first step makes the scratch memory.
    seconds = [after - before for before, after in pairwise(ends)]
    return launched * trainer.step_chars / statistics.median(seconds[1:] or seconds)


def _with_workers(config: Config) -> Config:
    """Return the config with the number of workers that would train it."""
    data = config.data
    workers = config.run.workers or default_workers(config.model, data.seq_length, data.batch_size)
    return replace(config, run=replace(config.run, workers=workers))


def recurrent_weights(model: ModelConfig) -> int:
    """Return the number of weights of all products with the state of a layer below or before."""
    matrices = 2 * model.layers - 1
    return matrices * make_cell(model.cell).gates * model.hidden_size**2


def choose_size(model: ModelConfig, budget: Budget, largest: int = SIZES[-1]) -> ModelConfig:
    """Return the model in the largest size that reads enough characters for its weights."""
    sizes = [replace(model, hidden_size=size) for size in SIZES if size <= largest]
    sizes = [sized for sized in sizes if budget.fits(sized)] or sizes[:1]
    read = [
        it for it in sizes if budget.worth_reading(it) >= CHARS_PER_WEIGHT * recurrent_weights(it)
    ]
    return read[-1] if read else sizes[0]


def choose_members(model: ModelConfig, budget: Budget) -> ModelConfig:
    """Return an ensemble of equal cost that predicts better than networks of this size."""
    chars, teams, size = len(budget.train_ids), budget.teams, model.hidden_size
    if chars < LONG_TEXT:
        # The sooner one network would memorize the text, the more several smaller ones gain.
        overfit = budget.worth_reading(model) / chars * (recurrent_weights(model) / chars)
        count = next((count for count, least in DIVISIONS.items() if overfit >= least), 1)
        count = min(count, _power_of_two(size // MIN_UNITS))
        if count == 1:  # more networks of full size would gain little on a text as short as that
            return model
        return replace(model, hidden_size=size // count, members=max(count, teams))
    if size <= MIN_UNITS_OF_MANY:
        return model
    max_cost, half = MAX_COST * budget.cost(model), max(size // 2, MIN_UNITS_OF_MANY)
    smaller = [replace(model, hidden_size=each) for each in SIZES if half <= each < size]
    count = int(max_cost / budget.cost(smaller[0]))
    count = _power_of_two(min(count, MAX_MEMBERS // teams))
    affordable = [each for each in smaller if count * budget.cost(each) <= max_cost]
    return model if count == 1 else replace(affordable[-1], members=count * teams)


def _power_of_two(number: int) -> int:
    """Return the largest power of two up to a number, at least 1."""
    return 1 << (max(number, 1).bit_length() - 1)


def choose_dropout(
    model: ModelConfig, passes: float, chars: int, *, fine_tuning: bool
) -> tuple[float, float]:
    """Return dropout and weight drop, rounded to 0.05.

    It takes many passes, and many weights for each character, to memorize a text. What each network
    memorizes is lost in the mean of several. When fine-tuning, dropping more than a fifth of the
    recurrent weights destroys what the model knows.
    """
    members, largest = math.log2(model.members), (0.5, 0.7)
    overfit = passes * recurrent_weights(model) / chars
    chances = [
        0.08 * math.log2(passes / 2.5) - 0.07 * members * (chars < LONG_TEXT),
        0.07 * math.log2(overfit) - 0.03 - 0.08 * members,
    ]
    if fine_tuning:
        excess, largest = math.log2(max(overfit, 1.0)), (0.35, 0.2)
        fewest = [0.06 * excess - 0.1, 0.04 * excess - 0.1]
        chances = [*map(max, chances, fewest)] if passes >= LONG_TUNING else fewest
    dropout, weight_drop = (max(round(20 * chance) / 20, 0.0) for chance in chances)
    return min(dropout, largest[0]), min(weight_drop, largest[1])


def choose_rate(model: ModelConfig, batch_size: int) -> float:
    """Return the peak learning rate of Adam, which grows with the square root of the batch.

    Malladi et al. 2022, "On the SDEs and Scaling Rules for Adaptive Gradient Algorithms".
    """
    rate = CELL_RATES[model.cell] * min(FULL_RATE_UNITS / model.hidden_size, 1)
    return float(f"{rate * min(batch_size / FULL_RATE_BATCH, 1) ** 0.5:.2g}")


def lower_rate(rate: float, passes: float, gain: float) -> float:
    """Return the peak learning rate of a run that starts from a model.

    The more often the text is read, and the less there is to learn from it, the less a step may
    undo of what the model knows.
    """
    return float(f"{rate * 0.8 * (3 / max(passes, 3.0)) ** 0.35 * share_to_learn(gain):.2g}")


def share_to_learn(gain: float) -> float:
    """Return how much is to be learned after a start, 0.5 to 1: less if it predicts well."""
    return min(max(2 * (1 - gain) ** 2, 0.5), 1.0)
