"""A training run from the command line: prepare, iterate over its events, save, tell."""

import json
import shlex
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from itertools import islice
from pathlib import Path

import numpy as np

from charrnn import checkpoint, memory, terminal
from charrnn.cli.report import Job, introduction, losses, program, summary
from charrnn.cli.run_config import (
    CHANGEABLE,
    Given,
    new_config,
    option,
    refused,
    resumed_config,
)
from charrnn.cli.signals import StopSignals
from charrnn.cli.step_log import StepLog
from charrnn.config import Config, SamplingConfig
from charrnn.corpus import Corpus, read_corpus
from charrnn.errors import CheckpointError, ConfigError, CorpusError, TrainingError
from charrnn.files import check_writable, exclusive
from charrnn.recipe import recommend
from charrnn.sampling import generate, start_ids
from charrnn.state import TrainingState
from charrnn.training import Event, fit_config, train
from charrnn.transfer import merge_vocabularies, transfer_weights
from charrnn.validation import split
from charrnn.vocabulary import escape
from charrnn.workers import default_workers, start_method

SAVE_EVERY_SECONDS = 30.0
SAMPLE_LENGTH = 200


@dataclass(frozen=True, kw_only=True)
class Display:
    """What a run shows, and where."""

    quiet: bool
    verbose: bool
    as_json: bool
    sample_every: int | None
    log: Path | None


