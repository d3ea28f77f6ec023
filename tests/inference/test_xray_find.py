"""Mutual information where it is known, and units found that are known to be there."""

import numpy as np
import pytest

from charrnn import Vocabulary
from charrnn.inference.xray.features import FEATURES
from charrnn.inference.xray.find import find_units
from charrnn.inference.xray.information import QUANTILES, binned, information
from charrnn.inference.xray.parts import Place
from tests.inference.planted import COUNTER, bracket_counter

N = 8000
RNG = np.random.default_rng


def labels(values: object) -> np.ndarray[tuple[int], np.dtype[np.uint8]]:
    return np.asarray(values, np.uint8)


def test_bins_are_cut_at_quantiles_whatever_the_scale() -> None:
    values = RNG(0).standard_normal((N, 3)) * [1e-3, 1, 1e3] + [0, 5, -100]
    bins = binned(values.astype(np.float32))
    for unit in range(3):
        below = np.cumsum(np.bincount(bins[:, unit], minlength=len(QUANTILES) + 1))[:-1] / N
        np.testing.assert_allclose(below, QUANTILES, atol=0.003)
        ordered = bins[np.argsort(values[:, unit]), unit].astype(int)
        assert (np.diff(ordered) >= 0).all()


def test_equal_activations_share_a_bin() -> None:
    values = np.repeat([[0.0, 7.0], [1.0, 7.0]], 50, axis=0)
    bins = binned(values)
    assert len(set(bins[:50, 0])) == len(set(bins[50:, 0])) == 1
    assert bins[0, 0] != bins[99, 0]
    assert len(set(bins[:, 1])) == 1


def test_information_is_what_theory_says() -> None:
    y = RNG(1).integers(0, 4, N)
    flipped = np.where(RNG(2).random(N) < 0.25, RNG(3).integers(0, 4, N), y)
    units = np.stack([y, y >= 2, flipped, RNG(4).standard_normal(N)], axis=1).astype(np.float32)
    (found,) = information(units, [labels(y)], RNG(0))
    # A label goes wrong in 3 of 16 cases, to one of three others.
    wrong = 3 / 16
    noise = -(1 - wrong) * np.log(1 - wrong) - wrong * np.log(wrong / 3)
    expected = [np.log(4), np.log(2), np.log(4) - noise, 0]
    assert found.entropy == pytest.approx(np.log(4), abs=1e-3)
    np.testing.assert_allclose(found.shares * found.entropy, expected, atol=0.02)
    assert found.chance < 0.01


def test_what_only_goes_together_by_chance_is_taken_off() -> None:
    y = RNG(1).integers(0, 8, 200)
    units = RNG(2).standard_normal((200, 500)).astype(np.float32)
    (found,) = information(units, [labels(y)], RNG(0))
    # Without correction, each would seem to say about 9 * 7 / 2N = 0.16 nats of 2.08.
    assert found.shares.mean() < 0.01
    assert found.shares.max() < 2 * found.chance


def test_what_tells_all_tells_all_of_a_short_text_too() -> None:
    y = RNG(1).integers(0, 3, 90)
    units = np.stack([y, RNG(2).integers(0, 3, 90)], axis=1).astype(np.float32)
    (found,) = information(units, [labels(y)], RNG(0))
    np.testing.assert_allclose(found.shares, [1, 0], atol=0.04)


def test_a_rare_feature_is_seen() -> None:
    y = RNG(1).random(N) < 0.015
    units = np.where(y, 0.9, RNG(2).random(N) * 0.8)[:, None].astype(np.float32)
    (found,) = information(units, [labels(y)], RNG(0))
    assert found.shares[0] > 0.75


def test_slow_units_are_not_taken_to_track_slow_features() -> None:
    steps = RNG(3).standard_normal((2000, 300)) * 0.2
    units = np.zeros_like(steps)
    for t in range(1, len(steps)):
        units[t] = 0.98 * units[t - 1] + steps[t]
    y = labels((np.arange(2000) // 50) % 2)
    (found,) = information(units.astype(np.float32), [y], RNG(0))
    assert found.chance > 0.02  # a shuffle of single characters would say less than 0.01
    assert found.shares.max() < 2.5 * found.chance


@pytest.mark.parametrize("cell", ["lstm", "rnn"])
def test_a_unit_that_counts_brackets_is_ranked_first(cell: str) -> None:
    pieces = [
        "the ",
        "(old (grey) cat) ",
        "sat ",
        "[on a mat], ",
        "far ",
        "(from (here) (and now))\n",
    ]
    text = "".join(RNG(0).choice(pieces, 400)).replace("]", ")").replace("[", "(")
    model = bracket_counter(cell, Vocabulary.from_text(text))
    found = model.xray(text).find(["brackets", "bracket-depth"])
    assert {it.unit for it in found[:1]} == {COUNTER}
    for feature in ("brackets", "bracket-depth"):
        best, second, _ = [it for it in found if it.feature == feature]
        assert best.unit == COUNTER
        assert best.share > 0.9 > second.share + 0.2


def test_features_that_never_vary_are_left_out_and_the_best_known_comes_first() -> None:
    text = "abc, def; " * 50
    space = np.array([[char == " "] for char in text], np.float32)
    noise = RNG(0).standard_normal((len(text), 4)).astype(np.float32)
    place = Place(1, "hidden")
    found = find_units(text, {place: np.concatenate([noise, space], axis=1)}, top=2)
    names = list(dict.fromkeys(it.feature for it in found))
    assert {"digits", "capitals", "brackets"}.isdisjoint(names)
    first = found[0]
    assert (first.feature, first.layer, first.part, first.unit) == ("whitespace", 1, "hidden", 4)
    assert first.share == pytest.approx(1, abs=0.05)
    shares = [next(it.share for it in found if it.feature == name) for name in names]
    assert shares == sorted(shares, reverse=True)
    assert find_units(text, {place: space}) == find_units(text, {place: space})
    assert find_units("a", {place: space[:1]}) == []
    assert set(names) <= set(FEATURES)
