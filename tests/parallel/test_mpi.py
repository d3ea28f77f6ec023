"""The processes of MPI train as those of one machine do, end together, and never hang."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from charrnn import ConfigError, Model
from charrnn.cli.engine import settled_engine
from charrnn.parallel.launcher import Launched, launched
from tests.parallel.launching import (
    LAUNCHED,
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
from tests.support import (
    CHARRNN,
    ROOT,
    RUN,
    Done,
    charrnn,
    fails,
    logged_steps,
    ok,
    same_arrays,
    wait_for,
)


@mpich
@pytest.mark.parametrize(("size", "apart"), [(3, 1), (3, 2), (4, 2)])
def test_collectives_of_any_number_of_processes_on_any_number_of_machines(
    size: int, apart: int
) -> None:
    command = [MPIEXEC, "-n", str(size), sys.executable, "-m", "tests.parallel.mpi_tasks"]
    done = subprocess.run(
        [*command, str(apart)],
        cwd=ROOT, env=machines(apart), capture_output=True, check=False, timeout=LIMIT,
    )  # fmt: skip
    assert done.stdout == b"all well\n", done.stderr.decode()


@mpi
@pytest.mark.parametrize(
    ("size", "settings"),
    [(4, ["--layers", "2"]), (2, ["--lines", "--weight-drop", "0.2"]), (2, ["--stride", "3"])],
)
def test_as_many_processes_as_workers_give_the_same_to_the_last_digit(
    size: int, settings: list[str], text: Path
) -> None:
    same = [*RUN, *settings, "--steps", "30", "--batch-size", "32"]
    done = well(mpiexec(size, "train", text, *same, "-o", "mpi.npz", cwd=text.parent))
    ok("train", text, *same, "-o", "m.npz", "--workers", str(size), cwd=text.parent)
    same_arrays(text.parent / "mpi.npz", text.parent / "m.npz")
    assert done.err.count("saved:") == 1  # one process speaks
    assert f"{size} worker(s)" in done.err


@mpich
@proc
@pytest.mark.parametrize(
    ("size", "apart", "target", "number"),
    [(2, 1, 1, signal.SIGTERM), (3, 2, 2, signal.SIGTERM), (2, 1, None, signal.SIGINT)],
)
def test_a_signal_to_any_process_saves_what_resumes_to_the_last_bit(
    size: int, apart: int, target: int | None, number: signal.Signals, text: Path
) -> None:
    folder, env = text.parent, machines(apart)
    same: list[str | Path] = ["train", text, *RUN, "--batch-size", "32", "--steps", "160"]
    well(mpiexec(size, *same, "-o", "whole.npz", cwd=folder, env=env))
    with begun(size, *same, "-o", "m.npz", cwd=folder, env=env) as run:
        victim = run.pid if target is None else process_of(target, folder)
        assert victim is not None
        os.kill(victim, number)
        _, err = run.communicate(timeout=LIMIT)
    assert run.returncode == 128 + number
    assert b"stopped after" in err
    stopped = Model.load(folder / "m.npz").progress.step
    assert 20 <= stopped < 160
    well(mpiexec(size, *same, "-o", "m.npz", "--resume", cwd=folder, env=env))
    same_arrays(folder / "whole.npz", folder / "m.npz")


@mpi
def test_a_run_goes_on_in_another_number_of_processes_and_says_so(text: Path) -> None:
    same: list[str | Path] = ["train", text, "-o", "m.npz"]
    well(mpiexec(3, *same, *RUN, "--steps", "10", cwd=text.parent))
    assert Model.load(text.parent / "m.npz").config.run.workers == 3
    told = "process(es) instead of 3"
    assert f"2 {told}" in well(mpiexec(2, *same, "--resume", "--steps", "12", cwd=text.parent)).err
    done = ok(*same, "--resume", "--steps", "14", "--workers", "1", cwd=text.parent)
    assert "1 process(es) instead of 2" in done.err
    # three processes would be too many for some machine that only goes on with the run
    done = ok(*same, "--resume", "--steps", "16", cwd=text.parent)
    assert Model.load(text.parent / "m.npz").config.run.workers == 1
    assert Model.load(text.parent / "m.npz").progress.step == 16


@mpich
@proc
@pytest.mark.parametrize("victim", [0, 1])
@pytest.mark.parametrize(
    "option", ["", "-disable-auto-cleanup"], ids=["launcher kills the others", "nobody does"]
)
def test_a_killed_process_ends_the_run_and_leaves_a_checkpoint(
    victim: int, option: str, text: Path
) -> None:
    args: list[str | Path] = [text, *RUN, "--batch-size", "48", "--time", "90s", "-o", "m.npz"]
    ok("train", text, *RUN, "--batch-size", "48", "--steps", "2", "-o", "m.npz", cwd=text.parent)
    with begun(3, "train", *args, "--overwrite", cwd=text.parent, option=option) as run:
        pids = [process_of(rank, text.parent) for rank in range(3)]
        killed = pids[victim]
        assert killed is not None
        before = time.monotonic()
        os.kill(killed, signal.SIGKILL)
        _, err = run.communicate(timeout=LIMIT)
    assert time.monotonic() - before < LIMIT / 3
    assert run.returncode != 0
    assert b"Traceback" not in err
    if victim and option:
        assert err.count(b"charrnn: error: a worker process died after step") == 1, err
    assert Model.load(text.parent / "m.npz").progress.step >= 0
    wait_for(lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids), LIMIT)
    assert not list(text.parent.glob(".m.npz.*.tmp"))


@mpi
def test_a_time_limit_ends_all_processes_at_the_same_step(text: Path) -> None:
    args: list[str | Path] = [text, *RUN, "--time", "2s", "-o", "m.npz", "--log", "log"]
    done = well(mpiexec(4, "train", *args, cwd=text.parent))
    model = Model.load(text.parent / "m.npz")
    assert model.history[-1]["progress"] == 1
    assert logged_steps(text.parent / "log") == model.progress.step
    assert f"{model.progress.step} steps in" in done.err
    # 16 windows for each process: the default of 32 would starve them
    assert model.config.data.batch_size == 64


@mpi
def test_a_full_disk_ends_all_processes_with_one_line_and_the_old_file(text: Path) -> None:
    folder = text.parent
    ok("train", text, *RUN, "--steps", "5", "-o", "m.npz", cwd=folder)
    before = (folder / "m.npz").read_bytes()
    # No limit on the size of files, as another test has it: MPI makes large ones.
    script = folder.parent / "full.py"
    script.write_text(
        "import errno, sys, tempfile\n"
        "from charrnn.checkpoint import npz\n"
        "def full(*_): raise OSError(errno.ENOSPC, 'No space left on device')\n"
        "npz.write = full\n"
        "from charrnn.cli import main\n"
        "main()\n"
    )
    train = ["train", "text.txt", *RUN, "-o", "m.npz", "--overwrite", "--steps", "5", "-q"]
    done = subprocess.run(
        [MPIEXEC, "-n", "3", sys.executable, str(script), *train],
        cwd=folder, env=LAUNCHED, capture_output=True, check=False, timeout=LIMIT,
    )  # fmt: skip
    assert done.returncode == 1, done.stderr
    assert done.stderr.count(b"m.npz: cannot be written: No space left on device") == 1
    assert (folder / "m.npz").read_bytes() == before
    assert sorted(path.name for path in folder.iterdir()) == ["m.npz", "text.txt"]


@mpi
def test_errors_are_told_once_and_end_all_processes(text: Path) -> None:
    cases: list[tuple[list[str | Path], str, int]] = [
        ([text, *RUN, "--workers", "2"], "mpiexec says how many processes there are", 2),
        ([text, "--steps", "x"], "Invalid value for '--steps'", 2),
        (["none.txt", *RUN], "none.txt: no such file", 1),
        ([text, *RUN, "--batch-size", "2"], "3 workers are more than the 2 samples", 2),
    ]
    for args, complaint, code in cases:
        done = mpiexec(3, "train", *args, "-o", "m.npz", cwd=text.parent)
        assert done.returncode == code, done.err
        assert done.err.count("charrnn: error: ") == 1, done.err
        assert complaint in done.err
        assert done.stdout == b""


@mpi
def test_the_text_is_read_by_one_process_alone(text: Path) -> None:
    args: list[str | Path] = ["train", "-", *RUN, "--steps", "3", "-o", "m.npz", "--json"]
    done = well(mpiexec(2, *args, cwd=text.parent, stdin=text.read_bytes()))
    assert done.out.count(f'"chars": {len(text.read_text())}') == 1


def without_mpi(folder: Path, rank: int, *args: str | Path) -> Done:
    """Run charrnn as a launcher would, where mpi4py is not installed."""
    (folder / "mpi4py").mkdir(exist_ok=True)
    (folder / "mpi4py" / "__init__.py").write_text("raise ImportError")
    env = {**LAUNCHED, "PMI_RANK": str(rank), "PMI_SIZE": "3"}
    env["PYTHONPATH"] = os.pathsep.join([str(folder), env.get("PYTHONPATH", "")])
    done = subprocess.run(
        [CHARRNN, *map(str, args)],
        cwd=folder, env=env, capture_output=True, check=False, timeout=LIMIT,
    )  # fmt: skip
    return Done(done.args, done.returncode, done.stdout, done.stderr)


def test_without_mpi4py_the_first_process_says_what_to_install(text: Path) -> None:
    args: list[str | Path] = ["train", text, *RUN, "--steps", "2", "-o", "m.npz"]
    first, second = (without_mpi(text.parent, rank, *args) for rank in (0, 1))
    assert (first.returncode, second.returncode) == (1, 1)
    assert first.err.splitlines()[0] == (
        "charrnn: error: mpiexec has started 3 processes, which need the package mpi4py"
    )
    assert "pip install 'charrnn[mpi]'" in first.err
    assert second.err == second.out == first.out == ""
    # each a run of its own, which speaks
    own = without_mpi(text.parent, 1, *args, "--engine", "processes")
    assert own.returncode == 0
    assert "saved:" in own.err


def test_mpi_without_a_launcher_is_refused(text: Path) -> None:
    done = fails(2, "--engine mpi is for processes that a launcher has started", "train", text,
                 "--engine", "mpi", "-o", "m.npz", cwd=text.parent)  # fmt: skip
    assert "mpiexec -n 8 charrnn train" in done.err


def test_other_commands_run_in_each_process(text: Path) -> None:
    done = without_mpi(text.parent, 1, "models")
    assert done.returncode == 0
    assert "english" in done.out
    assert charrnn("models").out == done.out


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Give an environment in which nobody was launched."""
    for name in os.environ:
        if name.startswith(("PMI", "OMPI", "SLURM", "MPI", "MV2")):
            monkeypatch.delenv(name)
    return monkeypatch


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, None),
        ({"PMI_RANK": "1", "PMI_SIZE": "4", "MPI_LOCALNRANKS": "2"}, ("mpiexec", 1, 4, 2)),
        ({"PMI_RANK": "1", "PMI_SIZE": "4"}, ("mpiexec", 1, 4, 4)),
        (
            {"OMPI_COMM_WORLD_RANK": "0", "OMPI_COMM_WORLD_SIZE": "2", "PMI_RANK": "x"},
            ("mpirun", 0, 2, 2),
        ),
        (
            {
                "SLURM_PROCID": "7",
                "SLURM_STEP_NUM_TASKS": "8",
                "SLURM_STEP_TASKS_PER_NODE": "4(x2)",
            },
            ("srun", 7, 8, 4),
        ),
        # a batch script, which is one process whatever it has asked for
        ({"SLURM_PROCID": "0", "SLURM_NTASKS": "8"}, None),
        ({"PMI_RANK": "4", "PMI_SIZE": "4"}, None),
        ({"PMI_RANK": "", "PMI_SIZE": "²"}, None),
    ],
)
def test_the_environment_tells_who_started_a_process(
    variables: dict[str, str],
    expected: tuple[str, int, int, int] | None,
    environment: pytest.MonkeyPatch,
) -> None:
    for name, value in variables.items():
        environment.setenv(name, value)
    assert launched() == (None if expected is None else Launched(*expected))


def test_auto_means_mpi_where_several_processes_were_launched(
    environment: pytest.MonkeyPatch,
) -> None:
    assert settled_engine(None, None) == settled_engine("auto", 2) == "processes"
    environment.setenv("PMI_RANK", "0")
    environment.setenv("PMI_SIZE", "1")
    assert settled_engine("auto", 2) == "processes"
    assert settled_engine("mpi", None) == "mpi"
    environment.setenv("PMI_SIZE", "2")
    assert settled_engine(None, None) == settled_engine("auto", None) == "mpi"
    assert settled_engine("processes", 2) == "processes"
    with pytest.raises(ConfigError, match="--workers"):
        settled_engine("auto", 2)
