"""Texts with one fault each, and clean ones in several languages, to try the doctor on."""

import re
import textwrap
import unicodedata

from tests.support import ROOT

CORPORA = ROOT / "corpora"

# Lines recur in them, but no poem does.
POEMS = [f"The sea.\nThe bell at {n}.\nNo.\n" for n in range(40)]
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
"""
PASSWORDS = "".join(f"{w}{n}{'!' * (n % 4 == 0)}\n" for n in range(90) for w in ("tiger", "Blue"))
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
    "a whole book": (CORPORA / "harbour.txt").read_text(encoding="utf-8") + "[3]\n",
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
    "Arabic": "كَانَ الشَّيْخُ يَصْعَدُ التَّلَّ كُلَّ صَبَاحٍ، وَيَنْظُرُ إِلَى الْبَحْرِ. \u200f(1) هل رأيتَه؟\n",
    "Thai": "ตอนเช้าชายชราเดินขึ้นเนินเขา\u200bและมองทะเล ทะเลเงียบสงบ\n",
    "German": "„Kommst du?“, fragte sie. – „Noch nicht“, sagte er; es war kalt. 5\xa0°C!\n",
    "Hindi": "सुबह बूढ़ा आदमी पहाड़ी पर गया और उसने समुद्र को देखा। क्\u200dष\n",
    "Python": (ROOT / "charrnn" / "text" / "windows.py").read_text(encoding="utf-8"),
    "names": NAMES,
    "chat": """ana: good morning!! 😀😀 did you sleep? 💤
ben: no 😭 the cat 🐈‍⬛ walked on my face all night
ana: 😂😂😂 poor you 👩🏽‍🚀🚀 🏴󠁧󠁢󠁳󠁣󠁴󠁿 ©️
ben: she is lucky she is cute ❤️ what is for lunch? 🍕🍕
ben: 😐 ok... 1️⃣ soup 2️⃣ nap 3️⃣ more soup
""",
    "dialogue": "".join(f"ana: and then {n} came\nben: no, it was {n}\n" for n in range(60)),
    "verse": VERSE,
    "a song": "".join(
        f"Verse {n} is of the sea,\nand of the bell.\n\n"
        "The answer, my friend, is in the bell that rings in the harbour,\nin the bell.\n\n"
        for n in range(8)
    ),
    "free verse": "".join(
        f"and {'the sea was ' * (n % 5)}{n}{',' * (n % 4 < 1)}\n" for n in range(99)
    ),
    "no punctuation": textwrap.fill(re.sub(r"[^\w\s]", "", ENGLISH).lower(), 72) + "\n",
    "wide lines": textwrap.fill(ENGLISH, 140) + "\n",
    "a line said twice": f"{ENGLISH}{max(ENGLISH.splitlines(), key=len)}\n",
    "wrapped LaTeX": textwrap.fill(ENGLISH.replace("the ", "\\the{} "), 72) + "\n",
    "a formula": "The share is √°¼ of it.\n",
    "rules": "".join(f"{'=' * 70}\nNote {n}: the tide was late.\n" for n in range(10)),
    "JSON": "".join(f'  {{"n": {n}, "html": "<b>a &amp; {n}</b>"}},\n' for n in range(40)),
    "LaTeX": """The area is $\\frac{1}{2} ab$, so that $a < b$ and \\emph{not} $a > b$.
``It's late,'' he said; see \\cite{smith--jones} --- and section~2.
""",
    "passwords": PASSWORDS,
    "moves": "".join(f"1. e4 e5 2. Nf3 Nc6 4. Ba{n} d{n} 5. O-O Be7 1-0\n" for n in range(60)),
    "server": "".join(f'10.0.0.{n} - - [10/Oct/2000:13:55:39] "GET /a{n}"\n' for n in range(60)),
    "records": "".join(f'{{"at": "2026-01-01T10:00:{n:02}", "text": "m{n}"}}\n' for n in range(60)),
    "subtitles": "".join(
        f"{n}\n0:{n},0 --> 0:{n},900\nIt is late at {n}.\n\n" for n in range(10, 60)
    ),
    "TSV": "".join(f"{n}\tA sentence. It says so.{chr(9) * (n % 3)}b\n" for n in range(60)),
    "CSV": "".join(f'{n},"Smith, John",{n * n}\n' for n in range(60)),
    "reviews": "id,review\n" + "".join(f'{n},"Film:\n\nit, ""was"" long."\n' for n in range(60)),
    "Markdown": """# A title

