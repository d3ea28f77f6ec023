"""``charrnn models``: the base models that come with charrnn."""

import json
from typing import Annotated, Any

import typer


def models(
    *,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object per model.")] = False,
) -> None:
    """List the base models that come with charrnn.

    charrnn models
    charrnn sample -c english --seed "The sea"
    charrnn train notes.txt --from english
    """
    from charrnn.checkpoint.bases import BASES, located
    from charrnn.cli import terminal
    from charrnn.models import Model
    from charrnn.nn.parameters import count

    entries: list[dict[str, Any]] = []
    for name, about in BASES.items():
        base, path = Model.load(name), located(name)
        entries.append(
            {
                "name": name,
                "about": about,
                "model": base.config.model.cell,
                "layers": base.config.model.layers,
                "hidden_size": base.config.model.hidden_size,
                "characters": len(base.vocabulary),
                "parameters": count(base.shapes()),
                "bytes": path.stat().st_size,
                "read": int(base.vocabulary.counts.sum()),
                "nats_per_char": round(base.progress.best_val_loss, 3),
            }
        )
    if as_json:
        terminal.write("".join(json.dumps(entry) + "\n" for entry in entries))
        return
    rows = [
        (
            str(entry["name"]),
            str(entry["about"]),
            f"{entry['model']} {entry['layers']} x {entry['hidden_size']}",
            f"{entry['bytes'] / 1e6:.1f} MB",
            f"{entry['nats_per_char']:.3f}",
        )
        for entry in entries
    ]
    terminal.print_table(("name", "text", "model", "size", "nats per character"), rows)
