"""The page of an X-ray: what it holds, that it is safe, and that it answers mouse and keys."""

import base64
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from charrnn import Vocabulary
from charrnn.export.xray_page import data as packing
from charrnn.export.xray_page.page import Opening, xray_page
from charrnn.export.xray_page.palette import (
    BACKGROUND,
    Scheme,
    activation_paints,
    contrast,
    surprise_paints,
)
from charrnn.inference.xray import features
from charrnn.inference.xray.parts import parts_of
from charrnn.inference.xray.scale import MOST, activation_levels, surprise_levels
from charrnn.inference.xray.xray import Xray
from tests.browser import browser_page
from tests.inference.planted import COUNTER, UNITS, bracket_counter

HOSTILE = "</script><script>alert(1)</script> (a \"q\" & 'b') %%DATA%% ${x}\n"
TEXT = "the (old (grey) cat)\tsat, (far) from &amp; <b>\n" * 20
STRANGE = HOSTILE + "é 👩‍👩‍👧 \u202eabc\u202c \0 نص عربي 你好\n" + TEXT
SCHEMES: list[Scheme] = ["light", "dark"]


def xray_of(text: str, top: int = 5) -> Xray:
    model = bracket_counter("lstm", Vocabulary.from_text(text))
    return model.xray(text, top=top, parts=parts_of(model.network().cell))


@cache
def strange() -> Xray:
    return xray_of(STRANGE)


def page_of(xray: Xray, unit: int | None = None, name: str = "a <text> & %%DATA%%") -> bytes:
    opening = Opening(text=name, model="m: lstm 1 × 12", unit=unit, layer=0, part="cell")
    return xray_page(xray, xray.find(), opening)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_colors_can_be_read_and_run_in_one_direction(scheme: Scheme) -> None:
    surprise, activation = surprise_paints(scheme), activation_paints(scheme)
    for paint in (*surprise, *activation):
        assert contrast(paint.background, paint.text) >= 4.5  # WCAG 2.2, level AA
    for ramp in (surprise, activation[: MOST + 1], [activation[0], *activation[:MOST:-1]]):
        away = [contrast(BACKGROUND[scheme], paint.background) for paint in ramp]
        assert len(ramp) == MOST + 1
        # Each level stands out from the background clearly more than the one before.
        assert all(after > 1.05 * before for before, after in pairwise(away))
    assert contrast("#000000", "#ffffff") == pytest.approx(21)


def test_levels_are_what_their_limits_say() -> None:
    nats = np.array([np.nan, 0, 0.0999, 0.1, 0.5, 3.9, 4, 8, 50])
    assert surprise_levels(nats).tolist() == [-9, 0, 0, 1, 2, 5, 6, 8, 8]
    assert activation_levels(np.array([-1, -0.5, 0.03, 0.97, 1]), (-1, 1)).tolist() == [
        -8, -4, 0, 8, 8,
    ]  # fmt: skip
    assert activation_levels(np.array([0, 0.5, 1]), (0, 1)).tolist() == [0, 4, 8]
    assert activation_levels(np.array([0, 5.0, 20]), (0, float("inf"))).tolist() == [0, 2, 8]


def unpacked(page: bytes) -> dict[str, Any]:
    (found,) = re.findall(r"^const data = (.*);$", page.decode(), flags=re.MULTILINE)
    data: dict[str, Any] = json.loads(found)
    return data


def array(packed: str, dtype: str) -> Any:
    return np.frombuffer(base64.b64decode(packed), dtype)


def test_the_page_holds_what_the_model_does() -> None:
    xray, data = strange(), unpacked(page_of(strange()))
    N, K = len(xray.text), 5
    assert data["text"] == STRANGE
    nats = array(data["nats"], "<u2") / data["nat"]
    np.testing.assert_allclose(nats[1:], xray.nats[1:], atol=0.6 / data["nat"])
    ids, p = (array(data[name], "<u2").reshape(N, K) for name in ("topIds", "topP"))
    for at in (1, 7, N - 1):
        guesses = [data["guesses"][i] for i in ids[at]]
        assert guesses == [char for char, _ in xray.alternatives(at)]
        np.testing.assert_allclose(p[at] / 65535, [q for _, q in xray.alternatives(at)], atol=1e-4)
    levels = array(data["activations"], "u1").reshape(6, UNITS, N)
    for number, part in enumerate(data["parts"]):
        least, most = part["bounds"]
        np.testing.assert_allclose(
            least + levels[number] / 255 * (most - least),
            xray.activations(part["name"]).T,
            atol=0.51 * (most - least) / 255,
        )
    assert data["found"][0]["unit"] == COUNTER
    assert data["features"].keys() == features.FEATURES.keys()


def test_of_a_long_text_the_most_telling_units_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    xray = strange()
    monkeypatch.setattr(packing, "MOST_BYTES", 4 * 6 * len(xray.text))
    quiet = int(xray.activations().std(0).argmin())
    data = unpacked(page_of(xray, unit=quiet))
    (units,) = data["units"]
    assert len(units) == 4
    assert {COUNTER, quiet} <= set(units)
    assert {it["unit"] for it in data["found"]} <= set(units)


