"""How much text a run can read with a given model: in so many steps, passes or seconds.

Seconds are turned into characters by measuring how fast this machine trains. What a character costs
grows with the weights it is multiplied with, so one measurement tells of models of other sizes too.
"""

import math
import statistics
from collections.abc import Collection
from contextlib import closing
from copy import copy
from dataclasses import replace
from itertools import pairwise

from charrnn.config import Config, ModelConfig
from charrnn.nn.cells import make_cell
from charrnn.parallel.launch import default_workers
from charrnn.text.vocabulary import Ids
from charrnn.training import memory
from charrnn.training.loop import train_events
from charrnn.training.many_cores import side_by_side
from charrnn.training.next_character import NextCharacter, initial_state

# The model whose speed is measured first, if its size is still to be chosen, and how long a
# measurement may take: so many steps, or this share of the run.
TRIAL_SIZE = 256
TRIAL_STEPS = 16
TRIAL_SHARE = 0.02

# What a character costs beside its products with weights, in weights.
FIXED_COST = 45_000


class Budget:
    """How much text a run can read with a given model.

    work       what this machine does in a second; see ``work_per_second``. None: it is measured
    networks   how many of them are trained side by side
    """

    def __init__(  # noqa: PLR0913
        self,
        config: Config,
        fixed: set[str],
        train_ids: Ids,
        vocab_size: int,
        *,
        work: float | None,
        networks: int,
    ) -> None:
        run = config.run
        self.config, self.train_ids, self.vocab_size = config, train_ids, vocab_size
        self.networks = networks
        limits = [
            run.steps and run.steps * NextCharacter(config, train_ids, train_ids[:0]).step_size,
            run.epochs and run.epochs * len(train_ids),
        ]
        self.most = min((limit for limit in limits if limit), default=math.inf)
        self.seconds = run.seconds
        self.measures = self.seconds is not None and work is None
        if self.seconds is not None:
            work = work or work_per_second(config, fixed, train_ids, vocab_size, networks)
            self.work = work * self.seconds

    def measure(self, model: ModelConfig) -> bool:
        """Measure again with this model; return False if nothing is to be measured."""
        if self.seconds is None or not self.measures:
            return False
        config = replace(self.config, model=model)
        self.work = self.seconds * work_per_second(
            config, {"hidden_size"}, self.train_ids, self.vocab_size, self.networks
        )
        return True

    def fits(self, model: ModelConfig) -> bool:
        """Return False if a run with a time limit has no memory for so many of this model."""
        data, run = self.config.data, self.config.run
        free = memory.available()
        if self.seconds is None or free is None:
            return True
        model = side_by_side(model, self.networks)
        workers = run.workers or default_workers(model, data.seq_length, data.batch_size)
        config = replace(self.config, model=model, run=replace(run, workers=workers))
        return memory.estimate(config, self.vocab_size, self.train_ids) <= free

    def cost(self, model: ModelConfig) -> int:
        """Return what a character costs, in weights."""
        return cost(model, self.vocab_size)

    def divided(self, networks: float) -> "Budget":
        """Return what is left for each of so many networks that the same processes train.

        Below 1: what one has to which the processes of several networks are given.
        """
        part = copy(self)
        if self.seconds is not None:
            part.work = self.work / networks
        return part

    def readable(self, model: ModelConfig) -> float:
        """Return the number of characters that can be read."""
        if self.seconds is None:
            return self.most
        return min(self.work / self.cost(model), self.most)


def cost(model: ModelConfig, vocab_size: int) -> int:
    """Return what a character costs, in weights."""
    recurrent = recurrent_weights(model) // model.members
    return FIXED_COST + recurrent + vocab_size * model.hidden_size


def work_per_second(
    config: Config, fixed: Collection[str], train_ids: Ids, vocab_size: int, networks: int = 1
) -> float:
    """Measure how many characters this machine learns in a second, times what one costs.

    networks   how many of this size learn them side by side
    """
    trial = config.model
    if "hidden_size" not in fixed:
        trial = replace(trial, hidden_size=TRIAL_SIZE)
    model = side_by_side(trial, networks)
    speed = characters_per_second(replace(config, model=model), train_ids, vocab_size)
    return speed * cost(trial, vocab_size)


def characters_per_second(config: Config, train_ids: Ids, vocab_size: int) -> float:
    """Measure the speed of training, in a few steps that teach nobody anything."""
    data, model = config.data, config.model
    workers = config.run.workers or default_workers(model, data.seq_length, data.batch_size)
    run = replace(config.run, seconds=None, epochs=None, steps=TRIAL_STEPS, workers=workers)
    trial = NextCharacter(replace(config, run=run), train_ids, train_ids[:0])
    state = initial_state(config, vocab_size)
    ends, most = [0.0], TRIAL_SHARE * (config.run.seconds or math.inf)
    with closing(train_events(state, trial, trial.config)) as events:
        for event in events:
            ends.append(event.seconds)
            if event.step > 1 and event.seconds > most:
                break
    steps = [after - before for before, after in pairwise(ends)]
    # The first step makes the scratch memory.
    steps = steps[1:] or steps
    return trial.step_size / statistics.median(steps)


def recurrent_weights(model: ModelConfig) -> int:
    """Return the number of weights of all products with the state of a layer below or before.

    Of an ensemble, as if its members were one network.
    """
    matrices = 2 * model.layers - 1
    return matrices * make_cell(model.cell).gates * model.hidden_size**2
