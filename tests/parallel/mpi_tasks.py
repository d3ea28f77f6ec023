"""What the ranks of MPI do in the tests: ``mpiexec -n 2 python -m tests.parallel.mpi_tasks ...``.

    TASK FOLDER [setting=value ...]

Each rank trains and writes what it has in the end to FOLDER/RANK.npz.
"""

import sys
from ast import literal_eval
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np

from charrnn import Model, Vocabulary
from charrnn.config import Config
from charrnn.parallel import mpi
from charrnn.training.loop import train_events
from charrnn.training.state import TrainingState, initial_state
from charrnn.training.step import Trainer
from tests.support import V, make_config

VOCABULARY = Vocabulary("abcdefg")


def make_ids() -> Any:
    """Return a text: noisy repetitions of one pattern."""
    rng = np.random.default_rng(0)
    text = np.tile(np.array([0, 1, 2, 3, 1, 4, 5, 6, 2], np.uint8), 120)
    noisy = rng.random(len(text)) < 0.1
    text[noisy] = rng.integers(V, size=int(noisy.sum()))
    return text


def train(config: Config, state: TrainingState, task: str = "train") -> TrainingState:
    """Train; what the task is happens on one rank only."""
    ids, asked = make_ids(), count(1)
    trainer = Trainer(config, ids[:-100], ids[-100:], state)
    last = trainer.group.size - 1

    def stop() -> bool:
        return task == "stop" and trainer.group.rank == last and next(asked) > 9

    for event in train_events(trainer, stop):
        if task == "rollback" and event.step == 20 and trainer.group.rank == last:
            state.networks[-1].flat[-1] = np.nan
            task = "done"
    return state


def as_arrays(state: TrainingState) -> dict[str, Any]:
    """Return all that a run ends with, named."""
    arrays = {"step": np.array(state.progress.step), "rate": np.array(state.progress.rate_scale)}
    arrays |= {str(number): array for number, array in enumerate(state.arrays())}
    # The first entry is that of the first step, which is not validated.
    arrays["losses"] = np.array([entry["val_loss"] for entry in state.history[1:]], float)
    return arrays


def main() -> None:
    task, folder, *words = sys.argv[1:]
    settings = {name: literal_eval(value) for name, _, value in (w.partition("=") for w in words)}
    config = make_config(**settings)
    if task == "resume":
        state = Model.load(Path(folder) / "m.npz").training_state()
    else:
        state = initial_state(config, V)
    state = train(config, state, task)
    comm = mpi.world()
    if task == "stop" and comm.rank == 0:
        Model.of(config, VOCABULARY, state).save(Path(folder) / "m.npz")
    np.savez(Path(folder) / f"{comm.rank}.npz", **as_arrays(state))


if __name__ == "__main__":
    main()
