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
ARABIC = "في الصباح صعد الشيخ إلى التل ونظر إلى البحر. كان الجو هادئا، وعادت القوارب.\n"
KOREAN = "아침에 노인은 언덕에 올라 오랫동안 바다를 바라보았다. 배들은 이미 돌아왔다.\n"
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
    "Polish": POLISH,
    "Hebrew": "בבוקר עלה הזקן על הגבעה (\u200fYafo\u200f) והביט בים. הים היה שקט, והסירות חזרו.\n",
    "Persian": "پیرمرد صبح زود به کوه می\u200cرود و دریا را نگاه می\u200cکند.\n",
    "Arabic": "كَانَ الشَّيْخُ يَصْعَدُ التَّلَّ كُلَّ صَبَاحٍ، وَيَنْظُرُ إِلَى الْبَحْرِ. \u200f(1) هل رأيتَه؟\n",
    "Thai": "ตอนเช้าชายชราเดินขึ้นเนินเขา\u200bและมองทะเล ทะเลเงียบสงบ\n",
    "German": "„Kommst du?“, fragte sie. – „Noch nicht“, sagte er; es war kalt. 5\xa0°C!\n",
    "Hindi": HINDI,
    "Python": (ROOT / "charrnn" / "text" / "windows.py").read_text(encoding="utf-8"),
    "names": NAMES,
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
    "free verse": "".join(
        f"and the {'sea was long ' * (n % 5)}{n}{',' * (n % 4 == 0)}\n" for n in range(99)
    ),
    "no punctuation": textwrap.fill(re.sub(r"[^\w\s]", "", ENGLISH).lower(), 72) + "\n",
    "rules": "".join(f"{'=' * 70}\nNote {n}: the tide was late.\n" for n in range(10)),
    "JSON": "".join(f'  {{"n": {n}, "html": "<b>a &amp; {n}</b>"}},\n' for n in range(40)),
    "LaTeX": """The area is $\\frac{1}{2} ab$, so that $a < b$ and \\emph{not} $a > b$.
``It's late,'' he said; see \\cite{smith--jones} --- and section~2.
""",
    "passwords": PASSWORDS,
    "moves": "".join(
        f"1. e4 e5 2. Nf3 Nc6 3. Bb5 a6 4. Ba{n} d{n} 5. O-O Be7 1-0\n" for n in range(60)
    ),
    "server": SERVER,
    "records": "".join(
        f'{{"at": "2026-01-01T10:00:{n:02}Z", "message": "m{n}"}}\n' for n in range(60)
    ),
    "subtitles": "".join(
        f"{n}\n00:00:{n},000 --> 00:00:{n},900\nThe tide is late at {n}.\n\n" for n in range(10, 60)
    ),
    "TSV": TSV,
    "CSV": "".join(f'{n},"Smith, John",{n * n}\n' for n in range(60)),
    "reviews": "id,review\n"
    + "".join(f'{n},"Film {n}:\n\nit, ""was"" long."\n' for n in range(60)),
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


