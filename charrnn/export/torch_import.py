"""Import: weights trained with PyTorch, or exported by charrnn.

It reads any file of named arrays that has recurrent layers with the names of torch.nn
(``rnn.weight_ih_l0`` ..., with any prefix), followed by a linear layer. An embedding before them is
multiplied into the input weights, because the product with a one-hot vector is a column.
"""

import json
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from charrnn.checkpoint.origin import Origin
from charrnn.config import CellName, Config, DataConfig, ModelConfig, Nonlinearity, Normalization
from charrnn.errors import CheckpointError, CorpusError
from charrnn.export.foreign import read_foreign
from charrnn.models import Model, load
from charrnn.nn.cells import CELLS, Array
from charrnn.text.corpus import read_corpus
from charrnn.text.vocabulary import Vocabulary
from charrnn.training.next_character import initial_state

MAX_COUNT = 2**53
RECURRENT = re.compile(r"(.*?)weight_ih_l(\d+)")
EMBEDDING = re.compile(r"(^|[._])(embed\w*|emb|encoder|wte)([._]|$)")


def is_sound(path: Path) -> bool:
    """Return True for a checkpoint that charrnn can load directly."""
    with suppress(CheckpointError):
        load(path)
        return True
    return False


def read_characters(source: str) -> list[str]:
    """Return the characters of a vocabulary, in the order of their ids.

    source   a .json file with a list of characters, or an object that maps characters to ids. Any
             other file is the training text, whose distinct characters are sorted

    Raises CorpusError for a file that is neither.
    """
    path = Path(source)
    if path.suffix.lower() != ".json":
        return [*read_corpus([source]).vocabulary.characters]
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:
        raise CorpusError(f"{path}: cannot be read: {error}") from error
    if isinstance(content, dict):
        if sorted(map(str, content.values())) != sorted(map(str, range(len(content)))):
            raise CorpusError(f"{path}: the ids must be 0 to {len(content) - 1}")
        content = sorted(content, key=lambda character: int(content[character]))
    sound = isinstance(content, list) and all(isinstance(c, str) and len(c) == 1 for c in content)
    if not sound or len(set(content)) < len(content) or not content:
        raise CorpusError(
            f"{path}: must be a list of different characters, or an object from them to ids"
        )
    return list(content)


def import_weights(
    path: Path, *, characters: Sequence[str] | None = None, nonlinearity: Nonlinearity = "tanh"
) -> Model:
    """Return a model with the weights in a safetensors or .npz file.

    characters     the vocabulary, in the order of the ids; None: taken from the file
    nonlinearity   activation of an Elman RNN, which cannot be inferred from its weights

    Raises CheckpointError if the weights are not those of a supported model.
    """
    arrays, metadata = read_foreign(path)
    if is_sound(path):
        raise CheckpointError(f"{path}: is a charrnn checkpoint already", hint="use it as it is")
    counts = None
    if characters is None:
        if "characters" not in metadata:
            raise CheckpointError(
                f"{path}: does not say which characters it knows",
                hint="--vocab names the text it was trained on, or a JSON list of its characters",
            )
        characters = [*metadata["characters"]]
        counts = _counts(metadata, len(characters))
    try:
        normalize: Normalization = "none"
        if "config" in metadata:
            config = json.loads(metadata["config"])
            nonlinearity = config["model"]["nonlinearity"]
            normalize = config["data"]["normalize"]
        data = DataConfig(normalize=normalize)
        model = _checkpoint(_Source(arrays), characters, counts, Config(data=data), nonlinearity)
        return replace(model, origin=Origin.of([], 0, 0, str(path)))
    except _Unfit as error:
        raise CheckpointError(f"{path}: {error}") from error
    except Exception as error:  # the metadata of a file can be wrong in any way
        raise CheckpointError(f"{path}: does not fit together: {error!r}") from error


def _counts(metadata: dict[str, str], size: int) -> NDArray[np.int64] | None:
    try:
        counts = np.array(json.loads(metadata.get("counts", "null")), np.int64)
    except (ValueError, TypeError, OverflowError, RecursionError):
        return None
    sound = counts.shape == (size,) and counts.min() >= 0 and counts.max() < MAX_COUNT
    return counts if sound else None


class _Unfit(Exception):  # noqa: N818
    """The reason why these weights are not a text generator."""