def test_no_text_or_name_can_leave_its_place() -> None:
    page = page_of(strange()).decode()
    assert page.count("<script") == page.count("</script") == 1
    assert "<b>" not in page
    assert "http" not in page.replace("http-equiv", "").replace("http://www.w3.org/2000/svg", "")
    assert "<h1>X-ray of a &lt;text&gt; &amp; %%DATA%%</h1>" in page
    assert "default-src 'none'" in page


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("page") / "x.html"
    file.write_bytes(page_of(strange()))
    return file


@pytest.fixture(scope="module")
def page(path: Path) -> Iterator[Any]:
    with browser_page(path) as opened:
        yield opened


@contextmanager
def another(page: Any, path: Path, **settings: Any) -> Iterator[Any]:
    """Open a file beside a page, in the same browser."""
    opened = page.context.browser.new_page(**settings)
    opened.goto(path.as_uri())
    yield opened
    opened.close()


def span(page: Any, at: int) -> Any:
    return page.locator("#text > span").nth(at)


def test_it_shows_the_text_as_it_is_with_signs_for_what_would_not_show(page: Any) -> None:
    shown = page.locator("#text").evaluate(
        "it => [...it.children].map(one => one.textContent).join('')"
    )
    expected = STRANGE.replace("\n", "↵\n").replace("\t", "⇥\t").replace("\0", "␀")
    expected = expected.replace("\u202e", "⟨U+202E⟩").replace("\u202c", "⟨U+202C⟩")
    assert shown == expected
    assert page.title() == "X-ray of a <text> & %%DATA%%"


def test_every_character_has_the_color_of_its_surprise(page: Any) -> None:
    page.locator("[value=surprise]").check()
    found = page.locator("#text").evaluate(
        "it => [...it.children].map(one => one.classList.contains('unknown') ? -9"
        " : Number(one.className.match(/s(\\d)/)[1]))"
    )
    assert found == surprise_levels(np.round(strange().nats * 500) / 500 + 1e-9).tolist()


def test_pointing_shows_and_clicking_keeps(page: Any) -> None:
    xray, at = strange(), STRANGE.index("old")
    span(page, at).click()
    span(page, at + 1).hover()
    assert page.locator("#char").text_content() == "l"
    assert f"{xray.nats[at + 1]:.2f} nats" in page.locator("#surprise").text_content()
    rows = page.locator("#guesses tr th").all_text_contents()
    names = {"\n": "↵", "\t": "⇥", " ": "␣"}
    assert rows == [names.get(char, char) for char, _ in xray.alternatives(at + 1)]
    page.locator("h1").hover()  # elsewhere: back to what was clicked
    assert page.locator("#char").text_content() == "o"
    lines = STRANGE[:at].split("\n")
    where = f"line {len(lines)}, column {len(lines[-1]) + 1}"
    assert page.locator("#where").text_content() == f"U+006F, {where}"


def test_keys_move_and_say_where_they_are(page: Any) -> None:
    at = STRANGE.index("the (old")
    span(page, at).click()
    for key, char in (("ArrowRight", "h"), ("ArrowRight", "e"), ("ArrowLeft", "h"),
                      ("End", "↵"), ("Home", "t"), ("ArrowDown", "t")):  # fmt: skip
        page.keyboard.press(key)
        assert page.locator("#char").text_content() == char, key
    assert page.locator("#said").text_content().startswith("t. Surprise")
    below = page.locator("#text > span.at").evaluate("it => it.at")
    assert below == at + STRANGE[at:].index("\n") + 1
    page.keyboard.press("ArrowUp")
    assert page.locator("#text > span.at").evaluate("it => it.at") == at
    page.keyboard.press("Control+Home")
    page.keyboard.press("ArrowLeft")
    assert "nothing was predicted" in page.locator("#surprise").text_content()
    surprising = [at for at, nats in enumerate(strange().nats) if nats >= 3][:2]
    for expected in surprising:
        page.keyboard.press("n")
        assert page.locator("#text > span.at").evaluate("it => it.at") == expected
    page.keyboard.press("Shift+N")
    assert page.locator("#text > span.at").evaluate("it => it.at") == surprising[0]


def test_a_pointer_that_rests_does_not_get_in_the_way_of_keys(page: Any) -> None:
    span(page, STRANGE.index("the (old") + 2).click()  # and rests there
    for _ in range(25):
        page.keyboard.press("ArrowDown")
    at = page.locator("#text > span.at").evaluate("it => it.at")
    assert page.evaluate("scrollY") > 0
    assert STRANGE[:at].count("\n") > 15
    page.evaluate("scrollTo(0, 0)")
    assert page.locator("#text > span.at").evaluate("it => it.at") == at


