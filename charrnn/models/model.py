"""A trained text generator."""

import itertools
import secrets
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from itertools import chain, islice
from typing import Any

import numpy as np

from charrnn.checkpoint.checkpoint import Checkpoint
from charrnn.config import (
    FILE,
    SAMPLE_CONFIGS,
    ControlConfig,
    PieceConfig,
    SamplingConfig,
    UnknownCharacters,
    require,
)
from charrnn.errors import ConfigError
from charrnn.generate.beam import WIDTH, Continuation, find_likeliest
from charrnn.generate.contain import write_containing
from charrnn.generate.controls import FAR, Controls, Ended
from charrnn.generate.novelty import keep_pieces
from charrnn.generate.predictor import Predictor
from charrnn.generate.remembering import MemoryPredictor, score_with_memory
from charrnn.generate.sample import Sample, Sampler
from charrnn.generate.seen import longest_copy, require_spans
from charrnn.ngrams.mixture import Mixture
from charrnn.nn.ensemble import Ensemble
from charrnn.parallel.launch import sampling_workers
from charrnn.scoring.likelihood import Score, score
from charrnn.scoring.line_scorer import LineModel, LineScore, LineScorer
from charrnn.scoring.xray import Trace, join, require_part, trace_text
from charrnn.settings import require_known
from charrnn.text.cut import cut_text, mark_ends
from charrnn.text.pieces import flatten_pieces
from charrnn.text.reading import normalized, unify_line_breaks
from charrnn.text.vocabulary import Ids, start_ids

# What ``sample`` takes by name.
SAMPLE_SETTINGS = [it.name for part in SAMPLE_CONFIGS for it in fields(part)]
# Those of a text as a whole, which cannot be yielded before it is complete.
WHOLE = ["contain", *(it.name for it in fields(PieceConfig))]

# The limit of a new piece: of short ones, and in lengths of the longest piece of the text.
MIN_LIMIT, MAX_GROWTH = 1000, 2


def stream_whole(samples: Iterator[Sample]) -> Generator[str, None, Ended]:
    """Yield the characters of the one sample, and return why it ended."""
    (sample,) = samples
    yield from sample.text
    return sample.ended


