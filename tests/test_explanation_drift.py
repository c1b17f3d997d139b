"""Drift: nDCG by hand and against scikit-learn, shifts of single features, the odd cases."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from explanation_cases import NAMES, make
from leafshap import Explanation
from leafshap.errors import InvalidInputError
from leafshap.explanation.drift import mean_ranks, ndcg


def of(importance: list[float], names: list[str] | None = None) -> Explanation:
    """Two rows, plus and minus, whose mean |phi| is given."""
    values = np.array([importance, [-v for v in importance]])
    return Explanation(values=values, base_values=np.zeros(2), feature_names=names)


def test_by_hand() -> None:
    then, now = of([3.0, 2.0, 1.0], ["a", "b", "c"]), of([1.0, 2.0, 3.0], ["a", "b", "c"])
    drift = now.drift(then)
    gained = 1 / math.log2(2) + 2 / math.log2(3) + 3 / math.log2(4)
    best = 3 / math.log2(2) + 2 / math.log2(3) + 1 / math.log2(4)
    assert drift.ndcg == pytest.approx(gained / best, rel=1e-14)
    assert drift.drifted
    assert drift.threshold == 0.9
    assert not now.drift(then, threshold=0.5).drifted
    assert now.drift(then, top=1).ndcg == pytest.approx(1 / 3)
    table = drift.table
    assert table["feature"].tolist() == ["a", "c", "b"]  # by size of the change
    assert table["importance"].tolist() == [1, 3, 2]
    assert table["reference_importance"].tolist() == [3, 1, 2]
    assert table["change"].tolist() == [-2, 2, 0]
    assert table["rank"].tolist() == [3, 1, 2]
    assert table["rank_change"].tolist() == [2, -2, 0]
    assert table["mean_shift"].tolist() == [0, 0, 0]


def test_the_shift_of_the_mean() -> None:
    then = Explanation(values=np.array([[1.0, 5.0], [3.0, 5.0]]), base_values=np.zeros(2))
    now = Explanation(values=np.array([[7.0, 5.0], [5.0, 5.5]]), base_values=np.zeros(2))
    assert now.drift(then).table["mean_shift"].tolist() == [4.0, math.inf]
    assert now.drift(now).table["mean_shift"].tolist() == [0.0, 0.0]


def test_constant_values_do_not_shift_by_rounding() -> None:
    then = Explanation(values=np.full((7, 1), 0.1), base_values=np.zeros(7))
    now = Explanation(values=np.full((1000, 1), 0.1), base_values=np.zeros(1000))
    assert now.drift(then).table["mean_shift"].tolist() == [0.0]


GAINS = arrays.arrays(np.float64, 6, elements=st.sampled_from([0.0, 0.5, 1.0, 2.0, 2.5, 7.0]))


@given(GAINS, GAINS, st.sampled_from([None, 1, 3, 6, 9]))
def test_against_scikit_learn(gains: Any, scores: Any, top: int | None) -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    found = ndcg(gains, scores, top)
    assert 0 <= found <= 1
    if gains.any() and scores.any():
        assert found == pytest.approx(metrics.ndcg_score([gains], [scores], k=top), rel=1e-12)


@given(GAINS, GAINS, st.permutations(range(6)))
def test_the_order_of_columns_does_not_count(gains: Any, scores: Any, order: list[int]) -> None:
    assert ndcg(gains, scores) == pytest.approx(ndcg(gains[order], scores[order]), rel=1e-12)


def test_odd_cases() -> None:
    zero, some = [0.0, 0.0], [1.0, 0.0]
    assert of(zero).drift(of(zero)).ndcg == 1
    assert not of(zero).drift(of(zero)).drifted
    assert of(zero).drift(of(some)).ndcg == 0
    assert of(some).drift(of(zero)).ndcg == 0
    assert of([2.0]).drift(of([1.0])).ndcg == 1
    equal = of([1.0, 1.0, 1.0])
    assert equal.drift(equal).ndcg == 1
    assert equal.drift(equal).table["rank"].tolist() == [2, 2, 2]
    assert mean_ranks(np.array([3.0, 1.0, 3.0])).tolist() == [1.5, 3, 1.5]


def test_the_same_explanation_has_not_drifted() -> None:
    for n_outputs in (0, 3):
        e = make(n_outputs=n_outputs)
        drift = e.drift(e)
        assert drift.ndcg == 1
        assert not drift.drifted
        assert not drift.table["change"].any()


def test_features_are_matched_by_name() -> None:
    then, now = make(n=30, seed=1), make(n=20, seed=2)
    one = now.drift(then)
    other = now.drift(then[:, ::-1])
    assert one.table["feature"].tolist() == other.table["feature"].tolist()
    for name in one.table:
        np.testing.assert_array_equal(one.table[name], other.table[name])
    with pytest.raises(InvalidInputError, match="only here: 'city'; only there: none"):
        now.drift(then[:, :3])
    with pytest.raises(InvalidInputError, match="only here: 'a'; only there: 'c'"):
        of([1.0, 2.0], ["a", "b"]).drift(of([1.0, 2.0], ["b", "c"]))
    assert of([1.0, 2.0]).drift(of([1.0, 3.0])).ndcg == 1  # no names: by position


def test_several_outputs() -> None:
    then, now = make(n_outputs=3, seed=1), make(n_outputs=3, seed=2)
    drift = now.drift(then)
    summed = np.abs(now.values).mean(axis=0).sum(axis=1)
    order = [NAMES.index(name) for name in drift.table["feature"]]
    np.testing.assert_allclose(drift.table["importance"], summed[order])
    shift = (now.values.mean(axis=0) - then.values.mean(axis=0)) / then.values.std(axis=0)
    largest = np.take_along_axis(shift, np.abs(shift).argmax(axis=1, keepdims=True), axis=1)[:, 0]
    np.testing.assert_allclose(drift.table["mean_shift"], largest[order])
    alone = now[..., "class 1"].drift(then[..., "class 1"])
    np.testing.assert_allclose(
        alone.table["importance"].sum(), np.abs(now.values[..., 1]).mean(0).sum()
    )
    with pytest.raises(InvalidInputError, match="the outputs differ"):
        now.drift(then[..., ::-1])
    with pytest.raises(InvalidInputError, match="same outputs"):
        now.drift(then[..., 0])


def test_what_is_shown() -> None:
    pytest.importorskip("pandas")
    drift = of([1.0, 3.0], ["a", "b"]).drift(of([3.0, 1.0], ["a", "b"]))
    assert repr(drift).startswith("<Drift: drifted: nDCG 0.")
    assert "drifted: nDCG" in drift._repr_html_()
    frame = drift.to_pandas()
    assert frame.loc["b", "rank_change"] == -1
    assert frame.index.name == "feature"


def test_refusals() -> None:
    e = make()
    for bad in (-0.1, 1.1, True, math.nan):
        with pytest.raises(InvalidInputError, match="threshold"):
            e.drift(e, threshold=bad)
    for top in (0, 1.5, "a"):
        with pytest.raises(InvalidInputError, match="top must be"):
            e.drift(e, top=top)  # type: ignore[arg-type]
    with pytest.raises(InvalidInputError, match="the reference needs several rows"):
        e.drift(e[0])
    with pytest.raises(InvalidInputError, match="this explanation needs several rows"):
        e.abs.mean(0).drift(e)
    with pytest.raises(InvalidInputError, match="no values"):
        e[:0].drift(e)
    interactions = make(interactions=True)
    with pytest.raises(InvalidInputError, match="one feature axis"):
        interactions.drift(interactions)


def test_float32() -> None:
    now, then = make(n=50, dtype="float32", seed=1), make(n=50, seed=2)
    change = now.drift(then).table["change"]
    assert change.dtype == np.float64
    expected = np.abs(now.values.astype(np.float64)).mean(0) - np.abs(then.values).mean(0)
    np.testing.assert_allclose(np.sort(change), np.sort(expected), rtol=1e-12)


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("n_outputs", [0, 3])
def test_values_that_are_not_finite(wrong: float, n_outputs: int) -> None:
    """The smaller of 1 and NaN is 1 for Python: "no drift"."""
    e = make(n_outputs=n_outputs)
    values = e.values.copy()
    values[[1, 4], 2] = wrong
    broken = Explanation(values=values, base_values=e.base_values, feature_names=NAMES)
    message = "has no importances: values of feature 'wage' are NaN or infinite in 2 of 7 rows"
    with pytest.raises(InvalidInputError, match=f"this explanation {message}"):
        broken.drift(e)
    with pytest.raises(InvalidInputError, match=f"the reference {message}"):
        e.drift(broken)


def test_values_that_are_too_large() -> None:
    e = of([1.5e308, 1.0])
    with pytest.raises(InvalidInputError, match="feature 'Feature 0' are too large"):
        e.drift(e)


def test_what_does_not_vary_in_float32_and_float64() -> None:
    one = Explanation(values=np.full((4, 2), 0.1, np.float32), base_values=np.zeros(4))
    two = Explanation(values=np.full((4, 2), 0.1), base_values=np.zeros(4))
    assert one.drift(two).table["mean_shift"].tolist() == [0, 0]


def test_arguments_of_drift() -> None:
    e = make()
    for threshold in ("0.9", None, np.array([0.8, 0.9]), True):
        with pytest.raises(InvalidInputError, match="threshold must be a number"):
            e.drift(e, threshold=threshold)  # type: ignore[arg-type]
    with pytest.raises(InvalidInputError, match=r"leafshap\.Explanation, got .*ndarray"):
        e.drift(e.values)  # type: ignore[arg-type]
    assert not e.drift(e, threshold=np.float32(0.5)).drifted  # type: ignore[arg-type]
