"""What a resumed run may change, and in how many processes a run trains."""

from dataclasses import asdict, replace

from charrnn.config import Config, RunConfig
from charrnn.errors import ConfigError
from charrnn.parallel.launch import can_fork, default_workers
from charrnn.settings import option_name
from charrnn.training.next_character import team_size

# Where a run starts that takes no weights over.
NOTHING = "none"

# What a resumed run may change without becoming another run.
CHANGEABLE = {
    ("data", "ngram"),
    ("optimizer", "learning_rate"),
    ("run", "seconds"),
    ("run", "epochs"),
    ("run", "steps"),
    ("run", "patience"),
    ("run", "workers"),
}


def changed_settings(config: Config, stored: Config) -> list[str]:
    """Return the options that would make another run of the stored one."""
    return [
        option_name(setting)
        for part, settings in asdict(config).items()
        for setting, value in settings.items()
        if (part, setting) not in CHANGEABLE and value != getattr(getattr(stored, part), setting)
    ]


def require_same_run(config: Config, stored: Config) -> None:
    """Raise ConfigError if a resumed run would become another one."""
    if changed := changed_settings(config, stored):
        changeable = ", ".join(option_name(setting) for _, setting in sorted(CHANGEABLE))
        raise ConfigError(
            f"a resumed run cannot change {', '.join(changed)}", hint=f"it can change {changeable}"
        )


def check_workers(run: RunConfig, batch_size: int, members: int = 1) -> None:
    """Raise ConfigError for more workers than this system or this batch allows.

    members   of an ensemble, which workers can share out
    """
    workers = run.workers or 1
    if workers > 1 and not can_fork():
        raise ConfigError("this system allows one worker only", hint="--workers 1")
    if team_size(workers, members) > batch_size:
        raise ConfigError(
            f"{workers} workers are more than the {batch_size} samples of a batch",
            hint=f"--workers {batch_size} or less, or a larger --batch-size",
        )


def with_workers(config: Config) -> Config:
    """Return the config with a number of workers that this machine and this batch allow."""
    data, run = config.data, config.run
    workers = run.workers or default_workers(config.model, data.seq_length, data.batch_size)
    run = replace(run, workers=workers)
    check_workers(run, data.batch_size, config.model.members)
    return replace(config, run=run)


def another_number(config: Config, stored: Config) -> list[str]:
    """Return what to tell of a run that goes on in another number of processes."""
    now, before = config.run.workers, stored.run.workers
    if before is None or now == before:
        return []
    return [f"goes on in {now} process(es) instead of {before}: not the same to the last digit"]
