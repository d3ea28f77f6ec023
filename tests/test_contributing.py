"""What CONTRIBUTING.md promises: a new optimizer, and a new cell, is one file and one line."""

import shlex
import shutil
import subprocess
import sys
from pathlib import Path

from tests.support import ROOT

LION = '''

def lion(update: Update) -> None:
    """Lion (Chen et al. 2023): params -= lr * sign(b1 m + (1 - b1) grad)."""
    (mean,), scratch = update.slots, update.scratch
    np.multiply(mean, 0.9, out=scratch)
    scratch += 0.1 * update.grad
    np.sign(scratch, out=scratch)
    scratch *= update.rate
    update.params[...] -= scratch
    mean *= 0.99
    mean += 0.01 * update.grad


OPTIMIZERS['lion'] = (lion, ('mean',))
'''

CIFG = '''
"""An RNN whose one gate couples forgetting and input (after Greff et al. 2017), without r.

    z = sigmoid(a_z)    n = tanh(a_n)    h_t = (1 - z) n + z h_(t-1)
"""

from dataclasses import dataclass
from typing import ClassVar

from charrnn.nn.cell import Cell
from charrnn.nn.cell import activate


@dataclass(frozen=True)
class CoupledCell(Cell):
    gates: ClassVar[int] = 2
    state_names: ClassVar[tuple[str, ...]] = ("h",)
    sigmoids: ClassVar[tuple[int, ...]] = (0,)
    gradients: ClassVar[int] = 2
    input_side: ClassVar[tuple[int, ...]] = (0, 1)
    skips: ClassVar[bool] = True

    def forward(self, params, at):
        gates, (before,), (after,) = at.gates, at.before, at.after
        gates += at.recurrent
        z, n = gates
        activate(gates, (z,))
        after[...] = n + z * (before - n)

    def backward(self, params, at, d_state, d_gates, scratch):
        (z, n), (before,), d_h = at.gates.copy(), at.before, d_state[0].copy()
        d_gates[0] = d_h * (before - n) * z * (1 - z)
        d_gates[1] = d_h * (1 - z) * (1 - n * n)
        d_state[0][...] = d_h * z
'''


def run_in_a_copy(folder: Path, changes: list[tuple[str, str, str]], *commands: str) -> str:
    """Change lines of files of charrnn, run pytest or charrnn there; return what the last shows.

    changes   of each file its name, a text in it, and what to put there; "" is its end
    """
    for name in ("charrnn", "tests"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name, old, new in changes:
        path = folder / "charrnn" / name
        source = path.read_text(encoding="utf-8") if path.exists() else ""
        assert not old or source.count(old) == 1
        path.write_text(source.replace(old, new) if old else source + new, encoding="utf-8")
    for command in commands:
        words = [sys.executable, "-m", *shlex.split(command)]
        done = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_new_optimizer_is_a_function_and_a_line_in_two_tables(tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text("the cat sat on the mat\n" * 100)
    name = ("config.py", '"sgd": 1.0}', '"sgd": 1.0, "lion": 0.003}')
    shown = run_in_a_copy(
        tmp_path,
        [("training/optimizers.py", "", LION), name],
        "charrnn train text.txt --optimizer lion --steps 200 --hidden-size 24 --random-seed 1 "
        "--json -q",
    )
    assert '"steps": 200' in shown
    assert float(shown.split('"train_loss": ')[1].split(",")[0]) < 1.5


def test_a_new_cell_is_a_file_and_its_name_and_passes_the_gradient_checks(tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text("the cat sat on the mat\n" * 100)
    network = "nn/network.py"
    run_in_a_copy(
        tmp_path,
        [
            ("nn/coupled.py", "", CIFG),
            ("config.py", 'CELL_RATES = {"rnn":', 'CELL_RATES = {"coupled": 0.01, "rnn":'),
            (network, "", "\nfrom charrnn.nn.coupled import CoupledCell\n"),
            (network, "", "CELLS['coupled'] = CoupledCell\n"),
        ],
        f"pytest -q -p no:cacheprovider -c {ROOT / 'pyproject.toml'} --rootdir {tmp_path} -n 0 "
        "-k coupled tests/nn/test_cells.py",
        "charrnn train text.txt --model coupled --steps 2",
    )