@dataclass(kw_only=True)
class TrainingRun:
    """One call of ``charrnn train``.

    given   the options that the user gave, by part of the config
    """

    corpus: list[str]
    encoding: str
    output: Path
    given: Given
    display: Display

    def __post_init__(self) -> None:
        if str(self.output) == "-":
            raise ConfigError("a checkpoint cannot go to stdout", hint="-o takes a file name")
        log = self.display.log
        others = [Path(path).resolve() for path in [*self.corpus, str(self.output)]]
        if log is not None and log.resolve() in others:
            raise ConfigError(f"{log}: --log would overwrite it", hint="choose another --log")

    def start(self, *, overwrite: bool) -> int:
        """Train from the beginning. Returns the exit code."""
        config = new_config(self.given)
        with self._writing(overwrite=overwrite):
            return self._start(config, self._read(config))

    def start_from(self, source: Path, *, overwrite: bool) -> int:
        """Train from the beginning, but from the weights of another checkpoint."""
        loaded = checkpoint.load(source)
        config = new_config(self.given, replace(Config(), model=loaded.config.model))
        dropped = {name: getattr(config.model, name) for name in ("dropout", "weight_drop")}
        same_weights = replace(loaded.config.model, **dropped)
        if changed := refused(config, replace(config, model=same_weights)):
            raise ConfigError(
                f"{source}: its weights do not fit another {', '.join(changed)}",
                hint="leave that out: the model is that of the checkpoint",
            )
        with self._writing(overwrite=overwrite):
            corpus = self._read(config)
            merged = merge_vocabularies(loaded.vocabulary, corpus.vocabulary)
            known, found = len(loaded.vocabulary), len(corpus.vocabulary)
            new = len(merged) - known
            self._note(
                f"from {source}: {known} characters known, {new} new ones, "
                f"{known + new - found} that do not occur here"
            )
            return self._start(config, corpus.encoded_with(merged), loaded)

    def _start(
        self, config: Config, corpus: Corpus, source: checkpoint.Checkpoint | None = None
    ) -> int:
        train_ids, val_ids = split(corpus.ids, config.data.val_fraction)
        fitted = fit_config(config, len(train_ids))
        self._warn_of_changes(config, fitted)
        fixed = {name for settings in self.given.values() for name in settings}
        if source is not None:
            fixed.add("hidden_size")
        began, vocab_size = time.perf_counter(), len(corpus.vocabulary)
        _check_memory(_with_workers(fitted), corpus)
        recommendation = recommend(fitted, fixed, train_ids, vocab_size)
        chosen = _with_workers(recommendation.config)
        _check_memory(chosen, corpus)
        state = TrainingState.start(chosen, vocab_size, train_ids)
        if source is not None:
            transfer_weights(source.model(), source.vocabulary, state.model, corpus.vocabulary)
        # What the choice took is a part of the time that the user gave.
        state.seconds = time.perf_counter() - began if chosen.run.seconds is not None else 0.0
        return self._train(Job(chosen, corpus, state, train_ids, val_ids, recommendation))

    def resume(self) -> int:
        """Go on with the run in the checkpoint. Returns the exit code."""
        if not self.output.exists():
            raise CheckpointError(
                f"{self.output}: no such checkpoint: there is nothing to resume",
                hint="leave out --resume to start a new run",
            )
        check_writable(self.output)
        with exclusive(self.output):
            loaded = checkpoint.load(self.output)
            config = resumed_config(self.given, loaded.config)
            corpus = self._read(config)
            if unknown := loaded.vocabulary.unknown(corpus.vocabulary.characters):
                raise CorpusError(
                    f"{', '.join(self.corpus)}: has characters that {self.output} was not trained "
                    f"on: {' '.join(map(escape, unknown))}",
                    hint=f"start a new run from its weights: --from {self.output} -o NEW.npz",
                )
            state = loaded.training_state()
            if corpus.sha256 != loaded.sha256:
                self._note(f"warning: the corpus has changed since {self.output} was trained")
                state.forget_best()  # it was the best at predicting another text
            corpus = corpus.encoded_with(loaded.vocabulary)
            train_ids, val_ids = split(corpus.ids, config.data.val_fraction)
            config = fit_config(config, len(train_ids))
            if changed := refused(config, loaded.config):
                changeable = ", ".join(option(setting) for _, setting in sorted(CHANGEABLE))
                raise ConfigError(
                    f"{self.output}: a resumed run cannot change {', '.join(changed)}",
                    hint=f"it can change {changeable}",
                )
            config = _with_workers(config)
            _check_memory(config, corpus)
            return self._train(Job(config, corpus, state, train_ids, val_ids))

    @contextmanager
    def _writing(self, *, overwrite: bool) -> Iterator[None]:
        if self.output.exists() and not self.output.is_dir() and not overwrite:
            raise CheckpointError(
                f"{self.output}: exists already",
                hint="--resume goes on with it, --overwrite replaces it, -o writes elsewhere",
            )
        check_writable(self.output)
        with exclusive(self.output):
            yield

    def _read(self, config: Config) -> Corpus:
        return read_corpus(self.corpus, encoding=self.encoding, normalize=config.data.normalize)

    def _warn_of_changes(self, config: Config, fitted: Config) -> None:
        for name in ("seq_length", "batch_size"):
            before, after = getattr(config.data, name), getattr(fitted.data, name)
            if before != after and name in self.given["data"]:
                self._note(
                    f"warning: --{name.replace('_', '-')} {before} is more than the text "
                    f"allows: using {after}"
                )
            elif before != after:
                self._note(f"a short text: {name.replace('_', ' ')} {after} instead of {before}")

    def _note(self, message: str) -> None:
        if not self.display.quiet or message.startswith("warning"):
            terminal.note(message)

    def _train(self, job: Job) -> int:
        self._announce(job)
        event, signal = self._loop(job)
        if self.display.as_json:
            described = {"checkpoint": str(self.output), **summary(job)}
            terminal.write(json.dumps({**described, "interrupted": signal is not None}) + "\n")
        for line in self._conclusion(job, event, signal):
            self._note(line)
        return 0 if signal is None else 128 + signal

    def _announce(self, job: Job) -> None:
        for warning in job.corpus.warnings:
            self._note(f"warning: {warning}")
        if job.config.run.patience is not None and not len(job.val_ids):
            self._note("warning: --patience does nothing: no text is held out to validate on")
        for line in introduction(job):
            self._note(line)
        if self.display.verbose:
            self._note(json.dumps(asdict(job.config)))

    def _loop(self, job: Job) -> tuple[Event | None, int | None]:
        """Train, save and show; return the last event and the signal that ended it, if any."""
        event, saved_at = None, time.monotonic()
        with (
            StepLog(self.display.log, job.state.step, self._note) as log,
            StopSignals(self._note) as signals,
            terminal.Progress(quiet=self.display.quiet, verbose=self.display.verbose) as progress,
        ):
            try:
                for event in train(job.state, job.config, job.train_ids, job.val_ids):
                    if event.is_best or time.monotonic() - saved_at > SAVE_EVERY_SECONDS:
                        self._save(job)
                        saved_at = time.monotonic()
                    log.write(event)
                    self._show(job, event, progress)
                    if signals.received is not None:
                        break
            except TrainingError:
                self._save(job)  # the last good state
                raise
            self._save(job)
        return event, signals.received

    def _show(self, job: Job, event: Event, progress: terminal.Progress) -> None:
        if event.rollback is not None:
            self._note(f"warning: {event.rollback}")
        progress.update(event)
        if self.display.sample_every and event.step % self.display.sample_every == 0:
            self._show_sample(job)

    def _save(self, job: Job) -> None:
        described = checkpoint.Checkpoint.of(
            job.config, job.corpus.vocabulary, job.state, job.corpus.sha256
        )
        checkpoint.save(self.output, described)

    def _show_sample(self, job: Job) -> None:
        vocabulary = job.corpus.vocabulary
        written = generate(
            job.state.model,
            start_ids(vocabulary),
            SamplingConfig(),
            random_seed=job.config.run.random_seed,
        )
        ids = np.array([one.ids[0] for one in islice(written, SAMPLE_LENGTH)])
        terminal.note(f"--- sample at step {job.state.step}\n{vocabulary.decode(ids)}\n---")

    def _conclusion(self, job: Job, event: Event | None, signal: int | None) -> list[str]:
        """Return what to tell in the end: what was reached, where it is, what to type next."""
        state, path = job.state, shlex.quote(str(self.output))
        if event is None:
            done = f"nothing left to do: {path} has had its {state.step} steps"
            return [f"{done}; a longer --time or more --steps goes on"]
        stopped = "" if signal is None else "stopped after "
        took = terminal.duration(state.seconds)
        lines = [f"{stopped}{state.step} steps in {took}: {losses(state)}", f"saved:  {path}"]
        if signal is not None:
            again = [*self.corpus, "-o", str(self.output), "--resume"]
            if self.encoding != "utf-8":
                again += ["--encoding", self.encoding]
            if self.display.log is not None:
                again += ["--log", str(self.display.log)]
            lines.append(f"go on:  {program()} train {shlex.join(again)}")
        return [*lines, f"sample: {program()} sample -c {path}"]


def _with_workers(config: Config) -> Config:
    """Return the config with a number of workers that this machine and this batch allow."""
    data, run = config.data, config.run
    workers = run.workers or default_workers(config.model, data.seq_length, data.batch_size)
    if workers > 1 and start_method() is None:
        raise ConfigError("this system allows one worker only", hint="--workers 1")
    if workers > data.batch_size:
        raise ConfigError(
            f"{workers} workers are more than the {data.batch_size} windows of a batch",
            hint=f"--workers {data.batch_size} or less, or a larger --batch-size",
        )
    return replace(config, run=replace(run, workers=workers))


def _check_memory(config: Config, corpus: Corpus) -> None:
    needed = memory.estimate(config, len(corpus.vocabulary), corpus.ids)
    free = memory.available()
    if free is not None and needed > free:
        raise TrainingError(
            f"it would take about {needed >> 20:,} MiB of memory to train, {free >> 20:,} are free",
            hint="try a smaller --hidden-size, --batch-size, --seq-length or --layers",
        )
