"""Texts with one fault each, and clean ones in several languages, to try the doctor on."""

import unicodedata
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.support import ROOT

CORPORA = ROOT / "corpora"

RUSSIAN = """Утром старый смотритель поднялся на маяк и зажёг лампу, хотя солнце уже взошло.
«Зачем ты это делаешь?» — спросила его дочь. Он долго молчал, потом ответил: «Чтобы море не забыло,
где мы живём». Она засмеялась и пошла вниз, к лодкам, где рыбаки чинили сети и спорили о погоде.
К вечеру поднялся ветер. Лодки вернулись рано, и на пристани собрались почти все жители посёлка.
Смотритель стоял у окна и считал паруса: три, пять, семь. Восьмого не было видно до самой ночи.
"""
CHINESE = """\
清晨，老人走上山坡，看见雾从河谷里慢慢升起来。他说：“今天会下雨。”孙女不相信，抬头看着天空。
中午的时候，村里的人都在田里忙着收麦子，没有人注意到西边的云。老人坐在门口，把雨伞放在身边。
到了下午，风停了，鸟也不叫了，天一下子黑了下来。大雨落下来的时候，大家都跑进屋里，只有孩子们还在笑。
晚上雨小了，孙女问：“爷爷，你是怎么知道的？”他想了想，说：“山告诉我的，你听，它现在还在说话呢。”
"""
JAPANESE = """\
朝、祖父は山の道をゆっくり歩いていた。霧が谷から上がってくるのを見て、「今日は雨だ」と言った。
わたしは空を見上げたが、雲はひとつもなかった。それでも祖父は傘を持って出かけた。
午後になると風が止まり、鳥の声も消えた。やがて大粒の雨が屋根をたたきはじめた。
"""
GREEK = "Το πρωί ο γέρος ανέβηκε στον λόφο και κοίταξε τη θάλασσα. Η θάλασσα ήταν ήσυχη.\n"
POLISH = "Rano staruszek wszedł na wzgórze i długo patrzył na morze. Łodzie już wróciły, cisza.\n"
HEBREW = "בבוקר עלה הזקן על הגבעה והביט בים. הים היה שקט, והסירות חזרו.\n"
CHAT = """ana: good morning!! 😀😀 did you sleep? 💤
ben: no 😭 the cat 🐈‍⬛ walked on my face all night
ana: 😂😂😂 poor you 👩🏽‍🚀🚀
ben: she is lucky she is cute ❤️ what is for lunch? 🍕🍕
ana: soup 🍜 and nothing else, it is friday
ben: 😐 ok... 1️⃣ soup 2️⃣ nap 3️⃣ more soup
ana: 👍🏼 see you at 12:30 🏃‍♀️💨
"""
VERSE = """The tide went out and left the stones
    All shining in a row,
And every stone was once a word
    That no one now would know.

I picked one up and held it close
    And listened for a sound;
It only said the sea would come
    And lay it in the ground.
"""
PERSIAN = "پیرمرد صبح زود به کوه می\u200cرود و دریا را نگاه می\u200cکند.\n"
HINDI = "सुबह बूढ़ा आदमी पहाड़ी पर गया और उसने समुद्र को देखा। क्\u200dष\n"
SPEECH = """— Vous venez ? demanda-t-elle.
— Pas encore, dit-il. L’eau est trop froide, et le vent se lève : attendons la marée.
« Voilà\u00a0», pensa-t-elle, « il n’ira jamais\u00a0! » Et elle partit seule vers le port.
"""
MARKDOWN = """# A title

Some *words* and a `name`, then a list:

- first thing
- second thing -- with a dash
- third thing: 3 < 4 and 5 > 2

It's plain, isn't it? "Yes," she said.
"""


def english(chars: int = 6000) -> str:
    """Return prose without a fault; its beginning ends with a line."""
    text = (CORPORA / "harbour.txt").read_text(encoding="utf-8")
    return text[: text.index("\n\n", chars) + 1]


def french(chars: int = 6000) -> str:
    text = (CORPORA / "moulin.txt").read_text(encoding="utf-8")
    return text[: text.index("\n\n", chars) + 1]


def names() -> str:
    return (CORPORA / "dinosaurs.txt").read_text(encoding="utf-8")


def python() -> str:
    return (ROOT / "charrnn" / "text" / "windows.py").read_text(encoding="utf-8")


COMPOUNDS = """
The sea-wall was old. She walked on the sea-
wall with her well-worn boots, and her well-
worn coat, past the ship-yard, and the ship-
yard dogs.
"""


def chapters() -> str:
    """Return prose whose chapters have numbers as titles."""
    parts = english().split("\n\n")
    return "\n\n".join(f"{number}\n\n{part}" for number, part in enumerate(parts, 1))


