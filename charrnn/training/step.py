"""One training step: batch, gradients, sum over processes, clip, update.

The processes of a group share the work. Of an ensemble, teams of processes train the networks
apart; the processes of a team share each batch. A team synchronizes twice in a step, to sum its
gradients and their norm; all processes do once, at its end, to sum the loss.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from charrnn.config import Config
from charrnn.errors import ConfigError
from charrnn.nn.ensemble import Ensemble
from charrnn.nn.network import LanguageModel, view_parameters
from charrnn.nn.recurrent import Workspace
from charrnn.parallel.group import Group
from charrnn.parallel.launch import count_teams, make_group
from charrnn.randomness import Purpose, generator
from charrnn.scoring.likelihood import evaluate
from charrnn.text.split import MIN_HELD_OUT
from charrnn.text.vocabulary import Ids
from charrnn.text.windows import Streams, make_batches
from charrnn.training.optimizers import clip_factor, update_parameters
from charrnn.training.state import TrainingState

# The most held-out characters to validate on: their mean loss is accurate to about 0.003 nats, and
# more would slow down the run.
MAX_VALIDATED = 200_000


class StepResult(NamedTuple):
    """What a step did, the same in every process.

    loss      mean cross-entropy of the batch in nats per character
    norm      of the gradient before clipping, over all networks
    seconds   of training so far, by the clock of rank 0
    stop      True if a process was asked to stop
    """

    loss: float
    norm: float
    seconds: float
    stop: bool


class Trainer:
    """Does the steps and validations of a run, in every process of a group.

    config      all settings of the run; ``fit_config`` makes its windows and batches fit the text
    train_ids   training text, ids (N,)
    val_ids     held-out text, ids (M,); only its first 200,000 characters are used. Fewer than two:
                nothing is validated
    state       changed in place; its arrays move into memory that the group shares
    group       the processes; None: those that the config asks for

    Raises CorpusError if the training text is too short for one batch of windows, ConfigError for
    more processes than a batch has samples.
    """

    def __init__(
        self,
        config: Config,
        train_ids: Ids,
        val_ids: Ids,
        state: TrainingState,
        group: Group | None = None,
    ) -> None:
        self.config, self.state = config, state
        self.val_ids = val_ids[: MAX_VALIDATED if len(val_ids) >= MIN_HELD_OUT else 0]
        self.batches = make_batches(train_ids, config.data, config.run.random_seed)
        batch_size = self.batches.batch_size
        self.step_chars = config.data.seq_length * batch_size
        size, members = state.networks[0].flat.size, config.model.members
        workers, dtype = config.run.workers or 1, config.model.dtype
        self.group = group or make_group(workers, members, size, dtype)
        team_size = self.group.size // count_teams(self.group.size, members)
        if team_size > batch_size:
            raise ConfigError(
                f"{team_size} processes share a batch of {batch_size} samples",
                hint="use fewer --workers, or a larger --batch-size",
            )
        share = self.group.share
        state.networks = [
            LanguageModel(network.config, network.vocab_size, share(network.flat))
            for network in state.networks
        ]
        state.slots = [{name: share(slot) for name, slot in slots.items()} for slots in state.slots]
        if isinstance(self.batches, Streams):
            carried = state.carried or [it.zero_state(batch_size) for it in state.networks]
            state.carried = [[tuple(map(share, layer)) for layer in layers] for layers in carried]
        else:
            state.carried = None

    def take_share(self) -> None:
        """Find out what this process trains, once it knows its rank. Call before the first step."""
        self.team = team = self.group.team
        teams, number = self.group.size // team.size, self.group.rank // team.size
        self._members = range(number, len(self.state.networks), teams)
        self._samples = team.part(self.batches.batch_size)
        self._grads = view_parameters(team.buffer, self.state.networks[0].shapes)
        self._workspace = Workspace()

    def step(self, rate: float, clock: Callable[[], float], *, stop: bool) -> StepResult:
        """Do the next training step, at this learning rate.

        Raises FloatingPointError if the loss, the gradient or a weight is not finite, and
        WorkerLostError if a process of the group is gone.
        """
        if self.group.shares_memory and self.group.size > self.team.size:
            # A barrier: another team would change weights that rank 0 may still be saving.
            self.group.sum()
        with np.errstate(over="ignore", invalid="ignore"):
            found = [self._step_network(member, rate) for member in self._members]
        loss, squares, weights = (sum(each, 0.0) for each in zip(*found, strict=True))
        seconds = clock() if self.group.rank == 0 else 0.0
        loss, squares, weights, seconds, stops = self.group.sum(
            loss / len(self.state.networks), squares, weights, seconds, stop
        )
        checked = {"the loss": loss, "the gradient": squares, "a weight": weights}
        for name, value in checked.items():
            if not math.isfinite(value):
                raise FloatingPointError(f"{name} is no longer a finite number")
        return StepResult(loss, math.sqrt(squares), seconds, stops > 0)

    def _step_network(self, member: int, rate: float) -> tuple[float, float, float]:
        """Train one network. Returns its loss, and squared norms of gradient and weights.

        Only the first process of a team returns the first two, which are those of the team; the
        last is that of this process's part of the weights.
        """
        team, state, limits = self.team, self.state, self.config.optimizer
        network, step, samples = state.networks[member], state.progress.step, self._samples
        carried, batch = state.carried, self.batches.at(step, samples)
        before = network.zero_state(batch.inputs.shape[1])
        if carried is not None and not batch.fresh:
            before = [tuple(part[samples] for part in layer) for layer in carried[member]]
        draw = (step * len(state.networks) + member) * team.size + team.rank
        loss, _, after = network.loss_and_gradients(
            batch.inputs,
            batch.targets,
            before,
            starts=batch.starts,
            dropout_rng=generator(self.config.run.random_seed, Purpose.DROPOUT, draw),
            workspace=self._workspace,
            grads=self._grads,
            count=self.step_chars,
        )
        grad = team.reduce_scatter()
        # Not before this barrier: until rank 0 reaches it, it may be saving the state.
        if carried is not None:
            for layer, values in zip(carried[member], after, strict=True):
                for array, value in zip(layer, values, strict=True):
                    array[samples] = value
        squares = clipped = float(np.dot(grad, grad))
        if limits.clip_value is not None:
            np.clip(grad, -limits.clip_value, limits.clip_value, out=grad)
            clipped = float(np.dot(grad, grad))
        loss, squares, clipped = team.sum(loss, squares, clipped)
        part, count = team.part(network.flat.size), state.progress.optimizer_steps + 1
        if math.isfinite(loss) and math.isfinite(squares):
            grad *= clip_factor(math.sqrt(clipped), limits.clip_norm)
            slots = {name: slot[part] for name, slot in state.slots[member].items()}
            update_parameters(limits, network.flat[part], grad, slots, rate=rate, count=count)
        team.all_gather(network.flat)
        weights = float(np.dot(network.flat[part], network.flat[part]))
        return (loss, squares, weights) if team.rank == 0 else (0.0, 0.0, weights)

    def evaluate(self, clock: Callable[[], float]) -> tuple[float, float]:
        """Return the mean loss on the held-out text, and the seconds of training so far."""
        group, model = self.group, Ensemble(self.state.networks)
        pieces, rank = self.config.data.end is not None, group.rank
        own = evaluate(model, self.val_ids, pieces=pieces, rank=rank, size=group.size)
        nats, chars, seconds = group.sum(own.nats, own.chars, clock() if rank == 0 else 0.0)
        return nats / chars, seconds

    def gather(self) -> None:
        """Make the state complete in every process, where machines have parts of it."""
        if self.group.shares_memory:
            return
        teams = self.group.size // self.team.size
        for member in range(len(self.state.networks)):
            for array in self.state.arrays(member):
                if member in self._members:
                    self.team.all_gather(array)
                self.group.broadcast(array, member % teams * self.team.size)

    def broadcast(self) -> None:
        """Have all processes go on from the state as rank 0 has it."""
        for array in self.state.arrays():
            self.group.broadcast(array)
        self.group.sum()
