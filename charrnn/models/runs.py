"""What all training runs are, made ready to go.

The command line and the Python API both train like this:

    run = TextRun.new(config, corpus, fixed)
    for event in run.events(): ...
    run.checkpoint().save(path)
"""

from abc import ABC, abstractmethod
from collections.abc import Generator
from dataclasses import asdict, dataclass, field, replace

from charrnn.checkpoint.checkpoint import Checkpoint
from charrnn.checkpoint.origin import Origin
from charrnn.config import Config, RunConfig
from charrnn.errors import ConfigError
from charrnn.parallel.launch import can_fork, default_workers
from charrnn.settings import option_name
from charrnn.text.vocabulary import Vocabulary
from charrnn.training.loop import Event, train_events
from charrnn.training.next_character import team_size
from charrnn.training.objective import Objective
from charrnn.training.state import TrainingState

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


@dataclass(kw_only=True)
class Run(ABC):
    """A training run: everything it works on.

    config       complete, fitted to what there is to learn
    vocabulary   the characters of the model
    state        where training starts; changes as it goes
    objective    what to learn
    sha256       of the bytes that were read
    sources      what was read: paths, "-" for standard input
    start        the base model or checkpoint whose weights it started from; "none": random weights;
                 None: not known, of a run that is resumed
    notes        what a user may want to know before it starts
    """

    config: Config
    vocabulary: Vocabulary
    state: TrainingState
    objective: Objective
    sha256: str = ""
    sources: tuple[str, ...] = ()
    start: str | None = NOTHING
    notes: list[str] = field(default_factory=list)

    def events(self) -> Generator[Event, None, None]:
        """Train, yielding an Event after every step; see ``train_events``."""
        return train_events(self.state, self.objective, self.config)

    @abstractmethod
    def finish(self) -> None:
        """Do what remains when training has ended, before the last checkpoint."""

    def origin(self, held_out: int) -> Origin:
        """Return where the model comes from.

        held_out   characters or texts that are held out
        """
        steps = self.objective.batches.steps_per_epoch
        return Origin.of(self.sources, held_out, steps, self.start)

    @abstractmethod
    def checkpoint(self) -> Checkpoint:
        """Return the run as it stands. Arrays are shared, not copied."""


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


def with_workers(config: Config, length: int | None = None) -> Config:
    """Return the config with a number of workers that this machine and this batch allow.

    length   steps of a sample, if the config does not say
    """
    data, run = config.data, config.run
    steps = getattr(data, "seq_length", length) or 1
    workers = run.workers or default_workers(config.model, steps, data.batch_size)
    run = replace(run, workers=workers)
    check_workers(run, data.batch_size, getattr(config.model, "members", 1))
    return replace(config, run=run)


def another_number(config: Config, stored: Config) -> list[str]:
    """Return what to tell of a run that goes on in another number of processes."""
    now, before = config.run.workers, stored.run.workers
    if before is None or now == before:
        return []
    return [f"goes on in {now} process(es) instead of {before}: not the same to the last digit"]
