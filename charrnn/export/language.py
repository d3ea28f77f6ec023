"""The language and the direction of a text, for the attributes ``lang`` and ``dir`` of HTML."""

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence

from charrnn.text.vocabulary import Vocabulary

# Words that no text of the language does without, and few of another one have.
COMMON_WORDS = {
    "en": "the and of to was that he it is with",
    "de": "und der die das nicht ist ein den ich zu",
    "fr": "le les et des une la il dans que qui",
    "es": "el los que una y en por con las se",
    "it": "che di il non per una la si del con",
    "pt": "que não uma os com do da em se para",
    "nl": "het een van en de niet dat ik zijn op",
    "sv": "och att det som en på jag är inte han",
    "pl": "się nie jest na do że to i w z",
    "la": "et in est non ad quod cum ut qui sed",
    "ru": "и не что на он с как но его это",
}
# Of scripts that one language writes nearly alone: the first word of Unicode's names.
SCRIPTS = {
    "HIRAGANA": "ja", "CJK": "zh", "HANGUL": "ko", "GREEK": "el", "HEBREW": "he", "ARABIC": "ar",
    "DEVANAGARI": "hi", "THAI": "th", "GEORGIAN": "ka", "ARMENIAN": "hy",
}  # fmt: skip
# Of the letters or of the words, a language has at least this share.
MIN_LETTERS, MIN_WORDS = 0.2, 0.08


def text_language(vocabulary: Vocabulary, texts: Sequence[str]) -> str:
    """Return the language of a text as a tag of BCP 47; "" if it is not known.

    vocabulary   its characters and their counts
    texts        pieces of it, or of what a model makes of it
    """
    letters = _count_letters(vocabulary)
    shares = dict.fromkeys(SCRIPTS, 0.0)
    for char, count in letters.items():
        script = unicodedata.name(char, "?").split()[0]
        if script in shares:
            shares[script] += count / letters.total()
    for script, language in SCRIPTS.items():  # Japanese first: it has Chinese characters too
        if shares[script] > MIN_LETTERS:
            return language
    words = Counter(re.findall(r"[^\W\d_]+", " ".join(texts).lower()))
    hits = {
        language: sum(words[word] for word in common.split())
        for language, common in COMMON_WORDS.items()
    }
    best = max(hits, key=hits.__getitem__)
    return best if hits[best] > MIN_WORDS * words.total() else ""


def text_direction(vocabulary: Vocabulary) -> str:
    """Return "rtl" if most letters are written from right to left, else "ltr"."""
    letters = _count_letters(vocabulary)
    leftward = sum(n for char, n in letters.items() if unicodedata.bidirectional(char) != "L")
    return "rtl" if 2 * leftward > letters.total() else "ltr"


def _count_letters(vocabulary: Vocabulary) -> Counter[str]:
    # A vocabulary that was imported may have no counts.
    counts = vocabulary.counts.tolist() if vocabulary.counts.any() else [1] * len(vocabulary)
    pairs = zip(vocabulary.characters, counts, strict=True)
    return Counter({char: count for char, count in pairs if char.isalpha()})
