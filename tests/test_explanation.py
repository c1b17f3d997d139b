"""Explanation: rows, and the way to shap's plots."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from leafshap import Explanation, TreeExplainer
from leafshap.converters.arrays import EnsembleArrays
from leafshap.errors import InvalidInputError
from strategies import Recipe, random_ensemble, random_rows

NUMERIC = Recipe(seed=1, n_trees=4, n_features=5, categorical=0.0, n_leaves=8)


def case(**changes: Any) -> tuple[EnsembleArrays, npt.NDArray[np.float64]]:
    arrays = random_ensemble(NUMERIC.but(**changes))
    return arrays, random_rows(arrays, 60)


class TestExplanation:
    def make(self, n_outputs: int = 1) -> Explanation:
        arrays, X = case(n_outputs=n_outputs)
        explanation = TreeExplainer(arrays)(X)
        return replace(explanation, standard_errors=np.abs(explanation.values))

    @pytest.mark.parametrize("n_outputs", [1, 5])
    @pytest.mark.parametrize(
        "key",
        [
            4,
            -1,
            np.int64(2),
            slice(3, 20, 4),
            [5, 1, 1],
            np.array([0, -2]),
            np.arange(60) % 7 == 0,
            [],
        ],
        ids=str,
    )
    def test_rows(self, key: Any, n_outputs: int) -> None:
        explanation = self.make(n_outputs)
        part = explanation[key]
        rows = np.asarray(key, dtype=int) if isinstance(key, list) else key
        np.testing.assert_array_equal(part.values, explanation.values[rows])
        np.testing.assert_array_equal(part.base_values, explanation.base_values[rows])
        np.testing.assert_array_equal(part.data, explanation.data[rows])
        assert part.standard_errors is not None
        np.testing.assert_array_equal(part.standard_errors, np.abs(explanation.values)[rows])
        assert part.single_row == (np.ndim(rows) == 0 and not isinstance(rows, slice))
        assert part.shape == part.values.shape
        repr(part)

    def test_tables_are_sliced_alike(self) -> None:
        pandas = pytest.importorskip("pandas")
        arrays, X = case()
        table = pandas.DataFrame(X, columns=list("vwxyz"), index=range(100, 160))
        explanation = TreeExplainer(arrays)(table)
        pandas.testing.assert_frame_equal(explanation[[3, 1]].data, table.iloc[[3, 1]])

    def test_refusals(self) -> None:
        explanation = self.make()
        with pytest.raises(TypeError, match="rows are selected"):
            explanation["a"]
        with pytest.raises(TypeError, match="features are selected"):
            explanation[:, 1.5]
        with pytest.raises(IndexError, match="60 rows"):
            explanation[np.ones(3, dtype=bool)]
        with pytest.raises(IndexError, match="row 60"):
            explanation[60]
        with pytest.raises(IndexError, match="feature -6"):
            explanation[:, [0, -6]]
        with pytest.raises(IndexError, match=r"3 keys for 2 axes \(rows, features\)"):
            explanation[:, 1, 0]
        with pytest.raises(IndexError, match="one ellipsis"):
            explanation[..., ...]
        with pytest.raises(TypeError, match="one number"):
            len(explanation[0, 0])

    def test_length_iteration_and_repr(self) -> None:
        explanation = self.make(5)
        assert len(explanation) == 60
        assert [row.values.shape for row in explanation] == [(5, 5)] * 60
        for word in ("60 rows", "5 features", "5 outputs", "exact", "float64"):
            assert word in repr(explanation)
        assert "1 row," in repr(explanation[0])
        assert len(explanation[0]) == 5
        assert "output = 'Output 2'" in repr(explanation[..., 2])
        assert "mean over rows" in repr(explanation.abs.mean(0))

    @pytest.mark.parametrize("n_outputs", [1, 3])
    @pytest.mark.parametrize("kind", ["numpy", "pandas", "polars", "pyarrow", "sparse"])
    def test_to_shap(self, kind: str, n_outputs: int) -> None:
        shap = pytest.importorskip("shap")
        arrays, X = case(n_outputs=n_outputs)
        X = np.where(np.isfinite(X), X, 0.0)
        names = list("vwxyz")
        data: Any = X
        if kind == "pandas":
            data = pytest.importorskip("pandas").DataFrame(X, columns=names)
        elif kind == "polars":
            data = pytest.importorskip("polars").DataFrame(X, schema=names)
        elif kind == "pyarrow":
            data = pytest.importorskip("pyarrow").table(list(X.T), names=names)
        elif kind == "sparse":
            data = pytest.importorskip("scipy.sparse").csr_matrix(X)
        explanation = TreeExplainer(arrays, feature_names=names)(data)
        theirs = explanation.to_shap()
        assert isinstance(theirs, shap.Explanation)
        np.testing.assert_array_equal(theirs.values, explanation.values)
        np.testing.assert_array_equal(theirs.base_values, explanation.base_values)
        np.testing.assert_array_equal(theirs.data, X)
        assert list(theirs.feature_names) == names
        if n_outputs == 3:
            one = theirs[:, :, 1]
            np.testing.assert_array_equal(one.values, explanation.values[:, :, 1])
        assert theirs[:, "w"].shape[0] == 60
        row = explanation[2].to_shap()
        np.testing.assert_array_equal(row.values, explanation.values[2])


class TestFromScratch:
    def test_what_is_no_array_yet(self) -> None:
        e = Explanation(
            values=[[1, 2], [3, 4]],  # type: ignore[arg-type]
            base_values=[0, 1],  # type: ignore[arg-type]
            feature_names=np.array(["a", "b"]),  # type: ignore[arg-type]
        )
        assert e.values.dtype == e.base_values.dtype == np.float64
        assert e.feature_names == ["a", "b"]
        assert e[:, "b"].values.tolist() == [2, 4]
        fields: dict[str, Any] = {"values": np.ones(3), "base_values": 0.5}
        one = Explanation(**fields, single_row=True)
        assert one.axes == ("features",)

    @pytest.mark.parametrize(
        ("fields", "message"),
        [
            ({"base_values": 0.5}, r"of shape \(\) do not fit values of shape \(4, 3\)"),
            ({"base_values": np.zeros(3)}, r"shape \(3,\) do not fit"),
            ({"base_values": np.zeros((4, 2))}, r"shape \(4, 2\) do not fit"),
            ({"base_values": np.zeros((4, 2, 2))}, "do not fit"),
            ({"values": np.zeros(4), "base_values": np.zeros((4, 2))}, "do not fit"),
            ({"values": [["a"]]}, "values must be an array of real numbers"),
            ({"values": [[1], [1, 2]]}, "values must be an array of real numbers"),
            ({"base_values": None}, "base_values must be an array of real numbers"),
            ({"feature_names": ["a"]}, "1 feature_names were given for 3 features"),
            ({"feature_names": 7}, "names must be a list of text"),
            (
                {"values": np.zeros((4, 3, 2)), "base_values": np.zeros((4, 2)),
                 "output_names": list("abc")},
                "3 output_names were given for 2 outputs",
            ),
        ],
    )  # fmt: skip
    def test_what_does_not_fit(self, fields: dict[str, Any], message: str) -> None:
        given: dict[str, Any] = {"values": np.zeros((4, 3)), "base_values": np.zeros(4)}
        with pytest.raises(InvalidInputError, match=message):
            Explanation(**given | fields)
