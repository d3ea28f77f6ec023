"""How much memory a run takes."""

from dataclasses import replace

import numpy as np

from charrnn import Config, ModelConfig
from charrnn.training.memory import estimate

IDS = np.zeros(100_000, np.uint8)


def test_what_grows_with_the_vocabulary_counts_even_if_the_batch_is_small() -> None:
    config = Config(model=ModelConfig(hidden_size=16))
    config = replace(config, data=replace(config.data, seq_length=8, batch_size=2))
    small, large = (estimate(config, size, IDS) for size in (20_000, 200_000))
    # Measured: 411 MiB with 20,000 characters, of which 115 are Python and the text.
    assert 411 << 20 < small < 2 * (411 << 20)
    assert large > 8 * small


def test_every_network_of_an_ensemble_and_every_worker_takes_memory() -> None:
    def bytes_of(members: int, workers: int) -> int:
        config = Config(model=ModelConfig(hidden_size=512, members=members))
        return estimate(replace(config, run=replace(config.run, workers=workers)), 60, IDS)

    weights = 4 * 4 * 512 * 512
    assert bytes_of(4, 1) - bytes_of(1, 1) > 3 * 8 * weights
    assert bytes_of(1, 4) - bytes_of(1, 1) > 3 * 3 * weights
