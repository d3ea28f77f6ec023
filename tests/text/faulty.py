"""Texts with one fault each, and clean ones in several languages, to try the doctor on."""

import re
import textwrap
import unicodedata
from pathlib import Path

from tests.support import ROOT

CORPORA = ROOT / "corpora"

RUSSIAN = """Утром старый смотритель поднялся на маяк и зажёг лампу, хотя солнце уже взошло.
«Зачем ты это делаешь?» — спросила его дочь. Он долго молчал, потом ответил: «Чтобы море не забыло,
где мы живём». Она засмеялась и пошла вниз, к лодкам, где рыбаки чинили сети и спорили о погоде.
К вечеру поднялся ветер. Лодки вернулись рано, и на пристани собрались почти все жители посёлка.
"""
CHINESE = """\
清晨，老人走上山坡，看见雾从河谷里慢慢升起来。他说：“今天会下雨。”孙女不相信，抬头看着天空。
中午的时候，村里的人都在田里忙着收麦子，没有人注意到西边的云。老人坐在门口，把雨伞放在身边。
"""
JAPANESE = """\
朝、祖父は山の道をゆっくり歩いていた。霧が谷から上がってくるのを見て、「今日は雨だ」と言った。
わたしは空を見上げたが、雲はひとつもなかった。それでも祖父は傘を持って出かけた。
"""
POLISH = "Rano staruszek wszedł na wzgórze i długo patrzył na morze. Łodzie już wróciły, cisza.\n"
VERSE = """The tide went out and left the stones
    All shining in a row,
And every stone was once a word
    That no one now would know.

I picked one up and held it close
    And listened for a sound;
It only said the sea would come
    And lay it in the ground.
"""
HINDI = "सुबह बूढ़ा आदमी पहाड़ी पर गया और उसने समुद्र को देखा। क्\u200dष\n"
PASSWORDS = "".join(f"{w}{n}{'!' * (n % 4 == 0)}\n" for n in range(90) for w in ("tiger", "Blue"))
SERVER = "".join(f'10.0.0.{n} - - [10/Oct/2000:13:55:3{n % 9}] "GET /a{n}"\n' for n in range(60))
TSV = "".join(f"{n}\tA sentence, and one more. It says so.{chr(9) * (n % 3)}b\n" for n in range(60))
COMPOUNDS = """
The sea-wall was old. She walked on the sea-
wall with her well-worn boots, and her well-
worn coat, past the ship-yard, and the ship-
yard dogs.
"""


def _beginning(name: str, chars: int = 6000) -> str:
    text = (CORPORA / name).read_text(encoding="utf-8")
    return text[: text.index("\n\n", chars) + 1]


ENGLISH, FRENCH = _beginning("harbour.txt"), _beginning("moulin.txt")
NAMES = (CORPORA / "dinosaurs.txt").read_text(encoding="utf-8")

