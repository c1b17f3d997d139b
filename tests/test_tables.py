"""pandas, polars and pyarrow: dtypes, missing values, categories, and the names of columns."""

from __future__ import annotations

import decimal
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from leafshap.errors import InvalidInputError
from leafshap.inputs import InputRows, InputSchema
from reading import NAN, read


class TestColumnNames:
    def schema(self, *names: str) -> InputSchema:
        return InputSchema(n_features=len(names), feature_names=list(names))

    def test_same_names(self) -> None:
        pd = pytest.importorskip("pandas")
        X = pd.DataFrame([[1.0, 2.0]], columns=["a b", "c"])
        assert InputRows(X, self.schema("a b", "c")).names == ["a b", "c"]
        read(X, self.schema("a_b", "c"))  # as LightGBM stores it

    def test_other_names(self) -> None:
        pd = pytest.importorskip("pandas")
        X = pd.DataFrame([[1.0, 2.0]], columns=["a", "c"])
        with pytest.raises(InvalidInputError, match=r"column 1 is 'c', the model's is 'b'"):
            read(X, self.schema("a", "b"))
        with pytest.raises(InvalidInputError, match=r"'c'.*'b'"):
            read(X.iloc[0], self.schema("a", "b"))

    def test_other_order(self) -> None:
        pd = pytest.importorskip("pandas")
        X = pd.DataFrame([[1.0, 2.0]], columns=["b", "a"])
        with pytest.raises(InvalidInputError, match=r"another order: column 0 is 'b'"):
            read(X, self.schema("a", "b"))
        with pytest.raises(InvalidInputError, match="another order"):
            read(X.set_axis(["f1", "f0"], axis=1), self.schema("f0", "f1"))
        # the order is the reason, not the text that stands where a number is expected
        mixed = pd.DataFrame({"b": pd.Categorical(["u"]), "a": [1.0]})
        schema = replace(self.schema("a", "b"), used_features=frozenset({0, 1}))
        with pytest.raises(InvalidInputError, match="another order"):
            read(mixed, schema)

    def test_names_made_up_by_libraries_say_nothing(self) -> None:
        pd = pytest.importorskip("pandas")
        X = pd.DataFrame([[1.0, 2.0]], columns=["a", "b"])
        read(X, self.schema("Column_0", "Column_1"))
        read(X.set_axis(["f0", "f1"], axis=1), self.schema("a", "b"))
        read(pd.DataFrame([[1.0, 2.0]]), self.schema("a", "b"))
        read(X.to_numpy(), self.schema("a", "b"))
        read(X, InputSchema(n_features=2))


