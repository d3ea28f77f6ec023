"""Several processes compute what one does, and none outlives the run."""

import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from charrnn import Model, ModelConfig, TrainingError, train
from charrnn.checkpoint.files import reserved
from charrnn.parallel.group import WorkerLostError
from charrnn.parallel.launch import count_teams, default_workers
from charrnn.parallel.machine import can_fork
from charrnn.parallel.processes import ProcessGroup
from charrnn.training.state import initial_state
from tests.support import (
    ENVIRONMENT,
    RUN,
    TEXT,
    Ids,
    V,
    fails_in,
    logged_steps,
    make_config,
    ok,
    process_children,
    run,
    running,
    train_text,
    trained,
    wait_for,
)

pytestmark = pytest.mark.skipif(not can_fork(), reason="needs a Linux")


def children() -> set[int]:
    return process_children(os.getpid())


@pytest.mark.parametrize(
    ("workers", "settings"),
    [
        (2, {"cell": "gru", "layers": 2, "stride": 5}),
        (2, {"optimizer": "sgd", "learning_rate": 1.0, "clip_norm": 0.05}),
        (2, {"optimizer": "sgd", "learning_rate": 1.0, "clip_norm": None, "clip_value": 0.001}),
        (3, {"members": 2, "hidden_size": 8}),  # one team
        (4, {"members": 2, "hidden_size": 8}),  # two teams of two
    ],
    ids=str,
)
def test_several_workers_train_as_one_does(
    workers: int, settings: dict[str, Any], ids: Ids
) -> None:
    # float64, so that the order of sums does not hide what should be equal
    settings |= {"dtype": "float64", "steps": 15}
    alone, group = (run(make_config(workers=number, **settings), ids) for number in (1, workers))
    for ours, theirs in zip(group.arrays(), alone.arrays(), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-9)
    assert group.progress.best_val_loss == pytest.approx(alone.progress.best_val_loss)


def test_networks_with_a_process_of_their_own_are_the_same_to_the_last_bit(ids: Ids) -> None:
    settings = {"members": 4, "hidden_size": 8, "steps": 15, "dropout": 0.2, "weight_drop": 0.2}
    alone, group = (run(make_config(workers=number, **settings), ids) for number in (1, 4))
    pairs = zip([*group.arrays(), *group.weights], [*alone.arrays(), *alone.weights], strict=True)
    for ours, theirs in pairs:
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("members", [1, 2])
def test_nobody_changes_the_state_between_two_steps(members: int, ids: Ids) -> None:
    config = make_config(workers=2, steps=20, members=members)
    state = initial_state(config, V)
    for event in train_text(state, config, ids, ids[:0]):
        before = [array.copy() for array in state.arrays()]
        time.sleep(0.02)  # while another process might do its next step
        for array, copy in zip(state.arrays(), before, strict=True):
            np.testing.assert_array_equal(array, copy, err_msg=f"step {event.step}")


def test_a_group_sums_and_a_lost_worker_is_an_error() -> None:
    group = ProcessGroup(3, 1, 10, np.float64)
    shared = group.share(np.arange(3.0))

    def add(times: int) -> None:
        for _ in range(times):
            group.buffer[...] = (group.rank + 1) * np.arange(10)
            np.testing.assert_array_equal(group.reduce_scatter(), 6 * np.arange(10)[group.part(10)])
            shared[group.rank] += 1
            assert group.sum(1.0, group.rank) == [3, 3]

    group.start(lambda: add(1000))
    add(5)
    np.testing.assert_array_equal(shared, [5, 6, 7])
    os.kill(max(children()), signal.SIGKILL)
    with pytest.raises(WorkerLostError):
        add(3)
    group.close()
    assert not children()


def test_what_ends_a_run_is_left_to_the_first_process(capfd: pytest.CaptureFixture[str]) -> None:
    def fail(error: Exception) -> None:
        group.sum(1.0)
        raise error

    for error, said in ((TrainingError("a worker process died"), ""), (KeyError("x"), "KeyError")):
        group = ProcessGroup(2, 1, 1, np.float64)
        group.start(partial(fail, error))
        group.sum(1.0)
        with pytest.raises(WorkerLostError):
            group.sum(1.0)
        group.close()
        err = capfd.readouterr().err
        assert said in err if said else not err


class SlowGroup(ProcessGroup):
    """A group whose last process is slow to read what all have written."""

    def _wait_for_all(self) -> None:
        super()._wait_for_all()
        if self.rank == 2:
            time.sleep(0.01)


def test_a_slow_process_gets_the_same_sums() -> None:
    group = SlowGroup(3, 1, 3, np.float64)
    found = group.share(np.zeros((10, 3)))

    def add() -> None:
        for number in range(10):
            (found[number, group.rank],) = group.sum(number + group.rank)
        group.sum()

    group.start(add)
    add()
    group.close()
    np.testing.assert_array_equal(found, 3 * np.arange(10)[:, None] + [3, 3, 3])


def test_no_worker_is_left_when_a_run_is_left(ids: Ids) -> None:
    config = make_config(steps=10, workers=3)
    events = train_text(initial_state(config, V), config, ids, ids[:0])
    next(events)
    assert len(children()) == 2
    events.close()
    assert not children()


