"""The objective of a language model: predict each next character of a text.

The processes of a group divide each batch among themselves. If the network is an ensemble and they
can be divided into as many teams as it has members, each team trains one member, on whole batches
divided among the processes of the team: fewer weights for each process, and larger products.
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
from charrnn.training.objective import Objective
from charrnn.training.state import TrainingState

# Characters that tell how often each occurs.
COUNTED = 1_000_000


class NextCharacter(Objective[LanguageModel]):
    """The objective of a language model, for ``train_events``: predict the next character.

    config      all settings of the run; ``fit_config`` makes its windows and batches fit the text
    train_ids   training text, ids (N,)
    val_ids     held-out text, ids (M,), may be empty; only its first 200,000 characters are used

    Raises CorpusError if the training text is too short for one batch of windows.
    """

    def __init__(self, config: Config, train_ids: Ids, val_ids: Ids) -> None:
        self.config, self.train_ids, self.val_ids = config, train_ids, val_ids[:MAX_VALIDATED]
        self.batches = make_batches(train_ids, config.data, config.run.random_seed)
        self.step_size = config.data.seq_length * self.batches.batch_size
        self.held_out = len(self.val_ids)

    def initial_state(self, vocab_size: int) -> TrainingState[LanguageModel]:
        """Return the state before the first step, with weights drawn from the random seed.

        The output layer starts with how often each character occurs in the text to learn.
        """
        return initial_state(self.config, vocab_size, self.train_ids)

    def attach(self, state: TrainingState[LanguageModel], group: Group) -> None:
        """See ``Objective.attach``: the carried state is shared."""
        self.group, self.network = group, state.network
        self.workspaces = self.network.workspaces()
        if isinstance(self.batches, Streams):
            before = state.carried or self.network.zero_state(self.batches.batch_size)
            state.carried = [tuple(shared(group, part) for part in run) for run in before]
        else:
            state.carried = None
        self.carried = state.carried

    def allows(self, processes: int) -> bool:
        """See ``Objective.allows``."""
        members = self.config.model.members
        own = processes // members if processes % members == 0 else processes
        return own <= self.batches.batch_size

    def samples(self, group: Group) -> slice:
        """See ``Objective.samples``."""
        if (team := self._team) is None:
            return super().samples(group)
        return part_of(self.batches.batch_size, group.rank % team.size, team.size)

    def gradients(self, samples: slice, grads: Params, step: int) -> float:
        """See ``Objective.gradients``: in nats per character. Carries these samples' state on."""
        batch, team = self.batches.at(step, samples), self._team
        network, units, count, own = self.network, slice(None), self.step_size, grads
        if team is not None:
            network, units, count, own = team.network, team.units, count * team.members, team.grads
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
    def _team(self) -> "_Team | None":
        """The member that this process trains alone; None: all. Known once the group started."""
        members, group = self.config.model.members, self.group
        if members == 1 or group.size % members:
            return None
        return _Team(self.network, group.rank * members // group.size, group.size // members)

    def evaluate(self) -> tuple[float, int]:
        """See ``Objective.evaluate``: nats and characters."""
        if self.config.data.lines:
            return evaluate_lines(self.network, self.val_ids, self.group.rank, self.group.size)
        return evaluate(self.network, self.val_ids, self.group.rank, self.group.size)


class _Team:
    """The processes that train one member of an ensemble.

    size       how many these are
    members    of the ensemble
    units      those of this member
    network    a copy of this member
    grads      gradients of this copy
    """

    def __init__(self, whole: LanguageModel, member: int, size: int) -> None:
        self.members, self.member, self.size = whole.config.members, member, size
        H = whole.config.hidden_size // self.members
        self.units = slice(member * H, member * H + H)
        config = replace(whole.config, hidden_size=H, members=1)
        self.network = LanguageModel(config, whole.vocab_size)
        self.grads = self.network.new_grads()

    def take(self, params: Params) -> None:
        """Copy the weights of this member."""
        for name, view in member_views(params, self.members, self.member).items():
            self.network.params[name].reshape(view.shape)[...] = view

    def give(self, grads: Params) -> None:
        """Write the gradients of this member; those of the others are zero."""
        for grad in grads.values():
            grad[...] = 0
        for name, view in member_views(grads, self.members, self.member).items():
            view[...] = self.grads[name].reshape(view.shape)


def initial_state(
    config: Config, vocab_size: int, train_ids: Ids | None = None
) -> TrainingState[LanguageModel]:
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