class TestPandas:
    def test_dtypes(self) -> None:
        pd = pytest.importorskip("pandas")
        X = pd.DataFrame(
            {
                "float": [0.5, NAN],
                "float32": np.array([1, 2], np.float32),
                "int": [2**40, -1],
                "bool": [True, False],
                "Int": pd.array([1, None], dtype="Int64"),
                "Float": pd.array([1.5, None], dtype="Float32"),
                "boolean": pd.array([True, None], dtype="boolean"),
                "object": np.array([1, None], dtype=object),
                "sparse": pd.arrays.SparseArray([0.0, 3.0]),
            }
        )
        expected = [[0.5, 1, 2**40, 1, 1, 1.5, 1, 1, 0], [NAN, 2, -1, 0, NAN, NAN, NAN, NAN, 3]]
        np.testing.assert_array_equal(read(X), expected)
        reordered = X[X.columns[::-1]]  # no longer one block of memory
        np.testing.assert_array_equal(read(reordered), np.array(expected)[:, ::-1])

    def test_homogeneous_frames(self) -> None:
        pd = pytest.importorskip("pandas")
        values = np.arange(12).reshape(4, 3)
        for dtype, expected in [("f4", "f4"), ("f8", "f8"), ("i8", "f8"), ("i2", "f4")]:
            result = read(pd.DataFrame(values.astype(dtype)))
            assert result.dtype == expected
            np.testing.assert_array_equal(result, values)
        mixed = pd.DataFrame({0: [1, 2], 1: [True, False], 2: np.array([0.5, 1], "f4")})
        np.testing.assert_array_equal(read(mixed), [[1, 1, 0.5], [2, 0, 1]])

    def test_a_row_of_a_frame(self) -> None:
        pd = pytest.importorskip("pandas")
        X = pd.DataFrame({"a": [1, 2], "b": [0.5, 1.5], "c": pd.Categorical(["u", "v"])})
        schema = InputSchema(
            n_features=3, feature_names=["a", "b", "c"], feature_categories={2: ["v", "u"]}
        )
        rows = InputRows(X.iloc[1], schema)
        assert rows.single
        np.testing.assert_array_equal(next(rows.blocks())[2], [[2, 1.5, 0]])
        numbers = InputRows(X[["a", "b"]].iloc[1], InputSchema(n_features=2))
        np.testing.assert_array_equal(next(numbers.blocks())[2], [[2, 1.5]])

    def test_categories_by_the_models_values(self) -> None:
        pd = pytest.importorskip("pandas")
        schema = InputSchema(n_features=2, feature_categories={0: ["x", "y", "z"], 1: [10, 20]})
        X = pd.DataFrame(
            {
                # other categories than in training, in another order, with one unknown
                "text": pd.Categorical(["z", "x", None, "new"], categories=["new", "z", "x"]),
                "number": pd.Categorical([20, 10, 30, 10]),
            }
        )
        expected = [[2, 1], [0, 0], [NAN, NAN], [NAN, 0]]
        np.testing.assert_array_equal(read(X, schema), expected)
        as_text = X.assign(text=X["text"].astype(object))
        np.testing.assert_array_equal(read(as_text, schema), expected)
        # an array with text in it holds values, so its numbers are no codes either
        objects = np.array([["z", 20], ["x", 10], [None, NAN], ["new", 10]], dtype=object)
        np.testing.assert_array_equal(read(objects, schema), expected)
        row = InputRows(X.iloc[0], schema)
        np.testing.assert_array_equal(next(row.blocks())[2], [[2, 1]])

    def test_categories_written_differently_than_in_training(self) -> None:
        pd = pytest.importorskip("pandas")
        schema = InputSchema(n_features=1, feature_categories={0: [10, 20]})
        for values in (["10", "20"], pd.Categorical(["10", "20"])):
            with pytest.raises(InvalidInputError, match=r"column 0 \('a'\) holds '10'.* 10$"):
                read(pd.DataFrame({"a": values}), schema)
        with pytest.raises(InvalidInputError, match="holds '10'"):
            read(np.array([["10"]], dtype=object), schema)
        text = InputSchema(n_features=1, feature_categories={0: ["10", "20"]})
        with pytest.raises(InvalidInputError, match=r"holds 10.*'10'$"):
            read(pd.DataFrame({"a": pd.Categorical([10, 20])}), text)
        # plain numbers in a table could be values or codes
        for known in (schema, text):
            with pytest.raises(InvalidInputError, match=r"plain numbers.*categorical dtype"):
                read(pd.DataFrame({"a": [10, 20]}), known)
        values = replace(schema, encode_numeric=True)
        np.testing.assert_array_equal(read(pd.DataFrame({"a": [20, 10]}), values), [[1], [0]])

    def test_categories_by_code(self) -> None:
        pd = pytest.importorskip("pandas")
        X = pd.DataFrame({"a": pd.Categorical(["q", "p", None]), "b": pd.Categorical([7, 5, 7])})
        by_category = InputSchema(
            n_features=2, categorical_features=frozenset({0, 1}), used_features=frozenset({0, 1})
        )
        np.testing.assert_array_equal(read(X, by_category), [[1, 1], [0, 0], [NAN, 1]])
        # split as a number: the category's value, as scikit-learn reads it
        as_number = InputSchema(n_features=2, used_features=frozenset({1}))
        np.testing.assert_array_equal(read(X, as_number)[:, 1], [7, 5, 7])
        used = InputSchema(n_features=2, used_features=frozenset({0, 1}))
        with pytest.raises(InvalidInputError, match=r"column 0 \('a'\).*'p'.*number"):
            read(X, used)

    @pytest.mark.parametrize("values", [["u", "v"], np.array(["2020", "2021"], "M8[s]")])
    def test_columns_that_are_no_numbers(self, values: Any) -> None:
        pd = pytest.importorskip("pandas")
        X = pd.DataFrame({"a": [1, 2], "when": values})
        with pytest.raises(InvalidInputError, match=r"column 1 \('when'\).*row 0 holds"):
            read(X)

    def test_no_rows(self) -> None:
        pd = pytest.importorskip("pandas")
        assert read(pd.DataFrame(columns=["a", "b"])).shape == (0, 2)


