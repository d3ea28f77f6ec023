r"""Lines end at \n, \r\n and \r, and at nothing else."""

import io
from collections.abc import Iterable, Iterator


def unify_line_breaks(blocks: Iterable[str]) -> Iterator[str]:
    r"""Yield a text with \n for every line break."""
    decoder = io.IncrementalNewlineDecoder(None, translate=True)
    yield from map(decoder.decode, blocks)
    yield decoder.decode("", final=True)


def cut_lines(text: str) -> list[str]:
    """Return the lines of a text without their line breaks."""
    lines = "".join(unify_line_breaks([text])).split("\n")
    return lines if lines[-1] else lines[:-1]


def split_blocks(blocks: Iterable[str]) -> Iterator[list[str]]:
    r"""Yield the lines of a text whose line breaks are \n, as blocks of it complete them."""
    begun: list[str] = []  # the parts of a line that is not complete yet
    for block in blocks:
        first, *rest = block.split("\n")
        begun.append(first)
        if rest:
            yield ["".join(begun), *rest[:-1]]
            begun = [rest[-1]]
    if last := "".join(begun):
        yield [last]
