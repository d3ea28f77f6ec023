"""What ``charrnn train`` does once its options are read: guard the file, train, save, report."""

import json
import shlex
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from charrnn.checkpoint.files import file_exists, reserved
from charrnn.cli import terminal
from charrnn.cli.console import program
from charrnn.cli.options import default_output, require_one_of
from charrnn.cli.output_files import check_output
from charrnn.cli.progress import Progress
from charrnn.cli.signals import StopSignals
from charrnn.cli.step_log import StepLog
from charrnn.cli.training_report import describe_result, introduce, sample, summarize
from charrnn.config import Config
from charrnn.errors import CheckpointError, ConfigError, CorpusError, TrainingError
from charrnn.models import Model
from charrnn.models.start import choose_start
from charrnn.models.text_run import TextRun
from charrnn.settings import Given, new_config, resumed_config, sort_settings
from charrnn.text.corpus import Corpus, read_corpus
from charrnn.training.loop import Event

SAVE_EVERY_SECONDS = 30.0


@dataclass(frozen=True, kw_only=True)
class Display:
    """What a run shows, and where."""

    quiet: bool
    verbose: bool
    as_json: bool
    log: Path | None
    plot: bool = False
    sample_every: int | None = None


@dataclass(frozen=True)
class Outcome:
    """How training ended: its last event, and the signal that stopped it."""

    event: Event | None
    signal: int | None