CLEAN = {
    "English prose": ENGLISH,
    "a whole book": (CORPORA / "harbour.txt").read_text(encoding="utf-8"),
    "French prose": FRENCH,
    "speech and capitals": """— Vous venez ? demanda-t-elle.
— Pas encore, dit-il. L’eau est trop froide, et le vent se lève : attendons la marée.
« Voilà\u00a0», pensa-t-elle, « il n’ira jamais\u00a0! » Et elle partit seule vers le port.
LA Ñ” DE Ð” EN ESPAÑA: MAÇÃ” VOILÀ\xa0! El país, así que reía.
""",
    "Russian": RUSSIAN,
    "Chinese": CHINESE,
    "Japanese": JAPANESE,
    "Greek": "Το πρωί ο γέρος ανέβηκε στον λόφο και κοίταξε τη θάλασσα. Η θάλασσα ήταν ήσυχη.\n",
    "Polish": POLISH,
    "Hebrew": "בבוקר עלה הזקן על הגבעה (\u200fYafo\u200f) והביט בים. הים היה שקט, והסירות חזרו.\n",
    "Persian": "پیرمرد صبح زود به کوه می\u200cرود و دریا را نگاه می\u200cکند.\n",
    "Arabic": "كَانَ الشَّيْخُ يَصْعَدُ التَّلَّ كُلَّ صَبَاحٍ، وَيَنْظُرُ إِلَى الْبَحْرِ. \u200f(1) هل رأيتَه؟\n",
    "Korean": "아침에 노인은 언덕에 올랐다. “오늘은 비가 올 거야.” 바다는 조용했다.\n",
    "Thai": "ตอนเช้าชายชราเดินขึ้นเนินเขา\u200bและมองทะเล ทะเลเงียบสงบ\n",
    "Vietnamese": "Buổi sáng, ông lão lên đồi nhìn ra biển. Biển lặng, thuyền đã về hết.\n",
    "German": "„Kommst du?“, fragte sie. – „Noch nicht“, sagte er; es war kalt. 5\xa0°C!\n",
    "Hindi": HINDI,
    "Hindi in lines": "".join(f"{HINDI.strip()[n:]} क\n" for n in range(40)),
    "Python": (ROOT / "charrnn" / "text" / "windows.py").read_text(encoding="utf-8"),
    "names": NAMES,
    "double-spaced": NAMES[:3000].replace("\n", "\n\n"),
    "towns": (CORPORA / "towns.txt").read_text(encoding="utf-8"),
    "chat": """ana: good morning!! 😀😀 did you sleep? 💤
ben: no 😭 the cat 🐈‍⬛ walked on my face all night
ana: 😂😂😂 poor you 👩🏽‍🚀🚀 🏴󠁧󠁢󠁳󠁣󠁴󠁿 ©️
ben: she is lucky she is cute ❤️ what is for lunch? 🍕🍕
ben: 😐 ok... 1️⃣ soup 2️⃣ nap 3️⃣ more soup
""",
    "dialogue": "".join(
        f"{'ana' if n % 2 else 'ben'}: and then number {n} came\n" for n in range(60)
    ),
    "verse": VERSE,
    "no punctuation": textwrap.fill(re.sub(r"[^\w\s]", "", ENGLISH).lower(), 72) + "\n",
    "proverbs": "".join(
        f"Ring bell {n} when the tide is late and the ships are near.\n" for n in range(50)
    ),
    "refrain": "".join(f"I saw the {n}th ship,\nand the sea came in again.\n" for n in range(40)),
    "rules": "".join(f"{'=' * 70}\nNote {n}: the tide was late.\n" for n in range(10)),
    # Numbers that interrupt, but fewer than those that do not.
    "numbers": "We counted\n1\nand\n2\nand\n3\nships.\n" + "Next.\n\n4\n\nMore ships.\n" * 4,
    "JSON": "".join(f'  {{"n": {n}, "html": "<b>a &amp; {n}</b>"}},\n' for n in range(40)),
    "LaTeX": """The area is $\\frac{1}{2} ab$, so that $a < b$ and \\emph{not} $a > b$.
``It's late,'' he said; see \\cite{smith--jones} --- and section~2.
""",
    "Braille": "⣿⣿⠀⠀⣿⣿\n⣿⠀⣿⣿⠀⣿\n",
    "passwords": PASSWORDS,
    "molecules": "".join(f"CC(=O)N[C@@H]({'C' * n})C1=CC=C(Cl)C=C1.\n" for n in range(1, 60)),
    "positions": "".join(f"rnbqkbnr/8/8/{n}/4P3/PPPP/RNBQ w KQkq - 0 {n}\n" for n in range(60)),
    "moves": "".join(
        f"1. e4 e5 2. Nf3 Nc6 3. Bb5 a6 4. Ba{n} d{n} 5. O-O Be7 1-0\n" for n in range(60)
    ),
    "commits": "".join(
        f"{do} the {n}th harbour {'again ' * (n % 5)}bell\n"
        for n in range(30)
        for do in ("Fix", "Paint")
    ),
    "server": SERVER,
    "syslog": "".join(f"Jan  {n % 9} 08:11:0{n % 9} host sshd[{n}]: closed.\n" for n in range(60)),
    "records": "".join(
        f'{{"at": "2026-01-01T10:00:{n:02}Z", "message": "m{n}"}}\n' for n in range(60)
    ),
    "subtitles": "".join(
        f"{n}\n00:00:{n},000 --> 00:00:{n},900\nThe tide is late at {n}.\n\n" for n in range(10, 60)
    ),
    "TSV": TSV,
    "CSV": "".join(f'{n},"Smith, John",{n * n}\n' for n in range(60)),
    "Markdown": """# A title

Some *words* and a `name`, then a list:

- first thing: two spaces at the end break the line,  
- second thing — with a dash
- third thing: 3 < 4 and 5 > 2

It's plain, isn't it? "Yes," she said.
Type `fix --all` or (--none), see https://example.org.
""",  # noqa: W291  # a line break of Markdown
    "chapters": "\n\n".join(f"{n}\n\n{part}" for n, part in enumerate(ENGLISH.split("\n\n"), 1)),
    "compounds at line ends": ENGLISH + COMPOUNDS,
}


