"""What a new run trains on: its text, split, and windows and batches that fit it."""

from dataclasses import dataclass

from charrnn.config import Config
from charrnn.errors import CorpusError
from charrnn.models.start import Start
from charrnn.models.transfer import merge_vocabularies
from charrnn.settings import option_name
from charrnn.text.corpus import Corpus
from charrnn.text.lines import as_lines, line_bounds, split_lines
from charrnn.text.split import split
from charrnn.text.vocabulary import Ids
from charrnn.training.loop import fit_config
from charrnn.training.many_cores import spread


@dataclass(frozen=True)
class Prepared:
    """What a new run trains on, before anything is chosen.

    config      fitted to the text
    corpus      with the vocabulary of the run
    train_ids   what to train on
    val_ids     what is held out
    fixed       names of the settings that are not to be chosen
    notes       what a user may want to know
    """

    config: Config
    corpus: Corpus
    train_ids: Ids
    val_ids: Ids
    fixed: set[str]
    notes: tuple[str, ...]


def prepare(start: Start, corpus: Corpus, fixed: set[str]) -> Prepared:
    """Split a text, and fit windows and batches to it.

    start   the settings, and the model whose weights the run starts from; its characters are kept
    fixed   names of the settings that someone gave

    Raises CorpusError for a text too short to learn.
    """
    if start.source is not None:
        known = start.source.vocabulary
        corpus = corpus.encoded_with(merge_vocabularies(known, corpus.vocabulary))
        fixed = fixed | {"hidden_size", "members"}
    train_ids, val_ids = split_corpus(start.config, corpus)
    fine_tuning = start.source is not None
    config = spread(start.config, fixed, len(train_ids), fine_tuning=fine_tuning)
    ready, notes = fitted(config, corpus, train_ids, fixed)
    return Prepared(ready, corpus, train_ids, val_ids, fixed, tuple(notes))


def split_corpus(config: Config, corpus: Corpus) -> tuple[Ids, Ids]:
    """Return what to train on and what is held out; in line mode, both as flat lines."""
    if not config.data.lines:
        return split(corpus.ids, config.data.val_fraction)
    return split_lines(flat_lines(corpus), config.data.val_fraction, config.run.random_seed)


def flat_lines(corpus: Corpus) -> Ids:
    """Return a text as flat lines; see ``text.lines``. Raises CorpusError without a line break."""
    line_break = corpus.vocabulary.index.get("\n")  # the vocabulary may be that of a base model
    if line_break is None or not corpus.vocabulary.counts[line_break]:
        raise CorpusError("the text has no line break", hint="leave out --lines")
    return as_lines(corpus.ids, line_break)


def fitted(
    config: Config, corpus: Corpus, train_ids: Ids, fixed: set[str]
) -> tuple[Config, list[str]]:
    """Return the config with windows and batches that fit the text, and what to tell of it."""
    fitting = fit_config(config, len(train_ids))
    notes = _fitting_notes(config, fitting, fixed)
    if config.data.lines:
        breaks = int(corpus.vocabulary.counts[corpus.vocabulary.index["\n"]])
        if (empty := breaks - len(line_bounds(flat_lines(corpus))[1])) > 0:
            notes.append(f"{empty} empty line(s) left out")
    return fitting, notes


def _fitting_notes(config: Config, fitted: Config, fixed: set[str]) -> list[str]:
    """Return what was changed because the text is short."""
    notes = []
    for name in ("seq_length", "batch_size"):
        before, after = getattr(config.data, name), getattr(fitted.data, name)
        if before != after and name in fixed:
            notes.append(
                f"warning: {option_name(name)} {before} is more than the text allows: using {after}"
            )
        elif before != after:
            notes.append(f"a short text: {name.replace('_', ' ')} {after} instead of {before}")
    return notes
