"""Members of an ensemble that processes of their own train: the same as all in one process."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from charrnn import NextCharacter
from charrnn.nn.ensemble import member_views
from charrnn.nn.language_model import LanguageModel
from charrnn.parallel.group import part_of
from charrnn.training.loop import train_events
from charrnn.training.next_character import initial_state
from tests.support import V, make_config, train_text

IDS = np.random.default_rng(0).integers(V, size=1200).astype(np.uint8)


def ensemble(**run: Any) -> Any:
    config = make_config(**{"steps": 1} | run)
    model = replace(config.model, hidden_size=8, members=4, dtype="float64")
    return replace(config, model=model, data=replace(config.data, batch_size=4))


class _Rank:
    """One process of a group, as far as the gradient needs it."""

    def __init__(self, rank: int, size: int) -> None:
        self.rank, self.size = rank, size

    def array(self, shape: tuple[int, ...], dtype: Any) -> Any:
        return np.zeros(shape, dtype)

    def part(self, length: int) -> slice:
        return part_of(length, self.rank, self.size)


@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("size", [1, 2, 3, 4, 8, 16])
def test_the_gradients_of_all_processes_add_up_to_those_of_one(size: int, layers: int) -> None:
    config = ensemble()
    config = replace(config, model=replace(config.model, layers=layers))
    sums: dict[int, Any] = {}
    for processes in (1, size):
        state = initial_state(config, V)
        total, loss = np.zeros_like(state.network.flat), 0.0
        carried: Any = None
        objectives = []
        for rank in range(processes):
            objective: Any = NextCharacter(config, IDS, IDS[:0])
            assert objective.allows(processes)
            objective.attach(state, _Rank(rank, processes))
            carried = carried or state.carried
            objective.carried = carried  # shared, as in a real group
            objectives.append(objective)
        for step in range(2):  # the second goes on from the carried state
            for objective in objectives:
                row = LanguageModel(config.model, V, np.full_like(state.network.flat, np.nan))
                samples = objective.samples(objective.group)
                loss += objective.gradients(samples, row.params, step)
                total += row.flat
        sums[processes] = total, loss, carried
    for one, other in zip(sums[1][:2], sums[size][:2], strict=True):
        np.testing.assert_allclose(other, one, atol=1e-12)
    for one, other in zip(sums[1][2], sums[size][2], strict=True):
        np.testing.assert_allclose(other, one, atol=1e-12)


@pytest.mark.parametrize("workers", [2, 4, 8])
def test_a_run_in_processes_ends_where_a_run_in_one_does(workers: int) -> None:
    ends = []
    for number in (1, workers):
        config = ensemble(steps=12, schedule="constant", workers=number)
        state = initial_state(config, V)
        for _ in train_text(state, config, IDS[:-100], IDS[-100:]):
            pass
        ends.append(state)
    np.testing.assert_allclose(ends[1].network.flat, ends[0].network.flat, atol=1e-9)
    assert ends[1].history[-1]["val_loss"] == pytest.approx(ends[0].history[-1]["val_loss"])


@pytest.mark.parametrize("workers", [2, 4])
def test_a_run_that_goes_on_trains_all_members(workers: int) -> None:
    ends = []
    for number in (1, workers):
        config = ensemble(steps=8, schedule="constant", workers=number)
        state, objective = initial_state(config, V), NextCharacter(config, IDS, IDS[:0])
        for steps in (4, 8):  # two groups of processes, one after the other
            run = replace(config, run=replace(config.run, steps=steps))
            for _ in train_events(state, objective, run):
                pass
        ends.append(state.network.flat)
    np.testing.assert_allclose(ends[1], ends[0], atol=1e-9)


def test_the_views_of_all_members_are_all_there_is() -> None:
    network = LanguageModel(replace(ensemble().model, layers=2), V)
    seen = {name: np.zeros(array.shape, int) for name, array in network.params.items()}
    for member in range(4):
        for view in member_views(seen, 4, slice(member, member + 1)).values():
            np.add(view, 1, out=view)
    for name, times in seen.items():
        assert (times == (4 if name == "output.bias" else 1)).all()


def test_members_are_divided_as_far_as_it_comes_out_even() -> None:
    found = []
    for size in (1, 2, 3, 4, 8):
        shares = []
        for rank in range(size):
            objective: Any = NextCharacter(ensemble(), IDS, IDS[:0])
            objective.attach(initial_state(ensemble(), V), _Rank(rank, size))
            team, samples = objective.team, objective.samples(objective.group)
            which = slice(0, 4) if team is None else team.which
            shares.append((which.start, which.stop, samples.start, samples.stop))
        found.append(shares)
    assert found == [
        [(0, 4, 0, 4)],
        [(0, 2, 0, 4), (2, 4, 0, 4)],
        [(0, 4, 0, 1), (0, 4, 1, 2), (0, 4, 2, 4)],
        [(n, n + 1, 0, 4) for n in range(4)],
        [(n, n + 1, at, at + 2) for n in range(4) for at in (0, 2)],
    ]


def test_more_processes_than_samples_are_refused() -> None:
    objective = NextCharacter(ensemble(), IDS, IDS[:0])
    allowed = [size for size in range(1, 40) if objective.allows(size)]
    assert allowed == [1, 2, 3, 4, 8, 12, 16]