def put(text: str, what: str, line: int = 20) -> str:
    """Return a text with something put in as a line of its own."""
    lines = text.split("\n")
    return "\n".join([*lines[:line], what, *lines[line:]])


def _paged(text: str) -> str:
    """Return a text with page numbers, which fall into the middle of sentences."""
    lines = text.split("\n")
    inside = [i for i, line in enumerate(lines) if line and line[-1].isalpha()][5::9]
    for page, at in reversed(list(enumerate(inside, 12))):
        lines.insert(at + 1, str(page))
    return "\n".join(lines)


def _hyphenated(text: str) -> str:
    """Return a text with words divided at line ends."""
    lines = text.split("\n")
    for at, line in enumerate(lines[:-1]):
        word, _, rest = lines[at + 1].partition(" ")
        if line and at % 3 == 0 and len(word) > 5 and word.isalpha() and word.islower():
            lines[at], lines[at + 1] = f"{line} {word[:3]}-", f"{word[3:]} {rest}"
    return "\n".join(lines)


HEADER = """The Project Gutenberg eBook of A Harbour

This eBook is for the use of anyone anywhere at no cost. https://example.org

*** START OF THE PROJECT GUTENBERG EBOOK A HARBOUR ***

"""
FOOTER = """
*** END OF THE PROJECT GUTENBERG EBOOK A HARBOUR ***

Updated editions will replace the previous one.
"""
# Lines put into a text, and the fault that they are.
_LINES = {
    "mark between files": ("bom", "\ufeffThe second file."),
    "line separator": ("line-ends", "one\u2028two"),
    "NUL": ("controls", "a\0b"),
    "escape sequences": ("controls", "\x1b[31mred\x1b[0m again."),
    "title of a window": ("controls", "\x1b]0;evil\x07again."),
    "quoted-printable": ("escapes", "A caf=C3=A9 by the sea."),
    "percent-encoded": ("escapes", "A%20caf%c3%a9 by the sea."),
    "escaped": ("escapes", "A caf\\u00e9 by the sea \\ud83d\\ude00."),
    "wide space": ("spaces", "Nobody\u3000knew the reason."),
    "mathematical letters": ("ligatures", "The 𝐟𝐢𝐫𝐬𝐭 of them."),
    "Greek in Latin": ("look-alikes", "The harbοur."),
    "form feed": ("controls", "\f"),
    "one decomposed": ("normal-form", "Une autre fe\u0302te."),
    "Cyrillic in Latin": ("look-alikes", "The hаrbour."),
    "curly quotes": ("quotes", "“Good,” said the mayor."),
    "curly apostrophe": ("apostrophes", "He didn’t say why."),
    "no-break space": ("spaces", "Nobody\xa0knew the reason."),
    "em space": ("spaces", "Nobody\u2003knew the reason."),
    "no-break hyphen": ("dashes", "It was a well\u2011known fact."),
    "two long dashes": ("long-dashes", "He waited -- and then — nothing."),
    "ligature": ("ligatures", "The ﬁrst of them."),
    "UTF-8 as Latin-1": ("mojibake", "A cafÃ© by the sea."),
    "UTF-8 as cp1252": ("mojibake", "Nobody knew â€” or said."),
    "twice": ("mojibake", "A cafÃƒÂ© by the sea."),
    "Cyrillic as cp1252": ("mojibake", "Ð¼Ð¾Ñ€Ðµ"),
    "UTF-8 as Mac Roman": ("mojibake", "Nobody knew ‚Äî or said."),
    "UTF-8 as cp1251": ("mojibake", "РќРёРєС‚Рѕ РЅРµ Р·РЅР°Р» РјРѕСЂСЏ"),
    "cp1252 as Latin-1": ("mojibake", "A caf\xe9 by the sea\x85"),
    "cp1252 as Mac Roman": ("swapped-quotes", "ìGood,î she said. He canít."),
    "Mac Roman as cp1252": ("swapped-quotes", "ÒGood,Ó she said. ItÕs late."),
    "lost characters": ("lost-characters", "A caf\ufffd by the sea."),
    "private use": ("private-characters", "\ue000 A bullet."),
    "tags": ("html-tags", '<p class="x">He waited.</p>'),
    "entities": ("html-entities", "Rudge &amp; Sons, &#8212; closed."),
    "address": ("urls", "See https://example.org/harbour for more."),
    "space at line ends": ("trailing-space", "One line, \nand\t\nanother."),
}
INVISIBLE = (
    "\u200b\xad\u202e\u200e\u2066\ufe0f\u034f\u061c\u115f\u3164\uffa0\u2800\ufffc\ufff9"
    "\U000e0001\U000e0041"
)
LONGEST = max(ENGLISH.split("\n\n"), key=len)
FAULTY: dict[str, tuple[str, str]] = {
    **{name: (fault, put(ENGLISH, line)) for name, (fault, line) in _LINES.items()},
    **{f"U+{ord(char):04X}": ("zero-width", put(ENGLISH, f"har{char}bour")) for char in INVISIBLE},
    "CR LF": ("line-ends", ENGLISH.replace("\n", "\r\n")),
    "mixed line ends": ("line-ends", ENGLISH.replace("\n", "\r\n", 9)),
    "CR CR LF": ("line-ends", ENGLISH.replace("\n", "\r\r\n")),
    "web page": ("web-page html-tags", f"<!DOCTYPE html>\n<html><p>{ENGLISH}"),
    "old Mac": ("line-ends", ENGLISH.replace("\n", "\r")),
    "decomposed": ("normal-form", unicodedata.normalize("NFD", FRENCH)),
    "Latin in Cyrillic": ("look-alikes", RUSSIAN.replace("смотритель", "cмотритель", 1)),
    "straight quotes": ("quotes", put(FRENCH, 'Il disait "bonjour" à tous.') + "“Oui.”"),
    "Gutenberg": ("gutenberg", HEADER + ENGLISH + FOOTER),
    "old Gutenberg": ("gutenberg", ENGLISH + "\nEnd of Project Gutenberg's A Harbour\n"),
    "page numbers": ("page-numbers", _paged(ENGLISH)),
    "marked pages": ("page-numbers", put(put(put(ENGLISH, "- 3 -", 60), "- 2 -", 40), "- 1 -")),
    "a line again": ("duplicate-lines", ENGLISH + (max(ENGLISH.split("\n"), key=len) + "\n") * 5),
    "a name twice": ("duplicate-lines", put(NAMES, "Abelisaurus", 700)),
    "a paragraph twice": ("duplicate-lines", ENGLISH + "\n" + LONGEST + "\n"),
    "three lines": ("duplicate-lines", "The sea is calm.\nThe bell.\n\nNobody came.\n" * 300),
    "hyphenation": ("hyphenation", _hyphenated(ENGLISH)),
    "nothing": ("empty", ""),
    "white space": ("empty trailing-space", " \n" * 50),
    "one character": ("one-character", "a" * 5000),
    "little text": ("too-small", ENGLISH[:300]),
}  # fmt: skip