HEADER = """The Project Gutenberg eBook of A Harbour

This eBook is for the use of anyone anywhere at no cost. https://example.org

*** START OF THE PROJECT GUTENBERG EBOOK A HARBOUR ***

"""
FOOTER = """
*** END OF THE PROJECT GUTENBERG EBOOK A HARBOUR ***

Updated editions will replace the previous one.
"""
OLD_HEADER = """***START**THE SMALL PRINT!**FOR PUBLIC DOMAIN ETEXTS**START***
Why is this "Small Print!" statement here? You know: lawyers.
*END*THE SMALL PRINT! FOR PUBLIC DOMAIN ETEXTS*Ver.04.29.93*END*
"""
PRINTED = f"""
Ende dieses Project Gutenberg Etextes Der Hafen

{OLD_HEADER}"""
MARKERS = [line + "\n" for line in f"{HEADER}{FOOTER}".split("\n") if line.startswith("***")]
# Faults in a line of a text: the line, and what the repair makes of it.
_LINES = [
    ("bom", "\ufeffThe second file.", "The second file."),
    ("line-ends", "one\u2028two\v", "one\ntwo\n"),
    ("controls", "a\0b \x1b[1;31mred\x1b[0m a _\bx \x1b]0;title\x07\fend", "ab red a x end"),
    ("zero-width", "har\u200bbour\xad", "harbour"),
    *(("zero-width", f"har{char}bour", "harbour") for char in "\u200e\u202e\u2066\ufe0f\ufffc"),
    ("normal-form", "Une autre fe\u0302te.", "Une autre fête."),
    ("trailing-space", "One line, \nand\t\nanother:   ", "One line,\nand\nanother:"),
    ("mojibake", "A cafÃ© by the sea, â‚¬ 5.", "A café by the sea, € 5."),
    ("mojibake", "Nobody knew â€” or said.", "Nobody knew — or said."),
    ("mojibake", "Twice: cafÃƒÂ© ðŸ˜€ Ð¸ Ð¼Ð¾Ñ€Ðµ", "Twice: café 😀 и море"),
    ("mojibake", "A caf\xe9 by the sea\x85", "A café by the sea…"),
    ("mojibake", "It cost Â£5 at 20Â°C.Â He paid.", "It cost £5 at 20°C.\xa0He paid."),
    ("mojibake", "SÃ©rac voilÃ  ; il va Ã  Paris.", "Sérac voilà ; il va à Paris."),
    ("mojibake", "A Mac: d√©j√† vu ‚Äî √† part", "A Mac: déjà vu — à part"),
    ("mojibake", "DOS: ├⌐tait l├á", "DOS: était là"),
    ("quotes", "“Good,” said the „mayor”.", '"Good," said the "mayor".'),
    ("apostrophes", "He didn’t say ‘so’.", "He didn't say 'so'."),
    ("dashes", "He -- so\n-- then — no.\n-----", "He — so\n-- then — no.\n-----"),
    ("spaces", "Nobody\xa0knew\u2003why, 12\xa0m.", "Nobody knew why, 12\xa0m."),
    ("ligatures", "The ﬁrst 𝐟𝐢𝐫𝐬𝐭.", "The first first."),
    ("html-tags", '<p class="x">He waited: 3 < 4.</p> <br/>', "He waited: 3 < 4. "),
    ("html-tags", "<!DOCTYPE html>\n<!-- draft 3 -->\n<section><nav>Go</nav>", "\n\nGo"),
    ("html-entities", "A&nbsp;bell &quot;rang&quot; &#39;ok&#39;", "A\xa0bell \"rang\" 'ok'"),
    ("html-entities", "Rudge &amp;lt; &eacute; &none; &#8212;", "Rudge &lt; é &none; —"),
    ("urls", "See https://example.org/a?b=1, a", "See  a"),
    ("urls", "[The map](http://a.org/map) by www.b.net", "[The map]( by "),
    ("page-numbers", "- 2 -\nOne.\n\n[3]\nPage 4", "One.\n"),
    ("lost-characters", "A caf\ufffd by the sea.", "A caf\ufffd by the sea."),
    ("lost-characters", "\ue000 A bullet.", "\ue000 A bullet."),
    ("lost-characters", "The \uf0b7 of Word.", "The \uf0b7 of Word."),
    ("mixed-scripts", "The hаrbour.", "The hаrbour."),
]
_LONGEST_LINE = max(ENGLISH.split("\n"), key=len)
# Faults of a text, and what the repair makes of it.
FAULTY = [
    *((name, put(ENGLISH, bad), put(ENGLISH, good)) for name, bad, good in _LINES),
    ("line-ends", ENGLISH.replace("\n", "\r\n"), ENGLISH),
    ("line-ends", ENGLISH.replace("\n", "\r\n", 9), ENGLISH),
    ("line-ends", ENGLISH.replace("\n", "\r\r\n"), ENGLISH),
    ("line-ends", ENGLISH.replace("\n", "\r"), ENGLISH),
    ("normal-form", unicodedata.normalize("NFD", FRENCH), FRENCH),
    ("quotes", put(FRENCH, 'Il dit "oui". “Non.”'), put(FRENCH, 'Il dit "oui". "Non."')),
    ("gutenberg", HEADER + ENGLISH + FOOTER, ENGLISH),
    ("gutenberg", ENGLISH + "\nEnd of Project Gutenberg's A Harbour\n", ENGLISH),
    ("gutenberg", f"{HEADER}{ENGLISH}\nEnd of the Project Gutenberg EBook\n{FOOTER}", ENGLISH),
    ("page-numbers", "In the\n\n12\n\nsea, and\n13\nthe sea.\n\n14\n\nThe end.\n",
     "In the\nsea, and\nthe sea.\n\n14\n\nThe end.\n"),
    ("duplicate-lines", ENGLISH + f"{_LONGEST_LINE}\n" * 5, ENGLISH),
    ("duplicate-lines", put(NAMES, "Abelisaurus", 700), NAMES),
    ("duplicate-lines", PASSWORDS + "tiger3\nBlue3\n", PASSWORDS),
    ("duplicate-lines", "The sea.\nThe bell.\n\nNo.\n" * 300,
     "The sea.\nThe bell.\n\nNo.\n" + "\n" * 299),
    ("hyphenation", "The clap-\nper of the har-\nbour bell was mis-\nsing.\n",
     "The clapper of the harbour bell was missing.\n"),
    # Web pages and old programs that took one encoding for another.
    *(("mojibake", text.encode().decode("latin-1"), text)
      for text in (FRENCH, CHINESE, ARABIC, KOREAN)),
    ("mojibake", RUSSIAN.encode().decode("cp1251"), RUSSIAN),
    *(("lost-characters", text, text) for text in (
        RUSSIAN.encode("cp1251").decode("cp1252"), FRENCH.encode().decode("ascii", "replace"))),
    # Books of Project Gutenberg of other years and languages.
    ("gutenberg", OLD_HEADER + ENGLISH + "\nEnd of The Project Gutenberg Etext\n", ENGLISH),
    ("gutenberg", ENGLISH + PRINTED, ENGLISH),
    ("gutenberg", f"{HEADER}{FRENCH}\nFin du Project Gutenberg EBook\n{FOOTER}", FRENCH),
    # Files joined by cat.
    ("bom", f"{ENGLISH}\ufeff{VERSE}", ENGLISH + VERSE),
    ("line-ends", ENGLISH + VERSE.replace("\n", "\r\n"), ENGLISH + VERSE),
    ("apostrophes", f"{VERSE}Don’t, it’s late.\nDon't.\n", f"{VERSE}Don't, it's late.\nDon't.\n"),
    # What pdftotext, scanners, terminals and macOS leave.
    ("controls", ENGLISH.replace("\n\n", "\n\n\f"), ENGLISH),
    ("controls", ENGLISH + "\x1a", ENGLISH),
    ("controls", "".join(f"\x1b[32m10:00:{n} INFO\x1b[0m ok\n" for n in range(10, 60)),
     "".join(f"10:00:{n} INFO ok\n" for n in range(10, 60))),
    ("ligatures", ENGLISH.replace("fi", "ﬁ").replace("ff", "ﬀ"), ENGLISH),
    ("ligatures", "ﻓﻲ ﺍﻟﺼﺒﺎﺡ\n", "في الصباح\n"),
    ("page-numbers", "".join(f"One.\n\nPage {n} of 9\n\n[Pg {n}]\nTwo\n" for n in range(9)),
     "One.\n\n\nTwo\n" * 9),
    ("hyphenation", "The har‐\nbour bell was mis¬\nsing. Ки-\nты.\n",
     "The harbour bell was missing. Киты.\n"),
    ("normal-form", unicodedata.normalize("NFD", KOREAN), KOREAN),
    ("zero-width", CHINESE.replace("，", "，\u200b"), CHINESE),
    # Subtitles, a table, the same book twice.
    ("html-tags", "1\n00:00:01,000 --> 00:00:02,000\n<i>Hello?</i>\n",
     "1\n00:00:01,000 --> 00:00:02,000\nHello?\n"),
    ("html-entities", SERVER.replace("/a", "/&amp;a"), SERVER.replace("/a", "/&a")),
    ("line-ends", TSV.replace("\n", "\r\n"), TSV),
    ("duplicate-lines", VERSE + ENGLISH * 2, VERSE + ENGLISH + re.sub(".{60,}\n", "", ENGLISH)),
    ("too-small", ENGLISH[:300], ENGLISH[:300]),
    ("too-small", "", ""),
]  # fmt: skip


_PLAIN = FRENCH.replace("’", "'").replace("…", "...").replace("—", "-")
# Texts in other encodings, with what they are read as.
ENCODED = [
    ("cp1252", FRENCH.encode("cp1252", "replace")),
    ("cp1252", b"It\x92s late, he said. \x93Oh!\x94\n"),
    ("iso8859-2", (POLISH + "Źle się dzieje, ślady są świeże.\n").encode("iso8859-2")),
    ("iso8859-15", _PLAIN.encode("iso8859-15", "replace")),
    ("mac-roman", FRENCH.encode("mac_roman", "replace")),
    ("koi8-r", RUSSIAN.encode("koi8-r", "replace")),
    ("cp1251", RUSSIAN.encode("cp1251")),
    ("cp932", JAPANESE.encode("cp932")),
    ("gb18030", CHINESE.encode("gb18030")),
    ("utf-16-le", ENGLISH.encode("utf-16-le")),
    ("utf-32-be", FRENCH.encode("utf-32-be")),
]


def write(folder: Path, data: bytes) -> str:
    path = folder / "text.txt"
    path.write_bytes(data)
    return str(path)
