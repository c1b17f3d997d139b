"""leafshap.batch.dask on Dask's own threads and on a real local cluster of two processes."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import leafshap
from leafshap.errors import InvalidInputError

pytest.importorskip("pandas")
pytest.importorskip("pyarrow")
pytest.importorskip("dask.dataframe")
pytest.importorskip("distributed")

import dask.dataframe as dd
import distributed
import pandas as pd
from dask.dataframe.utils import assert_eq

from batch_cases import NAMES, model_with_unnamed_categories, named_model
from engine_cases import (
    COLORS,
    check_aggregates,
    color_explainer,
    color_frame,
    explainer_of,
    frame_of,
    killer,
    one_pass,
    plain_call,
)
from leafshap.batch.dask import aggregate, explain

# of Dask and its dependencies, which pandas and Python change under
pytestmark = pytest.mark.filterwarnings(
    "ignore::DeprecationWarning",
    "ignore::FutureWarning",
    "ignore::ResourceWarning",
    "ignore:Running on a single-machine scheduler",
)
SHAP = [f"shap_{name}" for name in NAMES]


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=None
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


def check_values(found: pd.DataFrame, explainer: Any, frame: pd.DataFrame) -> None:
    np.testing.assert_array_equal(found[SHAP].to_numpy(), plain_call(explainer, frame))


def test_a_cluster_gives_the_values_of_one_process(client: Any) -> None:
    frame, explainer = frame_of(), explainer_of(dtype="float32")
    out = explain(
        dd.from_pandas(frame, npartitions=5), explainer, keys=["id", "group"], prediction=True
    )
    found = out.compute()
    check_values(found, explainer, frame)
    assert list(found.columns) == ["id", "group", *SHAP, "base_value", "prediction"]
    pd.testing.assert_frame_equal(found[["id", "group"]], frame[["id", "group"]], check_dtype=False)
    assert set(found[SHAP].dtypes) == {np.dtype("float32")}
    np.testing.assert_array_equal(found["base_value"], explainer.expected_value)
    assert_eq(out, found)


def test_a_killed_worker_is_replaced(client: Any, tmp_path: Path) -> None:
    frame, explainer = frame_of(), explainer_of()
    marker = tmp_path / "died"
    die = killer(marker)

    def kill(part: pd.DataFrame) -> pd.DataFrame:
        if (part["id"] == 7 * 600).any():
            die()
        return part

    ddf = dd.from_pandas(frame, npartitions=10)
    dying = ddf.map_partitions(kill, meta=ddf._meta)
    found = explain(dying, explainer).compute()
    assert marker.exists()
    check_values(found, explainer, frame)
    marker.unlink()
    check_aggregates(
        aggregate(dying, explainer, group="group").compute(),
        one_pass(explainer, frame, group="group"),
    )
    assert marker.exists()


def test_nothing_is_computed_before_it_is_asked_for(tmp_path: Path) -> None:
    seen = tmp_path / "seen"

    def note(part: pd.DataFrame) -> pd.DataFrame:
        seen.touch()
        return part

    ddf = dd.from_pandas(frame_of(), npartitions=3)
    noted = ddf.map_partitions(note, meta=ddf._meta)
    out = explain(noted, explainer_of())
    total = aggregate(noted, explainer_of())
    assert not seen.exists()
    out.compute(scheduler="sync")
    assert seen.exists()
    seen.unlink()
    total.compute(scheduler="sync")
    assert seen.exists()


def test_index_and_divisions_are_those_of_the_input() -> None:
    frame, explainer = frame_of(), explainer_of()
    frame.index = pd.Index(np.arange(len(frame)) // 2 * 3, name="time")  # each twice
    ddf = dd.from_pandas(frame, npartitions=4)
    out = explain(ddf, explainer)
    assert out.divisions == ddf.divisions
    found = out.compute(scheduler="sync")
    pd.testing.assert_index_equal(found.index, frame.index)
    check_values(found, explainer, frame)
    assert_eq(out.loc[30:90], found.loc[30:90])
    unknown = explain(ddf.clear_divisions(), explainer)
    assert not unknown.known_divisions
    assert_eq(unknown, found)


def test_partitions_without_rows() -> None:
    frame, explainer = frame_of(), explainer_of()
    ddf = dd.from_pandas(frame, npartitions=4)
    some = ddf[ddf["id"] < 7 * 200]
    found = explain(some, explainer, keys=["group"], top_k=1).compute(scheduler="sync")
    check_values(found, explainer, frame[:200])
    check_aggregates(
        aggregate(some, explainer).compute(scheduler="sync"), one_pass(explainer, frame[:200])
    )
    none = ddf[ddf["id"] < 0]
    out = explain(none, explainer, keys=["group"], top_k=1)
    assert_eq(out, out.compute(scheduler="sync"))
    assert len(out) == 0
    assert aggregate(none, explainer).compute(scheduler="sync").n_rows == 0


def test_lists_are_objects() -> None:
    frame, explainer = frame_of(60), explainer_of()
    wanted = plain_call(explainer, frame)
    out = explain(dd.from_pandas(frame, npartitions=2), explainer, values="list", top_k=2)
    found = out.compute(scheduler="sync")
    np.testing.assert_array_equal(np.stack(list(found["shap_values"])), wanted)
    first = np.abs(wanted).argmax(axis=1)
    assert [names[0] for names in found["top_features"]] == [NAMES[j] for j in first]
    assert_eq(out, found, sort_results=False)


def test_the_strongest_features_are_columns() -> None:
    frame, explainer = frame_of(60), explainer_of(dtype="float32")
    wanted = plain_call(explainer, frame)
    out = explain(dd.from_pandas(frame, npartitions=2), explainer, values="none", top_k=2)
    found = out.compute(scheduler="sync")
    assert list(found.columns) == [
        "base_value", "top_1_feature", "top_2_feature", "top_1_value", "top_2_value"
    ]  # fmt: skip
    order = np.argsort(-np.abs(wanted), axis=1, kind="stable")
    for k in range(2):
        assert list(found[f"top_{k + 1}_feature"]) == [NAMES[j] for j in order[:, k]]
        np.testing.assert_array_equal(
            found[f"top_{k + 1}_value"], np.take_along_axis(wanted, order, axis=1)[:, k]
        )
    assert_eq(out, found)


def test_several_outputs() -> None:
    frame, explainer = frame_of(100), explainer_of(3)
    found = explain(dd.from_pandas(frame, npartitions=3), explainer).compute(scheduler="sync")
    wanted = plain_call(explainer, frame)
    for k in range(3):
        columns = [f"{name}_class {k}" for name in SHAP]
        np.testing.assert_array_equal(found[columns].to_numpy(), wanted[:, :, k])
        np.testing.assert_array_equal(
            found[f"base_value_class {k}"], np.asarray(explainer.expected_value)[k]
        )


def test_categories_by_name() -> None:
    frame, explainer = color_frame(), color_explainer()
    wanted = plain_call(explainer, frame.assign(c=pd.Categorical(frame["c"], COLORS)))
    assert np.ptp(wanted[:, 2]) > 0
    text = dd.from_pandas(frame, npartitions=4)
    coded = dd.from_pandas(frame.assign(c=frame["c"].astype("category")), npartitions=4)
    for ddf in (text, coded, text.assign(c=text["c"].astype("category"))):
        found = explain(ddf, explainer, keys=["c"]).compute(scheduler="sync")
        np.testing.assert_array_equal(found[SHAP].to_numpy(), wanted)
        assert found["c"].dtype == ddf._meta["c"].dtype or not ddf["c"].cat.known


def test_codes_of_categories_that_are_not_known_yet() -> None:
    """Each partition would number those that it has, and the model could not tell."""
    model = model_with_unnamed_categories()
    explainer = leafshap.TreeExplainer(model)
    frame = color_frame()
    text = dd.from_pandas(frame, npartitions=4)
    with pytest.raises(InvalidInputError, match=r"column 'c'.*set_categories"):
        explain(text.assign(c=text["c"].astype("category")), explainer)
    named = pd.CategoricalDtype(COLORS)
    found = explain(text.assign(c=text["c"].astype(named)), explainer).compute(scheduler="sync")
    check_values(found, explainer, frame.assign(c=frame["c"].astype(named)))


def test_columns_without_names() -> None:
    frame = frame_of(80)
    X = frame[NAMES].set_axis(range(len(NAMES)), axis=1)
    explainer = leafshap.TreeExplainer(named_model(feature_names=None))
    found = explain(dd.from_pandas(X, npartitions=2), explainer).compute(scheduler="sync")
    wanted = explainer.shap_values(X.to_numpy())
    np.testing.assert_array_equal(found.iloc[:, :-1].to_numpy(), wanted)
    X[6] = frame["id"]
    out = explain(dd.from_pandas(X, npartitions=2), explainer, keys=["6"], values="none")
    assert list(out.columns) == [6, "base_value"]
    np.testing.assert_array_equal(out[6].compute(scheduler="sync"), frame["id"])


@pytest.mark.parametrize("group", [None, "group"])
@pytest.mark.parametrize("n_partitions", [1, 3, 40])
def test_aggregates_are_those_of_one_pass(group: str | None, n_partitions: int) -> None:
    frame, explainer = frame_of(), explainer_of()
    kind: dict[str, Any] = {"group": group, "histograms": True, "interactions": True}
    total = aggregate(dd.from_pandas(frame, npartitions=n_partitions), explainer, **kind)
    found, wanted = total.compute(scheduler="sync"), one_pass(explainer, frame, **kind)
    check_aggregates(found, wanted)
    np.testing.assert_array_equal(found.quantile(0.5), wanted.quantile(0.5))
    again = total.compute(scheduler="threads")
    np.testing.assert_array_equal(again.mean_abs, found.mean_abs)


def test_the_explainer_is_in_the_graph_once() -> None:
    ddf = dd.from_pandas(frame_of(), npartitions=20)
    out = explain(ddf, explainer_of())
    keys = [key for key in out.optimize().__dask_graph__() if "leafshap-scorer" in str(key)]
    assert len(keys) == 1


def test_other_columns_are_not_read() -> None:
    ddf = dd.from_pandas(frame_of(60), npartitions=2)
    ddf["odd"] = ddf["unused"].map_partitions(odd, meta=("odd", object))
    explain(ddf, explainer_of()).compute(scheduler="sync")


def odd(part: pd.Series[Any]) -> pd.Series[Any]:
    return part.map(lambda number: object() if number else "text")  # Arrow has no such column


def test_what_is_wrong_is_said_at_once() -> None:
    frame, explainer = frame_of(60), explainer_of()
    ddf = dd.from_pandas(frame, npartitions=2)
    with pytest.raises(InvalidInputError, match=r"'age'.*\(is it 'Age'\?\)"):
        explain(ddf.rename(columns={"age": "Age"}), explainer)
    with pytest.raises(InvalidInputError, match="no column 'nr' for a key"):
        explain(ddf, explainer, keys=["nr"])
    with pytest.raises(InvalidInputError, match="no column 'nr' for the groups"):
        aggregate(ddf, explainer, group="nr")
    with pytest.raises(InvalidInputError, match="values must be one of"):
        explain(ddf, explainer, values="row")
    with pytest.raises(InvalidInputError, match=r"dask\.dataframe\.DataFrame, got DataFrame"):
        explain(frame, explainer)
    text = ddf.assign(age=ddf["age"].astype(str))
    with pytest.raises(InvalidInputError, match="'age'"):
        explain(text, explainer).compute(scheduler="sync")


@pytest.mark.parametrize("adapter", ["dask", "spark", "ray"])
def test_a_missing_engine_is_named(adapter: str) -> None:
    code = f"""
import sys
blocked = {{"dask": "dask.dataframe", "spark": "pyspark", "ray": "ray"}}[{adapter!r}]
sys.modules[blocked] = None
import leafshap, importlib
adapter = importlib.import_module("leafshap.batch.{adapter}")
from engine_cases import explainer_of
try:
    adapter.explain(None, explainer_of())
except leafshap.MissingDependencyError as error:
    assert 'pip install "leafshap[{adapter}]"' in str(error), error
else:
    raise SystemExit("no error")
"""
    paths = [str(Path(__file__).parent), *sys.path]
    subprocess.run(
        [sys.executable, "-c", code],
        check=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
    )
