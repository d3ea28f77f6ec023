"""The state of a text: what the model remembers at its end, in a file, so that it can go on.

Members of the .npz file: the header, JSON as in a checkpoint, and the state of each layer, h_l0,
c_l0, h_l1 ..., (1, H); a table of n-grams is one more layer, whose h is the number of its node,
(1, 1). Of blended models, the layers of the first come first.
"""

import os
from dataclasses import dataclass
from pathlib import Path

from charrnn._version import __version__
from charrnn.checkpoint import npz
from charrnn.checkpoint.files import replacing
from charrnn.checkpoint.format import FORMAT, encode_header, read, read_errors, require
from charrnn.errors import CheckpointError
from charrnn.nn.cells import Array
from charrnn.nn.language_model import ModelState

_KEYS = {"format", "kind", "charrnn", "model", "random_seed", "drawn"}
_NAMES = "hc"


@dataclass(frozen=True)
class TextState:
    """Where a text stands.

    state         of the model after the text, arrays (1, H)
    fingerprint   of the model
    random_seed   that the text was drawn with
    drawn         number of characters drawn with it so far
    """

    state: ModelState
    fingerprint: str
    random_seed: int
    drawn: int

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the file atomically. Raises CheckpointError if it cannot be written."""
        header = {
            "format": FORMAT,
            "kind": "state",
            "charrnn": __version__,
            "model": self.fingerprint,
            "random_seed": self.random_seed,
            "drawn": self.drawn,
        }
        with replacing(Path(path)) as file:
            npz.write(file, {"header": encode_header(header), **_named(self.state)})

    @classmethod
    def load(
        cls, path: str | os.PathLike[str], fingerprint: str, template: ModelState
    ) -> "TextState":
        """Read the state of a text that the model with this fingerprint wrote.

        template   a state of this model, for names, shapes and types

        Raises CheckpointError for a file that cannot be read, is damaged or of another model.
        """
        with read_errors(path):
            if not os.path.lexists(path):
                raise CheckpointError(f"{path}: no such file", hint="--state-out writes one")
            header, arrays = read(path)
            if header.get("kind") != "state":
                raise CheckpointError(
                    f"{path}: is not the state of a text", hint="--state-out writes one"
                )
            require(header.keys() == _KEYS, "the header has missing or unexpected entries")
            if header["model"] != fingerprint:
                raise CheckpointError(
                    f"{path}: is the state of another model",
                    hint="name the model that wrote it with -c; further training changes a model",
                )
            for key in ("random_seed", "drawn"):
                number = header[key]
                require(type(number) is int and 0 <= number < 2**63, f"{key} is no number")
            expected = _named(template)
            require([*arrays] == [*expected], "arrays are missing or unexpected")
            for name, array in expected.items():
                same = arrays[name].shape == array.shape and arrays[name].dtype == array.dtype
                require(same, f"{name} does not have the shape and type of the model")
        values = iter(arrays.values())
        state = [tuple(next(values) for _ in layer) for layer in template]
        return cls(state, fingerprint, header["random_seed"], header["drawn"])


def _named(state: ModelState) -> dict[str, Array]:
    return {
        f"{name}_l{number}": array
        for number, layer in enumerate(state)
        for name, array in zip(_NAMES, layer, strict=False)
    }