def test_a_unit_that_was_found_is_a_click_away(page: Any) -> None:
    first = page.locator("#found button").first
    assert f"unit {COUNTER}" in first.text_content()
    first.click()
    assert first.get_attribute("aria-pressed") == "true"
    assert page.locator("[value=unit]").is_checked()
    assert page.locator("#unit").input_value() == str(COUNTER)
    values = strange().activations()[:, COUNTER]
    levels = activation_levels(values, (-1, 1)).tolist()
    found = page.locator("#text").evaluate(
        "it => [...it.children].map(one => Number(one.className.match(/a(\\d+)/)[1]))"
    )
    differing = [
        at
        for at, (one, level) in enumerate(zip(found, levels, strict=True))
        if one not in {level % 17, (level + 1) % 17, (level - 1) % 17}
    ]
    assert not differing
    same = [one == level % 17 for one, level in zip(found, levels, strict=True)]
    assert sum(same) > 0.9 * len(found)


def test_units_parts_and_views_are_chosen_by_control_and_by_key(page: Any) -> None:
    xray, at = strange(), STRANGE.index("grey")
    span(page, at).click()
    page.locator("#unit").select_option("3")
    page.locator("#part").select_option(label="forget")
    value = f"{xray.activations('forget')[at, 3]:.2f}"
    forget = page.locator("#values tr", has_text="forget").locator(".number").text_content()
    assert float(forget) == pytest.approx(float(value), abs=0.011)
    assert "Unit 3, forget" in page.locator("#unit-name").text_content()
    page.locator("#after").click()
    assert page.locator("#unit").input_value() == "4"
    page.locator("#text").focus()
    for key, unit in (("[", "3"), ("[", "2"), ("]", "3")):
        page.keyboard.press(key)
        assert page.locator("#unit").input_value() == unit
    page.keyboard.press("s")
    assert page.locator("[value=surprise]").is_checked()
    page.keyboard.press("u")
    assert page.locator("[value=unit]").is_checked()
    page.locator("#all span").nth(7).click()
    assert page.locator("#unit").input_value() == "7"


def test_everything_is_reached_with_the_tab_key(page: Any) -> None:
    page.locator("body").evaluate("it => { it.tabIndex = -1; it.focus(); }")
    seen: list[str] = []
    for _ in range(20):
        page.keyboard.press("Tab")
        seen.append(page.evaluate("document.activeElement.id || document.activeElement.tagName"))
    order = ["part", "before", "unit", "after", "bars", "text", "BUTTON"]
    assert [it for it in dict.fromkeys(seen) if it in order] == order


def test_without_color_the_height_of_a_bar_says_it(page: Any) -> None:
    page.locator("[value=surprise]").check()
    page.locator("#bars").check()
    heights = page.locator("#text").evaluate(
        "it => [...it.children].map(one => { const style = getComputedStyle(one);"
        " return [style.backgroundColor, parseFloat(style.getPropertyValue('--h'))]; })"
    )
    assert {color for color, _ in heights} == {"rgba(0, 0, 0, 0)"}
    levels = np.maximum(surprise_levels(np.round(strange().nats * 500) / 500 + 1e-9), 0)
    assert [height * MOST for _, height in heights] == levels.tolist()
    page.locator("#bars").uncheck()


@pytest.mark.parametrize("scheme", SCHEMES)
def test_light_and_dark_are_the_readers_choice_and_can_be_read(
    page: Any, path: Path, scheme: Scheme
) -> None:
    ratios = """names => {
      const light = color => color.match(/[\\d.]+/g).slice(0, 3).map(Number)
        .map(v => v / 255).map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
        .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0) + 0.05;
      return [...document.querySelectorAll(names)].filter(it => it.checkVisibility()).map(it => {
        let node = it, behind = "rgba(0, 0, 0, 0)";
        while (behind === "rgba(0, 0, 0, 0)" && node) {
          behind = getComputedStyle(node).backgroundColor; node = node.parentElement; }
        const [a, b] = [light(getComputedStyle(it).color), light(behind)].sort((x, y) => x - y);
        return [b / a, it.textContent]; }); }"""
    with another(page, path, color_scheme=scheme) as opened:
        names = (
            "h1, h2, h3, p, label, kbd, small, td, th, caption, button, select, a, .level, .unknown"
        )
        found = opened.evaluate(ratios, names)
        assert len(found) > len(STRANGE)
        assert min(found)[0] >= 4.5, min(found)
        behind = opened.evaluate("getComputedStyle(document.body).backgroundColor")
        channels = bytes.fromhex(BACKGROUND[scheme][1:])
        assert behind == f"rgb({', '.join(map(str, channels))})"


def test_a_narrow_screen_needs_no_scrolling_sideways(page: Any, path: Path) -> None:
    with another(page, path, viewport={"width": 360, "height": 740}) as opened:
        assert opened.evaluate("document.documentElement.scrollWidth") <= 360
        span(opened, 5).click()
        card = opened.locator("#card").bounding_box()
        assert card["y"] + card["height"] <= 741
        opened.locator("#jump").click()
        assert opened.locator("#found-name").is_visible()


def test_a_page_can_open_with_a_unit_and_have_no_guesses(page: Any, tmp_path: Path) -> None:
    file = tmp_path / "x.html"
    file.write_bytes(page_of(xray_of("(ab)", top=0), unit=2))
    with another(page, file) as opened:
        assert opened.locator("[value=unit]").is_checked()
        assert opened.locator("#unit").input_value() == "2"
        assert not opened.locator("#guesses").is_visible()
