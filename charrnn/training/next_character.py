"""The objective of a language model: predict each next character of a text.

The processes of a group divide each batch among themselves. Of an ensemble, they divide the members
instead, as far as that comes out even: each trains some of them on whole batches, or a team of
processes trains one, on batches that the team divides. Either way a process has fewer weights to
read for larger products.
"""

from dataclasses import replace
from functools import cached_property

import numpy as np

from charrnn.config import Config
from charrnn.inference.evaluation import MAX_VALIDATED, evaluate, evaluate_lines
from charrnn.nn.cells import Array, Params
from charrnn.nn.ensemble import member_views
from charrnn.nn.language_model import LanguageModel
from charrnn.parallel.group import Group, part_of, shared
from charrnn.randomness import Purpose, generator
from charrnn.text.vocabulary import Ids
from charrnn.text.windows import Streams, make_batches
from charrnn.training.state import TrainingState

# Characters that tell how often each occurs.
COUNTED = 1_000_000


class NextCharacter:
    """The objective of a language model, for ``train_events``: predict the next character.

    config      all settings of the run; ``fit_config`` makes its windows and batches fit the text
    train_ids   training text, ids (N,)
    val_ids     held-out text, ids (M,), may be empty; only its first 200,000 characters are used

    Attributes: ``batches``; ``step_size``, characters of a step; ``held_out``, characters to
    validate on. Raises CorpusError if the training text is too short for one batch of windows.
    """

    def __init__(self, config: Config, train_ids: Ids, val_ids: Ids) -> None:
        self.config, self.train_ids, self.val_ids = config, train_ids, val_ids[:MAX_VALIDATED]
        self.batches = make_batches(train_ids, config.data, config.run.random_seed)
        self.step_size = config.data.seq_length * self.batches.batch_size
        self.held_out = len(self.val_ids)

    def initial_state(self, vocab_size: int) -> TrainingState:
        """Return the state before the first step, with weights drawn from the random seed.

        The output layer starts with how often each character occurs in the text to learn.
        """
        return initial_state(self.config, vocab_size, self.train_ids)

    def attach(self, state: TrainingState, group: Group) -> None:
        """Prepare to train this state in this group, which has not started yet.

        The carried state, which processes change in common, moves into the group's memory.
        """
        self.group, self.network = group, state.network
        vars(self).pop("team", None)  # that of another group, which forked processes would inherit
        self.workspaces = self.network.workspaces()
        if isinstance(self.batches, Streams):
            before = state.carried or self.network.zero_state(self.batches.batch_size)
            state.carried = [tuple(shared(group, part) for part in run) for run in before]
        else:
            state.carried = None
        self.carried = state.carried

    def allows(self, processes: int) -> bool:
        """Return True if so many processes have a share in each step."""
        return team_size(processes, self.config.model.members) <= self.batches.batch_size

    def samples(self, group: Group) -> slice:
        """Return the samples of a batch that this process learns from."""
        if (team := self.team) is None:
            return group.part(self.batches.batch_size)
        return part_of(self.batches.batch_size, group.rank % team.size, team.size)

    def gradients(self, samples: slice, grads: Params, step: int) -> float:
        """Write the gradient of some samples of a step's batch; return their part of the loss.

        samples   which of the batch: those of ``samples``, whose state is carried on
        grads     where the gradients go, named as the parameters

        The loss is in nats per character.
        """
        batch, team = self.batches.at(step, samples), self.team
        network, units, count, own = self.network, slice(None), self.step_size, grads
        if team is not None:
            network, units, own = team.network, team.units, team.grads
            count = count * self.config.model.members // network.config.members
            team.take(self.network.params)
        state = network.zero_state(batch.inputs.shape[1])
        if self.carried is not None and not batch.fresh:
            state = [tuple(part[samples, units] for part in run) for run in self.carried]
        draw = step * self.group.size + self.group.rank
        loss, _, state = network.loss_and_gradients(
            batch.inputs,
            batch.targets,
            state,
            dropout_rng=generator(self.config.run.random_seed, Purpose.DROPOUT, draw),
            workspaces=self.workspaces,
            grads=own,
            count=count,
            starts=batch.starts,
        )
        for carried, run in zip(self.carried or [], state, strict=False):
            for part, value in zip(carried, run, strict=True):
                part[samples, units] = value
        if team is not None:
            team.give(grads)
        return loss

    @cached_property
    def team(self) -> "Team | None":
        """The members that this process trains; None: all. Known once the group has started."""
        members, group = self.config.model.members, self.group
        size = team_size(group.size, members)
        if members == 1 or size == group.size:
            return None
        return Team(self.network, part_of(members, group.rank // size, group.size // size), size)

    def evaluate(self) -> tuple[float, int]:
        """Return this process's part of the held-out loss in nats, and its number of characters."""
        if self.config.data.lines:
            return evaluate_lines(self.network, self.val_ids, self.group.rank, self.group.size)
        return evaluate(self.network, self.val_ids, self.group.rank, self.group.size)


def team_size(processes: int, members: int) -> int:
    """Return how many of the processes train the same members together."""
    if processes % members == 0:
        return processes // members
    return 1 if members % processes == 0 else processes


class Team:
    """Processes that train some members of an ensemble: one process, or several that train one.

    which     the members
    size      number of processes
    units     those of the members
    network   a copy of the members
    grads     gradients of this copy
    """

    def __init__(self, whole: LanguageModel, which: slice, size: int) -> None:
        self.members, self.which, self.size = whole.config.members, which, size
        own, members = whole.config.hidden_size // self.members, which.stop - which.start
        self.units = slice(which.start * own, which.stop * own)
        config = replace(whole.config, hidden_size=members * own, members=members)
        self.network = LanguageModel(config, whole.vocab_size)
        self.grads = self.network.new_grads()

    def take(self, params: Params) -> None:
        """Copy the weights of these members."""
        for name, view in member_views(params, self.members, self.which).items():
            self.network.params[name].reshape(view.shape)[...] = view

    def give(self, grads: Params) -> None:
        """Write the gradients of these members; those of the others are zero."""
        for grad in grads.values():
            grad[...] = 0
        for name, view in member_views(grads, self.members, self.which).items():
            view[...] = self.grads[name].reshape(view.shape)


def initial_state(config: Config, vocab_size: int, train_ids: Ids | None = None) -> TrainingState:
    """Return the state before the first step, with weights drawn from the random seed.

    train_ids   the text, if the model is to begin with how often each character occurs in it
    """
    frequencies = None if train_ids is None else character_frequencies(train_ids, vocab_size)
    network = LanguageModel(config.model, vocab_size)
    network.init(generator(config.run.random_seed, Purpose.WEIGHTS), frequencies)
    return TrainingState.start(network, config.optimizer)


def character_frequencies(ids: Ids, vocab_size: int) -> Array:
    """Return the share of each character in a text, (V,), by its beginning if it is long.

    Every character counts one more than it was seen, so that none is impossible (Laplace).
    """
    counts = np.bincount(ids[:COUNTED], minlength=vocab_size) + 1
    shares: Array = counts / counts.sum()
    return shares
