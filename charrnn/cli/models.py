"""``charrnn models``: the models that every command finds by name."""

from charrnn.cli.app import user_folder
from charrnn.cli.console import console
from charrnn.cli.options import flag


def models(*, json: bool = flag("One JSON object per model.", None, "--json")) -> None:
    """List the models that have a name: those that come with charrnn, and your own.

    charrnn models
    charrnn sample -c english --seed "The sea"
    charrnn train notes.txt --from english

    A checkpoint NAME.npz in the folder that is named below the list is a model of your own: every
    command finds it as NAME, from anywhere.
    """
    from charrnn.checkpoint.bases import BASES
    from charrnn.cli.inspect import describe_each, format_number
    from charrnn.config import ModelConfig

    folder = user_folder() / "models"
    own = sorted(path.stem for path in folder.glob("*.npz") if path.stem not in BASES)
    found = describe_each([*BASES, *own])
    if json:
        for each in found:
            name = each.pop("checkpoint")
            del each["config"], each["history"]
            console.write_json({"name": name, "about": BASES.get(name), **each})
        return
    rows = []
    for each in found:
        name, sources = each["checkpoint"], ", ".join(each["sources"] or [])
        about, size = BASES.get(name, sources), f"{each['bytes'] / 1e6:.1f} MB"
        shape = ModelConfig.from_dict(each["config"]["model"]).shape
        rows.append((name, about, shape, size, format_number(each["val_loss"])))
    console.table(("name", "text", "model", "size", "nats per character"), rows)
    console.note(f"your own: NAME.npz in {folder}; your defaults: config.toml beside it")