class TestPolars:
    def test_dtypes(self) -> None:
        pl = pytest.importorskip("polars")
        X = pl.DataFrame(
            {
                "float": [0.5, None],
                "int": [2**40, None],
                "small": pl.Series([1, 2], dtype=pl.Int8),
                "bool": [True, None],
                "null": [None, None],
            }
        )
        np.testing.assert_array_equal(read(X), [[0.5, 2**40, 1, 1, NAN], [NAN, NAN, 2, NAN, NAN]])
        assert read(X[["small", "bool"]]).dtype == np.float32

    def test_categories(self) -> None:
        pl = pytest.importorskip("polars")
        values = ["z", "x", None, "new"]
        schema = InputSchema(n_features=1, feature_categories={0: ["x", "y", "z"]})
        expected = np.array([[2], [0], [NAN], [NAN]])
        for dtype in (pl.String, pl.Categorical, pl.Enum(["new", "z", "x"])):
            X = pl.DataFrame({"c": pl.Series(values, dtype=dtype)})
            np.testing.assert_array_equal(read(X, schema), expected)
        by_code = InputSchema(
            n_features=1, categorical_features=frozenset({0}), used_features=frozenset({0})
        )
        enum = pl.DataFrame({"c": pl.Series(values, dtype=pl.Enum(["new", "z", "x"]))})
        np.testing.assert_array_equal(read(enum, by_code), [[1], [2], [NAN], [0]])
        with pytest.raises(InvalidInputError, match="polars Categorical"):
            read(pl.DataFrame({"c": pl.Series(values, dtype=pl.Categorical)}), by_code)

    def test_refusals(self) -> None:
        pl = pytest.importorskip("polars")
        X = pl.DataFrame({"a": [1.0], "text": ["u"]})
        with pytest.raises(InvalidInputError, match=r"column 1 \('text'\).*'u'"):
            read(X)
        with pytest.raises(InvalidInputError, match="collect"):
            read(X.lazy(), InputSchema(n_features=2))


class TestArrow:
    def test_dtypes(self) -> None:
        pa = pytest.importorskip("pyarrow")
        X = pa.table(
            {
                "float": [0.5, None],
                "int": [2**60 + 1, None],
                "small": pa.array([1, None], pa.int16()),
                "bool": [True, None],
                "null": pa.nulls(2),
                "decimal": pa.array([decimal.Decimal("1.5"), None]),
            }
        )
        expected = [[0.5, 2.0**60, 1, 1, NAN, 1.5], [NAN] * 6]
        np.testing.assert_array_equal(read(X), expected)
        np.testing.assert_array_equal(read(pa.concat_tables([X, X])), expected * 2)
        batch = X.to_batches()[0]
        np.testing.assert_array_equal(read(batch, InputSchema(n_features=6)), expected)

    def test_categories(self) -> None:
        pa = pytest.importorskip("pyarrow")
        first = pa.table({"c": pa.array(["z", "x", None]).dictionary_encode()})
        second = pa.table({"c": pa.array(["new", "z"]).dictionary_encode()})
        X = pa.concat_tables([first, second])
        schema = InputSchema(n_features=1, feature_categories={0: ["x", "y", "z"]})
        expected = np.array([[2], [0], [NAN], [NAN], [2]])
        np.testing.assert_array_equal(read(X, schema), expected)
        text = pa.table({"c": ["z", "x", None, "new", "z"]})
        np.testing.assert_array_equal(read(text, schema), expected)
        by_code = InputSchema(n_features=1, categorical_features=frozenset({0}))
        codes = read(X, by_code)
        np.testing.assert_array_equal(codes, [[0], [1], [NAN], [2], [0]])

    def test_views_of_text(self) -> None:
        pa = pytest.importorskip("pyarrow")
        if not hasattr(pa, "string_view"):
            pytest.skip("no views in this pyarrow")
        schema = InputSchema(n_features=1, feature_categories={0: ["x", "y", "z"]})
        expected = np.array([[2], [0], [NAN], [NAN], [2]])
        text = pa.array(["z", "x", None, "new", "z"], pa.string_view())
        np.testing.assert_array_equal(read(pa.table({"c": text}), schema), expected)
        categories = pa.array(["x", "z", "new"], pa.string_view())
        first = pa.DictionaryArray.from_arrays(pa.array([1, 0, None]), categories)
        others = pa.array(["new", "z"], pa.string_view())
        second = pa.DictionaryArray.from_arrays(pa.array([0, 1]), others)
        X = pa.table({"c": pa.chunked_array([first, second])})
        np.testing.assert_array_equal(read(X, schema), expected)
        with pytest.raises(InvalidInputError, match=r"column 0 \('c'\).*'z'"):
            read(pa.table({"c": text}))

    def test_refusals(self) -> None:
        pa = pytest.importorskip("pyarrow")
        with pytest.raises(InvalidInputError, match=r"column 1 \('text'\).*'u'"):
            read(pa.table({"a": [1.0], "text": ["u"]}))


def test_a_row_of_numbers_and_numeric_categories_holds_values() -> None:
    pd = pytest.importorskip("pandas")
    schema = InputSchema(
        n_features=2, feature_names=["month", "x"], feature_categories={0: [1, 2, 3]}
    )
    X = pd.DataFrame({"month": pd.Categorical([3, 1]), "x": [0.5, 1.5]})
    row = InputRows(X.iloc[0], schema)  # a float64 Series: the month is 3, not the code 3
    np.testing.assert_array_equal(next(row.blocks())[2], [[2, 0.5]])
