"""The page of an X-ray: what it holds, that it is safe, and that it answers mouse and keys."""

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest

from charrnn.export.xray_page import MAX_BYTES, page_data, xray_page
from charrnn.scoring.xray import Trace
from tests.planted import COUNTER, UNITS, bracket_counter

Visit = Callable[..., Any]
FAMILY = "👩‍👩‍👧"
TEXT = "the (old (grey) cat)\tsat, (far) from &amp; <b>\n" * 20
STRANGE = (
    "</script><script>alert(1)</script> (a \"q\" & 'b') {{data}} ${x}\n"
    f"é {FAMILY} \u202eabc\u202c \0 نص عربي 你好\n{TEXT}"
)


@cache
def xray_of(text: str, top: int = 5, part: str = "cell") -> Trace:
    return bracket_counter(text).xray(text, top=top, parts=[part])


def span(page: Any, at: int) -> Any:
    """Return the span of a character after the family, which is one."""
    return page.locator("#text > span").nth(at - len(FAMILY) + 1)


def test_a_page_of_ten_thousand_characters_has_at_most_700_kilobytes() -> None:
    assert len(xray_page(xray_of((TEXT * 11)[:10_000]), "t", "m", (0, 3))) <= 700_000
    long = xray_of(TEXT * 40)
    names = [unit["name"] for unit in page_data(long, (0, 3))["units"]]
    assert len(names) == MAX_BYTES // len(long.text) < UNITS
    # What was asked for, then what keeps track of something.
    found = dict.fromkeys(["unit 3", *(f"unit {it.unit}" for it in long.find())])
    assert names == [*found][: len(names)]
    assert f"unit {COUNTER}" in names


def test_every_character_tells_its_surprise_and_what_was_expected(visit: Visit) -> None:
    name, xray = "a <text> & {{data}}", xray_of(STRANGE)
    alone = page_data(bracket_counter("()").xray("("), None)
    assert (alone["first"], alone["mean"]) == (-1, None)  # surprise, of which there is none
    data = xray_page(xray, name, f"m: {name}")
    assert data.count(b"<script") == data.count(b"</script") == 1
    page = visit(data)
    assert page.locator("h1").text_content() == f"X-ray of {name}"
    mean = f"m: {name}: {xray.nats_per_char:.3f} nats per character, {len(STRANGE):,} characters"
    assert page.locator(".lede").text_content() == mean
    assert page.locator("#text").text_content() == STRANGE
    found = page.evaluate("letters.map(letter => [letter.character, letter.nats, letter.likely])")
    assert "".join(character for character, *_ in found) == STRANGE
    assert found[0][1] is None
    np.testing.assert_allclose([nats for _, nats, _ in found[1:]], xray.nats[1:], atol=1e-5)
    for at in (1, 7, len(STRANGE) - 1):
        guesses, p = zip(*xray.alternatives(at), strict=True)
        assert [guess for guess, _ in found[at][2]] == [*guesses]
        np.testing.assert_allclose([share for _, share in found[at][2]], p, atol=0.51 / 255)
    # It tells of one that is pointed at, or reached with the arrow keys.
    told, family = page.locator("#told"), STRANGE.index(FAMILY)
    page.locator("#text > span").nth(family).hover()
    nats = xray.nats[family : family + len(FAMILY)].sum()
    assert f"”: {nats / np.log(2):.1f} bits, " in told.inner_text()
    after = range(STRANGE.index("old"), len(STRANGE))
    likely = next(at for at in after if STRANGE[at] in dict(xray.alternatives(at)))
    span(page, likely).hover()
    assert STRANGE[likely] in page.locator("#guesses tr.right th").inner_text()
    at = STRANGE.index("old")
    lines = STRANGE[:at].split("\n")
    span(page, at).hover()
    assert told.inner_text() == (
        f"“\u2068o\u2069”: {xray.nats[at] / np.log(2):.1f} bits, {100 * np.exp(-xray.nats[at]):.1f}"
        f" % likely; line {len(lines)}, column {len(lines[-1]) + 1}."
    )
    for key, character in (("Right", "l"), ("Left", "o"), ("Left", "(")):
        page.locator("#text").press(f"Arrow{key}")
        assert f"“\u2068{character}\u2069”" in told.inner_text()
    guesses, p = zip(*xray.alternatives(at - 1), strict=True)
    rows = page.locator("#guesses tr").all_inner_texts()
    assert len(rows) == 5
    assert float(rows[0].split()[-2]) == pytest.approx(100 * p[0], abs=0.3)
    assert page.locator("#guesses tr.right").count() == ("(" in guesses)


def test_a_unit_that_was_found_is_in_the_list(visit: Visit) -> None:
    page = visit(xray_page(xray_of(STRANGE), "t", "m"))
    option = page.locator("#view optgroup option", has_text=f"unit {COUNTER}:")
    assert "brackets" in option.text_content()
    before, after = STRANGE.index(" (grey"), STRANGE.index("(grey")  # a bracket
    span(page, before).hover()
    page.locator("#view").select_option(option.get_attribute("value"))
    values = xray_of(STRANGE).activations["cell"][:, 0, COUNTER]
    for at in (before, after):
        said = page.locator("#unit").text_content().rpartition(" ")[2]
        assert float(said.replace("−", "-")) == pytest.approx(values[at], abs=0.006)
        strength = span(page, at).evaluate("it => Number(it.style.getPropertyValue('--a'))")
        assert strength == pytest.approx(abs(values[at]), abs=0.005)
        span(page, after).hover()
    behind = "it => getComputedStyle(it).backgroundColor"
    inside, outside = (span(page, STRANGE.index(it)).evaluate(behind) for it in ("grey", "\tsat"))
    assert inside != outside
    other = page.evaluate("DATA.units.findIndex(unit => unit.name === 'unit 3')")
    page.locator("#view").select_option(str(other))
    least = 200 + xray_of(STRANGE).activations["cell"][200:, 0, 3].argmin()
    assert span(page, int(least)).get_attribute("class").endswith(" below")


def test_a_page_can_open_with_a_unit_and_have_no_guesses(visit: Visit) -> None:
    data = xray_page(xray_of("(ab)", top=0, part="forget"), "t", "m", (0, 2))
    page = visit(data, width=340, height=700)
    assert page.locator("#view option:checked").text_content().startswith("unit 2")
    assert page.evaluate("document.documentElement.scrollWidth") <= 340
    page.locator("#text > span").nth(1).click()
    assert "unit 2, forget: " in page.locator("#unit").text_content()
    assert page.locator("#guesses tr").count() == 0
