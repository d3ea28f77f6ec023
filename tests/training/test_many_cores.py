"""What a run with a time limit does with many cores, and what it leaves as it is."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from charrnn.config import Config, RunConfig
from charrnn.models import Model
from charrnn.parallel import launch
from charrnn.training import budget, many_cores
from charrnn.training.many_cores import networks, one_of, side_by_side, spread
from charrnn.training.recipe import recommend
from tests.support import TEXT, ok

LONG = 1_000_000


def config(**run: Any) -> Config:
    return Config(run=RunConfig(**({"seconds": 60, "random_seed": 1} | run)))


@pytest.mark.parametrize(
    ("cores", "side", "windows", "processes"),
    [
        (1, 1, 32, 1),
        (2, 1, 32, 2),
        (3, 1, 48, 3),
        (4, 2, 32, 4),
        (5, 2, 32, 4),
        (7, 2, 48, 6),
        (8, 4, 32, 8),
        (16, 4, 64, 16),
        (32, 4, 128, 32),
        (96, 4, 128, 32),
    ],
)
def test_more_cores_train_more_networks_then_read_more_windows(
    cores: int, side: int, windows: int, processes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (many_cores, launch):
        monkeypatch.setattr(module, "available_cores", lambda: cores)
    monkeypatch.setattr(many_cores, "can_fork", lambda: True)
    monkeypatch.setattr(launch, "can_fork", lambda: True)
    data = spread(config(), set(), LONG, fine_tuning=False).data
    assert networks(config(), set(), fine_tuning=False) == side
    assert data.batch_size == windows
    model = side_by_side(replace(Config().model, hidden_size=256), side)
    assert launch.default_workers(model, data.seq_length, data.batch_size) == processes


@pytest.mark.parametrize(
    ("workers", "side", "windows"), [(2, 1, 32), (5, 1, 80), (6, 2, 48), (10, 2, 80), (12, 4, 48)]
)
def test_all_processes_that_someone_asked_for_get_work(
    workers: int, side: int, windows: int
) -> None:
    asked = config(workers=workers)
    assert networks(asked, set(), fine_tuning=False) == side
    assert spread(asked, set(), LONG, fine_tuning=False).data.batch_size == windows
    assert workers % side == 0


def test_what_someone_gave_stays_and_so_does_what_depends_on_no_machine() -> None:
    asked = config(workers=8)
    for name in ("hidden_size", "members"):
        assert networks(asked, {name}, fine_tuning=False) == 1
    # one network of a given size: larger batches are left
    assert spread(asked, {"hidden_size"}, LONG, fine_tuning=False).data.batch_size == 128
    steps = config(workers=8, seconds=None, steps=100)
    for run, fixed, chars, tuned in (
        (steps, set[str](), LONG, False),
        (asked, {"batch_size"}, LONG, False),
        (asked, {"hidden_size"}, 20_000, False),
        (asked, set[str](), 100_000, True),
    ):
        assert spread(run, fixed, chars, fine_tuning=tuned) == run
    assert networks(steps, set(), fine_tuning=False) == 1
    # from a model, there are as many networks as that has
    for members, windows in ((1, 128), (4, 32)):
        model = replace(asked.model, hidden_size=1024, members=members)
        start = replace(asked, model=model)
        assert networks(start, set(), fine_tuning=True) == members
        for fixed in ({"hidden_size", "members"}, set[str]()):
            assert spread(start, fixed, LONG, fine_tuning=True).data.batch_size == windows
        given = spread(start, {"hidden_size", "members"}, LONG, fine_tuning=False)
        assert given.data.batch_size == windows


def test_there_are_never_more_networks_than_are_worth_their_memory() -> None:
    ids, work = np.broadcast_to(np.uint8(0), LONG), 1e10
    for workers in (1, 2, 4, 8, 16):
        for minutes in (1, 5, 60, 480):
            run = config(workers=workers, seconds=60 * minutes)
            model = recommend(run, set(), ids, 60, work=work).config.model
            assert model.members <= many_cores.MOST_NETWORKS


def test_the_networks_are_those_that_two_cores_would_train(monkeypatch: pytest.MonkeyPatch) -> None:
    measured: list[tuple[int, int]] = []

    def speed(trial: Config, *_: object) -> float:
        model = trial.model
        measured.append((model.hidden_size, model.members))
        return 40_000 * 256**2 / (model.hidden_size / model.members) ** 2

    monkeypatch.setattr(budget, "characters_per_second", speed)
    ids = np.broadcast_to(np.uint8(0), LONG)
    two, eight = (recommend(config(workers=number), set(), ids, 60) for number in (2, 8))
    one = two.config.model
    assert measured == [(256, 1), (1024, 4)]
    assert (one.hidden_size, one.members) == (256, 1)
    assert eight.config.model == side_by_side(one, 4)
    assert one_of(eight.config.model, 4) == one
    assert eight.config.optimizer == two.config.optimizer
    assert eight.passes == two.passes
    # of a text that is read more often, something is dropped: less where the mean forgets it too
    often = [
        recommend(config(workers=number), set(), ids[:200_000], 60).config.model
        for number in (2, 8)
    ]
    assert 0 < often[1].weight_drop < often[0].weight_drop
    assert often[1].dropout == often[0].dropout > 0
    assert replace(often[1], weight_drop=0.0) == replace(side_by_side(often[0], 4), weight_drop=0.0)
    # a small text is divided among members as on two cores
    few = [
        recommend(config(workers=number), set(), ids[:16_000], 60).config.model for number in (2, 8)
    ]
    assert few[0] == few[1]
    assert few[0].members == 4


def test_a_run_in_four_processes_trains_two_networks(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    words = [TEXT.split()[at] for at in rng.integers(len(TEXT.split()), size=12_000)]
    (tmp_path / "text.txt").write_text(" ".join(words))
    done = ok("train", "text.txt", "--time", "3s", "--workers", "4", "-o", "m.npz", cwd=tmp_path)
    assert "2 members" in done.err
    model = Model.load(tmp_path / "m.npz").config.model
    assert model.members == 2
    ok("train", "text.txt", "--resume", "--time", "4s", "-o", "m.npz", cwd=tmp_path)
    ok("sample", "-c", "m.npz", "--length", "20", cwd=tmp_path)
