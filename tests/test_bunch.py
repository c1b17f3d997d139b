"""Results with named fields, with and without scikit-learn."""

from __future__ import annotations

import copy
import pickle
import sys

import pytest

from leafshap.bunch import make_bunch


def test_is_the_kind_of_sklearn() -> None:
    utils = pytest.importorskip("sklearn.utils")
    assert type(make_bunch(a=1)) is utils.Bunch


@pytest.mark.parametrize("installed", [True, False])
def test_keys_are_attributes(installed: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not installed:
        monkeypatch.setitem(sys.modules, "sklearn.utils", None)
    found = make_bunch(a=1, b=[2])
    assert (found.a, found["b"]) == (1, [2])
    found.c = 3
    assert dict(found) == {"a": 1, "b": [2], "c": 3}
    assert "c" in dir(found)
    assert not hasattr(found, "d")
    for other in (copy.deepcopy(found), pickle.loads(pickle.dumps(found))):
        assert type(other) is type(found)
        assert other == found
        assert other.b == [2]
