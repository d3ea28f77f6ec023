"""Characters to ids and back."""

from collections.abc import Callable
from itertools import compress

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from charrnn import Vocabulary, VocabularyError
from charrnn.text.vocabulary import LISTED, escape, start_ids

# Every character there is: surrogates are halves of characters in another encoding.
texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)


@given(texts, texts)
@example("0", "".join(map(chr, range(0x4E00, 0x4E00 + LISTED + 10))))
def test_ids_are_places_among_sorted_characters_and_unknown_ones_are_listed(
    known: str, text: str
) -> None:
    vocabulary, characters = Vocabulary.from_text(known), sorted(set(known))
    assert [*vocabulary.characters] == characters
    assert vocabulary.counts.tolist() == [known.count(char) for char in characters]
    ids = vocabulary.encode(known)
    assert ids.tolist() == [characters.index(char) for char in known]
    assert vocabulary.decode(ids[:, None]) == known
    assert vocabulary.decode(np.array([])) == ""
    unknown = sorted(set(text) - set(known))
    assert [*vocabulary.unknown(text)] == unknown
    if unknown:
        listed = " ".join(f"'{escape(char)}' (U+{ord(char):04X})" for char in unknown[:LISTED])
        more = f" and {len(unknown) - LISTED} more" if len(unknown) > LISTED else ""
        with pytest.raises(VocabularyError) as caught:
            vocabulary.encode(text)
        assert str(caught.value).splitlines()[0].endswith(f": {listed}{more}")


@pytest.mark.parametrize(("size", "bits"), [(256, 8), (257, 16), (65536, 16), (65537, 32)])
def test_ids_are_as_small_as_the_vocabulary_allows(size: int, bits: int) -> None:
    vocabulary = Vocabulary("".join(map(chr, range(2**16, 2**16 + size))))
    assert vocabulary.encode(vocabulary.characters).dtype == f"uint{bits}"
    with pytest.raises(VocabularyError, match="unknown character: 'a'"):
        vocabulary.encode("a")


@pytest.mark.parametrize(
    ("attempt", "complaint"),
    [
        (lambda: Vocabulary(""), "at least one character"),
        (lambda: Vocabulary("aa"), "distinct and sorted"),
        (lambda: Vocabulary("ab", np.zeros(3, np.int64)), "one count for each"),
        (lambda: Vocabulary("ab").decode(np.array([-1])), "from 0 to 1"),
        (lambda: Vocabulary("ab").decode(np.array([2])), "from 0 to 1"),
        (lambda: Vocabulary.from_text("a\udc80"), "character 2 .* is a lone surrogate"),
    ],
)
def test_wrong_characters_counts_and_ids_are_refused(
    attempt: Callable[[], object], complaint: str
) -> None:
    with pytest.raises(VocabularyError, match=complaint):
        attempt()


@given(st.text())
@example("\\n\n\\x1b\x1b")
def test_an_escaped_text_is_printable_and_can_be_read_back(text: str) -> None:
    assert escape(text).isprintable()
    assert escape(text).encode("latin-1", "backslashreplace").decode("unicode_escape") == text


def test_characters_of_words_and_first_characters_are_told_by_the_vocabulary() -> None:
    vocabulary = Vocabulary.from_text("a1 \u0301-.\n")
    assert "".join(compress(vocabulary.characters, vocabulary.in_words())) == " 1a\u0301"
    assert vocabulary.decode(start_ids(vocabulary)) == "\n"
    assert start_ids(Vocabulary.from_text("abb")) == [1]


def test_merged_vocabularies_keep_every_character_and_the_new_counts() -> None:
    merged = Vocabulary.from_text("bbbé").merge(Vocabulary.from_text("aab"))
    assert merged == Vocabulary("abé", np.array([0, 3, 1]))
    assert merged != Vocabulary("abé", np.array([2, 3, 1]))
