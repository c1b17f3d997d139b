"""Every container of rows reads as the same matrix; what does not fit is refused by name."""

from __future__ import annotations

import decimal
import tracemalloc
from typing import Any

import numpy as np
import pytest

from leafshap.errors import InvalidInputError
from leafshap.inputs import InputRows, InputSchema, take_rows
from reading import NAN, read


class TestArrays:
    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    def test_contiguous_floats_are_passed_as_they_are(self, dtype: type) -> None:
        X: Any = np.arange(12, dtype=dtype).reshape(4, 3)
        X.flags.writeable = False
        ((start, stop, block),) = InputRows(X, InputSchema(n_features=3)).blocks()
        assert (start, stop) == (0, 4)
        assert np.shares_memory(block, X)

    def test_matrix_is_a_copy_of_all_blocks(self) -> None:
        schema = InputSchema(n_features=5)
        X = np.asfortranarray(np.arange(3_000_000.0).reshape(600_000, 5))
        rows = InputRows(X, schema)
        assert len(list(rows.blocks())) > 1
        matrix = rows.matrix()
        np.testing.assert_array_equal(matrix, X)
        assert matrix.flags.c_contiguous
        narrow = np.ones((3, 5), np.float32)
        matrix = InputRows(narrow, schema).matrix()
        assert matrix.dtype == np.float32
        assert not np.shares_memory(matrix, narrow)

    @pytest.mark.parametrize(
        ("dtype", "expected"),
        [
            ("?", np.float32),
            ("i1", np.float32),
            ("u2", np.float32),
            ("f2", np.float32),
            ("f4", np.float32),
            ("i4", np.float64),
            ("u8", np.float64),
            ("i8", np.float64),
            ("f8", np.float64),
            ("g", np.float64),
            (">f8", np.float64),
            (">f4", np.float32),
            (">i2", np.float32),
        ],
    )
    @pytest.mark.parametrize("order", ["C", "F", "strided", "reversed"])
    def test_dtypes_and_orders(self, dtype: str, expected: type, order: str) -> None:
        values = np.arange(20).reshape(5, 4) % (2 if dtype == "?" else 100)
        X = values.astype(dtype)
        if order == "F":
            X = np.asfortranarray(X)
        elif order == "strided":
            X = np.repeat(np.repeat(X, 2, axis=0), 3, axis=1)[::2, ::3]
        elif order == "reversed":
            X = X[::-1, ::-1].copy()[::-1, ::-1]
        result = read(X)
        assert result.dtype == expected
        np.testing.assert_array_equal(result, values)

    def test_unaligned(self) -> None:
        raw = np.zeros(8 * 6 + 1, dtype=np.uint8)
        X = raw[1:].view(np.float64).reshape(2, 3)
        X[:] = np.arange(6).reshape(2, 3)
        assert not X.flags.aligned
        np.testing.assert_array_equal(read(X), np.arange(6).reshape(2, 3))

    def test_memmap(self, tmp_path: Any) -> None:
        X = np.arange(6.0).reshape(2, 3)
        np.save(tmp_path / "x.npy", X)
        np.testing.assert_array_equal(read(np.load(tmp_path / "x.npy", mmap_mode="r")), X)

    def test_masked_values_are_missing(self) -> None:
        X: Any = np.ma.array([[1, 2], [3, 4]], mask=[[False, True], [False, False]])
        np.testing.assert_array_equal(read(X), [[1, NAN], [3, 4]])

    def test_objects_and_lists(self) -> None:
        pd = pytest.importorskip("pandas")
        X = np.array([[1, None, pd.NA], [decimal.Decimal("0.5"), np.float32(2), True]], object)
        np.testing.assert_array_equal(read(X), [[1, NAN, NAN], [0.5, 2, 1]])
        schema = InputSchema(n_features=2)
        np.testing.assert_array_equal(read([[1, 2], [3, 4.5]], schema), [[1, 2], [3, 4.5]])

    def test_one_row(self) -> None:
        schema = InputSchema(n_features=3)
        for X in (np.array([1, 2, 3]), [1.0, 2.0, 3.0], (1, 2, 3)):
            rows = InputRows(X, schema)
            assert rows.single
            assert rows.n_rows == 1
            np.testing.assert_array_equal(next(rows.blocks())[2], [[1, 2, 3]])
        assert not InputRows(np.ones((1, 3)), schema).single

    @pytest.mark.parametrize("dtype", [float, int, object])
    def test_no_rows(self, dtype: type) -> None:
        assert read(np.empty((0, 3), dtype=dtype)).shape == (0, 3)

    def test_memory_stays_bounded(self) -> None:
        X = np.asfortranarray(np.zeros((400_000, 40), dtype=np.int16))  # 128 MB as float64
        rows = InputRows(X, InputSchema(n_features=40))
        tracemalloc.start()
        total = 0
        for _, _, block in rows.blocks():
            total += len(block)
            del block
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert total == 400_000
        assert peak < 40e6

    def test_blocks_are_the_rows_in_order(self) -> None:
        X = np.asfortranarray(np.arange(3 * 1_500_000).reshape(-1, 3))
        rows = InputRows(X, InputSchema(n_features=3))
        starts = []
        for start, stop, block in rows.blocks():
            starts.append(start)
            np.testing.assert_array_equal(block, X[start:stop])
        assert len(starts) > 1  # or this tests nothing


