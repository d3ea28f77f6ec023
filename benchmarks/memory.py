"""What a memory of the text that is read is worth, and what it costs.

    python benchmarks/memory.py score text.txt model.npz ...      nats per character, and speed
    python benchmarks/memory.py sample text.txt model.npz         speed of sampling
    python benchmarks/memory.py complete text.txt model.npz       words foreseen, and time to answer

With and without the memory take turns in one process, and its processor time counts. ``complete``
is asked as by an editor, after each character of a line, in a file of which the first 20,000
characters are its ``--like``; without a memory, it knows the line alone.
"""

import statistics
import time
from collections import deque
from functools import partial
from itertools import islice
from pathlib import Path

from measuring import alternate, heading, make_parser, row

from charrnn import Model, SamplingConfig, sample_steps
from charrnn.generate.predictor import Predictor
from charrnn.text.vocabulary import Ids, start_ids

SIZE, ROUNDS, WORDS = 20_000, 5, 200


def read(path: Path, model: Model) -> str:
    """Return what a model knows of a text."""
    return "".join(filter(model.vocabulary.index.__contains__, path.read_text(encoding="utf-8")))


def compare_scores(path: Path, models: list[str]) -> None:
    """Print nats per character and the speed of both."""
    heading("model", "without", "with memory", "without, chars/s", "with memory, chars/s", "share")
    for name in models:
        model = Model.load(name)
        text, nats, speed = read(path, model), [], []
        for memory in (False, True):
            began = time.process_time()
            nats.append(f"{model.score(text, memory=memory).nats_per_char:.4f}")
            speed.append(len(text) / (time.process_time() - began))
        row(name, *nats, *(f"{it:,.0f}" for it in speed), f"{speed[1] / speed[0]:.2f}")


def seconds(predictor: Predictor, seed: Ids, count: int, steps: int) -> float:
    """Return the processor time of sampling."""
    texts = sample_steps(predictor, seed, SamplingConfig(), random_seed=0, count=count)
    next(texts)
    began = time.process_time()
    deque(islice(texts, steps), maxlen=0)
    return time.process_time() - began


def compare_samples(path: Path, models: list[str]) -> None:
    """Print the speed of sampling with and without a text to write like."""
    heading("model", "samples at once", "without, chars/s", "with memory, chars/s", "share")
    for name in models:
        model = Model.load(name)
        other, seed = model.with_memory(read(path, model)[:SIZE]), start_ids(model.vocabulary)
        for count, steps in {1: 1000, 16: 200, 64: 50}.items():
            runs = {
                str(number): partial(seconds, each.predictor, seed, count, steps)
                for number, each in enumerate((model, other))
            }
            speed = [count * steps / median for median in alternate(runs, ROUNDS).values()]
            row(name, count, *(f"{it:,.0f}" for it in speed), f"{speed[1] / speed[0]:.2f}")


def compare_completions(path: Path, models: list[str]) -> None:
    """Print how often the next word is among the likeliest, and the time to answer."""
    heading("model", "memory", "first", "among five", "median, ms", "95th of 100, ms")
    for name in models:
        model = Model.load(name)
        text, characters = read(path, model), model.vocabulary.characters
        breaks = [char for char in characters if not (char.isalnum() or char == "_")]
        for memory in (False, True):
            asked = model.with_memory(text[:SIZE]) if memory else model
            ranks: list[int] = []
            times: list[float] = []
            for line in text[SIZE:].splitlines():
                for at in range(1, len(line)):
                    if line[at - 1] != " " or not line[at].isalnum() or len(ranks) == WORDS:
                        continue
                    word = line[at:].split(next((c for c in line[at:] if c in breaks), None))[0]
                    began = time.process_time()
                    found = asked.complete(line[:at], count=6, stop=breaks)
                    times.append(1000 * (time.process_time() - began))
                    texts = [it.text for it in found if it.text][:5]
                    ranks.append(texts.index(word) if word in texts else 5)
            shares = [f"{sum(rank < most for rank in ranks) / len(ranks):.0%}" for most in (1, 5)]
            slow = statistics.quantiles(times, n=20)[-1]
            row(name, memory, *shares, f"{statistics.median(times):.1f}", f"{slow:.1f}")


COMMANDS = {
    "score": compare_scores,
    "sample": compare_samples,
    "complete": compare_completions,
}


def main() -> None:
    """Print a table."""
    parser = make_parser(__doc__)
    parser.add_argument("command", choices=COMMANDS)
    parser.add_argument("text", type=Path)
    parser.add_argument("model", nargs="+")
    args = parser.parse_args()
    COMMANDS[args.command](args.text, args.model)


if __name__ == "__main__":
    main()
