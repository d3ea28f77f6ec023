"""A training run from the command line: prepare, iterate over its events, save, tell."""

import json
import shlex
import time
from dataclasses import asdict, dataclass, replace
from itertools import islice
from pathlib import Path
from typing import ClassVar

import numpy as np

from charrnn.checkpoint import language_model as checkpoint
from charrnn.checkpoint.format import Kind
from charrnn.cli import terminal
from charrnn.cli.report import Job, introduction, losses, program, summary
from charrnn.cli.run import Run, check_workers
from charrnn.cli.run_config import new_config, refused, resumed_config
from charrnn.config import Config, SamplingConfig
from charrnn.errors import ConfigError, CorpusError
from charrnn.inference.sampling import generate, start_ids
from charrnn.parallel.group import default_workers
from charrnn.text.corpus import Corpus, read_corpus
from charrnn.text.split import split
from charrnn.text.vocabulary import escape
from charrnn.training import memory
from charrnn.training.loop import Event, fit_config, train
from charrnn.training.recipe import recommend
from charrnn.training.state import TrainingState
from charrnn.training.transfer import merge_vocabularies, transfer_weights

SAMPLE_LENGTH = 200


@dataclass(kw_only=True)
class TrainingRun(Run):
    """One call of ``charrnn train``."""

    kind: ClassVar[Kind] = "generator"

    def start(self, *, overwrite: bool) -> int:
        """Train from the beginning. Returns the exit code."""
        config = new_config(self.given, Config())
        with self.writing(overwrite=overwrite):
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
        with self.writing(overwrite=overwrite):
            corpus = self._read(config)
            merged = merge_vocabularies(loaded.vocabulary, corpus.vocabulary)
            known, found = len(loaded.vocabulary), len(corpus.vocabulary)
            new = len(merged) - known
            self.note(
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
        with self.resuming():
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
                self.note(f"warning: the corpus has changed since {self.output} was trained")
                state.forget_best()  # it was the best at predicting another text
            corpus = corpus.encoded_with(loaded.vocabulary)
            train_ids, val_ids = split(corpus.ids, config.data.val_fraction)
            config = fit_config(config, len(train_ids))
            self.require_same_run(config, loaded.config)
            config = _with_workers(config)
            _check_memory(config, corpus)
            return self._train(Job(config, corpus, state, train_ids, val_ids))

    def _read(self, config: Config) -> Corpus:
        return read_corpus(self.corpus, encoding=self.encoding, normalize=config.data.normalize)

    def _warn_of_changes(self, config: Config, fitted: Config) -> None:
        for name in ("seq_length", "batch_size"):
            before, after = getattr(config.data, name), getattr(fitted.data, name)
            if before != after and name in self.given["data"]:
                self.note(
                    f"warning: --{name.replace('_', '-')} {before} is more than the text "
                    f"allows: using {after}"
                )
            elif before != after:
                self.note(f"a short text: {name.replace('_', ' ')} {after} instead of {before}")

    def _train(self, job: Job) -> int:
        self._announce(job)
        events = train(job.state, job.config, job.train_ids, job.val_ids)
        event, signal = self.loop(
            job.state, events, lambda: self._save(job), lambda event: self._show(job, event)
        )
        if self.display.as_json:
            described = {"checkpoint": str(self.output), **summary(job)}
            terminal.write(json.dumps({**described, "interrupted": signal is not None}) + "\n")
        for line in self._conclusion(job, event, signal):
            self.note(line)
        return 0 if signal is None else 128 + signal

    def _announce(self, job: Job) -> None:
        for warning in job.corpus.warnings:
            self.note(f"warning: {warning}")
        if job.config.run.patience is not None and not len(job.val_ids):
            self.note("warning: --patience does nothing: no text is held out to validate on")
        for line in introduction(job):
            self.note(line)
        if self.display.verbose:
            self.note(json.dumps(asdict(job.config)))

    def _show(self, job: Job, event: Event) -> None:
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
        lines = self.conclusion(job.state, losses(job.state), event, signal)
        if event is None:
            return lines
        if signal is not None:
            lines.append(self.go_on("train"))
        return [*lines, f"sample: {program()} sample -c {shlex.quote(str(self.output))}"]


def _with_workers(config: Config) -> Config:
    """Return the config with a number of workers that this machine and this batch allow."""
    data, run = config.data, config.run
    workers = run.workers or default_workers(config.model, data.seq_length, data.batch_size)
    check_workers(replace(run, workers=workers), data.batch_size)
    return replace(config, run=replace(run, workers=workers))


def _check_memory(config: Config, corpus: Corpus) -> None:
    memory.require(
        memory.estimate(config, len(corpus.vocabulary), corpus.ids),
        "try a smaller --hidden-size, --batch-size, --seq-length or --layers",
    )