COUNT_THREADS = """
from pathlib import Path
import numpy as np
from charrnn.parallel.processes import ProcessGroup

def count_threads():
    np.ones((500, 500)) @ np.ones((500, 500))
    return len(list(Path("/proc/self/task").iterdir()))

group = ProcessGroup(2, 1, 1, float)
group.start(lambda: group.sum(count_threads()))
print(group.sum(0))
group.close()
print(count_threads())
"""


def test_a_worker_has_one_thread() -> None:
    threads = {"OPENBLAS_NUM_THREADS": "2"}
    command = [sys.executable, "-c", COUNT_THREADS]
    assert subprocess.check_output(command, env=ENVIRONMENT | threads) == b"[1.0]\n2\n"


def test_from_python_there_is_one_process_unless_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("charrnn.models.train.default_workers", lambda *_: 2)
    settings: Any = {"steps": 1, "hidden_size": 8, "base": "none"}
    assert train(text=TEXT, **settings).config.run.workers == 1
    assert train(text=TEXT, workers=2, **settings).config.run.workers == 2


@pytest.fixture
def text(tmp_path: Path) -> Path:
    (tmp_path / "text.txt").write_text("The cat sat on the mat. The dog dug in the bog.\n" * 120)
    return tmp_path / "text.txt"


def wait_until_gone(workers: set[int]) -> None:
    wait_for(lambda: not any(Path(f"/proc/{worker}").exists() for worker in workers), 10)


def test_a_killed_run_can_be_resumed_at_once_though_its_workers_are_in_a_long_step(
    text: Path,
) -> None:
    options = ["-o", "m.npz", "--hidden-size", "512", "--workers", "2", "--from", "none"]
    ok("train", text, *options, "--steps", "1", cwd=text.parent)
    with running("train", text, "-o", "m.npz", "--resume", "--time", "60s", "--log", "log",
                 cwd=text.parent) as run_:  # fmt: skip
        wait_for(lambda: logged_steps(text.parent / "log") > 0)
        workers = process_children(run_.pid)
        assert len(workers) == 1
        run_.kill()
        run_.wait()
        with reserved(text.parent / "m.npz"):
            pass  # the lock ended with the run, not with the step of its worker
        ok("train", text, "-o", "m.npz", "--resume", "--steps", "2", cwd=text.parent)
    wait_until_gone(workers)


def test_a_run_whose_worker_is_killed_ends_with_one_line_and_goes_on(text: Path) -> None:
    folder = text.parent
    with running("train", text, *RUN, "--workers", "2", "--steps", "100000", "-o", "m.npz", "--log",
                 "log", cwd=folder) as run_:  # fmt: skip
        wait_for((folder / "m.npz").exists)
        os.kill(process_children(run_.pid).pop(), signal.SIGKILL)
        _, err = run_.communicate(timeout=30)
    assert run_.returncode == 1
    assert b"charrnn: error: a worker process died" in err
    assert b"Traceback" not in err
    step = Model.load(folder / "m.npz").progress.step
    more = str(step + 5)
    done = ok("train", text, "-o", "m.npz", "--resume", "--steps", more, "--workers", "1",
              cwd=folder)  # fmt: skip
    assert "1 process(es) instead of 2" in done.err
    assert Model.load(folder / "m.npz").progress.step == step + 5


def test_small_models_stay_in_one_process_and_large_ones_do_not() -> None:
    cores = len(os.sched_getaffinity(0))
    assert default_workers(ModelConfig(hidden_size=16), 24, 32) == 1
    assert default_workers(ModelConfig(hidden_size=512), 64, 1024) == cores
    assert default_workers(ModelConfig(hidden_size=512), 64, 16) == 1
    assert [count_teams(size, 4) for size in (1, 2, 3, 4, 5, 8, 12)] == [1, 2, 1, 4, 1, 4, 4]


def test_more_workers_than_windows_are_refused(text: Path) -> None:
    complaint = "5 processes share a batch of 4 samples"
    options = [*RUN, "--batch-size", "4", "--workers", "5", "-o", "m.npz"]
    fails_in(2, complaint, "train", text, *options, cwd=text.parent)


@pytest.mark.parametrize(("victim", "code"), [(0, -signal.SIGKILL), (1, 1)])
def test_no_worker_outlives_its_scoring_and_a_lost_one_ends_it(
    victim: int, code: int, text: Path
) -> None:
    trained().save(text.parent / "m.npz")
    lines = text.parent / "lines.txt"
    chars = np.random.default_rng(0).choice([*"[bold] é"], (60_000, 40))
    lines.write_text("\n".join(map("".join, chars)))
    if len(os.sched_getaffinity(0)) == 1:
        pytest.skip("one core, one process")
    with running("score", lines, "--lines", "--top", "3", "-c", "m.npz", cwd=text.parent) as run_:
        wait_for(lambda: bool(process_children(run_.pid)))
        workers = process_children(run_.pid)
        os.kill([run_.pid, *workers][victim], signal.SIGKILL)
        _, err = run_.communicate(timeout=60)
    assert run_.returncode == code
    assert err.startswith(b"charrnn: error: a worker process died") == bool(victim)
    wait_until_gone(workers)


def test_samples_too_large_for_memory_are_refused_in_one_line(text: Path) -> None:
    trained().save(text.parent / "m.npz")
    for count in ("1", "40"):
        done = fails_in(1, "out of memory", "sample", "-c", "m.npz", "--jsonl", "--count", count,
                     "--length", "1000000000000", cwd=text.parent)  # fmt: skip
        assert "sample --help" in done.err