@dataclass(kw_only=True)
class Training:
    """One call of ``charrnn train``.

    corpus   files to learn from; - is stdin
    given    the settings that the user gave, by part of the config
    source   where a new run starts; see ``choose_start``
    """

    corpus: list[str]
    encoding: str
    output: Path
    given: Given
    display: Display
    source: str | None = None

    @classmethod
    def run(cls, corpus: list[str], options: Mapping[str, Any], source: str | None) -> int:
        """Do what a command line asks for. Returns the exit code.

        options   all that the command has, by the name of its parameter
        source    where a new run starts; see ``choose_start``
        """
        require_one_of(resume=options["resume"], overwrite=options["overwrite"])
        require_one_of(quiet=options["quiet"], verbose=options["verbose"])
        require_one_of(quiet=options["quiet"], plot=options["plot"])
        training = cls(
            corpus=corpus,
            encoding=options["encoding"],
            output=options["output"] or default_output(corpus[0]),
            given=sort_settings(options, Config())[0],
            display=Display(
                **{f.name: options[f.name] for f in fields(Display) if f.name in options}
            ),
            source=source,
        )
        if options["resume"]:
            return training.resume()
        return training.start(overwrite=options["overwrite"])

    def __post_init__(self) -> None:
        if str(self.output) == "-":
            raise ConfigError("a checkpoint cannot go to stdout", hint="-o takes a file name")

    def start(self, *, overwrite: bool) -> int:
        """Train from the beginning. Returns the exit code."""
        if not overwrite and file_exists(self.output):
            raise CheckpointError(
                f"{self.output}: exists already",
                hint="--resume goes on with it, --overwrite replaces it, -o writes elsewhere",
            )
        self._check_outputs(overwrite=overwrite)
        with reserved(self.output), self._naming_the_corpus():
            return self._train(self._start_new())

    def resume(self) -> int:
        """Go on with the run in the checkpoint. Returns the exit code."""
        if not file_exists(self.output):
            raise CheckpointError(
                f"{self.output}: no such checkpoint: there is nothing to resume",
                hint="leave out --resume to start a new run",
            )
        self._check_outputs(overwrite=True)
        with reserved(self.output), self._naming_the_corpus():
            return self._train(self._continue())

    def _start_new(self) -> TextRun:
        """Read the text and make a new run ready."""
        fixed = {name for settings in self.given.values() for name in settings}
        config = new_config(self.given, Config())
        corpus = self._read(config)
        start = choose_start(self.source, config, fixed, corpus)
        return TextRun.new(start, corpus, fixed)

    def _continue(self) -> TextRun:
        """Read the text and make the run in the checkpoint ready to go on."""
        loaded = Model.load(self.output)
        config = resumed_config(self.given, loaded.config)
        return TextRun.resumed(loaded, config, self._read(config))

    def _read(self, config: Config) -> Corpus:
        return read_corpus(
            self.corpus,
            encoding=self.encoding,
            normalize=config.data.normalize,
            lines=config.data.lines,
        )

    def show(self, run: TextRun, event: Event) -> None:
        """Show a sample now and then."""
        every = self.display.sample_every
        if every and event.step % every == 0:
            terminal.note(f"--- sample at step {event.step}\n{sample(run)}\n---")

    def _check_outputs(self, *, overwrite: bool) -> None:
        """Raise if the run would replace what it must not."""
        inputs: list[str | Path] = [*self.corpus, *([self.source] if self.source else [])]
        check_output(self.output, "-o", "checkpoint", overwrite=overwrite, others=inputs)
        log, others = self.display.log, [*inputs, self.output]
        check_output(log, "--log", "log", overwrite=overwrite, others=others)

    @contextmanager
    def _naming_the_corpus(self) -> Iterator[None]:
        """Put the names of the files before what is wrong with their text."""
        try:
            yield
        except CorpusError as error:
            names, message = ", ".join(self.corpus), str(error)
            if any(message.startswith(f"{name}: ") for name in [*self.corpus, names]):
                raise
            raise CorpusError(f"{names}: {message}", hint=error.hint) from error

    def _train(self, run: TextRun) -> int:
        for line in [*run.notes, *self._warnings(run), *introduce(run)]:
            self.note(line)
        if self.display.verbose:
            self.note(json.dumps(asdict(run.config)))
        outcome: Outcome = self._loop(run)
        if self.display.as_json:
            terminal.write(json.dumps(self._summary(run, outcome), ensure_ascii=False) + "\n")
        for line in self._conclusion(run, outcome):
            self.note(line)
        return 0 if outcome.signal is None else 128 + outcome.signal

    def _warnings(self, run: TextRun) -> list[str]:
        if run.config.run.patience is not None and not run.objective.held_out:
            return ["warning: --patience does nothing: no text is held out to validate on"]
        return []

    def _loop(self, run: TextRun) -> Outcome:
        """Train, save and show."""
        event, saved_at = None, time.monotonic()
        display = self.display
        with (
            closing(run.events()) as events,
            StepLog(display.log, run.state.progress.step, self.note) as log,
            StopSignals() as signals,
            self._progress(run) as progress,
        ):
            try:
                for event in events:
                    if event.is_best or time.monotonic() - saved_at > SAVE_EVERY_SECONDS:
                        self.save(run)
                        saved_at = time.monotonic()
                    log.write(event)
                    if event.rollback is not None:
                        self.note(f"warning: {event.rollback}")
                    progress.update(event)
                    self.show(run, event)
                    if signals.received is not None:
                        self.note("stopping; once more to quit without saving")
                        break
                run.finish()
            except Exception as error:
                # Between two steps the state is good; in a step, ``train_events`` has restored it.
                if event is not None or isinstance(error, TrainingError):
                    self.save(run)
                raise
            self.save(run)
        return Outcome(event, signals.received)

    def _progress(self, run: TextRun) -> Progress:
        """Return what shows how training goes."""
        display = self.display
        chart = None
        if display.plot:
            from charrnn.cli.plot import LiveChart, unavailable_reason

            if reason := unavailable_reason():
                self.note(f"no curve is drawn: {reason}; 'charrnn inspect' draws it afterwards")
            else:
                chart = LiveChart(run.state.history)
        return Progress(quiet=display.quiet, verbose=display.verbose, chart=chart)

    def save(self, run: TextRun) -> None:
        """Write the run as it stands to its checkpoint."""
        run.checkpoint().save(self.output)

    def note(self, message: str) -> None:
        """Tell the user; only warnings if it is to be quiet."""
        if not self.display.quiet or message.startswith("warning"):
            terminal.note(message)

    def _summary(self, run: TextRun, outcome: Outcome) -> dict[str, Any]:
        state, progress = run.state, run.state.progress
        last = state.history[-1] if state.history else {}
        return {
            "checkpoint": str(self.output),
            "steps": progress.step,
            "seconds": round(progress.seconds, 3),
            "train_loss": last.get("train_loss"),
            "val_loss": None if state.best_weights is None else progress.best_val_loss,
            "parameters": state.network.flat.size,
            "random_seed": run.config.run.random_seed,
            **summarize(run),
            "interrupted": outcome.signal is not None,
        }

    def _conclusion(self, run: TextRun, outcome: Outcome) -> list[str]:
        """Return what to tell in the end: what was reached, where it is, what to type next."""
        path, progress = shlex.quote(str(self.output)), run.state.progress
        if outcome.event is None:
            done = f"nothing left to do: {path} has done its {progress.step} steps"
            return [f"{done}; give a longer --time or more --steps to continue"]
        stopped = "" if outcome.signal is None else "stopped after "
        took = terminal.duration(progress.seconds)
        lines: list[str] = [
            f"{stopped}{progress.step} steps in {took}: {describe_result(run)}",
            f"saved:  {path}",
        ]
        if outcome.signal is not None:
            lines.append(f"resume: {self._resume_command()}")
        return [*lines, f"sample: {program()} sample -c {path}"]

    def _resume_command(self) -> str:
        again = [*self.corpus, "-o", str(self.output), "--resume"]
        if self.encoding != "utf-8":
            again += ["--encoding", self.encoding]
        if self.display.log is not None:
            again += ["--log", str(self.display.log)]
        return f"{program()} train {shlex.join(again)}"
