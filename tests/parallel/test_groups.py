"""Several processes compute what one does, and none outlives the run."""

import os
import signal
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from charrnn import Config, Model, ModelConfig, RunConfig, TrainingError
from charrnn.parallel.forked import ForkedGroup
from charrnn.parallel.group import WorkerLostError
from charrnn.parallel.launch import can_fork, default_workers
from charrnn.training.next_character import initial_state
from tests.support import (
    RUN,
    Ids,
    V,
    fails,
    logged_steps,
    make_config,
    ok,
    run,
    running,
    same_arrays,
    train_text,
    wait_for,
)

pytestmark = pytest.mark.skipif(not can_fork(), reason="needs a Linux")


def config_of(workers: int, **settings: Any) -> Config:
    # float64, so that the order of sums does not hide what should be equal
    config = make_config(workers=workers, **settings)
    return replace(config, model=replace(config.model, dtype="float64"))


def children() -> set[str]:
    """Return the processes whose parent is this one."""
    found = subprocess.run(
        ["ps", "--ppid", str(os.getpid()), "-o", "pid=,comm="],  # noqa: S607
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    return {line for line in found.stdout.splitlines() if not line.endswith(" ps")}


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
@pytest.mark.parametrize("stride", [None, 5])
@pytest.mark.parametrize("workers", [2, 3])
def test_several_workers_train_as_one_does(
    cell: str,
    stride: int | None,
    workers: int,
    ids: Ids,
) -> None:
    settings = {"cell": cell, "stride": stride, "steps": 40, "layers": 2}
    alone, group = (run(config_of(n, **settings), ids) for n in (1, workers))
    np.testing.assert_allclose(group.network.flat, alone.network.flat, atol=1e-9)
    assert group.progress.best_val_loss == pytest.approx(alone.progress.best_val_loss)
    for name, slot in alone.slots.items():
        np.testing.assert_allclose(group.slots[name], slot, atol=1e-9)
    if stride is None:
        for one, other in zip(alone.carried or [], group.carried or [], strict=True):
            np.testing.assert_allclose(one, other, atol=1e-9)


@pytest.mark.parametrize("clip", [{"clip_norm": 0.05}, {"clip_norm": None, "clip_value": 0.001}])
def test_clipping_sees_the_whole_gradient(clip: dict[str, Any], ids: Ids) -> None:
    finals = []
    for workers in (1, 2):
        config = config_of(workers, steps=30, optimizer="sgd", learning_rate=1.0)
        config = replace(config, optimizer=replace(config.optimizer, **clip))
        finals.append(run(config, ids).network.flat)
    np.testing.assert_allclose(finals[1], finals[0], atol=1e-9)
    unclipped = config_of(1, steps=30, optimizer="sgd", learning_rate=1.0, clip_norm=None)
    assert np.abs(run(unclipped, ids).network.flat - finals[0]).max() > 1e-3


def test_the_same_number_of_workers_gives_the_same_bits(ids: Ids) -> None:
    first, again = (run(make_config(steps=30, workers=2, dropout=0.2), ids) for _ in range(2))
    np.testing.assert_array_equal(first.network.flat, again.network.flat)


def test_no_worker_is_left_when_a_run_ends_or_is_left(ids: Ids) -> None:
    before = children()
    config = make_config(steps=10, workers=3)
    run(config, ids)
    assert children() == before
    events = train_text(initial_state(config, V), config, ids, ids[:0])
    next(events)
    assert len(children() - before) == 2
    events.close()
    assert children() == before


def test_a_rollback_reaches_every_worker(ids: Ids) -> None:
    config = make_config(steps=60, workers=2, schedule="constant")
    state = initial_state(config, V)
    rollbacks = 0
    for event in train_text(state, config, ids[:-600], ids[-600:]):
        if event.step == 50 and not rollbacks:
            state.network.flat[-1] = np.nan
        rollbacks += event.rollback is not None
    assert rollbacks == 1
    assert np.isfinite(state.network.flat).all()
    assert state.progress.best_val_loss < 1.6


class Adding:
    """Everyone adds one, and all agree on the sum."""

    def __init__(self, group: ForkedGroup) -> None:
        self.group, self.array = group, group.array((3,), np.float64)

    def add(self) -> None:
        self.array[self.group.rank] += 1
        assert self.group.all_reduce(1.0, self.group.rank) == [3, 3]
        self.group.barrier()


def test_a_lost_worker_is_an_error_at_the_next_barrier() -> None:
    group = ForkedGroup(3)
    work = Adding(group)
    group.start(work)
    for _ in range(5):
        group.call("add")
    np.testing.assert_array_equal(work.array, 5)
    os.kill(group._children[0], signal.SIGKILL)  # noqa: SLF001

    def go_on() -> None:
        for _ in range(3):
            group.call("add")

    with pytest.raises(WorkerLostError):
        go_on()
    group.close()


def test_the_rows_of_all_are_summed_in_parts() -> None:
    group = ForkedGroup(3)
    work = Summing(group)
    group.start(work)
    group.call("total")
    np.testing.assert_array_equal(work.rows[0], 6 * np.arange(10))
    group.close()


class Summing:
    """Everyone adds a multiple of the same row."""

    def __init__(self, group: ForkedGroup) -> None:
        self.group, self.rows = group, group.array((3, 10), np.float64)

    def total(self) -> None:
        self.rows[self.group.rank] = (self.group.rank + 1) * np.arange(10)
        part = self.group.reduce_scatter(self.rows)
        np.testing.assert_array_equal(part, 6 * np.arange(10)[self.group.part(10)])
        self.group.barrier()


def test_a_killed_worker_ends_training_at_the_last_good_state(ids: Ids) -> None:
    config = make_config(steps=100_000, workers=2)
    state = initial_state(config, V)
    before = children()
    events = train_text(state, config, ids, ids[:0])
    next(events)
    (worker,) = children() - before
    os.kill(int(worker.split()[0]), signal.SIGKILL)
    with pytest.raises(TrainingError, match="a worker process died"):
        for _ in events:
            pass
    assert np.isfinite(state.network.flat).all()
    assert children() == before


@pytest.fixture
def text(tmp_path: Path) -> Path:
    (tmp_path / "text.txt").write_text("The cat sat on the mat. The dog dug in the bog.\n" * 120)
    return tmp_path / "text.txt"


def workers_of(pid: int) -> list[int]:
    found = subprocess.run(
        ["ps", "--ppid", str(pid), "-o", "pid="],  # noqa: S607
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    return [int(line) for line in found.stdout.split()]


@pytest.mark.parametrize("stop", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_no_worker_outlives_its_run(stop: signal.Signals, text: Path) -> None:
    with running("train", text, *RUN, "--workers", "3", "--time", "60s", "-o", "m.npz", "--log",
                 "log", cwd=text.parent) as run_:  # fmt: skip
        wait_for(lambda: logged_steps(text.parent / "log") > 5)
        workers = workers_of(run_.pid)
        assert len(workers) == 2
        run_.send_signal(stop)
        run_.wait(30)
    wait_for(lambda: not any(Path(f"/proc/{worker}").exists() for worker in workers), 10)


def test_a_run_whose_worker_is_killed_ends_with_one_line_and_goes_on(text: Path) -> None:
    folder = text.parent
    with running("train", text, *RUN, "--workers", "2", "--time", "60s", "-o", "m.npz", "--log",
                 "log", cwd=folder) as run_:  # fmt: skip
        wait_for(lambda: logged_steps(folder / "log") > 5)
        os.kill(workers_of(run_.pid)[0], signal.SIGKILL)
        _, err = run_.communicate(timeout=30)
    assert run_.returncode == 1
    assert b"charrnn: error: a worker process died" in err
    assert b"Traceback" not in err
    ok("train", text, "-o", "m.npz", "--resume", "--time", "61s", "--steps", "5", cwd=folder)


def test_a_run_of_several_workers_resumes_to_the_last_bit(text: Path) -> None:
    folder, options = text.parent, [*RUN, "--workers", "2", "--steps", "600"]
    ok("train", text, *options, "-o", "whole.npz", cwd=folder)
    with running("train", text, *options, "-o", "m.npz", "--log", "log", cwd=folder) as run_:
        wait_for(lambda: logged_steps(folder / "log") > 200)
        run_.send_signal(signal.SIGTERM)
        run_.wait(30)
    ok("train", text, *options, "-o", "m.npz", "--resume", cwd=folder)
    same_arrays(folder / "whole.npz", folder / "m.npz")


def test_a_run_goes_on_in_another_number_of_processes_and_says_so(text: Path) -> None:
    same: list[str | Path] = ["train", text, "-o", "m.npz"]
    ok(*same, *RUN, "--workers", "2", "--steps", "10", cwd=text.parent)
    done = ok(*same, "--resume", "--workers", "1", "--steps", "12", cwd=text.parent)
    assert "1 process(es) instead of 2" in done.err
    assert Model.load(text.parent / "m.npz").progress.step == 12


def test_small_models_stay_in_one_process_and_large_ones_do_not() -> None:
    cores = len(os.sched_getaffinity(0))
    assert default_workers(ModelConfig(hidden_size=16), 24, 32) == 1
    assert default_workers(ModelConfig(hidden_size=512), 64, 1024) == cores
    assert default_workers(ModelConfig(hidden_size=512), 64, 16) == 1


def test_more_workers_than_windows_are_refused(text: Path) -> None:
    fails(2, "more than the 4 samples", "train", text, *RUN, "--batch-size", "4", "--workers", "5",
          "-o", "m.npz", cwd=text.parent)  # fmt: skip


def test_a_library_user_gets_one_process_unless_asked() -> None:
    assert RunConfig().workers is None
    before = children()
    for workers, expected in ((None, 0), (2, 1)):
        # large enough that the command line would take two
        config = make_config(workers=workers, steps=3)
        config = replace(config, model=replace(config.model, hidden_size=512))
        config = replace(config, data=replace(config.data, seq_length=64, batch_size=32))
        ids = np.zeros(5000, np.uint8)
        events = train_text(initial_state(config, V), config, ids, ids[:0])
        next(events)
        assert len(children() - before) == expected
        events.close()


@pytest.mark.parametrize("stop", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_no_worker_outlives_its_sampling(stop: signal.Signals, text: Path) -> None:
    folder = text.parent
    ok("train", text, *RUN, "--steps", "2", "-o", "m.npz", cwd=folder)
    with running(
        "sample", "-c", "m.npz", "--count", "100", "--length", "1000000", cwd=folder
    ) as run_:
        wait_for(lambda: bool(workers_of(run_.pid)) or len(os.sched_getaffinity(0)) == 1)
        workers = workers_of(run_.pid)
        run_.send_signal(stop)
        run_.wait(30)
    wait_for(lambda: not any(Path(f"/proc/{worker}").exists() for worker in workers), 10)


@pytest.mark.parametrize(("victim", "code"), [(0, -signal.SIGKILL), (1, 1)])
def test_no_worker_outlives_its_scoring_and_a_lost_one_ends_it(
    victim: int, code: int, text: Path
) -> None:
    ok("train", text, *RUN, "--steps", "2", "-o", "m.npz", cwd=text.parent)
    lines = text.parent / "lines.txt"
    chars = np.random.default_rng(0).choice([*"The cat sat."], (60_000, 40))
    lines.write_text("\n".join(map("".join, chars)))
    if len(os.sched_getaffinity(0)) == 1:
        pytest.skip("one core, one process")
    with running("score", lines, "--lines", "--top", "3", "-c", "m.npz", cwd=text.parent) as run_:
        wait_for(lambda: bool(workers_of(run_.pid)))
        workers = workers_of(run_.pid)
        os.kill([run_.pid, *workers][victim], signal.SIGKILL)
        _, err = run_.communicate(timeout=60)
    assert run_.returncode == code
    assert err.startswith(b"charrnn: error: a worker process died") == bool(victim)
    wait_for(lambda: not any(Path(f"/proc/{pid}").exists() for pid in workers), 10)


def test_samples_too_large_for_memory_are_refused_in_one_line(text: Path) -> None:
    ok("train", text, *RUN, "--steps", "2", "-o", "m.npz", cwd=text.parent)
    for count in ("1", "40"):
        done = fails(1, "out of memory", "sample", "-c", "m.npz", "--jsonl", "--count", count,
                     "--length", "1000000000000", cwd=text.parent)  # fmt: skip
        assert "sample --help" in done.err
