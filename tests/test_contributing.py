"""What CONTRIBUTING.md promises: a new optimizer, and a new cell, is one file and one line."""

import shutil
import subprocess
import sys
from pathlib import Path

from tests.support import ROOT

LION = '''
"""Lion (Chen et al. 2023): the sign of an interpolated momentum."""

import numpy as np

from charrnn.training.optimizers.optimizer import Optimizer


class Lion(Optimizer):
    """params -= lr * sign(b1 m + (1 - b1) grad), then m = b2 m + (1 - b2) grad."""

    slot_names = ("mean",)

    def _update(self, params, grad, slots, rate, steps, scratch):
        (mean,) = slots
        np.multiply(mean, 0.9, out=scratch)
        scratch += 0.1 * grad
        np.sign(scratch, out=scratch)
        scratch *= rate
        params -= scratch
        mean *= 0.99
        mean += 0.01 * grad
'''

CIFG = '''
"""An RNN whose one gate couples forgetting and input (after Greff et al. 2017), without r.

    z = sigmoid(a_z)    n = tanh(a_n)    h_t = (1 - z) n + z h_(t-1)
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from charrnn.nn.cells.cell import Cell
from charrnn.nn.kernels import activate


@dataclass(frozen=True)
class CoupledCell(Cell):
    gates: ClassVar[int] = 2
    state_names: ClassVar[tuple[str, ...]] = ("h",)
    sigmoid_gates: ClassVar[tuple[int, ...]] = (0,)
    gradients: ClassVar[int] = 2
    input_side: ClassVar[tuple[int, ...]] = (0, 1)
    skips: ClassVar[bool] = True

    def step(self, params, gates, recurrent, before, after, saved):
        gates += recurrent
        z, n = gates
        activate(gates, (z,))
        after[0][...] = n + z * (before[0] - n)

    def step_backward(self, params, gates, saved, before, d_state, d_gates, scratch):
        z, n = gates[0].copy(), gates[1].copy()
        d_h = d_state[0].copy()
        d_gates[0] = d_h * (before[0] - n) * z * (1 - z)
        d_gates[1] = d_h * (1 - z) * (1 - n * n)
        d_state[0][...] = d_h * z
'''


def run_in_a_copy(folder: Path, file: str, source: str, line: tuple[str, str], *args: str) -> str:
    """Add a file, change a line of charrnn/config/choices.py, and run pytest or charrnn there."""
    shutil.copytree(ROOT / "charrnn", folder / "charrnn")
    shutil.copytree(ROOT / "tests", folder / "tests")
    (folder / "charrnn" / file).write_text(source)
    config = folder / "charrnn" / "config" / "choices.py"
    text = config.read_text(encoding="utf-8")
    assert text.count(line[0]) == 1
    config.write_text(text.replace(*line), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, *args], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_new_optimizer_is_one_file_and_one_line(tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text("the cat sat on the mat\n" * 100)
    shown = run_in_a_copy(
        tmp_path, "training/optimizers/lion.py", LION,
        ('    "sgd": 1.0,', '    "sgd": 1.0, "lion": 0.003,'),
        "-m", "charrnn", "train", "text.txt", "--optimizer", "lion", "--steps", "200",
        "--hidden-size", "24", "--random-seed", "1", "--json", "-q",
    )  # fmt: skip
    assert '"steps": 200' in shown
    assert float(shown.split('"train_loss": ')[1].split(",")[0]) < 1.5


def test_a_new_cell_is_one_file_and_one_line_and_passes_the_gradient_checks(tmp_path: Path) -> None:
    run_in_a_copy(
        tmp_path, "nn/cells/coupled.py", CIFG, ('CELLS = ("rnn",', 'CELLS = ("coupled", "rnn",'),
        "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", str(ROOT / "pyproject.toml"),
        "--rootdir", str(tmp_path), "-n", "0", "-k", "coupled", "tests/nn/test_cells.py",
    )  # fmt: skip
