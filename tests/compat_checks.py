"""Whether what two explainers give is the same: type, shape, dtype, values, exceptions."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

# of the largest value; shap computes interventional values in float32, and so does XGBoost
EXACT, FLOAT32 = 1e-9, 2e-6


def assert_alike(ours: Any, theirs: Any, tolerance: float = EXACT) -> None:
    """The same types all the way down, and values within a share of the largest one."""
    assert type(ours) is type(theirs)
    if isinstance(theirs, (list, tuple)):
        assert len(ours) == len(theirs)
        for one, other in zip(ours, theirs, strict=True):
            assert_alike(one, other, tolerance)
    elif isinstance(theirs, (np.ndarray, np.generic, float)):
        assert np.shape(ours) == np.shape(theirs)
        if isinstance(theirs, (np.ndarray, np.generic)):
            assert ours.dtype == theirs.dtype
        assert_close(ours, theirs, tolerance)
    else:
        assert ours == theirs


def assert_close(ours: Any, theirs: Any, tolerance: float) -> None:
    """Values within a share of the largest one; what is no number is equal."""
    theirs = np.asarray(theirs)
    if theirs.dtype.kind != "f":
        np.testing.assert_array_equal(ours, theirs)
        return
    scale = float(np.abs(theirs[np.isfinite(theirs)]).max(initial=0.0))
    # the one expected value of probabilities may be near zero
    np.testing.assert_allclose(ours, theirs, rtol=tolerance, atol=tolerance * max(scale, 0.1))


def assert_same_explanation(ours: Any, theirs: Any, tolerance: float = EXACT) -> None:
    """Every field of two `shap.Explanation`."""
    assert type(ours) is type(theirs)
    for name in ("values", "base_values"):
        assert_alike(getattr(ours, name), getattr(theirs, name), tolerance)
    assert ours.shape == theirs.shape
    assert type(ours.data) is type(theirs.data)
    if theirs.data is not None and not hasattr(theirs.data, "tocsr"):
        assert ours.data.dtype == theirs.data.dtype
        np.testing.assert_array_equal(ours.data, theirs.data)
    for name in ("feature_names", "output_names"):
        mine, other = getattr(ours, name), getattr(theirs, name)
        assert type(mine) is type(other)
        np.testing.assert_array_equal(mine, other)
    for name in ("display_data", "main_effects", "hierarchical_values", "clustering", "error_std"):
        assert (getattr(ours, name) is None) == (getattr(theirs, name) is None)
    assert type(ours.compute_time) is type(theirs.compute_time)
    assert ours.op_history == theirs.op_history


def outcome(call: Callable[[], Any]) -> tuple[Any, list[tuple[type[Warning], str]]]:
    """Give what the call gives, or the exception that it raises, and the warnings besides."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            result = call()
        except Exception as error:
            result = error
    return result, [(w.category, str(w.message)) for w in caught]


def assert_same_refusal(ours: Callable[[], Any], theirs: Callable[[], Any]) -> None:
    """Both raise the same class, with the same message and the same warnings before."""
    (mine, my_warnings), (other, their_warnings) = outcome(ours), outcome(theirs)
    assert isinstance(other, Exception), f"shap gives {other!r}"
    assert isinstance(mine, Exception), f"no {type(other).__name__}, but {mine!r}"
    assert type(mine) is type(other)
    assert str(mine) == str(other)
    assert my_warnings == their_warnings


def assert_same_warnings(
    ours: Callable[[], Any], theirs: Callable[[], Any], topics: list[str]
) -> tuple[Any, Any]:
    """Both warn in the same classes, about the same of these topics; returns what they give."""
    (mine, my_warnings), (other, their_warnings) = outcome(ours), outcome(theirs)
    assert not isinstance(other, Exception), other
    assert not isinstance(mine, Exception), mine
    assert their_warnings
    about = [
        [(kind, [topic for topic in topics if topic in message]) for kind, message in caught]
        for caught in (my_warnings, their_warnings)
    ]
    assert about[0] == about[1]
    return mine, other
