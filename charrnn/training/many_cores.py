"""What a run with a time limit does with many cores.

Two cores are all that one network with the usual batch of 32 windows keeps busy: with fewer than 16
windows each, processes wait for memory. More cores can read more windows in a step, or train more
networks. A batch of 64 or 128 windows is read in the time of 32 but does not teach as much more;
networks that were trained apart err apart, and the mean of their logits is better than any of them
(``nn.ensemble``). So first come networks, then windows:

    cores       2    4    8   16   32
    networks    1    2    4    4    4
    windows    32   32   32   64  128

benchmarks/QUALITY.md has the measurements behind these numbers. With ``--steps`` or ``--epochs``,
nothing depends on the machine.
"""

from collections.abc import Collection
from dataclasses import replace

from charrnn.config import Config, ModelConfig
from charrnn.parallel.cores import available_cores
from charrnn.parallel.launch import MIN_COLUMNS, can_fork
from charrnn.training.next_character import team_size

# Cores for each network, and how many networks are worth their memory and their sampling time.
CORES_PER_NETWORK, MOST_NETWORKS = 2, 4

# Beyond this, a batch teaches no more in a step.
LARGEST_BATCH = 128

# A text of fewer steps than this is not read in larger batches.
FEWEST_STEPS = 50


def networks(config: Config, fixed: Collection[str], *, fine_tuning: bool) -> int:
    """Return how many networks to train side by side.

    fixed         names of the settings that someone gave
    fine_tuning   the run starts from a model: from as many networks as that has
    """
    if fine_tuning:
        return config.model.members
    given = not {"hidden_size", "members"}.isdisjoint(fixed)
    if config.run.seconds is None or given:
        return 1
    number, chosen = _processes(config), MOST_NETWORKS
    settled = config.run.workers is not None
    # Of five cores, four are used; five processes that someone asked for are one team.
    while chosen > 1 and (number < CORES_PER_NETWORK * chosen or (settled and number % chosen)):
        chosen //= 2
    return chosen


def spread(config: Config, fixed: Collection[str], chars: int, *, fine_tuning: bool) -> Config:
    """Return the config with a batch that gives every process of a network enough windows.

    chars   of the training text

    The others are those of ``networks``.
    """
    data = config.data
    if "batch_size" in fixed or not config.run.seconds:
        return config
    team = _processes(config)
    side = max(networks(config, fixed, fine_tuning=fine_tuning), config.model.members)
    team = team_size(team, side) if config.run.workers else max(team // side, 1)
    batch_size = min(team * MIN_COLUMNS, LARGEST_BATCH)
    if batch_size * data.seq_length * FEWEST_STEPS > chars:
        return config
    return replace(config, data=replace(data, batch_size=max(data.batch_size, batch_size)))


def _processes(config: Config) -> int:
    """Return how many processes a run can have."""
    return config.run.workers or (available_cores() if can_fork() else 1)


def side_by_side(one: ModelConfig, networks: int) -> ModelConfig:
    """Return an ensemble of so many networks like this one."""
    hidden_size, members = networks * one.hidden_size, networks * one.members
    return replace(one, hidden_size=hidden_size, members=members)


def one_of(model: ModelConfig, networks: int) -> ModelConfig:
    """Return one of the networks of an ensemble of so many; see ``side_by_side``."""
    hidden_size, members = model.hidden_size // networks, model.members // networks
    return replace(model, hidden_size=hidden_size, members=members)