Some *words* and a `name`, then a list:

- first thing: two spaces at the end break the line,  
- second thing — with a dash
- third thing: 3 < 4 and 5 > 2

It's plain, isn't it? "Yes," she said.
Type `fix --all` or (--none), see https://example.org.
""",  # noqa: W291  # a line break of Markdown
    "quotes of both sides": "He’d gone -- it’s late. 'Yes,' she said; 'go.'\n",
    "chapters": "\n\n".join(f"{n}\n\n{part}" for n, part in enumerate(ENGLISH.split("\n\n"), 1)),
    "compounds at line ends": ENGLISH + COMPOUNDS,
    "fortunes": "".join(f"Fortune {n}\n%\n" for n in range(100)),
    "short lines of code": "    }\n  ];\n  return [x];\n" * 300,
}


def _fill(form: str, between: str = "\n", count: int = 40) -> str:
    """Return a form filled with words, a number of times."""
    words = ("lamp", "harbour", "night", "rose", "mill", "spring", "key")
    return between.join(form.format(n=n, a=words[n % 7], b=words[n % 5]) for n in range(count))


TUNE = "X:{n}\nT:The {a} of {b}\nM:6/8\nK:D\n|:dff cee|def gfe|dff cee|dfe dBA:|\n"
POEM = "The {a}\n\nof {b}\nlies low,\nand so\ndo I.\n"
PLAY = "{a}:\nWho goes there, and at such an hour of night,\nwithout a {b}?\n"
CODE = "int {a}(int {b}) {{\n    if ({b} > {n})\n        return {b};\n    return {a};\n}}\n"
RECIPE = '{{"title": "{a}", "steps": ["Cook it.", "Eat it."], "of": {n}}}\n'
# Texts, and the option that learns each piece of them.
PIECES = {
    "tunes": (_fill(TUNE), r"--separator '\n\n'"),
    "tunes further apart": (_fill(TUNE, "\n\n\n"), r"--separator '\n\n'"),
    "few tunes": (_fill(TUNE, count=10), None),
    "poems": (_fill(POEM, "%\n"), r"--separator '\n%\n'"),
    "short pieces between marks": (f"{ENGLISH[:1500]}\n---\n" * 40, r"--separator '\n---\n'"),
    "long pieces between marks": (f"{ENGLISH[:2500]}\n---\n" * 40, None),
    "prose": ("\n\n".join([it for it in ENGLISH.split("\n\n") if "\n" in it] * 9), None),
    "a play": (_fill(PLAY), None),
    "code": (_fill(CODE), None),
    "underlined titles": (_fill("A {a}\n========\n\nAbout the {b}.\n"), None),
    "recipes": (_fill(RECIPE), "--field steps"),
    "long records": (f'{{"text": "{"sea " * 2000}"}}\n' * 20, "--field text"),
    "records without text": ('{"n": 1}\n' * 30, None),
    "reviews": (CLEAN["reviews"], "--field review"),
    "a row cut off": ("n,review\n" + '0,"Film\n."\n' * 9999, "--field review"),
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
    ("controls", "a\0b \x1b[1;31mred\x1b[0m\x1b(B a _\bx \x1b]0;title\x07\fend", "ab red a x end"),
    ("zero-width", "h\u200ba\u200er\u202eb\u2066o\ufe0fu\ufffcr\xad", "harbour"),
    ("normal-form", "Une autre fe\u0302te.", "Une autre fête."),
    ("trailing-space", "One line, \nand\t\nanother:   ", "One line,\nand\nanother:"),
    ("mojibake", "A cafÃ© by the sea, â‚¬ 5.", "A café by the sea, € 5."),
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
    ("html-tags", '<!-- draft -->\n<nav class="x">He: 3 < 4.</nav> <br/>', "\nHe: 3 < 4. "),
    ("html-entities", "A&nbsp;&amp;lt; &#39;ok&#39; &none; &#xe9;", "A\xa0&lt; 'ok' &none; é"),
    ("urls", "See https://example.org/a?b=1, [it](http://a.b/c) by www.b.net", "See  [it]( by "),
    ("page-numbers", "- 2 -\nOne.\n\n[3]\nPage 4", "One.\n"),
    *(("lost-characters", line, line) for line in ("A caf\ufffd.", "The \uf0b7 of Word.")),
    *(("mixed-scripts", line, line) for line in ("The hа.", "The аr.")),  # аnd in Cyrillic
]
_LONGEST_LINE = max(ENGLISH.split("\n"), key=len)
# Faults of a text, and what the repair makes of it.
FAULTY = [
    *((name, put(ENGLISH, bad), put(ENGLISH, good)) for name, bad, good in _LINES),
    ("line-ends", ENGLISH.replace("\n", "\r\r\n"), ENGLISH),
    ("line-ends", ENGLISH.replace("\n", "\r"), ENGLISH),
    ("normal-form", unicodedata.normalize("NFD", FRENCH), FRENCH),
    ("gutenberg", HEADER + ENGLISH + FOOTER, ENGLISH),
    ("gutenberg", ENGLISH + "\nEnd of Project Gutenberg's A Harbour\n", ENGLISH),
    ("page-numbers", "In the\n\n12\n\nsea and\n13\nthe\n\n14\n\nEnd.\n",
     "In the\nsea and\nthe\n\n14\n\nEnd.\n"),
    ("duplicate-lines", ENGLISH + f"{_LONGEST_LINE}\n" * 5, ENGLISH),
    ("duplicate-lines", put(NAMES, "Abelisaurus", 700), NAMES),
    ("duplicate-lines", PASSWORDS + "tiger3\nBlue3", PASSWORDS),
    *(("duplicate-pieces", it.join(POEMS * 2), it.join(POEMS) + it) for it in ("\n", "%\n")),
    # Web pages and old programs that took one encoding for another.
    *(("mojibake", text.encode().decode("latin-1"), text)
      for text in (FRENCH, CHINESE, ARABIC, KOREAN)),
    ("mojibake", RUSSIAN.encode().decode("cp1251"), RUSSIAN),
    *(("lost-characters", text, text) for text in [RUSSIAN.encode("cp1251").decode("cp1252")]),
    # Books of Project Gutenberg of other years and languages.
    ("gutenberg", OLD_HEADER + ENGLISH + "\nEnd of The Project Gutenberg Etext\n", ENGLISH),
    ("gutenberg", ENGLISH + PRINTED, ENGLISH),
    ("gutenberg", f"{HEADER}{FRENCH}\nFin du Project Gutenberg EBook\n{FOOTER}", FRENCH),
    # Files joined by cat.
    ("line-ends", ENGLISH + VERSE.replace("\n", "\r\n"), ENGLISH + VERSE),
    ("apostrophes", f"{VERSE}Don’t, it’s late.\nDon't.\n", f"{VERSE}Don't, it's late.\nDon't.\n"),
    # What pdftotext, scanners, terminals and macOS leave.
    ("ligatures", "ﻓﻲ ﺍﻟﺼﺒﺎﺡ ﺁﺗﻲ\n", "في الصباح \u0622تي\n"),
    ("page-numbers", "".join(f"One.\n\nPage {n} of 9\n\n[Pg {n}]\nTwo\n" for n in range(9)),
     "One.\n\n\nTwo\n" * 9),
    ("hyphenation", "The clap-\nper of the har‐\nbour bell was mis¬\nsing. Ки-\nты.\n",
     "The clapper of the harbour bell was missing. Киты.\n"),
    ("zero-width", CHINESE.replace("，", "，\u200b"), CHINESE),
    ("duplicate-lines", VERSE + ENGLISH * 2, VERSE + ENGLISH + re.sub(".{60,}\n", "", ENGLISH)),
    ("too-small", ENGLISH[:300], ENGLISH[:300]),
    ("too-small", "", ""),
]  # fmt: skip


# Texts in other encodings, with what they are read as.
ENCODED = [
    ("cp1252", FRENCH.encode("cp1252", "replace")),
    ("cp1252", b"It\x92s late, he said. \x93Oh!\x94\n"),
    ("mac-roman", FRENCH.encode("mac_roman", "replace")),
    ("cp1251", ENGLISH.encode("ascii", "ignore") + RUSSIAN.encode("cp1251")),
    ("cp932", JAPANESE.encode("cp932")),
    ("gb18030", CHINESE.encode("gb18030")),
    ("utf-16-le", FRENCH.encode("utf-16-le")),
    ("utf-32-be", FRENCH.encode("utf-32-be")),
]
