"""Where a new run starts: from a model that predicts the text already, or from random weights.

Weights that know the language of a text are worth more than any length of training on a small one.
Weights that know another language are worth nothing, and their size may not suit the text. To find
out, charrnn measures how well the model predicts the text before it has seen any of it.
"""

from dataclasses import dataclass, fields, replace

import numpy as np

from charrnn.checkpoint.bases import BASES
from charrnn.config import END, Config, DataConfig, ModelConfig
from charrnn.errors import ConfigError
from charrnn.generate.seen import is_seen, longest_copy
from charrnn.models.model import Model
from charrnn.ngrams.count import Counts, max_order, recode
from charrnn.ngrams.fitting import left_out_loss
from charrnn.nn.network import LanguageModel
from charrnn.scoring.likelihood import Indices, score_sequences
from charrnn.settings import option_name
from charrnn.text.corpus import Corpus
from charrnn.text.pieces import copy_pieces, find_ends, flatten_pieces, piece_bounds
from charrnn.text.vocabulary import Ids, Vocabulary
from charrnn.training.recipe import MIN_GAIN

# Where a run starts that takes no weights over.
RANDOM = "none"

# What is measured: passages from all over the text, without the first characters of each, which the
# model predicts without their context; of a text of pieces, this many pieces.
PASSAGES, PIECES, PASSAGE_LENGTH, WARM_UP = 24, 240, 150, 30

# A text is not started from a base model if n-grams of this order, counted in its first characters,
# have less than this share of the model's loss, as for poems made from a few phrases.
OWN_ORDER, OWN_CHARS, OWN_LOSS = 7, 20_000, 0.5

# Above this share of passages that the model has read already, the text probably contains the one
# that it was trained on, whose n-grams and filters are then not added: they would count twice.
MAX_READ = 0.25

# Settings of the model that any weights allow.
REGULARIZERS = {"dropout", "weight_drop"}


@dataclass(frozen=True)
class Start:
    """Where a run starts.

    config     all settings; the shape of the network is that of the source
    source     the model whose weights it starts from; None: random weights
    name       what that model is called
    notes      what the user should know
    loss       of the source on the text, in nats per character; None without one
    gain       share of the nats of the text's character frequencies alone that the source saves;
               None without one
    is_growing whether the text is mostly new to the source: the run then keeps the source's n-grams
               if they help
    """

    config: Config
    source: Model | None = None
    name: str = RANDOM
    notes: tuple[str, ...] = ()
    loss: float | None = None
    gain: float | None = None
    is_growing: bool = False


def choose_start(name: str | None, config: Config, fixed: set[str], corpus: Corpus) -> Start:
    """Return where to start.

    name    path of a checkpoint, name of a base model, or "none". None: the base model that
            predicts the text best, if it helps and neither a size nor a number of steps is given;
            see MIN_GAIN and OWN_LOSS
    fixed   names of the settings that were given

    Raises CheckpointError for a checkpoint that cannot be read, ConfigError for settings that its
    weights do not allow.
    """
    end = config.data.end
    shape = [it.name for it in fields(ModelConfig) if it.name not in REGULARIZERS]
    is_sized = bool(fixed & {*shape, "steps", "epochs"})
    if name == RANDOM or (name is None and is_sized) or len(corpus.ids) < 2:
        return Start(config)  # one character predicts nothing
    models = {each: Model.load(each) for each in (BASES if name is None else [name])}
    losses = {each: measure_loss(model, corpus, end) for each, model in models.items()}
    chosen = min(losses, key=losses.__getitem__)
    source, (nats, unigram) = models[chosen], losses[chosen]
    model = replace(source.config.model, **{it: getattr(config.model, it) for it in REGULARIZERS})
    given = [it for it in shape if it in fixed]
    if changed := [it for it in given if getattr(config.model, it) != getattr(model, it)]:
        raise ConfigError(
            f"{chosen}: its weights do not fit another {', '.join(map(option_name, changed))}",
            hint="leave that out: the model is that of the checkpoint",
        )
    gain = 1 - nats / unigram if unigram else 0.0
    # A model of the user's own need not help that much, but must not be worse.
    if gain < (MIN_GAIN if chosen in BASES else 0):
        note = (
            f"start: random weights, because {chosen} predicts this text at {nats:.3f} nats per "
            f"character, where its character frequencies alone give {unigram:.3f}"
        )
        return Start(config, notes=() if name is None else (note,))
    if name is None and own_loss(corpus, end) < OWN_LOSS * nats:
        return Start(config)
    is_growing = share_read(source, corpus, end) <= MAX_READ
    called = f"base model {chosen!r}" if name is None else name
    note = f"start: {called}, which predicts this text at {nats:.3f} nats per character"
    if name is None:
        note += f" already; --from {RANDOM} starts from random weights"
    else:
        found, known = set(corpus.vocabulary.characters), set(source.vocabulary.characters)
        new, missing = len(found - known), len(known - found)
        note += f"; {len(known)} characters known, {new} new ones, {missing} that do not occur here"
        if is_growing and source.origin:
            older = " ".join(source.origin.sources) or "older texts"
            note += f"; what it knows of {older} fades, unless you give it that again, too"
    shaped = replace(config, model=model)
    return Start(shaped, source, chosen, (note,), nats, gain, is_growing)


