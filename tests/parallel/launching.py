"""Starting charrnn in processes of MPI: what the tests of it share."""

import contextlib
import importlib.util
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.support import CHARRNN, ENVIRONMENT, Done, logged_steps, wait_for

MPIEXEC = shutil.which("mpiexec", path=ENVIRONMENT["PATH"]) or "mpiexec"
LIMIT = 100  # seconds, for a machine that is busy with other tests
LAUNCHED = {
    **ENVIRONMENT,
    # Open MPI starts no more processes than there are cores, and none for root, unless told to.
    "OMPI_ALLOW_RUN_AS_ROOT": "1",
    "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
    "OMPI_MCA_rmaps_base_oversubscribe": "1",
    "PRTE_MCA_rmaps_default_mapping_policy": ":oversubscribe",
}


def has_mpi() -> bool:
    return importlib.util.find_spec("mpi4py") is not None and shutil.which(MPIEXEC) is not None


def is_mpich() -> bool:
    if not has_mpi():
        return False
    shown = subprocess.run([MPIEXEC, "--version"], capture_output=True, check=False)
    return b"HYDRA" in shown.stdout


mpi = pytest.mark.skipif(not has_mpi(), reason="needs mpi4py and mpiexec")
# It can have the processes of one machine believe that they are on several.
mpich = pytest.mark.skipif(not is_mpich(), reason="needs mpi4py and the mpiexec of MPICH")
proc = pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="needs a Linux")


def machines(number: int) -> dict[str, str]:
    return {**LAUNCHED, "MPIR_CVAR_NUM_CLIQUES": str(number)}


def mpiexec(
    size: int, *args: str | Path, cwd: Path, env: Mapping[str, str] = LAUNCHED, stdin: bytes = b""
) -> Done:
    done = subprocess.run(
        [MPIEXEC, "-n", str(size), CHARRNN, *map(str, args)],
        cwd=cwd, env=env, input=stdin, capture_output=True, check=False, timeout=LIMIT,
    )  # fmt: skip
    return Done(done.args, done.returncode, done.stdout, done.stderr)


def well(done: Done) -> Done:
    assert done.returncode == 0, done.err
    return done


def process_of(rank: int, folder: Path) -> int | None:
    """Return the process of a rank that runs charrnn in this folder."""
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if not entry.name.isdigit() or (entry / "cwd").readlink() != folder:
                continue
            variables = (entry / "environ").read_bytes().split(b"\0")
            names = (b"PMI_RANK", b"OMPI_COMM_WORLD_RANK")
            if any(name + b"=%d" % rank in variables for name in names):
                return int(entry.name)
    return None


@contextlib.contextmanager
def begun(
    size: int, *args: str | Path, cwd: Path, env: Mapping[str, str] = LAUNCHED, option: str = ""
) -> Iterator[subprocess.Popen[bytes]]:
    """Start a run, wait until it has done some steps, and make sure that it is gone in the end."""
    command = [MPIEXEC, *option.split(), "-n", str(size), CHARRNN, *map(str, args), "--log", "log"]
    process = subprocess.Popen(
        command, cwd=cwd, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    try:
        wait_for(lambda: logged_steps(cwd / "log") > 20 or process.poll() is not None)
        assert process.poll() is None, process.communicate()
        yield process
    finally:
        process.kill()
        process.communicate()
        for rank in range(size):
            if (left := process_of(rank, cwd)) is not None:
                os.kill(left, signal.SIGKILL)
