"""How much memory a run takes, and how much there is."""

import os
import sys
from contextlib import suppress
from pathlib import Path

from charrnn.config import Config
from charrnn.errors import TrainingError
from charrnn.nn.network import count_parameters, param_shapes
from charrnn.nn.stack import make_cell
from charrnn.parallel.cores import ROOT, control_groups
from charrnn.text.split import STREAMS, WINDOW
from charrnn.text.storage import IN_MEMORY
from charrnn.text.vocabulary import Ids
from charrnn.training.optimizers import OPTIMIZERS

# Python, NumPy and BLAS themselves.
BASELINE = 100 << 20


def estimate(config: Config, vocab_size: int, ids: Ids) -> int:
    """Return about how many bytes training takes at its peak."""
    model, data, workers = config.model, config.data, config.run.workers or 1
    parameters = model.members * count_parameters(param_shapes(model, vocab_size))
    slots = len(OPTIMIZERS[config.optimizer.name].slot_names)
    # Weights, best weights and a model to save; slots; weights and slots of the copy to go back to.
    copies = 3 + slots + 1 + slots
    # For each process a gradient, blocks of the weights both ways, and with weight drop a mask and
    # what is left of the weights.
    per_process = (5 if model.weight_drop else 3) * parameters // model.members
    chars = data.seq_length * data.batch_size
    # For each unit and character: gates and their gradients; states, outputs and their gradients.
    activations = model.layers * model.hidden_size * (2 * make_cell(model.cell).gates + 8)
    activations += min(chars, vocab_size)  # a one-hot vector
    # Logits, probabilities and their gradient; validation reads larger windows, by each network.
    validated = min(STREAMS * WINDOW, len(ids))
    trained = 5 * chars * min(workers, model.members)
    logits = vocab_size * max(trained, chars + (model.members + 2) * validated)
    numbers = copies * parameters + workers * per_process + chars * activations + logits
    bytes_per_number = 8 if model.dtype == "float64" else 4
    return BASELINE + 2 * min(ids.nbytes, IN_MEMORY) + bytes_per_number * numbers


def require(needed: int, hint: str) -> None:
    """Raise TrainingError if there are not so many bytes."""
    free = available()
    if free is not None and needed > free:
        raise TrainingError(
            f"it would take about {needed >> 20:,} MiB of memory to train, {free >> 20:,} are free",
            hint=hint,
        )


def available() -> int | None:
    """Return how many bytes this process may still take, or None where that cannot be told."""
    limits = [_free_in_machine(), _free_in_cgroup(), _free_in_address_space()]
    return min((limit for limit in limits if limit is not None), default=None)


def _free_in_machine() -> int | None:
    try:
        for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
            name, _, value = line.partition(":")
            if name == "MemAvailable":
                return int(value.split()[0]) * 1024
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (OSError, ValueError, AttributeError):
        return None


def _free_in_cgroup(root: Path = ROOT) -> int | None:
    """Return what the limits of a container leave: of its control group and those around it."""
    limits = [
        _free_in(folder, *names) for folder in control_groups("memory", root) for names in _FILES
    ]
    return min((limit for limit in limits if limit is not None), default=None)


# Limit, use and, of the use, pages of files that were read, in versions 2 and 1 of control groups.
_FILES = (
    ("memory.max", "memory.current", ("active_file", "inactive_file")),
    (
        "memory.limit_in_bytes",
        "memory.usage_in_bytes",
        ("total_active_file", "total_inactive_file"),
    ),
)


def _free_in(folder: Path, limit_file: str, use_file: str, cached: tuple[str, str]) -> int | None:
    try:
        limit = int((folder / limit_file).read_text(encoding="ascii"))
        used = int((folder / use_file).read_text(encoding="ascii"))
    except (OSError, ValueError):  # no such group, or "max"
        return None
    with suppress(OSError, ValueError, KeyError):
        # The kernel takes these pages back when a process needs memory.
        lines = (folder / "memory.stat").read_text(encoding="ascii").splitlines()
        stat = dict(line.split() for line in lines)
        used -= sum(int(stat[name]) for name in cached)
    return max(limit - max(used, 0), 0)


def _free_in_address_space() -> int | None:
    """Return what ``ulimit -v`` leaves."""
    if sys.platform == "win32":
        return None
    import resource  # noqa: PLC0415  # not on every platform

    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if limit == resource.RLIM_INFINITY:
        return None
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    except (OSError, ValueError):
        pages = 0
    return max(limit - pages * resource.getpagesize(), 0)
