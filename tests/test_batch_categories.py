"""Columns of categories whose codes the model knows, but not their values."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import leafshap
from batch_cases import NAMES, matrix_of, model_with_unnamed_categories, rows_of
from leafshap import InvalidInputError
from leafshap.batch import Scorer, explain_batches, explain_files

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")
pd = pytest.importorskip("pandas")

N = 300
VALUES = [7, 30, 400]  # their codes are 0, 1, 2
Call = Callable[[leafshap.TreeExplainer, Path], npt.NDArray[Any]]


def coded_rows() -> npt.NDArray[np.float32]:
    X = rows_of(model_with_unnamed_categories(), N)
    X[:, 2] = np.arange(N) % 3
    X[5, 2] = np.nan
    return X


def frame_of(codes: npt.NDArray[Any], column: Any) -> Any:
    return pd.DataFrame(codes, columns=NAMES).assign(c=column)


def categorical_frame(X: npt.NDArray[Any], values: list[Any]) -> Any:
    codes = np.nan_to_num(X[:, 2], nan=-1).astype(int)
    return frame_of(X, pd.Categorical.from_codes(codes, categories=values))


def by_files(explainer: leafshap.TreeExplainer, path: Path) -> npt.NDArray[Any]:
    explain_files(explainer, path, path.with_suffix(".npz"), overwrite=True)
    with np.load(path.with_suffix(".npz")) as out:
        return np.asarray(out["shap_values"])


def by_batches(explainer: leafshap.TreeExplainer, path: Path) -> npt.NDArray[Any]:
    batches = pq.read_table(path).to_batches(max_chunksize=100)
    return np.concatenate(
        [matrix_of(b["shap_values"]) for b in explain_batches(explainer, batches)]
    )


def in_memory(explainer: leafshap.TreeExplainer, path: Path) -> npt.NDArray[Any]:
    return np.asarray(explainer.shap_values(pq.read_table(path)))


def by_cli(explainer: leafshap.TreeExplainer, path: Path) -> npt.NDArray[Any]:
    """Read as background rows are."""
    pytest.importorskip("rich")
    from leafshap.cli.data_files import read_rows

    rows = read_rows([str(path)], explainer.input_schema)
    return np.asarray(explainer.shap_values(rows.features))


CALLS = [by_files, by_batches, in_memory, by_cli]
DEEP = b'{"columns":' + b"[" * 100_000
WORDS = r"column .*'c'.*(give it|pass) the codes of training"


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("values", [VALUES, [0.5, 1.5, 7.25], [False, True, None]], ids=str)
def test_parquet_forgets_that_numbers_are_categories(
    call: Call, values: list[Any], tmp_path: Path
) -> None:
    """Taken for codes, they would give wrong values; pandas' metadata tell."""
    X = coded_rows()
    if None in values:
        X, values = X[X[:, 2] < 2], values[:2]
    explainer = leafshap.TreeExplainer(model_with_unnamed_categories())
    frame = categorical_frame(X, values)
    np.testing.assert_array_equal(explainer.shap_values(frame), explainer.shap_values(X))
    path = tmp_path / "rows.parquet"
    frame.to_parquet(path)
    assert not pa.types.is_dictionary(pq.read_schema(path).field("c").type)
    with pytest.raises(InvalidInputError, match=WORDS):
        call(explainer, path)


@pytest.mark.parametrize("call", CALLS)
def test_codes_are_taken(call: Call, tmp_path: Path) -> None:
    X = coded_rows()
    explainer = leafshap.TreeExplainer(model_with_unnamed_categories())
    frame = frame_of(X, pd.array(X[:, 2], dtype="Int8"))
    path = tmp_path / "rows.parquet"
    frame.to_parquet(path)
    np.testing.assert_array_equal(call(explainer, path), explainer.shap_values(X))
    # metadata of another program, or damaged ones
    table = pq.read_table(path)
    for metadata in (b"", b"[]", b'{"columns": 3}', b'{"columns": [null]}', b"\xff", DEEP):
        pq.write_table(table.replace_schema_metadata({"pandas": metadata}), path)
        np.testing.assert_array_equal(call(explainer, path), explainer.shap_values(X))


