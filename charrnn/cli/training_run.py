"""A training run from the command line: prepare, iterate over its events, save, tell."""

import json
import shlex
import shutil
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from itertools import islice
from pathlib import Path
from types import FrameType
from typing import Any, TextIO

import numpy as np

from charrnn import checkpoint, memory, terminal
from charrnn.cli.run_config import (
    CHANGEABLE,
    Given,
    new_config,
    option,
    refused,
    resumed_config,
)
from charrnn.config import Config, SamplingConfig
from charrnn.corpus import Corpus, read_corpus
from charrnn.errors import CheckpointError, ConfigError, CorpusError, TrainingError
from charrnn.files import check_writable, exclusive, replacing
from charrnn.sampling import generate, start_ids
from charrnn.training import Event, TrainingState, fit_config, train
from charrnn.transfer import merge_vocabularies, transfer_weights
from charrnn.validation import split
from charrnn.vocabulary import Ids, escape

SAVE_EVERY_SECONDS = 30.0
SAMPLE_LENGTH = 200
LITTLE_TEXT = 1000
# A second signal so soon after the first is the same impatient key press.
SECOND_SIGNAL_SECONDS = 0.5

_SIGNALS = [
    number
    for name in ("SIGINT", "SIGTERM", "SIGHUP")
    if (number := getattr(signal, name, None)) is not None
]


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
    signal: int | None = field(default=None, init=False)
    log: TextIO | None = field(default=None, init=False)

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
        same_dropout = replace(loaded.config.model, dropout=config.model.dropout)
        if changed := refused(config, replace(config, model=same_dropout)):
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
        _check_memory(fitted, corpus)
        state = TrainingState.start(fitted, len(corpus.vocabulary))
        if source is not None:
            transfer_weights(source.model(), source.vocabulary, state.model, corpus.vocabulary)
        return self._train(state, fitted, corpus, (train_ids, val_ids))

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
            _check_memory(config, corpus)
            return self._train(state, config, corpus, (train_ids, val_ids))

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

    def _train(
        self, state: TrainingState, config: Config, corpus: Corpus, parts: tuple[Ids, Ids]
    ) -> int:
        train_ids, val_ids = parts
        for warning in corpus.warnings:
            self._note(f"warning: {warning}")
        if config.run.patience is not None and not len(val_ids):
            self._note("warning: --patience does nothing: no text is held out to validate on")
        self._introduce(config, corpus, state, val_ids)
        if self.display.verbose:
            self._note(json.dumps(asdict(config)))
        event: Event | None = None
        with ExitStack() as stack:
            if self.display.log is not None:
                self.log = stack.enter_context(_open_log(self.display.log, state.step))
            stack.enter_context(self._watch_signals())
            progress = terminal.Progress(quiet=self.display.quiet, verbose=self.display.verbose)
            stack.callback(progress.close)
            saved_at = time.monotonic()
            try:
                for event in train(state, config, train_ids, val_ids):
                    if event.is_best or time.monotonic() - saved_at > SAVE_EVERY_SECONDS:
                        self._save(config, corpus, state)
                        saved_at = time.monotonic()
                    self._show(event, progress)
                    if self.display.sample_every and event.step % self.display.sample_every == 0:
                        self._show_sample(state, corpus, event.step, config)
                    if self.signal is not None:
                        break
            except TrainingError:
                self._save(config, corpus, state)  # the last good state
                raise
            self._save(config, corpus, state)
        self._tell(config, corpus, state, event)
        return 128 + self.signal if self.signal is not None else 0

    def _show(self, event: Event, progress: terminal.Progress) -> None:
        if self.log is not None:
            try:
                self.log.write(_log_record(event))
            except OSError as error:
                # A full disk must not end a run whose checkpoint lies on another.
                self._note(f"warning: {self.display.log}: logging stops: {error.strerror}")
                with suppress(OSError):
                    self.log.close()
                self.log = None
        if event.rollback is not None:
            self._note(f"warning: {event.rollback}")
        progress.update(event)

    def _introduce(
        self, config: Config, corpus: Corpus, state: TrainingState, val_ids: Ids
    ) -> None:
        model, size = config.model, len(corpus.ids)
        held_out = f"{len(val_ids):,} held out" if len(val_ids) else "none held out"
        self._note(f"text:  {size:,} characters, {len(corpus.vocabulary)} distinct, {held_out}")
        if size < LITTLE_TEXT:
            self._note(f"       {size} characters are very little to learn from")
        self._note(
            f"model: {model.cell} {model.layers} x {model.hidden_size}, "
            f"{state.model.flat.size:,} parameters, random seed {config.run.random_seed}"
        )

    def _save(self, config: Config, corpus: Corpus, state: TrainingState) -> None:
        checkpoint.save(
            self.output,
            checkpoint.Checkpoint.of(config, corpus.vocabulary, state, corpus.sha256),
        )

    def _show_sample(self, state: TrainingState, corpus: Corpus, step: int, config: Config) -> None:
        written = generate(
            state.model,
            start_ids(corpus.vocabulary),
            SamplingConfig(),
            random_seed=config.run.random_seed,
        )
        ids = np.array([one.ids[0] for one in islice(written, SAMPLE_LENGTH)])
        terminal.note(f"--- sample at step {step}\n{corpus.vocabulary.decode(ids)}\n---")

    @contextmanager
    def _watch_signals(self) -> Iterator[None]:
        """Let a first signal end the run after its step; a second one ends it at once."""
        received_at = 0.0

        def on_signal(number: int, _: FrameType | None) -> None:
            nonlocal received_at
            if self.signal is None:
                self.signal, received_at = number, time.monotonic()
                self._note("stopping after this step; once more to quit without saving")
            elif time.monotonic() - received_at > SECOND_SIGNAL_SECONDS:
                signal.signal(number, signal.SIG_DFL)
                signal.raise_signal(number)

        before = {number: signal.getsignal(number) for number in _SIGNALS}
        for number, handler in before.items():
            if handler is not signal.SIG_IGN:  # nohup asked for it
                signal.signal(number, on_signal)
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _tell(
        self, config: Config, corpus: Corpus, state: TrainingState, event: Event | None
    ) -> None:
        best = state.best_val_loss if state.best_weights is not None else None
        train_loss = state.history[-1]["train_loss"] if state.history else None
        if train_loss is None and event is not None:
            train_loss = event.train_loss
        if self.display.as_json:
            summary = {
                "checkpoint": str(self.output),
                "steps": state.step,
                "epochs": event.epoch if event else None,
                "seconds": round(state.seconds, 3),
                "train_loss": train_loss,
                "val_loss": best,
                "parameters": state.model.flat.size,
                "chars": len(corpus.ids),
                "vocab_size": len(corpus.vocabulary),
                "random_seed": config.run.random_seed,
                "interrupted": self.signal is not None,
            }
            terminal.write(json.dumps(summary) + "\n")
        if self.display.quiet:
            return
        path = shlex.quote(str(self.output))
        if event is None:
            terminal.note(
                f"nothing left to do: {path} has had its {state.step} steps; "
                "a longer --time or more --steps goes on"
            )
            return
        took = terminal.duration(state.seconds)
        stopped = "stopped after " if self.signal is not None else ""
        terminal.note(f"{stopped}{state.step} steps in {took}: {self._losses(state, event)}")
        terminal.note(f"saved:  {path}")
        if self.signal is not None:
            sources = " ".join(map(shlex.quote, self.corpus))
            encoding = "" if self.encoding == "utf-8" else f" --encoding {self.encoding}"
            log = "" if self.display.log is None else f" --log {shlex.quote(str(self.display.log))}"
            command = f"{_program()} train {sources}{encoding} -o {path}{log} --resume"
            terminal.note(f"go on:  {command}")
        terminal.note(f"sample: {_program()} sample -c {path}")

    def _losses(self, state: TrainingState, event: Event) -> str:
        """Return what was reached, and what to do if the second half of the run was in vain."""
        if state.best_weights is None:
            return f"train loss {event.train_loss:.3f} nats per character"
        best = next(e for e in state.history if e["val_loss"] == state.best_val_loss)
        step = int(best["step"] or 0)
        text = f"validation loss {state.best_val_loss:.3f} nats per character"
        if step == state.step:
            return text
        text += f" at step {step}, which was kept"
        if step < state.step / 2:
            text += (
                "\nit did not improve after that: more time will not help; "
                "more text, --dropout 0.3 or a smaller --hidden-size may"
            )
        return text


