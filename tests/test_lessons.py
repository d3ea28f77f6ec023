"""The lessons are true: their blocks run from top to bottom and print what the pages say."""

import os
from pathlib import Path

import pytest

from tests.lessons import blocks, differences, printed

DOCS = Path(__file__).parent.parent / "docs"


@pytest.mark.skipif(os.name != "posix", reason="the shell is POSIX")
@pytest.mark.parametrize("lesson", ["rnn-from-scratch", "gates"])
def test_every_block_of_a_lesson_prints_what_stands_below_it(lesson: str, tmp_path: Path) -> None:
    page = (DOCS / f"{lesson}.md").read_text(encoding="utf-8")
    stated = blocks(page)
    assert len(stated) > 5
    for (_, code, output), found in zip(stated, printed(page, tmp_path), strict=True):
        assert not differences(output, found), code


@pytest.mark.parametrize(
    ("stated", "found", "same"),
    [
        ("loss 0.67", "loss 0.66", True),  # the last place
        ("loss 0.67", "loss 0.65", False),
        ("loss -0.67", "loss 0.67", False),
        ("12 units", "13 units", False),
        ("a", "a\nb", False),
        ("she  sells", "she sells", False),
    ],
)
def test_numbers_may_differ_in_their_last_place_and_words_may_not(
    stated: str, found: str, *, same: bool
) -> None:
    assert (not differences(stated, found)) == same