CLEAN: dict[str, Callable[[], str]] = {
    "English prose": english,
    "a whole book": lambda: (CORPORA / "harbour.txt").read_text(encoding="utf-8"),
    "French prose": french,
    "French speech": lambda: SPEECH,
    "Russian": lambda: RUSSIAN,
    "Chinese": lambda: CHINESE,
    "Japanese": lambda: JAPANESE,
    "Greek": lambda: GREEK,
    "Polish": lambda: POLISH,
    "Hebrew": lambda: HEBREW,
    "Persian": lambda: PERSIAN,
    "Hindi": lambda: HINDI,
    "Python": python,
    "names": names,
    "towns": lambda: (CORPORA / "towns.txt").read_text(encoding="utf-8"),
    "chat": lambda: CHAT,
    "verse": lambda: VERSE,
    "Markdown": lambda: MARKDOWN,
    "chapters": chapters,
    "compounds at line ends": lambda: english() + COMPOUNDS,
}


def put(text: str, what: str, line: int = 20) -> str:
    """Return a text with something put in as a line of its own."""
    lines = text.split("\n")
    return "\n".join([*lines[:line], what, *lines[line:]])


def marked(text: str, mark: str) -> str:
    """Return a text with something put into its first word of more than seven letters."""
    words = text.split(" ")
    at = next(i for i, word in enumerate(words) if len(word) > 7 and word.isalpha())
    return " ".join([*words[:at], words[at][:3] + mark + words[at][3:], *words[at + 1 :]])


def paged(text: str) -> str:
    """Return a text with page numbers, which fall into the middle of sentences."""
    lines = text.split("\n")
    inside = [i for i, line in enumerate(lines) if line and line[-1].isalpha()][5::9]
    for page, at in reversed(list(enumerate(inside, 12))):
        lines.insert(at + 1, str(page))
    return "\n".join(lines)


def hyphenated(text: str) -> str:
    """Return a text with words divided at line ends."""
    lines = text.split("\n")
    for at, line in enumerate(lines[:-1]):
        word, _, rest = lines[at + 1].partition(" ")
        if line and at % 3 == 0 and len(word) > 5 and word.isalpha() and word.islower():
            lines[at], lines[at + 1] = f"{line} {word[:3]}-", f"{word[3:]} {rest}"
    return "\n".join(lines)


HEADER = """The Project Gutenberg eBook of A Harbour

This eBook is for the use of anyone anywhere at no cost.

*** START OF THE PROJECT GUTENBERG EBOOK A HARBOUR ***

"""
FOOTER = """
*** END OF THE PROJECT GUTENBERG EBOOK A HARBOUR ***

Updated editions will replace the previous one.
"""


def _utf8(text: str) -> bytes:
    return text.encode()


Case = tuple[str, str, bytes]


def faulty() -> Iterator[Case]:
    """Yield texts with one fault: what it is, the names of the findings, and the bytes."""
    yield from _encodings()
    yield from _characters()
    yield from _contents()
    yield from _lines()


def _encodings() -> Iterator[Case]:
    text, accents = english(), french()
    plain = accents.replace("’", "'").replace("œ", "oe").replace("…", "...").replace("—", "-")
    yield "cp1252", "encoding", accents.encode("cp1252", "replace")
    yield "Latin-9", "encoding", plain.replace("oeuvre", "œuvre").encode("iso8859-15", "replace")
    yield "Mac Roman", "encoding", accents.encode("mac_roman", "replace")
    yield "KOI8", "encoding", RUSSIAN.encode("koi8-r", "replace")
    yield "cp1251", "encoding", RUSSIAN.encode("cp1251")
    yield "Shift JIS", "encoding", JAPANESE.encode("cp932")
    yield "GB 18030", "encoding", CHINESE.encode("gb18030")
    yield "UTF-16", "encoding", text.encode("utf-16")
    yield "UTF-16 without a mark", "encoding", text.encode("utf-16-le")
    yield "UTF-32", "encoding", text.encode("utf-32")
    yield "damaged UTF-8", "encoding", accents.encode().replace("é".encode(), b"\xe9", 1)


