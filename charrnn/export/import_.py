"""Import: weights that charrnn has exported, or that were trained with PyTorch.

Any file of named arrays is read that has recurrent layers with the names of torch.nn
(``rnn.weight_ih_l0`` ..., with any prefix), followed by a linear layer. An embedding before them is
multiplied into the input weights, because the product with a one-hot vector is a column.
"""

import io
import json
import re
import zipfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from charrnn.checkpoint.checkpoint import is_checkpoint, member_prefixes, pop_extra
from charrnn.checkpoint.header import Origin, name_file
from charrnn.checkpoint.npz import Arrays
from charrnn.config import CellName, Config, ModelConfig, Nonlinearity
from charrnn.errors import CharRNNError, CheckpointError, CorpusError
from charrnn.export import html, onnx, safetensors
from charrnn.models import Model
from charrnn.nn.network import CELLS
from charrnn.text.corpus import read_corpus
from charrnn.text.vocabulary import Vocabulary
from charrnn.training.state import initial_state

# A file that unpacks to more than this many times its size is a decompression bomb.
MAX_GROWTH = 100
RECURRENT = re.compile(r"(.*?)weight_ih_l(\d+)")
EMBEDDING = re.compile(r"(^|[._])(embed\w*|emb|encoder|wte)([._]|$)")
FROM_PYTORCH = "in PyTorch: safetensors.torch.save_file(net.state_dict(), 'm.safetensors')"


def read_characters(source: str) -> Sequence[str]:
    """Return the characters of a vocabulary, in the order of their ids.

    source   a .json file with a list of characters, or an object that maps characters to ids. Any
             other file is the training text, whose distinct characters are sorted

    Raises CorpusError for a file that is neither.
    """
    path = Path(source)
    if path.suffix.lower() != ".json":
        return read_corpus([source]).vocabulary.characters
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
        ids = content if isinstance(content, dict) else {c: n for n, c in enumerate(content)}
        by_id = {number: character for character, number in ids.items()}
        characters = [by_id[number] for number in range(len(content))]
        valid = bool(characters) and all(len(each) == 1 for each in characters)
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        valid = False
    if not valid:
        raise CorpusError(
            f"{path}: must be a list of different characters, or an object from them to ids"
        )
    return characters


def import_weights(
    path: Path, *, characters: Sequence[str] | None = None, nonlinearity: Nonlinearity = "tanh"
) -> Model:
    """Return the model in a file: an export, or an .npz or safetensors file of someone else.

    characters     the vocabulary, in the order of the ids; None: taken from the file
    nonlinearity   activation of an Elman RNN, which cannot be inferred from its weights

    Raises CheckpointError if the weights are not those of a supported model, or if a package is not
    installed.
    """
    try:
        arrays, described = _read(path)
        model = _model(arrays, described, characters, nonlinearity)
        longest = int(described.get("longest", 0))
    except CharRNNError as error:
        raise CheckpointError(f"{path}: {error}", hint=error.hint) from error
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read: {error.strerror}") from error
    except Exception as error:  # invalid files can make the readers raise anything
        reason = f"{type(error).__name__}: {error}"  # the repr may hold all of the file
        raise CheckpointError(f"{path}: does not fit together: {reason}") from error
    return replace(model, origin=Origin((), 0, 0, name_file(str(path)), longest))


def _read(path: Path) -> tuple[Arrays, dict[str, str]]:
    data = path.read_bytes()
    if safetensors.is_safetensors(data):
        return safetensors.read(data)
    if path.suffix == onnx.SUFFIX:
        return onnx.read(data)
    if data[:9].lower() == b"<!doctype":
        return html.read(data)
    if is_checkpoint(path):
        raise CheckpointError("is a checkpoint already", hint="charrnn sample -c reads it")
    members = []
    if zipfile.is_zipfile(io.BytesIO(data)):
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = archive.infolist()
    size = sum(member.file_size for member in members)
    if size > MAX_GROWTH * len(data):
        raise CheckpointError(f"{len(data):,} bytes would unpack to {size:,} bytes")
    # A pickle of PyTorch could run any program.
    if not members or not all(member.filename.endswith(".npy") for member in members):
        raise CheckpointError("is not a .safetensors, .npz, .onnx or .html file", hint=FROM_PYTORCH)
    with np.load(io.BytesIO(data), allow_pickle=False) as file:
        return dict(file), {}


