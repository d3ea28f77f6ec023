"""A small transformer on a list of names, in PyTorch: the peer of line mode.

    python benchmarks/names_peer.py names.txt --times 60 300

The size and settings that makemore has by default: 4 layers, 4 heads, 64 features, about 200,000
parameters, AdamW at 5e-4, 32 names a step, no schedule. Judged like quality.py --lines 1000: on the
same lines, in nats per character, the end of each line counted.
"""

import json
import time
from pathlib import Path

import torch
from measuring import make_parser
from quality import divide
from torch import nn

LAYERS, HEADS, FEATURES = 4, 4, 64
RATE, DECAY, BETAS, NAMES_PER_STEP = 5e-4, 0.01, (0.9, 0.99), 32
JUDGED_LINES = 1000
IGNORED = -1


class Transformer(nn.Module):
    """A decoder-only transformer (Vaswani et al. 2017, with the norm first, as in GPT-2)."""

    def __init__(self, vocab_size: int, longest: int) -> None:
        super().__init__()
        self.characters = nn.Embedding(vocab_size, FEATURES)
        self.positions = nn.Embedding(longest, FEATURES)
        layer = nn.TransformerEncoderLayer(
            FEATURES, HEADS, 4 * FEATURES, dropout=0.0, activation="gelu",
            batch_first=True, norm_first=True,
        )  # fmt: skip
        self.blocks = nn.TransformerEncoder(
            layer, LAYERS, norm=nn.LayerNorm(FEATURES), enable_nested_tensor=False
        )
        self.output = nn.Linear(FEATURES, vocab_size, bias=False)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        """Return the logits (B, T, V) of what follows each of the ids (B, T)."""
        steps = ids.shape[1]
        mask = nn.Transformer.generate_square_subsequent_mask(steps)
        features = self.characters(ids) + self.positions(torch.arange(steps))
        logits: torch.Tensor = self.output(self.blocks(features, mask=mask, is_causal=True))
        return logits


def encode(names: list[str], index: dict[str, int]) -> tuple[torch.Tensor, torch.Tensor]:
    """Return inputs and targets, (N, T): 0 stands for the start and the end of a name."""
    rows = [torch.tensor([index[char] for char in name]) for name in names]
    end, pad = torch.zeros(1, dtype=torch.long), nn.utils.rnn.pad_sequence
    inputs = pad([torch.cat([end, row]) for row in rows], batch_first=True)
    targets = [torch.cat([row, end]) for row in rows]
    return inputs, pad(targets, batch_first=True, padding_value=IGNORED)


def loss_of(
    model: Transformer, inputs: torch.Tensor, targets: torch.Tensor, reduction: str = "mean"
) -> torch.Tensor:
    """Return the cross-entropy over all characters and ends."""
    logits = model(inputs).flatten(0, 1)
    return nn.functional.cross_entropy(
        logits, targets.flatten(), ignore_index=IGNORED, reduction=reduction
    )


def measure(corpus: Path, seconds: float, seed: int) -> dict[str, object]:
    """Train for this long, and judge."""
    torch.manual_seed(seed)
    seen, unseen = (part.split() for part in divide(corpus.read_text("utf-8"), JUDGED_LINES))
    index = {char: number for number, char in enumerate(sorted(set("".join(seen + unseen))), 1)}
    longest = max(map(len, seen + unseen)) + 1
    model = Transformer(len(index) + 1, longest)
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE, weight_decay=DECAY, betas=BETAS)
    inputs, targets = encode(seen, index)
    began, steps = time.perf_counter(), 0
    while time.perf_counter() - began < seconds:
        rows = torch.randint(len(seen), (NAMES_PER_STEP,))
        optimizer.zero_grad(set_to_none=True)
        loss_of(model, inputs[rows], targets[rows]).backward()
        optimizer.step()
        steps += 1
    model.eval()
    with torch.no_grad():
        inputs, targets = encode(unseen, index)
        nats = float(loss_of(model, inputs, targets, "sum")) / int((targets != IGNORED).sum())
    parameters = sum(parameter.numel() for parameter in model.parameters())
    return {"peer": "transformer", "seconds": seconds, "seed": seed, "steps": steps,
            "parameters": parameters, "nats_per_char": round(nats, 4)}  # fmt: skip


def main() -> None:
    """Print one JSON object per run."""
    parser = make_parser(__doc__)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--times", type=float, nargs="+", default=[60])
    parser.add_argument("--seeds", type=int, nargs="+", default=[1])
    args = parser.parse_args()
    for seconds in args.times:
        for seed in args.seeds:
            print(json.dumps(measure(args.corpus, seconds, seed)), flush=True)


if __name__ == "__main__":
    main()