def _characters() -> Iterator[Case]:
    text, accents = english(), french()
    yield "mark between files", "bom", _utf8(put(text, "\ufeffThe second file."))
    yield "CR LF", "line-ends", _utf8(text.replace("\n", "\r\n"))
    yield "mixed line ends", "line-ends", _utf8(text.replace("\n", "\r\n", 9))
    yield "old Mac", "line-ends", _utf8(text.replace("\n", "\r"))
    yield "line separator", "line-ends", _utf8(put(text, "one\u2028two"))
    yield "NUL", "controls", _utf8(marked(text, "\0"))
    yield "escape sequences", "controls", _utf8(put(text, "\x1b[31mred\x1b[0m again."))
    yield "form feed", "controls", _utf8(put(text, "\f"))
    yield "decomposed", "normal-form", _utf8(unicodedata.normalize("NFD", accents))
    yield "one decomposed", "normal-form", _utf8(put(accents, "Une autre fe\u0302te."))
    yield "Cyrillic in Latin", "look-alikes", _utf8(marked(text, "а"))
    yield "Latin in Cyrillic", "look-alikes", _utf8(RUSSIAN.replace("смотритель", "cмотритель", 1))
    yield "curly quotes", "quotes", _utf8(put(text, "“Good,” said the mayor."))
    yield "straight quotes", "quotes", _utf8(put(accents, 'Il disait "bonjour" à tous.') + "“Oui.”")
    yield "curly apostrophe", "apostrophes", _utf8(put(text, "He didn’t say why."))
    yield "no-break space", "spaces", _utf8(put(text, "Nobody\xa0knew the reason."))
    yield "em space", "spaces", _utf8(put(text, "Nobody\u2003knew the reason."))
    yield "zero-width space", "zero-width", _utf8(marked(text, "\u200b"))
    yield "soft hyphen", "zero-width", _utf8(marked(text, "\xad"))
    yield "direction mark", "zero-width", _utf8(marked(text, "\u202e"))
    yield "no-break hyphen", "dashes", _utf8(put(text, "It was a well\u2011known fact."))
    yield "two long dashes", "long-dashes", _utf8(put(text, "He waited -- and then — nothing."))
    yield "ligature", "ligatures", _utf8(put(text, "The ﬁrst of them."))


def _contents() -> Iterator[Case]:
    text = english()
    yield "UTF-8 as Latin-1", "mojibake", _utf8(put(text, "A cafÃ© by the sea."))
    yield "UTF-8 as cp1252", "mojibake", _utf8(put(text, "Nobody knew â€” or said."))
    yield "twice", "mojibake", _utf8(put(text, "A cafÃƒÂ© by the sea."))
    yield "Cyrillic as cp1252", "mojibake", _utf8(put(text, "Ð¼Ð¾Ñ€Ðµ"))
    yield "cp1252 as Latin-1", "mojibake", _utf8(put(text, "He didn\x92t say why."))
    yield "lost characters", "lost-characters", _utf8(put(text, "A caf\ufffd by the sea."))
    yield "private use", "private-characters", _utf8(put(text, "\ue000 A bullet."))
    yield "Gutenberg", "gutenberg license", _utf8(HEADER + text + FOOTER)
    yield "old Gutenberg", "gutenberg", _utf8(text + "\nEnd of Project Gutenberg's A Harbour\n")
    yield "license", "license", _utf8(put(text, "Licensed under the Apache License, Version 2."))
    yield "copyright", "copyright", _utf8(put(text, "Copyright (c) 1998 by the author"))
    yield "tags", "html-tags", _utf8(put(text, '<p class="x">He waited.</p>'))
    yield "entities", "html-entities", _utf8(put(text, "Rudge &amp; Sons, &#8212; closed."))
    yield "address", "urls", _utf8(put(text, "See https://example.org/harbour for more."))
    yield "page numbers", "page-numbers", _utf8(paged(text))
    yield "marked page numbers", "page-numbers", _utf8(put(put(put(text, "- 3 -", 60), "- 2 -", 40),
                                                          "- 1 -", 20))  # fmt: skip


def _lines() -> Iterator[Case]:
    text = english()
    yield "space at line ends", "trailing-space", _utf8(text.replace(",\n", ", \n", 2))
    yield "tabs and spaces", "indentation", _utf8(put(put(text, "\tOne."), "    Two."))
    yield (
        "a line twice",
        "duplicate-lines",
        _utf8(text + (max(text.split("\n"), key=len) + "\n") * 5),
    )
    yield "a name twice", "duplicate-lines", _utf8(put(names(), "Abelisaurus", 700))
    yield "a long name", "long-lines", _utf8(put(names(), "x" * 300, 700))
    yield "a paragraph twice", "repeated-paragraphs", _utf8(twice(text))
    yield "hyphenation", "hyphenation", _utf8(hyphenated(text))
    yield "nothing", "empty", b""
    yield "white space", "empty trailing-space", b" \n" * 50
    yield "one character", "one-character", b"a" * 5000
    yield "little text", "too-small", _utf8(text[:300])


def twice(text: str) -> str:
    """Return a text with one of its longer paragraphs once more at the end."""
    paragraph = max(text.split("\n\n"), key=len)
    return f"{text}\n{paragraph}\n"


def write(folder: Path, data: bytes) -> str:
    path = folder / "text.txt"
    path.write_bytes(data)
    return str(path)
