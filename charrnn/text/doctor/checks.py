"""The table of checks. A check is a function from a text to what it finds."""

from collections.abc import Callable, Iterable

from charrnn.text.doctor import boilerplate_checks as boilerplate
from charrnn.text.doctor import character_checks as characters
from charrnn.text.doctor import line_checks as lines
from charrnn.text.doctor import punctuation_checks as punctuation
from charrnn.text.doctor.examined import Examined
from charrnn.text.doctor.finding import Finding
from charrnn.text.doctor.size_checks import size

Check = Callable[[Examined], Iterable[Finding]]

CHECKS: tuple[Check, ...] = (
    size,
    characters.byte_order_marks,
    characters.mojibake,
    characters.lost_characters,
    lines.line_ends,
    characters.controls,
    characters.invisible,
    characters.normal_form,
    characters.look_alikes,
    punctuation.quotes,
    punctuation.spaces,
    punctuation.dashes,
    punctuation.ligatures,
    boilerplate.gutenberg,
    boilerplate.belongings,
    boilerplate.page_numbers,
    lines.trailing_space,
    lines.indentation,
    lines.long_lines,
    lines.repetitions,
    lines.hyphenation,
    lines.wrapped,
    lines.list_of_lines,
    lines.sorted_list,
    characters.rare_characters,
)


def findings(text: Examined) -> list[Finding]:
    """Return what is wrong with a text, and then what is worth knowing."""
    found = [finding for check in CHECKS for finding in check(text)]
    return sorted(found, key=lambda finding: finding.level != "fault")
