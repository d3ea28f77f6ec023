"""What compressors, which learn while they read, make of the last tenth of a text.

    pip install pyppmd zpaq
    python benchmarks/compressors.py corpus.txt

Prints nats per character: the difference between the compressed text and its compressed first nine
tenths.
"""

import bz2
import lzma
import math
from collections.abc import Callable
from pathlib import Path

import pyppmd
import zpaq
from measuring import heading, make_parser, row

COMPRESSORS: dict[str, Callable[[bytes], bytes]] = {
    "bzip2 -9": bz2.compress,
    "xz -9e": lambda data: lzma.compress(data, preset=9 | lzma.PRESET_EXTREME),
    "7-Zip PPMd, order 6": lambda data: pyppmd.compress(data, max_order=6, mem_size=1 << 28),
    "7-Zip PPMd, order 12": lambda data: pyppmd.compress(data, max_order=12, mem_size=1 << 28),
    "zpaq, method 5": lambda data: zpaq.compress(data, level=5),
}


def main() -> None:
    """Print the table."""
    parser = make_parser(__doc__)
    parser.add_argument("corpus", type=Path)
    text = parser.parse_args().corpus.read_text(encoding="utf-8")
    tenth = int(len(text) * 0.1)
    heading("compressor", "nats/char")
    for name, compress in COMPRESSORS.items():
        seen, both = (len(compress(part.encode())) for part in (text[:-tenth], text))
        row(name, f"{(both - seen) * 8 * math.log(2) / tenth:.3f}")


if __name__ == "__main__":
    main()
