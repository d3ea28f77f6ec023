"""The page of an X-ray: what it holds, that it is safe, and that it answers mouse and keys."""

import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from charrnn.export.xray_page import MAX_BYTES, page_data, xray_page
from charrnn.scoring.xray import Trace
from tests.browser import browser_page
from tests.scoring.planted import COUNTER, UNITS, bracket_counter

HOSTILE = "</script><script>alert(1)</script> (a \"q\" & 'b') {{data}} ${x}\n"
TEXT = "the (old (grey) cat)\tsat, (far) from &amp; <b>\n" * 20
STRANGE = HOSTILE + "é 👩‍👩‍👧 \u202eabc\u202c \0 نص عربي 你好\n" + TEXT


@cache
def xray_of(text: str, top: int = 5, part: str = "cell") -> Trace:
    return bracket_counter(text).xray(text, top=top, parts=[part])


def page_of(text: str, unit: int | None = None, name: str = "a <text> & {{data}}") -> bytes:
    first = None if unit is None else (0, unit)
    return xray_page(xray_of(text), name, "m: lstm 1 × 12", first)


def data_of(page: bytes) -> dict[str, Any]:
    found = re.search(r"^const DATA = (.*);$", page.decode(), flags=re.MULTILINE)
    assert found
    data: dict[str, Any] = json.loads(found[1])
    return data


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    file = tmp_path_factory.mktemp("page") / "x.html"
    file.write_bytes(page_of(STRANGE))
    with browser_page(file) as opened:
        yield opened


def span(page: Any, at: int) -> Any:
    """Return the span of a character after the family, which is one."""
    return page.locator("#text > span").nth(at - len("👩‍👩‍👧") + 1)


def test_a_page_of_ten_thousand_characters_has_at_most_700_kilobytes() -> None:
    text = (TEXT * 11)[:10_000]
    page = page_of(text, unit=3)
    data = data_of(page)
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


def test_every_character_has_its_surprise_and_what_was_expected(page: Any) -> None:
    xray = xray_of(STRANGE)
    found = page.evaluate("letters.map(letter => [letter.character, letter.nats, letter.likely])")
    assert "".join(character for character, *_ in found) == STRANGE
    assert found[0][1] is None
    nats = [nats for _, nats, _ in found[1:]]
    np.testing.assert_allclose(nats, xray.nats[1:], atol=1e-5)
    for at in (1, 7, len(STRANGE) - 1):
        guesses, p = zip(*xray.alternatives(at), strict=True)
        assert [guess for guess, _ in found[at][2]] == [*guesses]
        np.testing.assert_allclose([share for _, share in found[at][2]], p, atol=0.51 / 255)
    shown = page.locator("#text").text_content()
    assert shown == STRANGE


def test_pointing_and_keys_tell_of_a_character(page: Any) -> None:
    xray, at = xray_of(STRANGE), STRANGE.index("old")
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
    rows = page.locator("#guesses tr")
    assert rows.count() == 5


def test_a_unit_that_was_found_is_in_the_list(page: Any) -> None:
    option = page.locator("#view optgroup option", has_text=f"unit {COUNTER}:")
    assert "brackets" in option.text_content()
    page.locator("#view").select_option(option.get_attribute("value"))
    values, at = (
        xray_of(STRANGE).activations["cell"][:, 0, COUNTER],
        STRANGE.index(" (grey"),
    )  # before a change
    span(page, at).hover()
    said = page.locator("#unit").text_content()
    assert float(said.rpartition(" ")[2].replace("−", "-")) == pytest.approx(values[at], abs=0.006)
    strength = span(page, at).evaluate("it => Number(it.style.getPropertyValue('--a'))")
    assert strength == pytest.approx(abs(values[at]), abs=0.005)
    behind = "getComputedStyle(document.querySelectorAll('#text span')[{}]).backgroundColor"
    inside, outside = (STRANGE.index(it) - len("👩‍👩‍👧") + 1 for it in ("grey", "\tsat"))
    assert page.evaluate(behind.format(inside)) != page.evaluate(behind.format(outside))


def test_a_page_can_open_with_a_unit_and_have_no_guesses(page: Any, tmp_path: Path) -> None:
    xray = xray_of("(ab)", top=0, part="forget")
    (tmp_path / "x.html").write_bytes(xray_page(xray, "t", "m", (0, 2)))
    size = {"width": 340, "height": 700}
    with page.context.browser.new_page(viewport=size, color_scheme="dark") as narrow:
        narrow.goto((tmp_path / "x.html").as_uri())
        assert narrow.locator("#view option:checked").text_content().startswith("unit 2")
        assert narrow.evaluate("document.documentElement.scrollWidth") <= 340
        narrow.locator("#text > span").nth(1).click()
        assert "unit 2, forget: " in narrow.locator("#unit").text_content()
        assert narrow.locator("#guesses tr").count() == 0
