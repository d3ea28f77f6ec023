"""How a classifier is judged: figures that were computed by others, or by hand."""

import numpy as np
import pytest

from charrnn import Classifier, CorpusError
from charrnn.inference.metrics import Evaluation, wilson_interval
from charrnn.models.judging import judge
from charrnn.text.labelled import Labelled
from tests.support import ROOT


@pytest.mark.parametrize(
    ("right", "count", "low", "high"),
    # R. G. Newcombe, "Two-sided confidence intervals for the single proportion", 1998, table I.
    [
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_intervals_are_those_of_the_literature(
    right: int, count: int, low: float, high: float
) -> None:
    assert wilson_interval(right, count) == pytest.approx((low, high), abs=5e-5)
    upside_down = wilson_interval(count - right, count)
    assert upside_down == pytest.approx((1 - high, 1 - low), abs=5e-5)


def test_an_interval_covers_the_truth_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    for truth in (0.5, 0.9, 0.98):
        inside = 0
        for right in rng.binomial(200, truth, 2000).tolist():
            low, high = wilson_interval(right, 200)
            inside += low <= truth <= high
        assert inside / 2000 == pytest.approx(0.95, abs=0.025)
    assert wilson_interval(0, 0) == (0, 1)


def test_figures_are_those_computed_by_hand() -> None:
    found = Evaluation.of(np.array([[3, 1, 0], [2, 4, 0], [0, 0, 0]]))
    assert found.accuracy == 0.7
    first, second, third = found.classes
    assert (first.precision, first.recall, first.f1) == pytest.approx((3 / 5, 3 / 4, 2 / 3))
    assert (second.precision, second.recall) == pytest.approx((4 / 5, 4 / 6))
    assert (first.count, second.count, third.count) == (4, 6, 0)
    # a class without examples is none that could be missed
    assert found.macro_f1 == pytest.approx((2 / 3 + 8 / 11) / 2)


ENGLISH, FRENCH = "The bell rang in the harbour", "Le moulin tourne sur la colline"


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return Classifier.load(ROOT / "tests" / "golden" / "classifier1.npz")


def test_texts_are_counted_by_label_and_the_surest_mistake_comes_first(
    classifier: Classifier,
) -> None:
    texts = [ENGLISH, FRENCH, "", ENGLISH, "bell", "sur", FRENCH]
    labels = ["en", "fr", "en", "fr", "fr", "en", "en"]
    found = judge(classifier, Labelled(texts, labels, "", [1, 2, 3, 5, 8, 13, 21]))
    assert (found.texts, found.answered) == (7, 6)  # nothing was said in one
    assert found.evaluation.confusion.tolist() == [[1, 2], [1, 2]]
    assert {mistake.line for mistake in found.mistakes} == {5, 13, 21}
    chances = [mistake.probability for mistake in found.mistakes]
    assert chances == sorted(chances, reverse=True)
    proba = classifier.predict_proba([ENGLISH])[0]
    (mistaken,) = [mistake for mistake in found.mistakes if mistake.line == 5]
    assert mistaken.probability == pytest.approx(float(proba[0]))
    assert (mistaken.label, mistaken.predicted) == ("fr", "en")


def test_what_is_less_probable_than_the_threshold_is_not_answered(classifier: Classifier) -> None:
    labelled = Labelled([ENGLISH, "sur", FRENCH], ["en", "en", "en"], "")
    surest = float(classifier.predict_proba([ENGLISH]).max())
    found = judge(classifier, labelled, threshold=surest)
    whole = judge(classifier, labelled)
    assert 1 <= found.answered < whole.answered == 3
    assert found.evaluation.confusion.sum() == found.answered
    assert all(mistake.line is None for mistake in whole.mistakes)
    assert judge(classifier, labelled, threshold=1).answered == 0


def test_many_texts_are_judged_like_few(
    classifier: Classifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    labelled = Labelled([ENGLISH, "sur", FRENCH, "bell"] * 3, ["en", "fr", "fr", "fr"] * 3, "")
    whole = judge(classifier, labelled)
    done: list[int] = []
    monkeypatch.setattr("charrnn.models.judging.AT_ONCE", 5)
    found = judge(classifier, labelled, on_progress=done.append)
    assert done == [5, 5, 2]
    assert found.evaluation.confusion.tolist() == whole.evaluation.confusion.tolist()
    assert [m.text for m in found.mistakes] == [m.text for m in whole.mistakes]


def test_a_label_that_it_does_not_know_is_named(classifier: Classifier) -> None:
    labelled = Labelled(["x"] * 9, ["en", *"abcdefg", "fr"], "", sources=("x.tsv",))
    with pytest.raises(
        CorpusError, match=r"x\.tsv: the classifier does not know the labels 'a', .* and 2 more"
    ) as caught:
        judge(classifier, labelled)
    assert "'en', 'fr'" in (caught.value.hint or "")