_PLAIN = FRENCH.replace("’", "'").replace("…", "...").replace("—", "-")
# Texts in other encodings, with what they are read as.
ENCODED = [
    ("cp1252", FRENCH.encode("cp1252", "replace")),
    ("cp1252", ENGLISH.replace("'", "’").encode("cp1252")),
    ("cp1252", b"It\x92s late, he said. \x93Oh!\x94\n"),
    ("mac-roman", b"It\xd5s late, he said. \xd2Oh!\xd3\n"),
    ("iso8859-2", (POLISH + "Źle się dzieje, ślady są świeże.\n").encode("iso8859-2")),
    ("iso8859-15", _PLAIN.encode("iso8859-15", "replace")),
    ("mac-roman", FRENCH.encode("mac_roman", "replace")),
    ("koi8-r", RUSSIAN.encode("koi8-r", "replace")),
    ("cp1251", RUSSIAN.encode("cp1251")),
    ("cp932", JAPANESE.encode("cp932")),
    ("gb18030", CHINESE.encode("gb18030")),
    ("utf-16-le", ENGLISH.encode("utf-16-le")),
    ("utf-16-le", RUSSIAN.encode("utf-16-le")),
    ("utf-32-be", FRENCH.encode("utf-32-be")),
    ("iso2022_jp_2", JAPANESE.encode("iso2022_jp")),
]


def write(folder: Path, data: bytes) -> str:
    path = folder / "text.txt"
    path.write_bytes(data)
    return str(path)
