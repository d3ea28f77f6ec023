"""How much memory a run takes, and how much there is."""

import math
import os
import sys
from pathlib import Path

from charrnn.cells import make_cell
from charrnn.config import Config
from charrnn.corpus import IN_MEMORY
from charrnn.model import param_shapes
from charrnn.optimizers import OPTIMIZERS
from charrnn.vocabulary import Ids

# Python, NumPy and BLAS themselves.
BASELINE = 100 << 20


def estimate(config: Config, vocab_size: int, ids: Ids) -> int:
    """Return about how many bytes training takes at its peak."""
    model, data = config.model, config.data
    number = 8 if model.dtype == "float64" else 4
    parameters = sum(math.prod(shape) for shape in param_shapes(model, vocab_size).values())
    slots = len(OPTIMIZERS[config.optimizer.name].slot_names)
    # Weights, best weights and a model to save; a gradient and blocks of the weights, both ways,
    # for each process; the optimiser's slots; and weights and slots in the copy to go back to.
    # With weight drop, each process has its mask and what is left of the weights.
    workers = config.run.workers or 1
    copies = 3 + (5 if model.weight_drop else 3) * workers + slots + 1 + slots
    chars = data.seq_length * data.batch_size
    gates = make_cell(model).gates
    # For each layer and character: gates and their gradients; states, outputs and their gradients.
    # For each character: logits, probabilities, their gradient.
    activations = chars * (model.layers * model.hidden_size * (2 * gates + 8) + 5 * vocab_size)
    one_hot = chars * min(chars, vocab_size)
    return (
        BASELINE
        + 2 * min(ids.nbytes, IN_MEMORY)
        + number * (copies * parameters + activations + one_hot)
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


def _free_in_cgroup() -> int | None:
    """Return what a container's limit leaves."""
    try:
        limit = int(Path("/sys/fs/cgroup/memory.max").read_text(encoding="ascii"))
        used = int(Path("/sys/fs/cgroup/memory.current").read_text(encoding="ascii"))
    except (OSError, ValueError):  # no cgroup, or "max"
        return None
    return max(limit - used, 0)


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