def _program() -> str:
    """Return how to call charrnn from here."""
    return "charrnn" if shutil.which("charrnn") else shlex.quote(sys.argv[0])


def _check_memory(config: Config, corpus: Corpus) -> None:
    needed = memory.estimate(config, len(corpus.vocabulary), corpus.ids.nbytes)
    free = memory.available()
    if free is not None and needed > free:
        raise TrainingError(
            f"it would take about {needed >> 20:,} MiB of memory to train, {free >> 20:,} are free",
            hint="try a smaller --hidden-size, --batch-size, --seq-length or --layers",
        )


def _open_log(path: Path, steps_done: int) -> TextIO:
    """Open the log: a new one, or one that goes on behind the steps that are done."""
    try:
        if steps_done:
            _cut_log(path, steps_done)
        return path.open("a" if steps_done else "w", encoding="utf-8", buffering=1)
    except OSError as error:
        raise CheckpointError(
            f"{path}: the log cannot be written: {error.strerror}", hint="choose another --log"
        ) from error


def _cut_log(path: Path, steps_done: int) -> None:
    """Drop the steps that were logged but not saved: they are about to be done again."""
    if not path.exists():
        return
    kept = []
    for line in path.read_text(encoding="utf-8").splitlines(keepends=True):
        try:
            if json.loads(line)["step"] > steps_done:
                break
        except (ValueError, KeyError, TypeError):  # the last line of a killed run may be half
            break
        kept.append(line)
    with replacing(path) as file:
        file.write("".join(kept).encode())


def _log_record(event: Event) -> str:
    record: dict[str, Any] = {
        "step": event.step,
        "epoch": event.epoch,
        "seconds": round(event.seconds, 4),
        "train_loss": event.train_loss,
        "learning_rate": event.learning_rate,
        "grad_norm": event.grad_norm,
        "chars_per_s": round(event.chars_per_s, 1),
    }
    if event.val_loss is not None:
        record["val_loss"] = event.val_loss
    if event.rollback is not None:
        record["rollback"] = event.rollback
    return json.dumps(record) + "\n"