def measure_loss(model: Model, corpus: Corpus, end: str | None) -> tuple[float, float]:
    """Return how well a model predicts a text that it was not trained on, in nats per character.

    end   what ends the pieces of the text, which a model of the same pieces reads one by one

    It is measured on a few thousand characters from all over the text. An unknown character is
    charged by its frequency in the text. The second number is the loss of all these frequencies.
    """
    vocabulary, known = corpus.vocabulary, model.vocabulary
    by_piece = end is not None and end == model.config.data.end
    ids, starts, steps = _passages(corpus, end if by_piece else None)
    warm_up = 0 if by_piece else min(WARM_UP, int(steps[0]) // 2)
    stand_in = int(known.counts.argmax())
    table = np.array([known.index.get(char, stand_in) for char in vocabulary.characters])
    is_known = np.array([char in known for char in vocabulary.characters])
    shares = vocabulary.counts / vocabulary.counts.sum()
    log_shares = np.log(np.maximum(shares, 1 / len(corpus.ids)))
    known_share = max(float(shares[is_known].sum()), 1e-9)
    charged = []
    for it in score_sequences(model.ensemble(), table[ids], starts, steps):
        at = it.begin + np.arange(len(it.nats))[:, None]
        judged = it.inside & (at >= warm_up)
        targets = ids[(starts[it.rows] + at + 1)[judged]]
        log_p = np.log(known_share) - it.nats[judged]
        charged.append(np.where(is_known[targets], log_p, log_shares[targets]))
    nats = -float(np.concatenate(charged).mean())
    return nats, -float((shares * log_shares).sum())


def own_loss(corpus: Corpus, end: str | None) -> float:
    """Return how well the n-grams of a text predict it, in nats per character; see OWN_LOSS.

    end   what ends the pieces of the text
    """
    ids, index = corpus.ids[:OWN_CHARS], None
    if end is not None:
        index = corpus.vocabulary.index[end]
        ids = flatten_pieces(ids, index)
    return left_out_loss(ids, len(corpus.vocabulary), OWN_ORDER, index)


def share_read(source: Model, corpus: Corpus, end: str | None) -> float:
    """Return the share of the passages, or pieces, of a text that a model has read before.

    It is 1 for a model without filters of what it has read, such as a base model.
    """
    pieces, spans = source.seen_pieces, source.seen_spans
    if pieces is None and spans is None:
        return 1.0
    ids, starts, steps = _passages(corpus, end)
    rows = zip(starts + 1, steps, strict=True)
    texts = [corpus.vocabulary.decode(ids[at : at + length]) for at, length in rows]
    read = [
        (pieces is not None and is_seen(pieces, text.removesuffix(end or "")))
        or (spans is not None and longest_copy(spans, text) > len(text) // 2)
        for text in texts
    ]
    return float(np.mean(read))


def recode_counts(source: Model, vocabulary: Vocabulary, data: DataConfig) -> Counts | None:
    """Return the counts of a model's n-grams, recoded for a vocabulary that includes its own.

    None if it has no n-grams, or n-grams with other ends or of another order.
    """
    theirs, known, size = source.config.data, source.vocabulary, len(vocabulary)
    orders = {max_order(data.ngram, size), max_order(theirs.ngram, len(known))}
    if source.ngram is None or theirs.end != data.end or len(orders) > 1:
        return None
    return recode(source.ngram.counts, len(known), vocabulary.encode(known.characters), size)


def _passages(corpus: Corpus, end: str | None) -> tuple[Ids, Indices, Indices]:
    """Return parts of a text as ids (N,), and as ``score_sequences`` reads them: pieces, if any."""
    if end is not None:
        flat = flatten_pieces(corpus.ids, corpus.vocabulary.index[end])
        ends = find_ends(flat)
    if end is not None and len(ends) > 1:
        chosen = np.linspace(0, len(ends) - 2, min(PIECES, len(ends) - 1)).astype(int)
        ids = copy_pieces(flat, ends, chosen)
        starts, lengths = piece_bounds(ids)
        return ids, starts, np.minimum(lengths + 1, PASSAGE_LENGTH)
    length = min(PASSAGE_LENGTH, len(corpus.ids) - 1)
    begins = np.linspace(0, len(corpus.ids) - 1 - length, PASSAGES).astype(int)
    ids = np.concatenate([corpus.ids[at : at + length + 1] for at in begins])
    return ids, np.arange(PASSAGES) * (length + 1), np.full(PASSAGES, length)


def transfer_weights(
    source: LanguageModel, known: Vocabulary, target: LanguageModel, wanted: Vocabulary
) -> None:
    """Copy a network's weights into another of the same shape but for its vocabulary.

    Characters are matched by character, never by index: vocabularies are sorted, so a new one
    shifts the index of all that follow. What belongs to a new character keeps the values that
    ``target`` was initialized with; but pieces begin and end as lines do.
    """
    sources = {char: char for char in wanted.characters if char in known}
    if END in wanted and "\n" in known:
        sources.setdefault(END, "\n")
    from_ids, to_ids = known.encode("".join(sources.values())), wanted.encode("".join(sources))
    for name, values in source.params.items():
        param = target.params[name]
        if name.startswith("output."):  # a row for each character
            param[to_ids] = values[from_ids]
        elif name == "weight_ih_l0":  # a column for each character
            param[:, to_ids] = values[:, from_ids]
        else:
            param[...] = values
