"""Characters to ids and back."""

from itertools import compress

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from charrnn import Vocabulary, VocabularyError
from charrnn.text.vocabulary import LISTED, code_points, escape, id_dtype, start_ids

# Every character there is: surrogates are halves of characters in another encoding.
texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)


@given(texts)
def test_characters_are_the_sorted_set_with_their_counts(text: str) -> None:
    vocabulary = Vocabulary.from_text(text)
    assert vocabulary.characters == "".join(sorted(set(text)))
    assert vocabulary.counts.tolist() == [text.count(char) for char in vocabulary.characters]
    assert vocabulary.decode(vocabulary.encode(text)) == text


@given(texts, texts)
@example("0", "".join(map(chr, range(0x4E00, 0x4E00 + LISTED + 10))))
def test_encode_refuses_exactly_the_unknown_characters(known: str, text: str) -> None:
    vocabulary = Vocabulary.from_text(known)
    unknown = sorted(set(text) - set(known))
    assert vocabulary.unknown(text) == "".join(unknown)
    if unknown:
        with pytest.raises(VocabularyError) as caught:
            vocabulary.encode(text)
        message = str(caught.value)
        assert all(f"U+{ord(char):04X}" in message for char in unknown[:LISTED])
        assert (f"and {len(unknown) - LISTED} more" in message) == (len(unknown) > LISTED)


@pytest.mark.parametrize(
    ("size", "dtype"),
    [(1, np.uint8), (256, np.uint8), (257, np.uint16), (65536, np.uint16), (65537, np.uint32)],
)
def test_ids_are_as_small_as_the_vocabulary_allows(size: int, dtype: type) -> None:
    assert id_dtype(size) == dtype


@pytest.mark.parametrize("characters", ["", "ba", "aa"])
def test_a_vocabulary_must_be_distinct_and_sorted(characters: str) -> None:
    with pytest.raises(VocabularyError):
        Vocabulary(characters)


def test_a_lone_surrogate_is_refused() -> None:
    with pytest.raises(VocabularyError, match=r"character 2 .* lone surrogate"):
        code_points("a\udc80")


def test_ids_out_of_range_are_refused() -> None:
    vocabulary = Vocabulary("ab")
    for wrong in (-1, 2):
        with pytest.raises(VocabularyError, match="from 0 to 1"):
            vocabulary.decode(np.array([wrong]))


@given(st.text(), st.text())
@example("\\n", "\n")
@example("\\x1b", "\x1b")
def test_escaped_text_is_printable_and_distinct(text: str, other: str) -> None:
    assert escape(text).isprintable()
    assert (escape(text) == escape(other)) == (text == other)


def test_words_have_letters_digits_marks_and_spaces_and_a_text_begins_with_a_likely_one() -> None:
    vocabulary = Vocabulary.from_text("a1 \u0301-.\n")
    assert "".join(compress(vocabulary.characters, vocabulary.in_words())) == " 1a\u0301"
    assert vocabulary.decode(start_ids(vocabulary)) == "\n"
    assert start_ids(Vocabulary.from_text("abb")) == [1]


def test_merged_vocabularies_keep_every_character_and_the_new_counts() -> None:
    merged = Vocabulary.from_text("bbbé").merge(Vocabulary.from_text("aab"))
    assert merged.characters == "abé"
    assert merged.counts.tolist() == [0, 3, 1]