@pytest.mark.parametrize("call", [by_files, by_cli])
def test_text_in_files_is_refused(call: Call, tmp_path: Path) -> None:
    explainer = leafshap.TreeExplainer(model_with_unnamed_categories())
    path = tmp_path / "rows.parquet"
    categorical_frame(coded_rows(), ["a", "b", "c"]).to_parquet(path)
    with pytest.raises(InvalidInputError, match=WORDS):
        call(explainer, path)


def test_one_file_of_several(tmp_path: Path) -> None:
    """Where one file holds categories, the numbers of the others are not known to be codes."""
    X = coded_rows()
    explainer = leafshap.TreeExplainer(model_with_unnamed_categories())
    codes = frame_of(X, pd.array(X[:, 2], dtype="Int64"))
    categories = categorical_frame(X, VALUES)
    for i, frames in enumerate(([codes, categories], [categories, codes])):
        for write in ("to_parquet", "to_feather"):
            folder = tmp_path / f"{i}{write}"
            folder.mkdir()
            for k, frame in enumerate(frames):
                getattr(frame, write)(folder / f"{k}.{write[3:]}")
            with pytest.raises(InvalidInputError, match=WORDS):
                explain_files(explainer, folder, tmp_path / "out.parquet")


def test_batches_of_one_dictionary() -> None:
    """The stream's first dictionary is taken for that of training."""
    X = coded_rows()
    explainer = leafshap.TreeExplainer(model_with_unnamed_categories())
    table = pa.Table.from_pandas(categorical_frame(X, VALUES))
    batches = table.to_batches(max_chunksize=70)
    found = [matrix_of(b["shap_values"]) for b in explain_batches(explainer, batches)]
    np.testing.assert_array_equal(np.concatenate(found), explainer.shap_values(X))
    other = pa.Table.from_pandas(categorical_frame(X, VALUES[::-1])).to_batches()
    with pytest.raises(InvalidInputError, match=WORDS):
        list(explain_batches(explainer, [*batches, *other]))


@pytest.mark.parametrize("call", [by_files, by_batches, by_cli])
def test_values_that_the_model_knows(call: Call, tmp_path: Path) -> None:
    explainer, frame = named_explainer(), categorical_frame(coded_rows(), VALUES)
    path = tmp_path / "rows.parquet"
    frame.to_parquet(path)
    np.testing.assert_array_equal(call(explainer, path), explainer.shap_values(frame))


def test_plain_numbers_in_memory_are_refused(tmp_path: Path) -> None:
    """The model's own library would take them for codes, whatever the metadata tell."""
    explainer, frame = named_explainer(), categorical_frame(coded_rows(), VALUES)
    path = tmp_path / "rows.parquet"
    frame.to_parquet(path)
    with pytest.raises(InvalidInputError, match=r"'c'.*plain numbers.*categorical dtype"):
        in_memory(explainer, path)
    unnamed = leafshap.TreeExplainer(model_with_unnamed_categories())
    assert unnamed.shap_values(pq.read_table(path)[:0]).shape == (0, len(NAMES))


def named_explainer() -> leafshap.TreeExplainer:
    arrays = model_with_unnamed_categories().to_arrays()
    return leafshap.TreeExplainer(
        leafshap.TreeEnsemble(replace(arrays, feature_categories={2: VALUES}))
    )


def test_values_in_the_names_of_folders(tmp_path: Path) -> None:
    X = coded_rows()
    X = X[~np.isnan(X[:, 2])]
    explainer = leafshap.TreeExplainer(model_with_unnamed_categories())
    codes = frame_of(X, pd.array(X[:, 2], dtype="Int64"))
    codes.to_parquet(tmp_path / "codes", partition_cols=["c"])
    order = np.argsort(X[:, 2], kind="stable")
    found = by_files(explainer, tmp_path / "codes")
    np.testing.assert_array_equal(found, explainer.shap_values(X[order]))
    frame = categorical_frame(X, VALUES)
    frame.to_parquet(tmp_path / "values", partition_cols=["c"])
    with pytest.raises(InvalidInputError, match=WORDS):
        by_files(explainer, tmp_path / "values")
    found = by_files(named_explainer(), tmp_path / "values")
    by_name = np.argsort([str(VALUES[int(code)]) for code in X[:, 2]], kind="stable")
    np.testing.assert_array_equal(found, explainer.shap_values(X[by_name]))


