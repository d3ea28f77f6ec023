"""Ranks of MPI train as the workers of one machine do."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from charrnn.training.state import initial_state
from tests.parallel.mpi_tasks import as_arrays, train
from tests.support import ROOT, V, make_config

# mpiexec and the library of MPI, of the same installation as mpi4py if it is there.
PREFIX = Path(pytest.importorskip("mpi4py").__file__).parents[4]
FOLDERS = os.pathsep.join([str(PREFIX / "bin"), os.environ["PATH"]])
MPIEXEC = shutil.which("mpiexec", path=FOLDERS) or ""
ENVIRONMENT = {**os.environ, "LD_LIBRARY_PATH": str(PREFIX / "lib")}
pytestmark = pytest.mark.skipif(not MPIEXEC, reason="needs mpiexec")


def ranks(number: int, task: str, folder: Path, **settings: Any) -> list[dict[str, Any]]:
    """Return what each rank has in the end."""
    words = [f"{name}={value!r}" for name, value in settings.items()]
    command = [MPIEXEC, "-n", str(number), sys.executable, "-m", "tests.parallel.mpi_tasks"]
    done = subprocess.run(
        [*command, task, str(folder), *words],
        cwd=ROOT, env=ENVIRONMENT, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return [dict(np.load(folder / f"{rank}.npz")) for rank in range(number)]


def workers(number: int, **settings: Any) -> dict[str, Any]:
    """Return what the same run in processes of this machine has in the end."""
    config = make_config(workers=number, **settings)
    return as_arrays(train(config, initial_state(config, V)))


def assert_same(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert one.keys() == other.keys()
    for name, array in one.items():
        np.testing.assert_array_equal(array, other[name], err_msg=name)


@pytest.mark.parametrize(
    ("number", "settings"),
    [
        (2, {"cell": "gru", "stride": 5, "dropout": 0.2, "clip_norm": 0.05}),
        (2, {"members": 4, "hidden_size": 6}),
    ],
    ids=str,
)
def test_ranks_end_with_the_same_bits_as_workers(
    number: int, settings: dict[str, Any], tmp_path: Path
) -> None:
    settings |= {"steps": 25}
    expected = workers(number, **settings)
    for found in ranks(number, "train", tmp_path, **settings):
        assert_same(found, expected)


def test_four_ranks_in_two_teams_end_where_four_workers_do(tmp_path: Path) -> None:
    # MPI may sum gradients in an order of its own.
    settings = {"members": 2, "hidden_size": 8, "dtype": "float64", "steps": 20}
    expected = workers(4, **settings)
    found = ranks(4, "train", tmp_path, **settings)
    for name, array in expected.items():
        np.testing.assert_allclose(found[0][name], array, atol=1e-9, err_msg=name)
    for other in found[1:]:
        assert_same(other, found[0])


@pytest.mark.parametrize("members", [1, 2])
def test_a_number_that_is_not_finite_on_one_rank_takes_all_back(
    members: int, tmp_path: Path
) -> None:
    settings = {"members": members, "hidden_size": 8, "steps": 40, "schedule": "constant"}
    first, second = ranks(2, "rollback", tmp_path, **settings)
    assert_same(first, second)
    assert (first["step"], first["rate"]) == (40, 0.5)
    assert all(np.isfinite(array).all() for array in first.values())


@pytest.mark.parametrize("settings", [{}, {"members": 2}], ids=str)
def test_any_rank_can_stop_a_run_and_it_goes_on_to_the_last_bit(
    settings: dict[str, Any], tmp_path: Path
) -> None:
    settings |= {"hidden_size": 8, "steps": 30, "dropout": 0.2}
    uninterrupted = ranks(2, "train", tmp_path, **settings)
    for stopped in ranks(2, "stop", tmp_path, **settings):
        assert stopped["step"] == 10
    for found, expected in zip(
        ranks(2, "resume", tmp_path, **settings), uninterrupted, strict=True
    ):
        assert_same(found, expected)
