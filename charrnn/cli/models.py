"""``charrnn models``: the models that every command finds by name."""

from pathlib import Path
from typing import Annotated, Any

from charrnn.cli.app import user_models
from charrnn.cli.console import console
from charrnn.cli.options import option
from charrnn.errors import CheckpointError


def models(
    *,
    as_json: Annotated[bool, option("One JSON object per model.", None, None, "--json")] = False,
) -> None:
    """List the models that have a name: those that come with charrnn, and your own.

    charrnn models
    charrnn sample -c english --seed "The sea"
    charrnn train notes.txt --from english

    A checkpoint NAME.npz in the folder that is named below the list is a model of your own: every
    command finds it as NAME, from anywhere.
    """
    from charrnn.checkpoint.bases import BASES

    own = sorted(path.stem for path in user_models().glob("*.npz") if path.stem not in BASES)
    entries = []
    for name in [*BASES, *own]:
        try:
            entries.append(describe_model(name, BASES.get(name)))
        except CheckpointError as error:
            console.note(f"left out: {error}")
    if as_json:
        for entry in entries:
            console.write_json(entry)
        return
    rows = [
        (
            entry["name"],
            entry["about"],
            entry["shape"],
            f"{entry['bytes'] / 1e6:.1f} MB",
            "" if entry["nats_per_char"] is None else f"{entry['nats_per_char']:.3f}",
        )
        for entry in entries
    ]
    console.table(("name", "text", "model", "size", "nats per character"), rows)
    console.note(f"your own: NAME.npz in {user_models()}; your defaults: config.toml beside it")


def describe_model(name: str, about: str | None) -> dict[str, Any]:
    """Return what there is to say of a model."""
    from charrnn.models.description import describe

    found = describe(name)
    sources = found.origin.sources if found.origin else ()
    return {
        "name": name,
        "about": about or ", ".join(Path(source).name for source in sources),
        "model": found.config.model.cell,
        "shape": found.config.model.shape,
        "layers": found.config.model.layers,
        "hidden_size": found.config.model.hidden_size,
        "characters": found.vocab_size,
        "parameters": found.parameters,
        "bytes": found.bytes,
        "read": found.chars,
        "nats_per_char": found.val_loss and round(found.val_loss, 3),
    }
