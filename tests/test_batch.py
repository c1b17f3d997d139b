"""leafshap.batch: a stream of record batches against the plain call in memory."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import leafshap
from batch_cases import NAMES, matrix_of, named_model, rows_of, table_of
from leafshap.errors import AdditivityError, InvalidInputError, MissingDependencyError
from strategies import Recipe, random_ensemble

pytest.importorskip("pyarrow")

import pyarrow as pa

from leafshap.batch import Aggregates, Scorer, explain_batches

N = 700


def all_rows(explainer: Any, table: Any, size: int = 123, **options: Any) -> Any:
    return pa.Table.from_batches(
        list(explain_batches(explainer, table.to_batches(max_chunksize=size), **options))
    )


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("size", [1, 123, 10_000])
def test_values_are_those_of_the_call_in_memory(dtype: str, size: int) -> None:
    model = named_model()
    X = rows_of(model, N if size > 1 else 20)
    explainer = leafshap.TreeExplainer(model, dtype=dtype)
    wanted = explainer.shap_values(X)
    assert float(np.ptp(wanted)) > 0
    out = all_rows(explainer, table_of(X), size, keys=["id", "group"], prediction=True)
    assert out.schema.names == ["id", "group", "shap_values", "base_value", "prediction"]
    assert out.schema.field("shap_values").type == pa.list_(pa.type_for_alias(dtype), 6)
    np.testing.assert_array_equal(matrix_of(out["shap_values"]), wanted)
    np.testing.assert_array_equal(out["id"].to_numpy(), np.arange(len(X)) * 7)
    assert out["group"].to_pylist() == table_of(X)["group"].to_pylist()
    np.testing.assert_array_equal(out["base_value"].to_numpy(), explainer.expected_value)
    atol = 1e-12 if dtype == "float64" else 1e-4 * np.abs(wanted).sum(axis=1).max()
    np.testing.assert_allclose(out["prediction"].to_numpy(), model.predict(X), atol=atol)


def test_one_column_for_each_feature() -> None:
    model = named_model()
    X = rows_of(model, N)
    explainer = leafshap.TreeExplainer(model)
    out = all_rows(explainer, table_of(X), values="columns", base_value=False)
    assert out.schema.names == [f"shap_{name}" for name in NAMES]
    found = np.stack([column.to_numpy() for column in out.columns], axis=1)
    np.testing.assert_array_equal(found, explainer.shap_values(X))


def test_several_outputs_are_columns_of_their_own() -> None:
    model = named_model(n_outputs=3)
    X = rows_of(model, 50)
    explainer = leafshap.TreeExplainer(model)
    wanted = explainer.shap_values(X)
    out = all_rows(explainer, table_of(X), prediction=True, top_k=2)
    for k in range(3):
        np.testing.assert_array_equal(matrix_of(out[f"shap_values_class {k}"]), wanted[:, :, k])
        base = out[f"base_value_class {k}"].to_numpy()
        np.testing.assert_array_equal(base, np.asarray(explainer.expected_value)[k])
        prediction = out[f"prediction_class {k}"].to_numpy()
        np.testing.assert_allclose(prediction, model.predict(X)[:, k], atol=1e-12)
        top = matrix_of(out[f"top_values_class {k}"])
        largest = np.sort(np.abs(wanted[:, :, k]), axis=1)[:, ::-1][:, :2]
        np.testing.assert_array_equal(np.abs(top), largest)
    nameless = leafshap.TreeExplainer(named_model(n_outputs=3, output_names=None))
    assert "shap_values_2" in all_rows(nameless, table_of(X)).schema.names


@pytest.mark.parametrize("k", [1, 3, 6, 50])
def test_the_strongest_features_of_a_row(k: int) -> None:
    model = named_model()
    X = rows_of(model, 200)
    explainer = leafshap.TreeExplainer(model)
    values = explainer.shap_values(X)
    out = all_rows(explainer, table_of(X), values="none", base_value=False, top_k=k)
    assert out.schema.names == ["top_features", "top_values"]
    for i, phi in enumerate(values):
        order = sorted(range(6), key=lambda j: (-abs(phi[j]), j))[:k]
        assert out["top_features"][i].as_py() == [NAMES[j] for j in order]
        assert out["top_values"][i].as_py() == [phi[j] for j in order]


def test_the_strongest_of_many_features_agree_with_those_of_few() -> None:
    from leafshap.batch.layout import strongest

    values = np.random.default_rng(0).integers(-3, 4, (500, 20)).astype(np.float32)
    every = strongest(values, 20)
    np.testing.assert_array_equal(strongest(values, 5), every[:, :5])
    assert (np.diff(np.abs(np.take_along_axis(values, every, 1)), axis=1) <= 0).all()


def test_interaction_values() -> None:
    model = named_model()
    X = rows_of(model, 60)
    explainer = leafshap.TreeExplainer(model)
    wanted = explainer.shap_interaction_values(X)
    out = all_rows(explainer, table_of(X), interactions=True, prediction=True)
    found = matrix_of(out["shap_interaction_values"]).reshape(-1, 6, 6)
    np.testing.assert_allclose(found, wanted, atol=1e-12)
    np.testing.assert_allclose(out["prediction"].to_numpy(), model.predict(X), atol=1e-12)
    wide = all_rows(explainer, table_of(X), interactions=True, values="columns")
    np.testing.assert_allclose(wide["shap_age_f"].to_numpy(), wanted[:, 0, 5], atol=1e-12)
    with pytest.raises(InvalidInputError, match="interaction"):
        Scorer(leafshap.KernelExplainer(model, X[:5]), interactions=True)


def test_columns_are_found_by_name() -> None:
    model = named_model()
    X = rows_of(model, 30)
    explainer = leafshap.TreeExplainer(model)
    underscored = [name.replace(" ", "_") for name in NAMES]
    out = all_rows(explainer, table_of(X, underscored))
    np.testing.assert_array_equal(matrix_of(out["shap_values"]), explainer.shap_values(X))
    scorer = Scorer(explainer, keys=["group"])
    read = scorer.input_columns(table_of(X).schema)
    assert sorted(read) == sorted([*NAMES, "group"])


def test_a_model_without_names_takes_columns_in_their_order() -> None:
    model = named_model(feature_names=None)
    X = rows_of(model, 30)
    explainer = leafshap.TreeExplainer(model)
    table = pa.table({"key": np.arange(30), **{f"col {j}": X[:, j] for j in range(6)}})
    out = all_rows(explainer, table, keys="key", values="columns", base_value=False)
    assert out.schema.names == ["key", *(f"shap_col {j}" for j in range(6))]
    found = np.stack([column.to_numpy() for column in out.columns[1:]], axis=1)
    np.testing.assert_array_equal(found, explainer.shap_values(X))
    with pytest.raises(InvalidInputError, match="6 features, but there are 7 columns"):
        all_rows(explainer, table)
    named = leafshap.TreeExplainer(model, feature_names=[f"col {j}" for j in range(6)])
    assert all_rows(named, table).num_rows == 30


def test_aggregates_of_a_stream() -> None:
    model = named_model(feature_names=None, n_outputs=2)
    X = rows_of(model, 90)
    explainer = leafshap.TreeExplainer(model)
    columns = {"group": pa.array(["a", "b", None] * 30), **{f"c{j}": X[:, j] for j in range(6)}}
    totals = Aggregates(group="group", interactions=True)
    batches = pa.table(columns).to_batches(max_chunksize=17)
    outs = list(explain_batches(explainer, batches, aggregates=totals, values="none"))
    assert sum(out.num_rows for out in outs) == totals.n_rows == 90
    values = explainer.shap_values(X)
    np.testing.assert_allclose(totals.mean_abs, np.abs(values).mean(axis=0))
    np.testing.assert_allclose(totals.groups[None].mean, values[2::3].mean(axis=0))
    wanted = explainer.mean_abs_interactions(X)
    np.testing.assert_allclose(totals.interactions.mean_abs, wanted.mean_abs)
    with pytest.raises(InvalidInputError, match="no column 'nope' for the groups"):
        list(explain_batches(explainer, batches, aggregates=Aggregates(group="nope")))


def test_missing_and_double_columns_are_named() -> None:
    model = named_model()
    explainer = leafshap.TreeExplainer(model)
    table = table_of(rows_of(model, 5))
    with pytest.raises(InvalidInputError, match=r"1 of the model's 6 columns .*: 'naïve'"):
        all_rows(explainer, table.drop_columns(["naïve"]))
    renamed = table.rename_columns([n.title() if n == "age" else n for n in table.column_names])
    with pytest.raises(InvalidInputError, match=r"'age' \(is it 'Age'\?\)"):
        all_rows(explainer, renamed)
    with pytest.raises(InvalidInputError, match="2 columns called 'age'"):
        all_rows(explainer, table.append_column("age", table["age"]))
    with pytest.raises(InvalidInputError, match=r"no column 'idd' for a key .*is it 'id'\?"):
        all_rows(explainer, table, keys=["idd"])
    with pytest.raises(InvalidInputError, match="two columns called 'base_value'"):
        all_rows(explainer, table.append_column("base_value", table["y"]), keys=["base_value"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"values": "wide"}, "values must be one of"),
        ({"top_k": -1}, "top_k"),
        ({"top_k": 1.5}, "top_k"),
        ({"keys": ["id", "id"]}, "twice"),
        ({"topk": 3}, "unknown option 'topk'"),
        ({"check_additivity": "some"}, "check_additivity"),
        ({"sample": 0.0}, "sample"),
        ({"sample": 1.5}, "sample"),
        ({"sample": True}, "sample"),
        ({"keys": 5}, "keys"),
        ({"label": 3}, "label"),
        ({"base_value": "no"}, "base_value"),
        ({"seed": 0.5}, "seed"),
    ],
)
def test_options_are_checked_before_any_row_is_read(options: Any, message: str) -> None:
    explainer = leafshap.TreeExplainer(named_model())
    with pytest.raises(InvalidInputError, match=message):
        explain_batches(explainer, iter([]), **options)
    with pytest.raises(InvalidInputError, match="expected a TreeExplainer"):
        explain_batches(named_model(), iter([]))  # type: ignore[arg-type]


def test_bad_rows_are_named_by_their_number_in_the_stream() -> None:
    model = named_model(allow_nan=False)
    X = np.nan_to_num(rows_of(model, N))
    X[437, 3] = np.nan
    with pytest.raises(InvalidInputError, match=r"^row 437: column 3 \('d'\)"):
        all_rows(leafshap.TreeExplainer(model), table_of(X), size=100)


def test_bad_labels_are_bad_rows_too() -> None:
    model = named_model(link="logistic")
    X = rows_of(model, 500)
    explainer = leafshap.TreeExplainer(model, X[:9], model_output="log_loss")
    table = table_of(X)
    y = np.linspace(0, 1, 500)
    y[321] = 7.0
    table = table.set_column(table.schema.get_field_index("y"), "y", pa.array(y))
    with pytest.raises(InvalidInputError, match=r"^row 321: labels y .* it is 7"):
        all_rows(explainer, table, size=100, label="y")


def test_numbers_of_a_file_are_category_values() -> None:
    recipe = Recipe(seed=8, n_trees=5, categorical=0.7)
    arrays = random_ensemble(recipe)
    j = int(arrays.split_feature[np.flatnonzero(arrays.categorical)[0]])
    known = [10 * code for code in range(recipe.n_categories)]
    model = leafshap.TreeEnsemble(
        replace(arrays, feature_names=NAMES, feature_categories={j: known})
    )
    explainer = leafshap.TreeExplainer(model)
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 6))
    X[:, j] = rng.integers(0, recipe.n_categories, 60)
    X[::7, j] = np.nan
    wanted = explainer.shap_values(X)  # an array holds codes
    raw = X.copy()
    raw[:, j] *= 10
    for dtype in (pa.int64(), pa.float32()):
        table = table_of(raw)
        column = table[NAMES[j]].cast(dtype)
        table = table.set_column(table.schema.get_field_index(NAMES[j]), NAMES[j], column)
        found = matrix_of(all_rows(explainer, table, size=17)["shap_values"])
        np.testing.assert_allclose(found, wanted, atol=1e-12)
    with pytest.raises(
        InvalidInputError, match=r"none of the categories .* codes are not accepted"
    ):
        all_rows(explainer, table_of(X))


def test_made_up_names_are_names_if_the_data_have_them() -> None:
    model = named_model(feature_names=[f"f{j}" for j in range(6)])
    X = rows_of(model, 10)
    explainer = leafshap.TreeExplainer(model)
    table = table_of(X, [f"f{j}" for j in range(6)])
    found = matrix_of(all_rows(explainer, table)["shap_values"])
    np.testing.assert_array_equal(found, explainer.shap_values(X))
    with pytest.raises(InvalidInputError, match=r"1 of the model's 6 columns .*'f3'"):
        all_rows(explainer, table.drop_columns(["f3", "id", "group"]))


@pytest.mark.parametrize("wrong", [5, "batches", [1, 2]])
def test_what_is_no_batch_is_told(wrong: Any) -> None:
    explainer = leafshap.TreeExplainer(named_model())
    with pytest.raises((InvalidInputError, TypeError), match=r"record batches|iterable"):
        list(explain_batches(explainer, wrong))
    table = table_of(rows_of(named_model(), 4))
    assert sum(out.num_rows for out in explain_batches(explainer, table)) == 4


def test_empty_batches_and_streams() -> None:
    model = named_model()
    explainer = leafshap.TreeExplainer(model)
    table = table_of(rows_of(model, 4))
    assert list(explain_batches(explainer, [])) == []
    nothing = table.slice(0, 0).to_batches() or [pa.RecordBatch.from_pylist([], table.schema)]
    (out,) = explain_batches(explainer, nothing, keys=["id"], prediction=True, top_k=2)
    assert out.num_rows == 0
    assert out.schema == Scorer(explainer, keys=["id"], prediction=True, top_k=2).output_schema(
        table.schema
    )


def test_large_batches_come_back_in_pieces() -> None:
    model = named_model()
    explainer = leafshap.TreeExplainer(model)
    X = np.tile(rows_of(model, 1000), (70, 1))
    pieces = list(explain_batches(explainer, table_of(X).to_batches(), keys=["id"]))
    assert len(pieces) > 1
    found = np.concatenate([matrix_of(piece["shap_values"]) for piece in pieces])
    np.testing.assert_array_equal(found, np.tile(explainer.shap_values(X[:1000]), (70, 1)))


def test_samples_do_not_depend_on_the_batches() -> None:
    model = named_model()
    explainer = leafshap.TreeExplainer(model)
    table = table_of(rows_of(model, N))
    found = [
        all_rows(explainer, table, size, sample=0.3, seed=5, keys=["id"])["id"].to_pylist()
        for size in (1, 7, 700)
    ]
    assert found[0] == found[1] == found[2]
    assert 0.2 * N < len(found[0]) < 0.4 * N
    assert found[0] != all_rows(explainer, table, sample=0.3, seed=6, keys="id")["id"].to_pylist()


def test_background_data_and_other_outputs() -> None:
    model = named_model(link="logistic")
    X = rows_of(model, 40)
    explainer = leafshap.TreeExplainer(model, X[:9], model_output="probability")
    out = all_rows(explainer, table_of(X), prediction=True)
    np.testing.assert_array_equal(matrix_of(out["shap_values"]), explainer.shap_values(X))
    probability = 1 / (1 + np.exp(-model.predict(X)))
    np.testing.assert_allclose(out["prediction"].to_numpy(), probability, atol=1e-9)
    loss = leafshap.TreeExplainer(model, X[:9], model_output="log_loss")
    out = all_rows(loss, table_of(X), label="y")
    y = np.linspace(0, 1, 40)
    np.testing.assert_array_equal(matrix_of(out["shap_values"]), loss.shap_values(X, y))
    np.testing.assert_allclose(out["base_value"].to_numpy(), loss(X, y).base_values)


def test_sampled_values() -> None:
    model = named_model()
    X = np.nan_to_num(rows_of(model, 12))
    explainer = leafshap.KernelExplainer(model, X[:4])
    out = all_rows(explainer, table_of(X), size=5)
    wanted = explainer.shap_values(X, progress=False)
    np.testing.assert_allclose(matrix_of(out["shap_values"]), wanted, atol=1e-9)
    function = leafshap.KernelExplainer(lambda rows: rows[:, 0] * rows[:, 1], X[:4])
    out = all_rows(function, table_of(X).select(NAMES))
    np.testing.assert_allclose(
        matrix_of(out["shap_values"]), function.shap_values(X, progress=False), atol=1e-9
    )


def test_workers_have_the_same_explainer_without_the_model() -> None:
    xgboost = pytest.importorskip("xgboost")
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 6)).astype(np.float32)
    data = xgboost.DMatrix(X, X[:, 0] * X[:, 1], feature_names=["a", "b", "c", "d", "e", "g"])
    booster = xgboost.train({"max_depth": 3, "nthread": 1}, data, 10)
    for background in (None, X[:20]):
        explainer = leafshap.TreeExplainer(booster, background)
        scorer = Scorer(explainer.for_workers(), values="list")
        sent = pickle.dumps(scorer)
        code = (
            "import pickle, sys, pyarrow as pa, numpy as np\n"
            "scorer = pickle.load(sys.stdin.buffer)\n"
            "X = np.frombuffer(bytes.fromhex(sys.argv[1]), np.float32).reshape(-1, 6)\n"
            "batch = pa.record_batch(list(X.T), names=list('abcdeg'))\n"
            "out = scorer.explain(batch)\n"
            "assert 'xgboost' not in sys.modules\n"
            "sys.stdout.write(out.column('shap_values').flatten().to_numpy().tobytes().hex())\n"
        )
        done = subprocess.run(
            [sys.executable, "-c", code, X[:8].tobytes().hex()],
            input=sent, capture_output=True, check=True, timeout=120,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)},
        )  # fmt: skip
        found = np.frombuffer(bytes.fromhex(done.stdout.decode())).reshape(8, 6)
        np.testing.assert_array_equal(found, explainer.shap_values(X[:8]))


def test_a_model_that_does_not_add_up_is_noticed() -> None:
    xgboost = pytest.importorskip("xgboost")
    X = np.random.default_rng(0).normal(size=(300, 6)).astype(np.float32)
    booster = xgboost.train({"nthread": 1}, xgboost.DMatrix(X, X[:, 0]), 3)
    explainer = leafshap.TreeExplainer(booster)
    batches = pa.table(list(X.T), names=[f"f{j}" for j in range(6)]).to_batches()
    assert len(list(explain_batches(explainer, batches))) == 1
    more = xgboost.train({"nthread": 1}, xgboost.DMatrix(X, X[:, 1]), 3, xgb_model=booster)
    booster.load_model(more.save_raw("ubj"))
    with pytest.raises(AdditivityError, match="row"):
        list(explain_batches(explainer, batches))
    assert len(list(explain_batches(explainer, batches, check_additivity=False))) == 1


def test_without_pyarrow_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    import importlib.util

    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "pyarrow" else found(name)
    )
    with pytest.raises(MissingDependencyError, match=r'pip install "leafshap\[batch\]"'):
        Scorer(leafshap.TreeExplainer(named_model()))