def _model(
    arrays: Arrays,
    described: dict[str, str],
    characters: Sequence[str] | None,
    nonlinearity: Nonlinearity,
) -> Model:
    """Return a model. Any exception means that the contents are not those of one."""
    characters = characters or described.get("characters", "")
    if not characters:
        raise CheckpointError(
            "does not say which characters it knows",
            hint="--vocab names the text it was trained on, or a JSON list of its characters",
        )
    counts = np.zeros(len(characters), np.int64)
    config = Config(model=ModelConfig(cell="rnn", nonlinearity=nonlinearity))
    if "config" in described:
        counts = np.array(json.loads(described["counts"]), np.int64)
        config = Config.from_dict(json.loads(described["config"]))
    order = np.argsort([ord(character) for character in characters])
    vocabulary = Vocabulary("".join(characters[at] for at in order), counts[order])
    if config.data.end not in {None, *characters}:
        raise CheckpointError("does not know how its pieces end")
    extra = pop_extra(arrays, len(vocabulary))
    members = []
    for prefix in member_prefixes(config.model.members):
        own = [name for name in arrays if name.startswith(prefix)]
        members.append(_rename({name.removeprefix(prefix): arrays[name] for name in own}, order))
    config = replace(config, model=_shape(members[0], config.model))
    state = initial_state(config, len(vocabulary))
    for network, weights in zip(state.networks, members, strict=True):
        for name, param in network.params.items():
            array = weights[name]
            if array.shape != param.shape:
                raise CheckpointError(f"{name} has the shape {array.shape}, not {param.shape}")
            param[...] = array
    return Model.of(config, vocabulary, state, **extra)


def _rename(arrays: Arrays, order: NDArray[np.int64]) -> Arrays:
    """Return the weights under our names, with the characters in this order.

    Missing biases are zero.
    """
    if wrong := [name for name, array in arrays.items() if array.dtype.kind != "f"]:
        raise CheckpointError(f"{wrong[0]} holds no floating-point numbers")
    left, weights, V = dict(arrays), Arrays(), len(order)
    found = [match for match in map(RECURRENT.fullmatch, left) if match]
    if sorted(int(match[2]) for match in found) != list(range(len(found))) or not found:
        names = ", ".join(sorted(left)[:10])
        raise CheckpointError(f"has no recurrent layers weight_ih_l0 ... among {names}")
    prefix = found[0][1]
    for layer in range(len(found)):
        for name in (f"weight_ih_l{layer}", f"weight_hh_l{layer}"):
            weights[name] = left.pop(prefix + name)
        zeros = np.zeros(len(weights[f"weight_hh_l{layer}"]))
        for name in (f"bias_ih_l{layer}", f"bias_hh_l{layer}"):
            weights[name] = left.pop(prefix + name, zeros)
    H, inputs = weights["weight_hh_l0"].shape[1], weights["weight_ih_l0"].shape[1]
    output = _find_matrix(left, (V, H), embedding=False)
    weights["output.weight"] = left.pop(output)[order]
    bias = left.pop(output.removesuffix("weight") + "bias", np.zeros(V))
    weights["output.bias"] = bias[order] if bias.shape == (V,) else bias
    if inputs != V or any(map(EMBEDDING.search, left)):
        table = left.pop(_find_matrix(left, (V, inputs), embedding=True)).astype(np.float64)
        weights["weight_ih_l0"] = weights["weight_ih_l0"].astype(np.float64) @ table.T
    weights["weight_ih_l0"] = weights["weight_ih_l0"][:, order]
    if left:
        names = ", ".join(sorted(left)[:10])
        raise CheckpointError(f"has parameters that have no place here: {names}")
    return weights


def _find_matrix(left: Arrays, shape: tuple[int, int], *, embedding: bool) -> str:
    """Return the name of the only matrix of this shape; of several, by what it is called."""
    names = [name for name, array in left.items() if array.shape == shape]
    if len(names) > 1:
        names = [name for name in names if bool(EMBEDDING.search(name)) == embedding]
    if len(names) != 1:
        what = "embeddings" if embedding else "linear layers to the characters of the vocabulary"
        others = ", ".join(f"{n} {a.shape}" for n, a in sorted(left.items())) or "nothing"
        raise CheckpointError(f"has {len(names)} {what}, {shape}, not one, among {others}")
    return names[0]


def _shape(weights: Arrays, described: ModelConfig) -> ModelConfig:
    """Return the shape of a network; described: what the file says of what weights do not tell."""
    rows, H = weights["weight_hh_l0"].shape
    cells: dict[int, CellName] = {cell.gates * H: name for name, cell in CELLS.items()}
    if rows not in cells:
        raise CheckpointError(f"weight_hh_l0 of {rows} x {H} is not an RNN, GRU or LSTM")
    return replace(
        described,
        cell=cells[rows],
        hidden_size=H,
        layers=sum(name.startswith("weight_hh") for name in weights),
        nonlinearity=described.nonlinearity if cells[rows] == "rnn" else "tanh",
        dtype="float64" if weights["weight_hh_l0"].dtype == np.float64 else "float32",
    )
