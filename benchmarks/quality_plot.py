"""Plots of loss against time for charrnn and the baselines, one SVG per text.

    pip install '.[plot]' && python benchmarks/quality_plot.py [--folder FOLDER]

Reads quality.jsonl and quality_peers.jsonl in its own folder and writes quality-<text>.svg there,
or elsewhere: medians over random seeds of runs without further options, and of those from nothing.
All losses are cold, in windows of 256 characters that start from a zero state, which is nanoGPT's
protocol.
"""

import json
import statistics
from collections import defaultdict
from pathlib import Path
from typing import Any

from matplotlib import pyplot as plt
from measuring import make_parser

HERE = Path(__file__).parent
# The options of a run, and what its curve is called.
CURVES = {"": "charrnn --time", "--from=none": "charrnn --time, from nothing"}
TICKS = [20, 60, 120, 300, 600, 3600]
# The published loss of nanoGPT on an A100, with the cold protocol.
A100 = 1.4697


def rows(file: str) -> list[dict[str, Any]]:
    """Return the rows of a file of results."""
    return [json.loads(line) for line in (HERE / file).read_text().splitlines()]


def main() -> None:
    """Draw all texts."""
    parser = make_parser(__doc__)
    parser.add_argument("--folder", type=Path, default=HERE)
    folder = parser.parse_args().folder
    found: dict[str, dict[str, dict[float, list[float]]]] = defaultdict(
        lambda: defaultdict(lambda: defaultdict(list))
    )
    for row in rows("quality.jsonl"):
        if row["options"] in CURVES:
            found[row["text"]][CURVES[row["options"]]][row["seconds"]].append(row["cold"])
    for row in rows("quality_peers.jsonl"):
        found[row["text"]][row["peer"]][row["seconds"]].append(row["cold"])
    plt.rcParams["svg.hashsalt"] = "charrnn"  # makes the SVG reproducible
    for text, curves in found.items():
        figure, axes = plt.subplots(figsize=(7, 4.2))
        for name, points in curves.items():
            times = sorted(points)
            values = [statistics.median(points[seconds]) for seconds in times]
            own = name.startswith("charrnn ")
            axes.plot(times, values, marker="o", label=name, linewidth=2.5 if own else 1.2,
                      zorder=3 if own else 2)  # fmt: skip
            axes.annotate(f"{values[-1]:.2f}", (times[-1], values[-1]), xytext=(6, -3),
                          textcoords="offset points", fontsize=9)  # fmt: skip
        if text == "tinyshakespeare.txt":
            axes.axhline(A100, linestyle=":", color="gray")
            axes.annotate(
                "nanoGPT, 10.65 M parameters, 3 minutes of an A100", (20, A100), xytext=(0, 3),
                textcoords="offset points", fontsize=8, color="gray",
            )  # fmt: skip
        axes.set(
            xscale="log", xlabel="seconds of training on 2 cores",
            ylabel="nats per character, unseen text, windows of 256", title=text,
        )  # fmt: skip
        shown = [tick for tick in TICKS if tick <= max(max(points) for points in curves.values())]
        axes.set_xticks(shown, [str(tick) for tick in shown])
        axes.minorticks_off()
        axes.margins(x=0.1)
        axes.grid(alpha=0.3)
        axes.legend(frameon=False)
        figure.tight_layout()
        path = folder / f"quality-{Path(text).stem}.svg"
        figure.savefig(path, metadata={"Date": None})
        print(f"{path}: {len(curves)} curves")
        plt.close(figure)


if __name__ == "__main__":
    main()
