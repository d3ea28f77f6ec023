"""How much memory a run takes, and how much there is."""

import os
import sys
from dataclasses import replace
from pathlib import Path

from charrnn.config import Config, ModelConfig
from charrnn.errors import TrainingError
from charrnn.nn.cells import make_cell
from charrnn.nn.language_model import param_shapes
from charrnn.nn.parameters import count
from charrnn.text.storage import IN_MEMORY
from charrnn.text.vocabulary import Ids
from charrnn.training.optimizers import OPTIMIZERS

# Python, NumPy and BLAS themselves.
BASELINE = 100 << 20


def estimate(config: Config, vocab_size: int, ids: Ids) -> int:
    """Return about how many bytes training takes at its peak."""
    data, shapes = config.data, param_shapes(config.model, vocab_size)
    chars = data.seq_length * data.batch_size
    # For each character: logits, probabilities, their gradient, of the members too.
    logits = chars * vocab_size * (5 if config.model.members == 1 else 2 + 5 * config.model.members)
    # A model to save, and a check of it, have the zeros between the members of an ensemble.
    whole = param_shapes(replace(config.model, members=1), vocab_size)
    zeros = 2 * (count(whole) - count(shapes))
    needed = _numbers(config, shapes, chars, vocab_size) + logits + zeros
    return BASELINE + 2 * min(ids.nbytes, IN_MEMORY) + _bytes(config.model) * needed


def require(needed: int, hint: str) -> None:
    """Raise TrainingError if there are not so many bytes."""
    free = available()
    if free is not None and needed > free:
        raise TrainingError(
            f"it would take about {needed >> 20:,} MiB of memory to train, {free >> 20:,} are free",
            hint=hint,
        )


def _bytes(model: ModelConfig) -> int:
    return 8 if model.dtype == "float64" else 4


def _numbers(
    config: Config,
    shapes: dict[str, tuple[int, ...]],
    chars: int,
    vocab_size: int,
) -> int:
    """Return how many numbers the weights, and steps of so many characters, take."""
    model, slots = config.model, len(OPTIMIZERS[config.optimizer.name].slot_names)
    # Weights, best weights and a model to save; a gradient and blocks of the weights, both ways,
    # for each process; the optimizer's slots; and weights and slots in the copy to go back to.
    # With weight drop, each process has its mask and what is left of the weights.
    workers = config.run.workers or 1
    copies = 3 + (5 if model.weight_drop else 3) * workers + slots + 1 + slots
    parameters = count(shapes)
    # For each unit and character: gates and their gradients; states, outputs and their gradients.
    activations = chars * model.layers * model.hidden_size * (2 * make_cell(model.cell).gates + 8)
    return copies * parameters + activations + chars * min(chars, vocab_size)


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


def _free_in_cgroup(root: Path = Path("/sys/fs/cgroup")) -> int | None:
    """Return what a container's limit leaves."""
    try:
        limit = int((root / "memory.max").read_text(encoding="ascii"))
        used = int((root / "memory.current").read_text(encoding="ascii"))
    except (OSError, ValueError):  # no cgroup, or "max"
        return None
    try:
        # Pages of files that were read: the kernel takes them back when a process needs memory.
        lines = (root / "memory.stat").read_text(encoding="ascii").splitlines()
        stat = dict(line.split() for line in lines)
        used -= int(stat["active_file"]) + int(stat["inactive_file"])
    except (OSError, ValueError, KeyError):
        pass
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