def test_files_that_tell_nothing(tmp_path: Path) -> None:
    """Beside codes: a file without rows, one without any category, one of text to be rejected."""
    X = coded_rows()
    explainer = leafshap.TreeExplainer(model_with_unnamed_categories())
    frame_of(X, pd.array(X[:, 2], dtype="Int64")).to_parquet(tmp_path / "a.parquet")
    categorical_frame(X[:0], VALUES).to_parquet(tmp_path / "b.parquet")
    missing = X[:10].copy()
    missing[:, 2] = np.nan
    categorical_frame(missing, []).to_parquet(tmp_path / "c.parquet")
    paths = [tmp_path / f"{name}.parquet" for name in "abcd"]
    wanted = explainer.shap_values(np.concatenate([X, missing]))
    out = tmp_path / "out.parquet"
    for last in (3, 4):
        rejects = tmp_path / "bad.csv" if last == 4 else None
        categorical_frame(X, ["a", "b", "c"]).to_parquet(paths[3])
        report = explain_files(explainer, paths[:last], out, rejects=rejects, overwrite=True)
        assert report.n_rejected == last - 3
        found = matrix_of(pq.read_table(out)["shap_values"])
        np.testing.assert_array_equal(found, wanted)


def test_dictionaries_of_arrow(tmp_path: Path) -> None:
    """Without pandas, Arrow's own metadata tell."""
    frame = categorical_frame(coded_rows(), VALUES)
    table = pa.Table.from_pandas(frame).replace_schema_metadata()
    pq.write_table(table, tmp_path / "told.parquet")
    pq.write_table(table, tmp_path / "untold.parquet", store_schema=False)
    explainer = leafshap.TreeExplainer(model_with_unnamed_categories())
    with pytest.raises(InvalidInputError, match=WORDS):
        by_files(explainer, tmp_path / "told.parquet")
    by_files(explainer, tmp_path / "untold.parquet")
    for name in ("told", "untold"):
        found = by_files(named_explainer(), tmp_path / f"{name}.parquet")
        np.testing.assert_array_equal(found, named_explainer().shap_values(frame))


def test_numbers_that_sklearn_takes_as_they_are(tmp_path: Path) -> None:
    """No codes: it treats those that training has not seen as missing."""
    ensemble = pytest.importorskip("sklearn.ensemble")
    rng = np.random.default_rng(0)
    c, x = rng.integers(0, 4, 200), rng.normal(size=200)
    X = pd.DataFrame({"c": np.array(VALUES)[c % 3], "x": x})
    model = ensemble.HistGradientBoostingRegressor(categorical_features=["c"], max_iter=5)
    explainer = leafshap.TreeExplainer(model.fit(X, (c == 2) * 3.0 + x))
    X.loc[::9, "c"] = 11
    X.to_parquet(tmp_path / "rows.parquet")
    wanted = explainer.shap_values(X)
    for call in (by_files, by_batches, by_cli):
        np.testing.assert_array_equal(call(explainer, tmp_path / "rows.parquet"), wanted)


def test_the_step_itself() -> None:
    explainer = leafshap.TreeExplainer(model_with_unnamed_categories())
    table = pa.Table.from_pandas(categorical_frame(coded_rows(), VALUES))
    at = table.schema.get_field_index("c")
    plain = table.set_column(at, "c", table["c"].combine_chunks().dictionary_decode())
    (batch,) = plain.to_batches()
    with pytest.raises(InvalidInputError, match=WORDS):
        Scorer(explainer).explain(batch)
    Scorer(explainer).explain(batch.replace_schema_metadata())
