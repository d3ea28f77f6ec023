"""The page of an X-ray: what it holds, that it is safe, and that it answers mouse and keys."""

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest

from charrnn.export.xray_page import MAX_BYTES, page_data, xray_page
from charrnn.scoring.xray import Trace
from tests.export.models import embedded
from tests.planted import COUNTER, UNITS, bracket_counter

Visit = Callable[..., Any]
HOSTILE = "</script><script>alert(1)</script> (a \"q\" & 'b') {{data}} ${x}\n"
TEXT = "the (old (grey) cat)\tsat, (far) from &amp; <b>\n" * 20
STRANGE = HOSTILE + "é 👩‍👩‍👧 \u202eabc\u202c \0 نص عربي 你好\n" + TEXT


@cache
def xray_of(text: str, top: int = 5, part: str = "cell") -> Trace:
    return bracket_counter(text).xray(text, top=top, parts=[part])


def page_of(text: str, unit: int | None = None, name: str = "a <text> & {{data}}") -> bytes:
    first = None if unit is None else (0, unit)
    return xray_page(xray_of(text), name, "m: lstm 1 × 12", first)


def span(page: Any, at: int) -> Any:
    """Return the span of a character after the family, which is one."""
    return page.locator("#text > span").nth(at - len("👩‍👩‍👧") + 1)


def test_a_page_of_ten_thousand_characters_has_at_most_700_kilobytes() -> None:
    text = (TEXT * 11)[:10_000]
    page = page_of(text, unit=3)
    data = embedded(page, "DATA")
    assert len(page) <= 700_000
    assert len(data["units"]) == UNITS  # all of them fit
    long = xray_of(TEXT * 40)
    kept = page_data(long, (0, 3))["units"]
    assert len(kept) == MAX_BYTES // len(long.text) < UNITS
    names = [unit["name"] for unit in kept]
    assert names[0] == "unit 3"  # what was asked for, then what keeps track of something
    assert f"unit {COUNTER}" in names


def test_no_text_or_name_can_leave_its_place() -> None:
    page = page_of(STRANGE).decode()
    assert page.count("<script") == page.count("</script") == 1
    assert "<b>" not in page
    assert "http" not in page.replace("http-equiv", "")
    assert "<h1>X-ray of a &lt;text&gt; &amp; {{data}}</h1>" in page


def test_every_character_has_its_surprise_and_what_was_expected(visit: Visit) -> None:
    xray, page = xray_of(STRANGE), visit(page_of(STRANGE))
    found = page.evaluate("letters.map(letter => [letter.character, letter.nats, letter.likely])")
    assert "".join(character for character, *_ in found) == STRANGE
    assert found[0][1] is None
    nats = [nats for _, nats, _ in found[1:]]
    np.testing.assert_allclose(nats, xray.nats[1:], atol=1e-5)
    for at in (1, 7, len(STRANGE) - 1):
        guesses, p = zip(*xray.alternatives(at), strict=True)
        assert [guess for guess, _ in found[at][2]] == [*guesses]
        np.testing.assert_allclose([share for _, share in found[at][2]], p, atol=0.51 / 255)
    assert page.locator("#text").text_content() == STRANGE
    mean = f": {xray.nats_per_char:.3f} nats per character, {len(STRANGE):,} characters"
    assert page.locator("#mean").text_content() == mean


def test_pointing_and_keys_tell_of_a_character(visit: Visit) -> None:
    xray, page, at = xray_of(STRANGE), visit(page_of(STRANGE)), STRANGE.index("old")
    span(page, at).hover()
    lines = STRANGE[:at].split("\n")
    told = page.locator("#told").text_content()
    assert f"“\u2068o\u2069”: {xray.nats[at] / np.log(2):.1f} bits" in told
    assert f"line {len(lines)}, column {len(lines[-1]) + 1}." in told
    page.locator("#text").press("ArrowRight")
    assert "“\u2068l\u2069”" in page.locator("#told").text_content()
    page.locator("#text").press("ArrowLeft")
    page.locator("#text").press("ArrowLeft")
    assert "“\u2068(\u2069”" in page.locator("#told").text_content()
    guesses, p = zip(*xray.alternatives(at - 1), strict=True)
    assert page.locator("#guesses tr").count() == 5
    assert page.locator("#guesses tr.right").count() == ("(" in guesses)
    likeliest = page.locator("#guesses tr").first.inner_text().split()
    assert float(likeliest[-2]) == pytest.approx(100 * p[0], abs=0.3)


def test_a_unit_that_was_found_is_in_the_list(visit: Visit) -> None:
    page = visit(page_of(STRANGE))
    option = page.locator("#view optgroup option", has_text=f"unit {COUNTER}:")
    assert "brackets" in option.text_content()
    page.locator("#view").select_option(option.get_attribute("value"))
    values = xray_of(STRANGE).activations["cell"][:, 0, COUNTER]
    for at in (STRANGE.index(" (grey"), STRANGE.index("(grey")):  # before a change, and after
        span(page, at).hover()
        said = page.locator("#unit").text_content().rpartition(" ")[2]
        assert float(said.replace("−", "-")) == pytest.approx(values[at], abs=0.006)
        strength = span(page, at).evaluate("it => Number(it.style.getPropertyValue('--a'))")
        assert strength == pytest.approx(abs(values[at]), abs=0.005)
    behind = "getComputedStyle(document.querySelectorAll('#text span')[{}]).backgroundColor"
    inside, outside = (STRANGE.index(it) - len("👩‍👩‍👧") + 1 for it in ("grey", "\tsat"))
    assert page.evaluate(behind.format(inside)) != page.evaluate(behind.format(outside))


def test_a_page_can_open_with_a_unit_and_have_no_guesses(visit: Visit) -> None:
    data = xray_page(xray_of("(ab)", top=0, part="forget"), "t", "m", (0, 2))
    page = visit(data, width=340, height=700, scheme="dark")
    assert page.locator("#view option:checked").text_content().startswith("unit 2")
    assert page.evaluate("document.documentElement.scrollWidth") <= 340
    page.locator("#text > span").nth(1).click()
    assert "unit 2, forget: " in page.locator("#unit").text_content()
    assert page.locator("#guesses tr").count() == 0