class TestRefusals:
    @pytest.mark.parametrize(
        ("X", "words"),
        [
            (np.ones((2, 2)), "2 columns.*3 features"),
            (np.ones((2, 4)), "4 columns.*3 features"),
            (np.ones(2), "2 columns"),
            (np.empty(0), "0 columns"),
            (np.ones((2, 3, 1)), "3$"),
            (np.float64(1), "dimensions"),
            (np.ones((2, 3)) * 1j, "complex"),
            (np.array([["a", "b", "c"]]), "dtype <U1"),
            (np.zeros((2, 3), "M8[s]"), "datetime64"),
            ([[1, 2, 3], [1, 2]], "matrix"),
            ("text", "dimensions"),
            (["a", "b", "c"], "dtype <U1"),
            (None, "dimensions"),
            (np.array([[1, 2, 3], [1, "x", 3]], object), r"column 1.*row 1 holds 'x'"),
            (np.array([[1, 2, 3], [1, "2", 3]], object), r"column 1.*row 1 holds '2'"),
            (np.array([[1, 2, 1j]], object), r"column 2.*1j"),
            (np.array([[1, [2], 3]], object), r"column 1.*\[2\]"),
        ],
    )
    def test_what_is_no_matrix_of_numbers(self, X: Any, words: str) -> None:
        with pytest.raises(InvalidInputError, match=words):
            read(X, InputSchema(n_features=3))

    def test_nan(self) -> None:
        X = np.zeros((5, 2))
        X[3, 1] = NAN
        schema = InputSchema(n_features=2, allow_nan=False, feature_names=["age", "height"])
        for form in (X, np.asfortranarray(X), X.astype(np.float32)):
            with pytest.raises(InvalidInputError, match=r"row 3, column 1 \('height'\).*nan"):
                read(form, schema)
        with pytest.raises(InvalidInputError, match=r"^column 1 \('height'\)"):
            read(X[3], schema)
        np.testing.assert_array_equal(read(X[:3], schema), X[:3])
        X[3, 1] = np.inf
        np.testing.assert_array_equal(read(X, schema), X)

    @pytest.mark.parametrize("value", [np.inf, -np.inf])
    def test_infinity(self, value: float) -> None:
        X = np.zeros((5, 2))
        X[1, 1] = NAN
        schema = InputSchema(n_features=2, allow_inf=False)
        np.testing.assert_array_equal(read(X, schema), X)
        X[4, 0] = value
        for dtype in (np.float32, np.float64):
            with pytest.raises(InvalidInputError, match=f"row 4, column 0.*{value}"):
                read(X.astype(dtype), schema)
        missing = InputSchema(n_features=2, allow_inf=False, missing_value=value)
        np.testing.assert_array_equal(read(X, missing), X)

    def test_too_large_for_float32(self) -> None:
        top = float(np.finfo(np.float32).max)
        rounds_to_inf = top + 2.0**103  # the tie
        rounds_to_top = float(np.nextafter(rounds_to_inf, 0))
        with np.errstate(over="ignore"):  # the limits are where numpy has them
            assert np.isinf(np.float32(rounds_to_inf))
            assert np.float32(rounds_to_top) == top
        schema = InputSchema(n_features=1, allow_inf=False, input_precision="float32")
        read(np.array([[rounds_to_top], [-rounds_to_top]]), schema)
        with pytest.raises(InvalidInputError, match=r"row 1.*too large"):
            read(np.array([[0.0], [-rounds_to_inf]]), schema)
        double = InputSchema(n_features=1, allow_inf=False)
        read(np.array([[1e300]]), double)

    def test_the_row_is_counted_over_blocks(self) -> None:
        X = np.asfortranarray(np.zeros((1_500_000, 3)))
        X[1_400_000, 2] = np.inf
        with pytest.raises(InvalidInputError, match="row 1400000, column 2"):
            read(X, InputSchema(n_features=3, allow_inf=False))


