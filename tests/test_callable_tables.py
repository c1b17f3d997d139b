"""Coalition values of functions of tables and sparse matrices, whose types must stay."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

from leafshap import InvalidInputError
from leafshap.coalitions.callable_game import CallableBackground

pandas = pytest.importorskip("pandas")


def frame(n: int, seed: int = 0) -> Any:
    rng = np.random.default_rng(seed)
    city = pandas.Categorical.from_codes(rng.integers(-1, 3, n), ["Ulm", "Bonn", "Kiel"])
    level = pandas.Categorical.from_codes(rng.integers(0, 3, n), [30, 10, 20], ordered=True)
    number = rng.normal(size=n)
    number[rng.random(n) < 0.2] = np.nan
    letters, wholes = np.array(["a", "b", None]), np.array([1, 2, None])
    made = pandas.DataFrame(
        {
            "number": number,
            "count": rng.integers(0, 5, n),
            "single": rng.normal(size=n).astype(np.float32),
            "flag": rng.random(n) < 0.5,
            "text": pandas.Series(rng.choice(letters, n), dtype="str"),
            "object": pandas.Series([["x", 1, None, 2.5][i] for i in rng.integers(0, 4, n)],
                                    dtype=object),
            "city": city,
            "level": level,
            "nullable": pandas.array(rng.choice(wholes, n), dtype="Int64"),
            "day": pandas.Timestamp("2020-01-01") + pandas.to_timedelta(rng.integers(0, 9, n), "D"),
            "moment": pandas.date_range("2020-01-01", periods=n, tz="Europe/Berlin"),
            7: rng.integers(0, 3, n).astype(np.int8),
        }
    )  # fmt: skip
    made.index = np.arange(n)[::-1] + 5
    return made


def score(row: Any) -> float:
    text = "|".join("-" if pandas.isna(value) else str(value) for value in row)
    return sum((i + 1) * ord(c) for i, c in enumerate(text)) / 1000


def cells(table: Any) -> list[list[Any]]:
    return [list(row) for row in table.itertuples(index=False, name=None)]


def naive(data: Any, X: Any, rows: list[int], coalitions: Any) -> Any:
    """Rows are built from single values, each column on its own."""
    ours, theirs = cells(data), cells(X)
    return np.array(
        [
            [
                np.mean([score([x if s else b for s, x, b in zip(S, theirs[r], row, strict=True)])
                         for row in ours])
                for r in rows
            ]
            for S in coalitions
        ]
    )  # fmt: skip


@pytest.mark.parametrize("batch_rows", [1, 5, 13, None])
def test_frames_keep_their_types(batch_rows: int | None) -> None:
    data, X = frame(6), frame(4, 1)
    kept, kept_X, seen = data.copy(), X.copy(), []

    def f(table: Any) -> Any:
        pandas.testing.assert_series_equal(table.dtypes, kept.dtypes)
        assert table.columns.equals(kept.columns)
        assert table.index.equals(pandas.RangeIndex(len(table)))
        assert list(table["level"].cat.categories) == [30, 10, 20]
        values = np.array([score(row) for row in cells(table)])
        table.loc[:, "number"] = 5.0  # may be changed
        table["city"] = "Rom"
        seen.append(len(table))
        return values

    background = CallableBackground(f, data)
    data.loc[:, "count"] = 77
    game = background.game(X, batch_rows=batch_rows)
    coalitions = np.random.default_rng(0).random((8, 12)) < 0.5
    values = game.values(np.array([3, 1]), np.arange(12), coalitions)
    np.testing.assert_allclose(values[:, :, 0], naive(kept, X, [3, 1], coalitions), rtol=1e-12)
    np.testing.assert_allclose(game.full_values()[:, 0], [score(row) for row in cells(X)])
    pandas.testing.assert_frame_equal(X, kept_X)
    assert background.feature_names == [*map(str, kept.columns)]


def test_varying_columns_of_frames() -> None:
    data, X = frame(3), frame(40, 1)
    data = data.iloc[[0, 0, 0]].reset_index(drop=True)
    data.iloc[0, 1] += 1
    varying = CallableBackground(lambda t: np.zeros(len(t)), data).game(X).varying()
    for i, row in enumerate(cells(X)):
        for j, (x, b) in enumerate(zip(row, cells(data)[2], strict=True)):
            missing = pandas.isna([x, b])
            same = missing.all() if missing.any() else x == b
            assert varying[i, j] == (j == 1 or not same), (i, j)


@pytest.mark.parametrize("dtype", ["f8", "f4", "i4", "?", "M8[ns]"])
def test_frames_of_one_type(dtype: str) -> None:
    rng = np.random.default_rng(0)
    data = pandas.DataFrame(rng.integers(0, 9, (6, 4)), columns=list("abcd")).astype(dtype)
    X = pandas.DataFrame(rng.integers(0, 9, (3, 4)), columns=list("abcd")).astype(dtype)

    def f(table: Any) -> Any:
        assert set(table.dtypes) == {np.dtype(dtype)}
        assert table.columns.tolist() == list("abcd")
        values = [score(row) for row in cells(table)]
        table.iloc[:, 0] = table.iloc[0, 0]
        return values

    coalitions = rng.random((7, 4)) < 0.5
    values = (
        CallableBackground(f, data)
        .game(X, batch_rows=20)
        .values(np.arange(3), np.arange(4), coalitions)
    )
    np.testing.assert_allclose(values[:, :, 0], naive(data, X, [0, 1, 2], coalitions), rtol=1e-12)


def test_pipeline_with_encoders() -> None:
    pytest.importorskip("sklearn")
    from sklearn.compose import make_column_transformer
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder

    columns = ["number", "count", "text", "city", "flag"]
    train = frame(80)[columns]
    y = np.random.default_rng(0).integers(0, 3, 80)
    model = make_pipeline(
        make_column_transformer(
            (OneHotEncoder(handle_unknown="error"), ["text", "city"]),
            (SimpleImputer(), ["number"]),
            remainder="passthrough",
        ),
        RandomForestClassifier(5, random_state=0),
    ).fit(train, y)
    data, X = train.iloc[:7], train.iloc[20:24]
    coalitions = np.random.default_rng(1).random((9, 5)) < 0.5
    game = CallableBackground(model.predict_proba, data).game(X)
    values = game.values(np.arange(4), np.arange(5), coalitions)
    assert values.shape == (9, 4, 3)
    for c, S in enumerate(coalitions):
        for r in range(4):
            made = data.copy()
            for j in np.flatnonzero(S):
                made[columns[j]] = pandas.Series(
                    [X.iloc[r, j]] * 7, index=made.index, dtype=made[columns[j]].dtype
                )
            wanted = model.predict_proba(made).mean(axis=0)
            np.testing.assert_allclose(values[c, r], wanted, atol=1e-13)
    # the same rows as an array of objects, as a list, and one as a Series
    for other in (X.to_numpy(), X.to_numpy().tolist()):
        again = CallableBackground(model.predict_proba, data).game(other)
        assert (again.values(np.arange(4), np.arange(5), coalitions) == values).all()
    one = CallableBackground(model.predict_proba, data).game(X.iloc[2])
    assert one.single
    assert (one.values(np.array([0]), np.arange(5), coalitions) == values[:, 2:3]).all()


def count(table: Any) -> Any:
    return np.zeros(len(table))


def test_other_columns() -> None:
    background = CallableBackground(count, frame(3))
    X = frame(2)
    with pytest.raises(InvalidInputError, match="another order: column 0 is 7"):
        background.game(X[[7, *X.columns[:-1]]])
    with pytest.raises(InvalidInputError, match="missing: 'city'"):
        background.game(X.drop(columns="city"))
    with pytest.raises(InvalidInputError, match="not in the background: 'more'"):
        background.game(X.assign(more=1))
    with pytest.raises(InvalidInputError, match="2 columns were given, the background has 12"):
        background.game(np.zeros((1, 2)))
    with pytest.raises(InvalidInputError, match="two columns are called 'a'"):
        CallableBackground(count, pandas.DataFrame([[1, 2]], columns=["a", "a"]))


@pytest.mark.parametrize(
    ("ours", "theirs", "expected"),
    [
        ("int64", [1.5], "float64"),
        ("int64", [1.0], "int64"),
        ("int64", [np.nan], "float64"),
        ("float64", [1], "float64"),
        ("float32", [0.5], "float32"),
        ("float32", [0.1], "float64"),
        ("bool", [1], "bool"),
        ("Int64", [None], "Int64"),
        ("object", [1.5], "object"),
        ("category", [2], "category"),
    ],
)
def test_types_of_x_that_differ(ours: str, theirs: list[Any], expected: str) -> None:
    seen = set()

    def f(table: Any) -> Any:
        seen.add(str(table["a"].dtype))
        return np.zeros(len(table))

    data = pandas.DataFrame({"a": pandas.Series([1, 2, 1]).astype(ours), "b": ["x", "y", "z"]})
    game = CallableBackground(f, data).game(pandas.DataFrame({"a": theirs, "b": ["v"]}))
    game.values(np.array([0]), np.arange(2), np.array([[True, False], [False, True]]))
    assert seen == {ours, expected}


def test_values_that_do_not_fit() -> None:
    data = pandas.DataFrame({"a": pandas.Categorical(["u", "v"]), "b": [1, 2]})
    background = CallableBackground(count, data)
    with pytest.raises(InvalidInputError, match=r"column 'a': 'w' in row 1 of X is none of the 2"):
        background.game(pandas.DataFrame({"a": ["u", "w"], "b": [1, 2]}))
    with pytest.raises(InvalidInputError, match=r"column 'b' is int64 .*'one'"):
        background.game(pandas.DataFrame({"a": ["u"], "b": ["one"]}))
    with pytest.raises(InvalidInputError, match=r"column 'b' is int64 .*'2'"):  # no guessing
        background.game(np.array([["u", "2"]]))


def test_frame_of_x_with_an_array_as_background() -> None:
    data = np.arange(6.0).reshape(2, 3)
    X = pandas.DataFrame({"p": [1, 2], "q": pandas.array([None, 4], "Int64"), "r": [5.5, 6]})
    game = CallableBackground(lambda rows: np.nan_to_num(rows, nan=-1), data).game(X)
    assert game.full_values().tolist() == [[1, -1, 5.5], [2, 4, 6]]
    named = CallableBackground(count, data, feature_names=["p", "r", "q"])
    with pytest.raises(InvalidInputError, match="another order"):
        named.game(X)
    shown = CallableBackground(count, data, feature_names=["Price", "Rooms", "Quality"])
    assert shown.game(X).n_rows == 2  # names to be shown need not be the columns'


def test_series_as_background_is_one_row() -> None:
    background = CallableBackground(lambda t: t["number"] + len(t.columns), frame(3).iloc[1])
    assert len(background) == 1
    assert background.null_values() == frame(3).iloc[1]["number"] + 12


@pytest.mark.parametrize("kind", ["csr_matrix", "csc_matrix", "csr_array", "coo_array"])
@pytest.mark.parametrize("batch_rows", [1, 5, None])
def test_sparse(kind: str, batch_rows: int | None) -> None:
    sparse = pytest.importorskip("scipy.sparse")
    rng = np.random.default_rng(0)
    data, X = (rng.integers(1, 9, (n, 30)) * (rng.random((n, 30)) < 0.2) for n in (6, 4))
    data[:, :3], X[:2, 2:5] = [0, 4, 5], 5
    table, rows = getattr(sparse, kind)(data), getattr(sparse, kind)(X)

    def f(given: Any) -> Any:
        assert given.format == "csr"
        assert given.has_sorted_indices
        assert isinstance(given, sparse.sparray) == isinstance(table, sparse.sparray)
        values = [score(row) for row in given.toarray()]
        given.data[:] = 0
        return values

    background = CallableBackground(f, table)
    wanted = CallableBackground(lambda rows: [score(row) for row in rows], data).game(X)
    coalitions, players = rng.random((7, 28)) < 0.5, rng.permutation(30)[:28]
    for given in (rows, X):
        game = background.game(given, batch_rows=batch_rows)
        for part in ("values", "null_values", "full_values", "varying"):
            arguments = (np.array([2, 0]), players, coalitions) if part == "values" else ()
            found, expected = getattr(game, part)(*arguments), getattr(wanted, part)(*arguments)
            np.testing.assert_array_equal(found, expected)
    dense = CallableBackground(lambda rows: [score(row) for row in rows], data).game(rows)
    np.testing.assert_array_equal(dense.full_values(), wanted.full_values())


def test_entries_given_twice_add_up() -> None:
    sparse = pytest.importorskip("scipy.sparse")
    twice = sparse.csr_matrix(([1.0, 2.0], [0, 0], [0, 2]), shape=(1, 2))
    game = CallableBackground(lambda t: t.toarray()[:, 0], twice).game(twice)
    assert game.full_values() == game.null_values() == 3
    assert not game.varying().any()
    assert twice.nnz == 2


@pytest.mark.parametrize("library", ["polars", "pyarrow"])
@pytest.mark.parametrize("batch_rows", [1, 5, 13, None])
def test_other_tables(library: str, batch_rows: int | None) -> None:
    package = pytest.importorskip(library)
    pytest.importorskip("pyarrow")
    columns = ["number", "count", "single", "flag", "text", "city", "day"]

    def table(rows: Any) -> Any:
        if library == "polars":
            return package.from_pandas(rows)
        return package.Table.from_pandas(rows, preserve_index=False)

    def types(table: Any) -> list[Any]:
        return list(table.dtypes if library == "polars" else table.schema.types)

    ours, theirs = frame(6)[columns], frame(4, 1)[columns]
    data, X = table(ours), table(theirs)

    def f(given: Any) -> Any:
        assert type(given) is type(data)
        assert types(given) == types(data)
        return [score(row) for row in cells(given.to_pandas())]

    coalitions = np.random.default_rng(0).random((8, 7)) < 0.5
    game = CallableBackground(f, data, [1, 1, 1, 0, 1, 1]).game(X, batch_rows=batch_rows)
    values = game.values(np.array([3, 1]), np.arange(7), coalitions)
    wanted = naive(ours.drop(index=ours.index[3]), theirs, [3, 1], coalitions)
    np.testing.assert_allclose(values[:, :, 0], wanted, rtol=1e-12)
    pandas_game = CallableBackground(count, ours, [1, 1, 1, 0, 1, 1]).game(theirs)
    assert (game.varying() == pandas_game.varying()).all()
    background = CallableBackground(count, data)
    with pytest.raises(InvalidInputError, match=f"the background is a {library} table"):
        background.game(theirs)
    with pytest.raises(InvalidInputError, match="another order"):
        background.game(table(theirs[columns[::-1]]))
    with pytest.raises(InvalidInputError, match=r"types|text"):
        background.game(table(theirs.assign(count="many")))


def test_containers_of_shap() -> None:
    shap = pytest.importorskip("shap")
    rng = np.random.default_rng(0)
    data = rng.normal(size=(50, 3))
    named = pandas.DataFrame(data, columns=["a", "b", "c"])
    summary = shap.kmeans(named, 4)
    background = CallableBackground(lambda rows: rows[:, 0], summary)
    assert background.player_names == ["a", "b", "c"]
    assert background.null_values() == pytest.approx(summary.weights @ summary.data[:, 0])
    masker = shap.maskers.Independent(data, max_samples=100)
    assert CallableBackground(lambda rows: rows[:, 0], masker).null_values() == pytest.approx(
        data[:, 0].mean()
    )
    masker = shap.maskers.Independent(named, max_samples=100)
    assert CallableBackground(lambda t: t["b"], masker).null_values() == pytest.approx(
        data[:, 1].mean()
    )


def test_single_rows_of_vector_output_follow_shap() -> None:
    """A function that returns (n, 1) has values with an axis for outputs in shap, too."""
    shap = pytest.importorskip("shap")
    data, X = np.zeros((2, 3)), np.ones((4, 3))
    for f, shape in ((lambda r: r[:, 0], (4, 3)), (lambda r: r[:, :1], (4, 3, 1))):
        found = shap.KernelExplainer(f, data).shap_values(X, silent=True, l1_reg=False)
        assert found.shape == shape
        assert CallableBackground(f, data).vector_output == (len(shape) == 3)


def test_messages_quote_no_more_than_needed() -> None:
    many = pandas.DataFrame(np.zeros((1, 50)), columns=[f"c{j}" for j in range(50)])
    with pytest.raises(InvalidInputError, match=re.escape("'c4' and 45 more")):
        CallableBackground(count, many).game(many.add_prefix("x"))
