"""Machines that train on their own for a while come together as they should, and never hang."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from charrnn import Model
from charrnn.models import load
from charrnn.parallel.wire import BLOCK, pack, packed_size, unpack
from charrnn.training.local_steps import LONGEST_ROUND, steps_of_round
from tests.parallel.launching import (
    LIMIT,
    MPIEXEC,
    begun,
    machines,
    mpi,
    mpich,
    mpiexec,
    proc,
    process_of,
    well,
)
from tests.support import ROOT, RUN, fails, logged_steps, ok, same_arrays, wait_for

TWO = machines(2)


@given(
    values=arrays.arrays(
        st.sampled_from([np.float32, np.float64]),
        st.integers(0, 3 * BLOCK),
        elements=st.floats(-(2.0**60), 2.0**60, width=32),
    ),
    half=st.booleans(),
)
def test_numbers_arrive_as_they_were_or_with_a_small_error(values: np.ndarray, half: bool) -> None:
    data = pack(values, half=half)
    assert len(data) == packed_size(len(values), values.dtype, half=half)
    found = unpack(data, len(values), values.dtype, half=half)
    assert found.dtype == values.dtype
    if not half:
        np.testing.assert_array_equal(found, values)
        return
    for start in range(0, len(values), BLOCK):
        block, other = values[start : start + BLOCK], found[start : start + BLOCK]
        bound = np.abs(block) / 2000 + np.abs(block).max() / 3e7 + 1e-44
        assert (np.abs(block - other) <= bound).all()


def test_half_precision_takes_half_of_the_bytes() -> None:
    full, half = (packed_size(10**6, np.dtype(np.float32), half=half) for half in (False, True))
    assert 0.5 < half / full < 0.505


@pytest.mark.parametrize(
    ("step", "meeting", "expected"),
    [(0.04, 0.15, 34), (1.0, 0.01, 2), (0.001, 10.0, 5000), (9.0, 9.0, 2), (0.0, 1.0, 5_000_000)],
)
def test_meetings_take_a_tenth_of_the_time_unless_a_round_would_last_too_long(
    step: float, meeting: float, expected: int
) -> None:
    assert steps_of_round(step, meeting) == expected
    if 2 < expected < LONGEST_ROUND / max(step, 1e-6):
        assert meeting / (meeting + expected * step) == pytest.approx(0.1, abs=0.005)


def test_on_one_machine_there_is_nothing_to_do(text: Path) -> None:
    same: list[str | Path] = ["train", text, *RUN, "--steps", "6", "-o", "m.npz", "--overwrite"]
    said = "warning: --sync-every does nothing: all processes are on one machine"
    assert ok(*same, "--sync-every", "4", cwd=text.parent).err.count(said) == 1
    assert Model.load(text.parent / "m.npz").config.run.sync_every == 4
    assert "machine" not in ok(*same, "--sync-every", "auto", cwd=text.parent).err
    assert Model.load(text.parent / "m.npz").config.run.sync_every == "auto"


def test_what_cannot_be_is_refused(text: Path) -> None:
    same: list[str | Path] = ["train", text, *RUN, "--steps", "6", "-o", "m.npz"]
    for wrong in ("0", "-3", "often", "1.5", "", "²"):
        fails(2, f"{wrong!r} is not a number of steps", *same, f"--sync-every={wrong}",
              cwd=text.parent)  # fmt: skip
    for alone in ([], ["--sync-every", "1"]):
        fails(2, "--sync-precision goes with --sync-every", *same, *alone, "--sync-precision",
              "half", cwd=text.parent)  # fmt: skip


@mpich
@pytest.mark.parametrize(("size", "apart"), [(2, 2), (3, 2), (3, 3)])
def test_a_round_is_what_machines_do_alone_and_the_mean_of_it(size: int, apart: int) -> None:
    command = [MPIEXEC, "-n", str(size), sys.executable, "-m", "tests.parallel.round_tasks"]
    done = subprocess.run(
        command, cwd=ROOT, env=machines(apart), capture_output=True, check=False, timeout=LIMIT
    )
    assert done.stdout == b"all well\n", done.stderr.decode()


@mpich
def test_rounds_of_one_step_are_the_steps_that_all_machines_do_together(text: Path) -> None:
    same: list[str | Path] = ["train", text, *RUN, "--steps", "12", "--batch-size", "32"]
    well(mpiexec(2, *same, "-o", "m.npz", cwd=text.parent, env=TWO))
    well(mpiexec(2, *same, "--sync-every", "1", "-o", "1.npz", cwd=text.parent, env=TWO))
    same_arrays(text.parent / "m.npz", text.parent / "1.npz")


@mpich
def test_the_same_rounds_give_the_same_weights_and_other_rounds_others(text: Path) -> None:
    same: list[str | Path] = ["train", text, *RUN, "--steps", "30", "--batch-size", "32"]
    for name, every in (("a", "8"), ("b", "8"), ("c", "30")):
        done = mpiexec(
            2, *same, "--sync-every", every, "-o", f"{name}.npz", cwd=text.parent, env=TWO
        )
        assert f"2 machines, which average their weights every {every} steps" in well(done).err
    same_arrays(text.parent / "a.npz", text.parent / "b.npz")
    one, other = (Model.load(text.parent / f"{name}.npz") for name in "ac")
    assert one.progress.step == other.progress.step == 30
    assert not np.array_equal(one.resume["weights"], other.resume["weights"])


@mpich
def test_a_classifier_learns_in_rounds_too(tmp_path: Path) -> None:
    (tmp_path / "l.tsv").write_text("".join(f"a\tyes {n}\nb\tno {n}\n" for n in range(40)))
    same = ["--hidden-size", "6", "--steps", "10", "--random-seed", "1", "-o", "c.npz"]
    half = ["--sync-every", "4", "--sync-precision", "half"]
    done = well(mpiexec(2, "train-classifier", "l.tsv", *same, *half, cwd=tmp_path, env=TWO))
    assert "every 4 steps" in done.err
    assert load(tmp_path / "c.npz").config.run.sync_precision == "half"


@mpich
@proc
@pytest.mark.parametrize("target", [0, 1])
def test_a_signal_ends_the_run_after_its_round(target: int, text: Path) -> None:
    folder = text.parent
    same: list[str | Path] = ["train", text, *RUN, "--batch-size", "32", "--sync-every", "16"]
    same += ["--val-fraction", "0"]  # an evaluation would tell of a signal too
    with begun(2, *same, "--steps", "4000", "-o", "m.npz", cwd=folder, env=TWO) as run:
        victim = process_of(target, folder)
        assert victim is not None
        os.kill(victim, signal.SIGTERM)
        _, err = run.communicate(timeout=LIMIT)
    assert run.returncode == 128 + signal.SIGTERM, err
    assert b"stopping after this round of steps" in err
    stopped = Model.load(folder / "m.npz").progress.step
    assert 16 <= stopped < 4000
    assert stopped % 16 == 0
    assert logged_steps(folder / "log") == stopped
    more = str(stopped + 20)
    done = mpiexec(2, *same, "-o", "m.npz", "--resume", "--steps", more, cwd=folder, env=TWO)
    assert "not the same to the last digit" in well(done).err
    assert Model.load(folder / "m.npz").progress.step == stopped + 20


@mpich
@proc
@pytest.mark.parametrize("victim", [0, 2])  # which are on one machine
@pytest.mark.parametrize(
    "option", ["", "-disable-auto-cleanup"], ids=["launcher kills the others", "nobody does"]
)
def test_a_process_killed_in_a_round_ends_the_run_and_leaves_a_checkpoint(
    victim: int, option: str, text: Path
) -> None:
    args: list[str | Path] = [text, *RUN, "--batch-size", "48", "-o", "m.npz"]
    ok("train", *args, "--steps", "2", cwd=text.parent)
    rounds = ["--time", "90s", "--sync-every", "700", "--overwrite"]
    with begun(3, "train", *args, *rounds, cwd=text.parent, env=TWO, option=option) as run:
        pids = [process_of(rank, text.parent) for rank in range(3)]
        killed = pids[victim]
        assert killed is not None
        before = time.monotonic()
        os.kill(killed, signal.SIGKILL)
        _, err = run.communicate(timeout=LIMIT)
    assert time.monotonic() - before < LIMIT / 3
    assert run.returncode != 0
    assert b"Traceback" not in err
    # MPICH's launcher may kill the others even so, before the first can say why
    assert err.count(b"charrnn: error: ") <= 1, err
    assert Model.load(text.parent / "m.npz").progress.step >= 0
    wait_for(lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids), LIMIT)


@mpich
def test_a_time_limit_ends_the_run_with_its_round(text: Path) -> None:
    rounds = ["--time", "2s", "--sync-every", "40"]
    args: list[str | Path] = [text, *RUN, *rounds, "-o", "m.npz", "--log", "log"]
    done = well(mpiexec(2, "train", *args, cwd=text.parent, env=TWO))
    model = Model.load(text.parent / "m.npz")
    assert model.history[-1]["progress"] == 1
    assert 1.5 < model.progress.seconds < 4
    assert logged_steps(text.parent / "log") == model.progress.step
    assert f"{model.progress.step} steps in" in done.err


@mpich
def test_only_states_of_all_machines_are_saved(text: Path) -> None:
    script = text.parent / "told.py"
    script.write_text(
        "import sys\n"
        "from charrnn.cli import main, run\n"
        "run.SAVE_EVERY_SECONDS = 0\n"
        "save = run.TrainingCommand.save\n"
        "def told(self, made):\n"
        "    sys.stderr.write(f'saved at {made.state.progress.step}\\n')\n"
        "    save(self, made)\n"
        "run.TrainingCommand.save = told\n"
        "main()\n"
    )
    train = ["train", "text.txt", *RUN, "-o", "m.npz", "--steps", "40", "--sync-every", "8", "-q"]
    done = subprocess.run(
        [MPIEXEC, "-n", "2", sys.executable, str(script), *train],
        cwd=text.parent, env=TWO, capture_output=True, check=True, timeout=LIMIT,
    )  # fmt: skip
    steps = [int(line.split()[-1]) for line in done.stderr.decode().splitlines()]
    assert steps == [8, 16, 24, 32, 40, 40]


@mpi
def test_processes_of_one_machine_have_no_rounds(text: Path) -> None:
    same: list[str | Path] = ["train", text, *RUN, "--steps", "12", "--batch-size", "32"]
    done = well(mpiexec(2, *same, "--sync-every", "auto", "-o", "1.npz", cwd=text.parent))
    assert "machine" not in done.err
    well(mpiexec(2, *same, "-o", "m.npz", cwd=text.parent))
    same_arrays(text.parent / "m.npz", text.parent / "1.npz")


@mpich
def test_a_slow_network_is_noticed(text: Path) -> None:
    slow = [sys.executable, str(ROOT / "benchmarks" / "slow_network.py"), "--latency", "0.03"]
    train = ["train", str(text), *RUN, "--batch-size", "32", "--steps", "60", "-o", "m.npz"]
    done = subprocess.run(
        [MPIEXEC, "-n", "2", *slow, *train, "--sync-every", "auto"],
        cwd=text.parent, env=TWO, capture_output=True, check=True, timeout=LIMIT,
    )  # fmt: skip
    found = done.stderr.decode().partition("average their weights every ")[2]
    assert int(found.split()[0]) > 10