class TestSparse:
    @pytest.mark.parametrize("kind", ["csr", "csc", "coo", "lil", "dok", "bsr", "dia"])
    @pytest.mark.parametrize("flavour", ["matrix", "array"])
    def test_formats(self, kind: str, flavour: str) -> None:
        sparse = pytest.importorskip("scipy.sparse")
        dense = np.array([[0, 1.5, 0], [2, 0, 0], [0, 0, 0], [0, -3, 4]])
        X = getattr(sparse, f"{kind}_{flavour}")(dense)
        np.testing.assert_array_equal(read(X), dense)

    def test_absent_is_missing_where_the_library_says_so(self) -> None:
        sparse = pytest.importorskip("scipy.sparse")
        # an explicit zero is a zero
        X = sparse.csr_matrix((np.array([0.0, 5.0]), np.array([0, 1]), np.array([0, 1, 2])), (2, 2))
        schema = InputSchema(n_features=2, sparse_fill=NAN)
        np.testing.assert_array_equal(read(X, schema), [[0, NAN], [NAN, 5]])

    def test_duplicate_entries_add_up_and_stay(self) -> None:
        sparse = pytest.importorskip("scipy.sparse")
        X = sparse.csr_matrix((np.array([1.0, 2.0]), np.array([1, 1]), np.array([0, 2])), (1, 3))
        np.testing.assert_array_equal(read(X), [[0, 3, 0]])
        assert X.nnz == 2

    def test_dtypes(self) -> None:
        sparse = pytest.importorskip("scipy.sparse")
        assert read(sparse.csr_matrix(np.eye(2, dtype=np.int64))).dtype == np.float64
        assert read(sparse.csr_matrix(np.eye(2, dtype=bool))).dtype == np.float32
        with pytest.raises(InvalidInputError, match="complex"):
            read(sparse.csr_matrix(np.eye(2) * 1j))

    def test_memory_stays_bounded(self) -> None:
        sparse = pytest.importorskip("scipy.sparse")
        n = 100_000  # 400 MB if it were dense
        X = sparse.csr_matrix((np.ones(n), np.arange(n) % 500, np.arange(n + 1)), (n, 500))
        tracemalloc.start()
        total = 0.0
        for _, _, block in InputRows(X, InputSchema(n_features=500)).blocks():
            total += float(block.sum())
            del block
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert total == pytest.approx(X.sum())
        assert peak < 60e6


class TestNumericCategories:
    def test_raw_values_are_encoded_where_the_model_says_so(self) -> None:
        schema = InputSchema(
            n_features=2, feature_categories={1: [3.0, 5.5, 7.0, NAN]}, encode_numeric=True
        )
        X = np.array([[1, 7], [2, 3], [3, 5.5], [4, 4], [5, 99], [6, NAN], [7, -1]])
        expected = [[1, 2], [2, 0], [3, 1], [4, NAN], [5, NAN], [6, NAN], [7, NAN]]
        before = X.copy()
        np.testing.assert_array_equal(read(X, schema), expected)
        np.testing.assert_array_equal(X, before)  # the user's array is left alone
        codes = InputSchema(n_features=2, feature_categories={1: [3.0, 5.5]})
        np.testing.assert_array_equal(read(X, codes), X)


class TestTakeRows:
    @pytest.mark.parametrize("kind", ["numpy", "pandas", "polars", "pyarrow", "csc"])
    @pytest.mark.parametrize("rows", [slice(1, 4), np.array([3, 0, -1]), 2])
    def test_rows_of_a_container_in_its_own_kind(self, kind: str, rows: Any) -> None:
        values = np.arange(10.0).reshape(5, 2)
        names = ["a", "b"]
        X: Any = values
        if kind == "csc":
            X = pytest.importorskip("scipy.sparse").csc_matrix(values)
        elif kind == "pandas":
            X = pytest.importorskip("pandas").DataFrame(values, columns=names)
        elif kind == "polars":
            X = pytest.importorskip("polars").DataFrame(values, schema=names)
        elif kind == "pyarrow":
            X = pytest.importorskip("pyarrow").table(list(values.T), names=names)
        taken = take_rows(X, rows)
        result = next(InputRows(taken, InputSchema(n_features=2)).blocks())[2]
        np.testing.assert_array_equal(result, np.atleast_2d(values[rows]))
        if not isinstance(rows, int) and kind != "csc":
            assert type(taken) is type(X)
