"""``--state-in`` and ``--state-out``: where a text stands, from one run to the next."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from charrnn.cli.prompts import Prompt
    from charrnn.cli.writing import Sampler
    from charrnn.inference.predictor import Prediction
    from charrnn.inference.sampling import Randomness
    from charrnn.models.writer import Writer


def restored(
    path: Path | None, writer: "Writer", random_seed: int | None
) -> "tuple[Prediction | None, Randomness]":
    """Return where a text goes on, None: at its beginning; and the random numbers to draw from.

    Without a random seed, a saved text goes on with its own, where it stopped.
    """
    import secrets

    from charrnn.checkpoint.state_file import TextState
    from charrnn.inference.predictor import prediction_of
    from charrnn.inference.sampling import Randomness

    randomness = Randomness(secrets.randbits(32) if random_seed is None else random_seed)
    if path is None:
        return None, randomness
    template = writer.predictor.decoder(1).state()
    saved = TextState.load(path, writer.fingerprint(), template)
    if random_seed is None:
        randomness = Randomness(saved.random_seed, saved.drawn)
    return prediction_of(writer.predictor, saved.state), randomness


@contextmanager
def place_for_state(path: Path | None) -> Iterator[None]:
    """Make sure that a state can be saved, before any text is written."""
    from charrnn.checkpoint.files import reserved
    from charrnn.errors import CheckpointError

    if path is None:
        yield
        return
    try:
        with reserved(path):
            yield
    except CheckpointError as error:
        raise CheckpointError(str(error), hint="choose another place for --state-out") from error


def save_state(path: Path, sampler: "Sampler", prompt: "Prompt", ids: list[int]) -> None:
    """Save where a text stands after a prompt and these ids."""
    import numpy as np

    from charrnn.checkpoint.state_file import TextState

    writer, randomness = sampler.writer, sampler.randomness
    # Fed one by one again, as when it was written: so not a bit differs, and what was drawn and
    # then cut has left no trace.
    decoder = writer.predictor.decoder(1)
    decoder.start(prompt.start.state)
    for chosen in ids:
        decoder.feed(np.array([chosen]))
    controls = sampler.controls
    drawn = len(ids) if controls is None else controls.drawn(len(ids))
    state = decoder.state()
    TextState(state, writer.fingerprint(), randomness.seed, randomness.skipped + drawn).save(path)
