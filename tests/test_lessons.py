"""The lessons are true: their blocks run from top to bottom and print what the pages say."""

import os
from pathlib import Path

import pytest

from tests.lessons import blocks, differences, printed

pytestmark = pytest.mark.skipif(os.name != "posix", reason="the shell is POSIX")
DOCS = Path(__file__).parent.parent / "docs"


@pytest.mark.parametrize("lesson", ["rnn-from-scratch", "gates"])
def test_every_block_of_a_lesson_prints_what_stands_below_it(lesson: str, tmp_path: Path) -> None:
    page = (DOCS / f"{lesson}.md").read_text(encoding="utf-8")
    stated = blocks(page)
    assert len(stated) > 5
    for (_, code, output), found in zip(stated, printed(page, tmp_path), strict=True):
        assert not differences(output, found), code


def test_another_sentence_and_cell_are_learned_too(tmp_path: Path) -> None:
    sentence = "how much wood would a woodchuck chuck?"
    page = (DOCS / "rnn-from-scratch.md").read_text(encoding="utf-8")
    page = page.replace("she sells sea shells by the sea shore.", sentence)
    page = page.replace("--model rnn", "--model gru")
    *_, equal, mistakes, learned, written = printed(page, tmp_path)
    assert equal == "equal to a millionth: True\n"
    assert "  0% off" not in mistakes
    assert sentence in learned.splitlines()[-1]
    assert written == sentence + "\n"


def test_the_lesson_on_gates_runs_with_a_gru(tmp_path: Path) -> None:
    page = (DOCS / "gates.md").read_text(encoding="utf-8")
    page = page.replace('CELL = "lstm"', 'CELL = "gru"').replace('"steps": 600', '"steps": 100')
    *_, found, shown, harm = printed(page, tmp_path)
    assert found.count("of the variance") == 3
    assert [line.split()[0] for line in shown.splitlines()] == ["/", "update", "hidden"]
    assert harm.count("nats") == 2
