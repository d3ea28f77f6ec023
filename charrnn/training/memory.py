"""How much memory a run takes."""

from charrnn.config import Config
from charrnn.errors import TrainingError
from charrnn.nn.network import count_parameters, make_cell, param_shapes
from charrnn.parallel.machine import available_memory
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
    slots = len(OPTIMIZERS[config.optimizer.name][1])
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


def require_memory(config: Config, vocab_size: int, ids: Ids) -> None:
    """Raise TrainingError if training takes more memory than is free."""
    needed, free = estimate(config, vocab_size, ids), available_memory()
    if free is not None and needed > free:
        raise TrainingError(
            f"it would take about {needed >> 20:,} MiB of memory to train, {free >> 20:,} are free",
            hint="try a smaller --hidden-size, --batch-size, --seq-length or --layers",
        )
