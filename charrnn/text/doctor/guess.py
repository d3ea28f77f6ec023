"""Which encoding fits bytes that are not UTF-8.

Nothing here decides: it says what fits best and how the text would read, and a person looks. Each
encoding is tried, and judged by how many of the characters that are not ASCII are those that the
languages written in it use most, where they may stand: a capital does not follow a small letter.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from charrnn.errors import CorpusError
from charrnn.text.doctor.finding import Finding, Place
from charrnn.text.reading import Reader, opened

# Lines with bytes that are not ASCII, of so many bytes together, tell.
LOOKED_AT, LONGEST = 1 << 16, 1 << 24
# What must be usual of the characters, and how much less another encoding that is named too may
# have.
FITS, CLOSE = 0.3, 0.05
# From which share of lines on that are sound UTF-8, the others are damaged.
MOSTLY_UTF8 = 0.5
SHOWN = 40
# Bytes that texts hardly have, in any of the encodings, and the share that is too much.
_BINARY, MOST_BINARY = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]"), 0.03

_WESTERN = "éèàçêôûùîïâëœñáíóúüäößãõìòåæøÉÀÇÄÖÜÅØ’‘“”«»–—…°€£§·¿¡ºª\xa0"
_CENTRAL = "ąćęłńóśźżáčďéěíňřšťúůýžőűöüäăâîșțşţđôĺľŁŚŻŹÓČŠŽŘÁÉÍ„”“–—…’»«§°\xa0"
_CYRILLIC = "оеаинтсрвлкмдпуяыьгзбчйхжшюцщэфъёіїєґў—–«»„“”…№\xa0"
_GREEK = "αάβγδεέζηήθιίκλμνξοόπρσςτυύφχψωώ«»’–—\xa0"
_TURKISH = "ğışİçöüĞŞÇÖÜâî’“”–—…\xa0"
_HEBREW = "יוהלאתרבשמנםחדקעפכטגסצזןךףץ"
_ARABIC = "ايلمنورتبةعدأفهكقسحجشصىخإطذضزثئءغظؤآ،؟"
_HANZI = (
    "的一是不了人我在有他这中大来上国个到说们为子和你地出道也时年得就那要下以生会自着去之过家学对可她里后"
    "小么心多天而能好都然没日于起还发成事只作当想看文无开手十用主行方又如前所本见经头面公同三已老从动两长"
    "這來國個說們為時會過學對裡後麼沒於還發當開見經頭動兩長，。、：；！？“”「」《》"
)
_HANGUL = "이다는을의가에고한하지를도로사아기서리은그자어라나대들인해시일있었것니습으만과"

# What is usual in each encoding; the first of several that judge alike counts.
_ENCODINGS: dict[str, str] = {
    "cp1252": _WESTERN,
    "iso8859-15": _WESTERN,
    "latin-1": _WESTERN,
    "mac_roman": _WESTERN,
    "cp850": _WESTERN,
    "cp1250": _CENTRAL,
    "iso8859-2": _CENTRAL,
    "cp1251": _CYRILLIC,
    "koi8-r": _CYRILLIC,
    "iso8859-5": _CYRILLIC,
    "cp866": _CYRILLIC,
    "mac_cyrillic": _CYRILLIC,
    "cp1253": _GREEK,
    "cp1254": _TURKISH,
    "cp1255": _HEBREW,
    "cp1256": _ARABIC,
    "cp932": _HANZI,
    "euc_jp": _HANZI,
    "gb18030": _HANZI,
    "big5": _HANZI,
    "cp949": _HANGUL,
}
# So many of those above are the most frequent ones; the others, and any letter, say less.
FREQUENT = 16
_WEIGHT_IF_USUAL, _WEIGHT_OF_OTHER_LETTERS = 0.85, 0.3
_KANA = re.compile(r"[ぁ-ヿ]")
# What no language has inside a word: a capital after a small letter, a letter of another script
# beside a Latin one, a sign between two letters.
_ERROR = re.compile(
    "(?<=[a-zà-öø-ÿа-яё])[À-ÖØ-ÞĄĆĘŁŃŚŹŻČĎĚŇŘŠŤŮŽА-ЯЁ]"
    "|(?<=[a-z])[\u0370-\u06ff]|[\u0370-\u06ff](?=[a-z])"
    r"|(?<=[^\W\d_])[^\w\s'’‘·\-\x00-\x7f](?=[^\W\d_])"
)


@dataclass(frozen=True)
class Guess:
    """An encoding that fits.

    score    0 to 1: how usual the characters are that are not ASCII
    sample   how the text would read
    """

    encoding: str
    score: float
    sample: str


def guesses(source: str) -> list[Guess]:
    """Return the encodings that fit a file, the best first, and no bad ones."""
    with opened(source) as stream:
        beginning = stream.read(4096)
    if _is_utf8(source) and wide_encoding(beginning) is None:
        return [Guess("utf-8", 1.0, _shown(beginning.decode("utf-8", errors="ignore")))]
    if (wide := wide_encoding(beginning)) is not None:
        cut = beginning[: len(beginning) // 4 * 4]
        return [Guess(wide, 1.0, _shown(cut.decode(wide, errors="replace").removeprefix("\ufeff")))]
    telling = b"\n".join(_telling_lines(source))
    if len(_BINARY.findall(telling)) > MOST_BINARY * len(telling):
        return []
    found = [guess for encoding in _ENCODINGS if (guess := _judged(telling, encoding))]
    least = max([FITS, *(guess.score - CLOSE for guess in found)])
    fitting = sorted(
        (guess for guess in found if guess.score >= least), key=lambda guess: -guess.score
    )
    different = {guess.sample: guess for guess in reversed(fitting)}
    return [guess for guess in fitting if different[guess.sample] is guess]


def _is_utf8(source: str) -> bool:
    try:
        for _ in Reader("utf-8").pieces(source):
            pass
    except CorpusError:
        return False
    return True


def wide_encoding(beginning: bytes) -> str | None:
    """Return the name of UTF-16 or UTF-32 if a text begins like that, with a mark or without."""
    if beginning[:4] in {b"\xff\xfe\0\0", b"\0\0\xfe\xff"}:
        return "utf-32"
    if beginning[:2] in {b"\xff\xfe", b"\xfe\xff"}:
        return "utf-16"
    zeros = [beginning[at::4].count(0) for at in range(4)]
    least = len(beginning) // 4 * 0.6
    if len(beginning) < 8 or max(zeros) < least:  # noqa: PLR2004  # too little to tell
        return None
    many = [zero >= least for zero in zeros]
    patterns = {
        (False, True, True, True): "utf-32-le",
        (True, True, True, False): "utf-32-be",
        (False, True, False, True): "utf-16-le",
        (True, False, True, False): "utf-16-be",
    }
    return patterns.get((many[0], many[1], many[2], many[3]))


def damage(source: str, name: str) -> Finding | None:
    """Return what to say of a text that is UTF-8 for the most part; None if it is something else.

    name   what the file is called
    """
    sound = broken = number = 0
    first: tuple[int, bytes] | None = None
    for number, line in enumerate(_lines(source), 1):
        if line.isascii():
            continue
        try:
            line.decode("utf-8")
            sound += 1
        except UnicodeDecodeError:
            broken += 1
            first = first or (number, line)
    if first is None or sound < MOSTLY_UTF8 * (sound + broken):
        return None
    return Finding(
        "encoding",
        "fault",
        f"UTF-8 with {broken} damaged line{'s' * (broken != 1)}, of {number:,}",
        f"iconv -c -f utf-8 -t utf-8 {name} > mended.txt leaves out the bytes at fault",
        broken,
        Place(name, first[0]),
        _shown(first[1].decode("utf-8", errors="replace")),
    )


def _lines(source: str) -> Iterator[bytes]:
    with opened(source) as stream:
        while line := stream.readline(LONGEST):
            yield line


def _telling_lines(source: str) -> list[bytes]:
    """Return lines with bytes that are not ASCII, from all over a file, LOOKED_AT bytes or so."""
    kept: list[bytes] = []
    stride, number = 1, 0
    for line in _lines(source):
        if line.isascii():
            continue
        if number % stride == 0:
            kept.append(line.rstrip(b"\n"))
            if sum(map(len, kept)) > LOOKED_AT and len(kept) > 1:
                kept, stride = kept[::2], stride * 2
        number += 1
    return kept


def _judged(data: bytes, encoding: str) -> Guess | None:
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError:
        return None
    others = [char for char in text if char > "\x7f"]
    if not others:
        return None
    usual = _ENCODINGS[encoding]
    frequent, others_of_it = frozenset(usual[:FREQUENT]), frozenset(usual[FREQUENT:])
    points = sum(
        1.0
        if char in frequent or _KANA.match(char)
        else _WEIGHT_IF_USUAL
        if char in others_of_it
        else _WEIGHT_OF_OTHER_LETTERS
        if char.isalpha()
        else -1.0 * (char < "\xa0")
        for char in others
    )
    score = (points - 2 * len(_ERROR.findall(text))) / len(others)
    at = next(i for i, char in enumerate(text) if char > "\x7f")
    begin = max(text.rfind("\n", 0, at) + 1, at - SHOWN // 2)
    return Guess(encoding, score, _shown(text[begin:]))


def _shown(text: str) -> str:
    return text.strip().split("\n")[0][:SHOWN]


def encoding_finding(
    source: str, name: str, fitting: Sequence[Guess], tried: str, *, alone: bool
) -> Finding:
    """Return what to say of a text that cannot be decoded.

    source    path of the file
    name      what it is called
    fitting   encodings that fit; see ``guesses``
    tried     the encoding that does not
    alone     whether it is the only file, so that its encoding can be named
    """
    number, line = _first_line_at_fault(source, tried)
    place, example = Place(name, number), _shown(line.decode(tried, errors="replace"))
    if not fitting:
        message = f"not {tried}, and no other encoding fits: is it a text?"
        following = "name its encoding with --encoding"
        return Finding("encoding", "fault", message, following, None, place, example)
    best, *others = fitting
    also = "".join(f"; {other.encoding} fits too: {other.sample}" for other in others[:2])
    convert = f"iconv -f {best.encoding} -t {tried} {name} > converted.txt"
    following = f"--encoding {best.encoding}" if alone else convert
    return Finding(
        "encoding",
        "fault",
        f"not {tried}: {best.encoding} fits{also}",
        f"{following} if this reads right: {best.sample}",
        None,
        place,
        example,
    )


def _first_line_at_fault(source: str, encoding: str) -> tuple[int, bytes]:
    """Return the first line that cannot be decoded, and its number; otherwise the first line."""
    first = (1, b"")
    for number, line in enumerate(_lines(source), 1):
        first = first if number > 1 else (1, line)
        try:
            line.decode(encoding)
        except UnicodeError:
            return number, line
    return first
