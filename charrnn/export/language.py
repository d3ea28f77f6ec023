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
    "da": "og det at af ikke han til jeg var med",
    "pl": "się nie jest na do że to i w z",
    "la": "et in est non ad quod cum ut qui sed",
    "fi": "ja on ei hän se oli että niin kun mutta",
    "tr": "bir ve bu da de için çok ne gibi ama",
    "ru": "и не что на он с как но его это",
    "uk": "і не що на та з він як але до",
}
# Of scripts that one language writes nearly alone: the first word of Unicode's names.
SCRIPTS = {
    "HIRAGANA": "ja", "KATAKANA": "ja", "HANGUL": "ko", "CJK": "zh", "GREEK": "el",
    "HEBREW": "he", "ARABIC": "ar", "DEVANAGARI": "hi", "THAI": "th", "GEORGIAN": "ka",
    "ARMENIAN": "hy", "TAMIL": "ta", "BENGALI": "bn",
}  # fmt: skip
# A language has this share of the letters or of the words.
MIN_LETTERS, MIN_WORDS = 0.2, 0.08


def text_language(vocabulary: Vocabulary, texts: Sequence[str]) -> str:
    """Return the language of a text as a tag of BCP 47; "" if it is not known.

    vocabulary   its characters and their counts
    texts        pieces of it, or of what a model makes of it
    """
    letters = _letters(vocabulary)
    scripts = Counter[str]()
    for char, count in letters.items():
        if language := SCRIPTS.get(unicodedata.name(char, "?").split()[0]):
            scripts[language] += count
    total = max(letters.total(), 1)
    for language, count in scripts.most_common():
        # Japanese has more Chinese characters than its own.
        if count > MIN_LETTERS * total:
            return "ja" if language == "zh" and scripts["ja"] > count / 10 else language
    words = Counter(re.findall(r"[^\W\d_]+", " ".join(texts).lower()))
    hits = {
        language: sum(words[word] for word in common.split())
        for language, common in COMMON_WORDS.items()
    }
    best = max(hits, key=lambda language: hits[language])
    return best if hits[best] > MIN_WORDS * words.total() else ""


def text_direction(vocabulary: Vocabulary) -> str:
    """Return "rtl" if most letters are written from right to left, else "ltr"."""
    letters = _letters(vocabulary)
    leftward = sum(n for char, n in letters.items() if unicodedata.bidirectional(char) != "L")
    return "rtl" if 2 * leftward > letters.total() else "ltr"


def _letters(vocabulary: Vocabulary) -> Counter[str]:
    # A vocabulary that was imported may have no counts.
    counts = vocabulary.counts.tolist() if vocabulary.counts.any() else [1] * len(vocabulary)
    pairs = zip(vocabulary.characters, counts, strict=True)
    return Counter({char: count for char, count in pairs if char.isalpha()})