class _Source:
    """Finds layers by name and shape in a set of arrays. Raises _Unfit if they are missing."""

    def __init__(self, arrays: dict[str, NDArray[Any]]) -> None:
        self.arrays, self.used = arrays, set[str]()
        for name, array in arrays.items():
            if array.dtype.kind != "f":
                raise _Unfit(f"{name} holds no floating-point numbers")
        found = [match for match in map(RECURRENT.fullmatch, arrays) if match]
        self.prefix = found[0][1] if found else ""
        numbers = sorted(int(match[2]) for match in found)
        if not found or numbers != list(range(len(numbers))):
            raise _Unfit(
                "has no recurrent layers weight_ih_l0 ... among " + ", ".join(sorted(arrays)[:10])
            )
        if any(name.endswith("_reverse") for name in arrays):
            raise _Unfit("reads in both directions, which a text generator cannot")
        self.layers = len(numbers)
        rows, self.hidden_size = self._matrix("weight_hh_l0").shape
        gates = rows // self.hidden_size
        cells = {cell.gates: name for name, cell in reversed(CELLS.items())}  # the first one wins
        if gates not in cells or gates * self.hidden_size != rows:
            raise _Unfit(f"weight_hh_l0 of {rows} x {self.hidden_size} is no RNN, GRU or LSTM")
        self.cell: CellName = cells[gates]
        self.rows = rows

    def _matrix(self, name: str) -> NDArray[Any]:
        array = self._take(self.prefix + name)
        if array is None or array.ndim != 2 or not array.size:  # noqa: PLR2004
            raise _Unfit(f"{self.prefix}{name} is missing or no matrix")
        return array

    def _take(self, name: str) -> NDArray[Any] | None:
        self.used.add(name)
        return self.arrays.get(name)

    def require_nothing_else(self) -> None:
        """Reject parameters that a text generator does not have: the model would differ."""
        if left := sorted(self.arrays.keys() - self.used):
            raise _Unfit(f"has parameters that have no place here: {', '.join(left[:10])}")

    def layer(self, number: int) -> dict[str, NDArray[Any]]:
        """Return the parameters of a recurrent layer; missing biases are zero."""
        params = {name: self._matrix(f"{name}_l{number}") for name in ("weight_ih", "weight_hh")}
        for name in ("bias_ih", "bias_hh"):
            bias = self._take(f"{self.prefix}{name}_l{number}")
            params[name] = np.zeros(self.rows) if bias is None else bias
        return params

    def embedding_and_output(
        self, vocab_size: int
    ) -> tuple[NDArray[Any] | None, NDArray[Any], NDArray[Any]]:
        """Return embedding (V, I) or None, and output weight (V, H) and bias (V,)."""
        features = self._matrix("weight_ih_l0").shape[1]
        others = {
            name: array
            for name, array in self.arrays.items()
            if not (self.prefix and name.startswith(self.prefix))
            and not re.search(r"_(ih|hh)_l\d+", name)
            and array.ndim == 2  # noqa: PLR2004
            and len(array) == vocab_size
        }
        outputs = {n: a for n, a in others.items() if a.shape[1] == self.hidden_size}
        named = {n: a for n, a in outputs.items() if not EMBEDDING.search(n)}
        if len(outputs) > 1:
            outputs = named
        if len(outputs) != 1:
            shapes = ", ".join(
                f"{name} {' x '.join(map(str, array.shape))}"
                for name, array in sorted(self.arrays.items())
                if not re.search(r"_(ih|hh)_l\d+", name)
            )
            raise _Unfit(
                f"has {len(outputs)} linear layers from {self.hidden_size} units to the "
                f"{vocab_size} characters of the vocabulary, not one; besides the recurrent ones: "
                f"{shapes or 'nothing'}"
            )
        ((name, weight),) = outputs.items()
        self.used.add(name)
        bias = self._take(name.removesuffix("weight") + "bias")
        bias = np.zeros(vocab_size) if bias is None else bias
        if bias.shape != (vocab_size,):
            raise _Unfit(f"the output's bias has the shape {bias.shape}, not ({vocab_size},)")
        if features == vocab_size and not any(map(EMBEDDING.search, others)):
            return None, weight, bias
        embeddings = {n: a for n, a in others.items() if a.shape[1] == features and n != name}
        embeddings = embeddings or {n: a for n, a in outputs.items() if a.shape[1] == features}
        if len(embeddings) != 1:
            raise _Unfit(f"has no embedding of {vocab_size} characters in {features} features")
        self.used |= embeddings.keys()
        return next(iter(embeddings.values())), weight, bias


def _checkpoint(
    source: _Source,
    characters: Sequence[str],
    counts: NDArray[np.int64] | None,
    base: Config,
    nonlinearity: Nonlinearity,
) -> Model:
    order = np.argsort([ord(character) for character in characters])
    vocabulary = Vocabulary(
        "".join(characters[place] for place in order), None if counts is None else counts[order]
    )
    dtype = source.layer(0)["weight_hh"].dtype
    model = ModelConfig(
        cell=source.cell,
        hidden_size=source.hidden_size,
        layers=source.layers,
        nonlinearity=nonlinearity if source.cell == "rnn" else "tanh",
        dtype="float64" if dtype == np.float64 else "float32",
    )
    config = replace(base, model=model)
    state = initial_state(config, len(vocabulary))
    embedding, weight, bias = source.embedding_and_output(len(vocabulary))
    for number, params in enumerate(state.network.layers):
        given = source.layer(number)
        if not number:
            columns = given["weight_ih"]
            if embedding is not None:
                columns = columns.astype(np.float64) @ embedding.T.astype(np.float64)
            given["weight_ih"] = columns[:, order]
        for name, array in given.items():
            _put(params[name], array, f"{name}_l{number}")
    _put(state.network.params["output.weight"], weight[order], "the output's weight")
    _put(state.network.params["output.bias"], bias[order], "the output's bias")
    source.require_nothing_else()
    return Model.of(config, vocabulary, state)


def _put(target: Array, array: NDArray[Any], name: str) -> None:
    if array.shape != target.shape:
        raise _Unfit(f"{name} has the shape {array.shape}, not {target.shape}")
    with np.errstate(over="ignore", invalid="ignore"):
        target[...] = array
    if not np.isfinite(target).all():
        raise _Unfit(f"{name} holds numbers that are not finite")