@dataclass(repr=False)
class Model(Checkpoint):
    """A text generator: a language model with its vocabulary, and what it takes to train it on.

        model = charrnn.load("m.npz")          # or charrnn.train("corpus.txt", time="60s")
        print(model.sample("Ty", 30))
        print(model.score("Tyrannosaurus").bits_per_char)
        model.save("copy.npz")

    config       all settings of the run that made it; ``ngram`` is 0 without n-grams
    vocabulary   the characters it knows, V of them, with their counts
    weights      named arrays, after torch.nn: weight_ih_l0 (G*H, V) ..., output.weight (V, H); of
                 an ensemble, m0.weight_ih_l0 ...
    history      losses in the course of training, in nats per character
    sha256       of the text it was trained on
    seen_pieces  of a model of pieces: which of them were read; see ``generate.seen``
    seen_spans   which spans were read; see ``generate.seen``
    ngram        the n-grams of the text, with which the network is mixed; None: it predicts alone
    resume       arrays of the training state, by name in the file; empty: weights only
    progress     how far the run is
    origin       where the model comes from; None: not recorded
    """

    def __repr__(self) -> str:
        parts = [self.config.model.shape, f"vocabulary of {len(self.vocabulary)}"]
        if self.ngram is not None:
            parts.append(f"n-grams up to {self.ngram.order}")
        return f"Model({', '.join([*parts, f'step {self.progress.step:,}'])})"

    def sample(
        self,
        prompt: str = "",
        length: int | None = None,
        *,
        like: str | None = None,
        random_seed: int | None = None,
        **settings: Any,
    ) -> str:
        r"""Return a prompt text and the new characters that continue it.

            model.sample("Born ", 30, match=r"[A-Z][a-z]+ \d{4}")
            model.sample(length=500, like=Path("tempest.txt").read_text(), temperature=0.6)

        length        number of new characters, with ``stop`` or a model of pieces at most; None:
                      200, or 10,000 with ``stop``, or a piece
        like          a text to read and remember first, see ``with_memory``
        random_seed   the same number gives the same text; None: a fresh one
        settings      by name, those of SamplingConfig: ``temperature=0.7``, ``top_k``, ``top_p``,
                      ``min_p``, ``greedy=True``; of ControlConfig: ``stop="\n"``, ``match``,
                      ``charset="a-z "``, ``until_sentence=True``, ``contain``, ``max_copied``,
                      ``no_repeat``; and, if the model writes pieces, of PieceConfig: ``new=True``,
                      ``unique=True``, ``min_length``, ``max_length=12``

        Raises VocabularyError for unknown characters in the prompt or in ``like``, ConfigError for
        a setting that is unknown or out of range, or settings that no text can obey, TrainingError
        if too few pieces meet the conditions.
        """
        model = self if like is None else self.with_memory(like)
        characters = model.stream(prompt, length, random_seed=random_seed, **settings)
        return prompt + "".join(characters)

    def stream(
        self,
        prompt: str = "",
        length: int | None = None,
        *,
        random_seed: int | None = None,
        first: int = 0,
        **settings: Any,
    ) -> Generator[str, None, Ended]:
        """Yield the new characters of ``sample`` one by one, and return why the text ended.

        first   which of the texts that the random seed gives

        The other arguments, and the errors, are those of ``sample``.
        """
        require_known(settings, SAMPLE_SETTINGS)
        if any(map(settings.get, WHOLE)):
            source: Any = {"length": length, "random_seed": random_seed, "first": first}
            return stream_whole(self.samples(prompt, 1, **source, **settings))
        sampler, controls, _ = self._begin(prompt, length, random_seed, settings)
        return sampler.stream(controls, first)

    def samples(
        self,
        prompt: str = "",
        count: int = 10,
        *,
        length: int | None = None,
        random_seed: int | None = None,
        first: int = 0,
        log_p: bool = False,
        **settings: Any,
    ) -> Iterator[Sample]:
        """Yield texts that continue a prompt text, many at once: ``text``, ``ended``, ``log_p``.

            for sample in model.samples("Ty", 20, new=True, unique=True, random_seed=1):
                print(sample.text)

        count   how many
        first   index of the first of them: text i depends on random_seed and i alone, but for
                conditions on pieces, and empty ones: then those that meet them follow each other
        log_p   whether each has its log probability under the model, in nats; else it is 0

        The other arguments, and the errors, are those of ``stream``.
        """
        require(count >= 1, f"count must be at least 1, not {count}")
        sampler, controls, conditions = self._begin(
            prompt, length, random_seed, settings, log_p=log_p
        )
        workers = sampling_workers(count)

        def write(first: int) -> Iterator[Sample]:
            if controls.config.contain is not None:
                return write_containing(sampler, controls, count, first=first)
            return sampler.write(controls, count, first=first, workers=workers)

        given = [it.name for it in fields(PieceConfig) if settings.get(it.name)]
        if self.config.data.end is None:
            if not given:
                return write(first)
            raise ConfigError(
                f"--{given[0].replace('_', '-')} goes with a model of lines or other pieces",
                hint="train one with 'charrnn train --lines', or with --separator",
            )
        self._require_pieces(conditions, prompt, controls.limit)
        # A piece that its own length cuts was asked for; one that the limit cuts, where others are
        # chosen, was not.
        drop_cut = bool(given) and length is None
        drawn = chain.from_iterable(map(write, itertools.count(first, count)))
        kept = keep_pieces(drawn, conditions, prompt, seen=self.seen_pieces, drop_cut=drop_cut)
        return islice(kept, count)

    def complete(
        self,
        prompt: str = "",
        *,
        count: int = 5,
        length: int = 20,
        beam: int = WIDTH,
        stop: str | Sequence[str] = (),
    ) -> list[Continuation]:
        """Return the likeliest continuations of a prompt, found by beam search, likeliest first.

        count    how many
        length   characters of each that no stop text ends before
        beam     number of texts that the search follows at once; at least ``count`` are
        stop     each continuation ends before this text, or any of these, or with its piece

        Each comes with its probability: that the model goes on so and, if a stop text ended it,
        ends it there. Of a prompt that continues the one before, only what is new is read. Raises
        VocabularyError for unknown characters in the prompt.
        """
        for name, value, low in (("count", count, 1), ("length", length, 0), ("beam", beam, 1)):
            require(value >= low, f"{name} must be at least {low}, not {value}")
        stops = [self.normalized(text) for text in ([stop] if isinstance(stop, str) else stop)]
        require(all(stops), "a stop text must have at least one character")
        if self.config.data.end is not None:
            stops.append(self.config.data.end)
        return find_likeliest(
            self.predictor,
            self.predictor.read_on(self.encode_prompt(prompt)),
            self.vocabulary.characters,
            count=count,
            length=length,
            width=beam,
            stops=stops,
        )

    def score(self, text: str, *, window: int | None = None, memory: bool = False) -> Score:
        """Return how likely a text is: nats, nats and bits per character, perplexity.

        window   None: the state is carried through the text, but a model of pieces reads each on
                 its own. N: independent windows of N characters
        memory   whether what was read helps to predict the rest; see ``ngrams.memory``

        Raises VocabularyError for unknown characters, CorpusError for fewer than two characters,
        ConfigError for windows with a memory.
        """
        return self.score_ids(self._encode_text(text), window=window, memory=memory)

    def score_lines(
        self, lines: Iterable[str], *, unknown: UnknownCharacters = "error"
    ) -> Iterator[LineScore]:
        """Yield how likely each line is on its own, in order.

            for score in model.score_lines(["Aberdeen", "Xqzwvk"]):
                print(score.bits_per_char, score.text, score.surprise_char)

        lines     texts, with or without a line break at the end: of a model of pieces, pieces.
                  About 32,000 characters of them are read ahead
        unknown   what to do with characters that the model does not know. "error": raise. "skip":
                  leave them out. "charge": leave them out of what the model reads, but add to the
                  nats of the line for each what Laplace's rule makes of a character that was not
                  among those of the training text, N of them and V different: ln(N + V + 1)

        A line starts from a zero state. Its end is scored like a character, if the model knows line
        breaks or pieces. Neither the order of the lines nor which are scored together matters, but
        for the rounding of the last digits.

        Raises VocabularyError, after the scores of the lines before it, for a line with unknown
        characters, and TypeError for a single text: its characters would be taken for lines.
        """
        if isinstance(lines, str):
            raise TypeError("expected lines of text, not one text")
        scorer = LineScorer([self.line_model], unknown)
        if self.line_end == "\n":
            bare = (line.rstrip("\r\n") for line in lines)
        else:
            bare = ("".join(unify_line_breaks([piece])).strip("\n") for piece in lines)
        return (score for block in scorer.score_blocks([bare]) for (score,) in block)

    def xray(self, text: str, *, top: int = 5, parts: Iterable[str | None] = (None,)) -> Trace:
        """Return what the model does at each character of a text: surprise, guesses, activations.

        top     how many of the likeliest characters in each place
        parts   whose activations, of all layers, see ``scoring.xray``; None: the cell state
                of an LSTM, else the hidden state

        The state is carried through the text, but a model of pieces reads each on its own.
        Activations take 4 bytes for each character, unit and part. Raises VocabularyError for
        unknown characters, CorpusError for an empty text, ConfigError for a part that the cell does
        not have.
        """
        model, blocks, end = self.distribution(), [self._encode_text(text)], self.end_id
        names = [require_part(model.cell, name) for name in parts]
        return join(trace_text(model, self.vocabulary, blocks, top=top, parts=names, end=end))

    def with_memory(self, like: str = "") -> "Model":
        """Return the model with a memory of what it reads: its samples are in the world of a text.

            model.with_memory(chapter).complete("Then Ros")

        like   a text to read before each prompt, which begins on a new line

        It remembers this text and the prompt, but not what it writes; see ``ngrams.memory``. Raises
        VocabularyError for unknown characters.
        """
        ids, end = self._encode_text(like.removesuffix("\n")), self.end_id  # prompts begin with one
        if end is not None and len(ids):
            ids = flatten_pieces(ids, end)
        model = replace(self)
        model.predictor = MemoryPredictor(self.distribution(), ids, end)
        return model

    def longest_copy(self, text: str) -> int:
        """Return the length of the longest passage that a text shares with the training text.

        It is rounded down by up to 14 characters; passages below 23 characters may count as 0.
        Raises ConfigError for a model without a filter: a base model, or one of more than 64 MB.
        """
        return longest_copy(require_spans(self.seen_spans), text)

    def _begin(
        self,
        prompt: str,
        length: int | None,
        random_seed: int | None,
        settings: dict[str, Any],
        *,
        log_p: bool = False,
    ) -> tuple[Sampler, Controls, PieceConfig]:
        """Read a prompt, and prepare what the texts that continue it must obey."""
        require_known(settings, SAMPLE_SETTINGS)
        for name, value in (("length", length), ("random_seed", random_seed)):
            require(value is None or value >= 0, f"{name} must be at least 0, not {value}")
        rules, conditions = ControlConfig.of_options(settings), PieceConfig.of_options(settings)
        contain = None if rules.contain is None else self.normalized(rules.contain)
        rules = replace(rules, stop=tuple(map(self.normalized, rules.stop)), contain=contain)
        limit, end = self.default_length(rules) if length is None else length, self.config.data.end
        if conditions.max_length is not None:
            limit = min(limit, conditions.max_length + 1)  # one more shows that it is too long
        controls = Controls(rules, self.vocabulary, limit, end=end, seen_spans=self.seen_spans)
        number = secrets.randbits(32) if random_seed is None else random_seed
        sampling, ids = SamplingConfig.of_options(settings), self.encode_prompt(prompt)
        return Sampler.of(self.predictor, ids, sampling, number, log_p=log_p), controls, conditions

    def _require_pieces(self, conditions: PieceConfig, prompt: str, limit: int) -> None:
        """Raise ConfigError if no piece of a prompt and ``limit`` characters can be kept."""
        low, high = conditions.min_length, conditions.max_length
        if conditions.new and self.seen_pieces is None:
            hint = "'charrnn train' and charrnn.train record them"
            raise ConfigError("the model does not know which pieces its text has", hint=hint)
        if high is not None and len(prompt) > high:
            raise ConfigError(f"the prefix is longer than --max-length {high}")
        if len(prompt) + limit < low:
            hint = f"add --length {low}"
            raise ConfigError(f"length {limit} is below min-length {low}", hint=hint)

    def default_length(self, controls: ControlConfig) -> int:
        """Return the length of a text for which none is given, at most that of a piece."""
        if self.config.data.end is not None:
            return self.piece_limit
        return FAR if controls.stop and not controls.until_sentence else 200

    def score_ids(
        self,
        ids: Ids,
        *,
        window: int | None = None,
        memory: bool = False,
        on_progress: Callable[[int], object] = lambda _: None,
    ) -> Score:
        """Return what ``score`` does, of a text that is ids already, (N,).

        ids           of a model of pieces, each with the END at its end
        on_progress   called with the number of characters done since the last call
        """
        if memory and window is not None:
            raise ConfigError("a memory reads a text as a whole, not in windows")
        end = self.end_id if window is None else None
        if end is not None:
            ids = flatten_pieces(ids, end)
        model, pieces = self.distribution(), end is not None
        if memory:
            return score_with_memory(model, ids, end=end, on_progress=on_progress)
        return score(model, ids, window=window, pieces=pieces, on_progress=on_progress)

    def encode(self, text: str) -> Ids:
        """Return a text as ids, normalized.

        Raises VocabularyError for unknown characters, ConfigError for what is not a text.
        """
        hint = "the number of new characters goes by its name: length=100"
        require(isinstance(text, str), f"expected a text, not {text!r}", hint)
        return self.vocabulary.encode(self.normalized(text))

    def normalized(self, text: str) -> str:
        """Return a text normalized like the text that the model was trained on."""
        return normalized(text, self.config.data.normalize)

    def encode_prompt(self, prompt: str) -> Ids:
        """Return a prompt as the model reads it: as if a piece, or a line, began there.

        Raises VocabularyError for unknown characters.
        """
        ids, end = self.encode(prompt), self.line_end
        knows_end = end in self.vocabulary
        start = self.vocabulary.encode(end) if knows_end else start_ids(self.vocabulary)
        return np.concatenate([start, ids]) if knows_end or not prompt else ids

    def _encode_text(self, text: str) -> Ids:
        """Return a text as ids, of pieces each with its END; a text is one record, or one file."""
        data, end = self.config.data, self.config.data.end
        if end is not None:
            data = data if data.field is None else replace(data, field=None, separator=FILE)
            text = "".join(mark_ends(cut_text(unify_line_breaks([text]), data), end))
        return self.encode(text)

    @property
    def line_end(self) -> str:
        """The character after each line, or piece, that is scored on its own."""
        return self.config.data.end or "\n"

    @property
    def piece_limit(self) -> int:
        """The most characters of a new piece: enough for more than the longest of the text."""
        return max(MIN_LIMIT, MAX_GROWTH * self.longest)

    @property
    def longest(self) -> int:
        """Characters of the longest piece of the text; 0 if that is not recorded."""
        return self.origin.longest if self.origin else 0

    @property
    def end_id(self) -> int | None:
        """Id of the END of pieces; None: the model is one of a stream."""
        end = self.config.data.end
        return None if end is None else self.vocabulary.index[end]

    @cached_property
    def predictor(self) -> Predictor:
        """What reads a text and predicts the next character, for sampling and beam search."""
        networks = self.ensemble()
        return Predictor(networks if self.ngram is None else Mixture(networks, self.ngram))

    def distribution(self) -> Ensemble:
        """Return what predicts the next character: the networks, mixed with n-grams if any.

        Everything that samples or scores uses this one; see ``ngrams.mixture``.
        """
        return self.predictor.model

    def merged(self) -> "Model":
        """Return the model with its networks merged into one, for formats that know only one."""
        network = self.network()
        config = replace(self.config, model=replace(network.config, members=1))
        return replace(self, config=config, weights=network.params, resume={})

    @property
    def line_model(self) -> LineModel:
        """What scores lines under this model."""
        form = self.config.data.normalize
        return LineModel(self.distribution(), self.vocabulary, form, self.line_end)
