"""leafshap.batch.ray on a real local Ray of two processes.

README's command for the tests leaves it out; `.ci/run` has a stage for it.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import leafshap
from leafshap.errors import InvalidInputError

pytest.importorskip("pandas")
pytest.importorskip("pyarrow")
pytest.importorskip("ray.data")

import pandas as pd
import pyarrow as pa
import ray

from batch_cases import NAMES, matrix_of, model_with_unnamed_categories
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
from leafshap.batch.ray import aggregate, explain

# of Ray and its dependencies, which pandas and Python change under
pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module", autouse=True)
def session() -> Iterator[None]:
    # two processes, and a store small enough for any machine: Ray asks for 30% of the memory
    ray.init(
        num_cpus=2,
        object_store_memory=200_000_000,
        include_dashboard=False,
        log_to_driver=False,
        logging_level="ERROR",
    )
    ray.data.DataContext.get_current().enable_progress_bars = False
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    yield
    ray.shutdown()


def blocks_of(frame: pd.DataFrame, n: int) -> Any:
    step = -(-len(frame) // n)
    return ray.data.from_pandas([frame[a : a + step] for a in range(0, len(frame), step)])


def table_of(dataset: Any) -> pa.Table:
    """All rows in the order of their ids: blocks come as they are done."""
    tables = ray.get(dataset.to_arrow_refs())
    return pa.concat_tables([table for table in tables if table.num_rows]).sort_by("id")


def test_blocks_give_the_values_of_one_process() -> None:
    frame, explainer = frame_of(), explainer_of(dtype="float32")
    found = table_of(explain(blocks_of(frame, 5), explainer, keys=["id", "group"], prediction=True))
    assert found.schema.names == ["id", "group", "shap_values", "base_value", "prediction"]
    assert found.schema.field("shap_values").type == pa.list_(pa.float32(), len(NAMES))
    np.testing.assert_array_equal(matrix_of(found["shap_values"]), plain_call(explainer, frame))
    np.testing.assert_array_equal(found["id"].to_numpy(), frame["id"])
    assert found["group"].to_pylist() == list(frame["group"])
    np.testing.assert_array_equal(found["base_value"].to_numpy(), explainer.expected_value)


def test_a_killed_process_is_replaced(tmp_path: Path) -> None:
    frame, explainer = frame_of(), explainer_of()
    marker = tmp_path / "died"
    die = killer(marker)

    def kill(block: pa.Table) -> pa.Table:
        if 7 * 600 in block["id"].to_pylist():
            die()
        return block

    dying = blocks_of(frame, 10).map_batches(kill, batch_size=None, batch_format="pyarrow")
    found = table_of(explain(dying, explainer, keys=["id"]))
    assert marker.exists()
    np.testing.assert_array_equal(matrix_of(found["shap_values"]), plain_call(explainer, frame))
    marker.unlink()
    check_aggregates(
        aggregate(dying, explainer, group="group"), one_pass(explainer, frame, group="group")
    )
    assert marker.exists()


def test_nothing_is_computed_before_it_is_asked_for(tmp_path: Path) -> None:
    seen = tmp_path / "seen"

    def note(block: pa.Table) -> pa.Table:
        seen.touch()
        return block

    noted = blocks_of(frame_of(60), 2).map_batches(note, batch_format="pyarrow")
    out = explain(noted, explainer_of(), keys=["id"])
    assert not seen.exists()
    assert table_of(out).num_rows == 60
    assert seen.exists()


def test_columns_and_the_strongest_features() -> None:
    frame, explainer = frame_of(90), explainer_of()
    wanted = plain_call(explainer, frame)
    options: Any = {"values": "columns", "top_k": 2, "keys": ["id"]}
    found = table_of(explain(blocks_of(frame, 3), explainer, **options))
    values = np.stack([found[f"shap_{name}"].to_numpy() for name in NAMES], axis=1)
    np.testing.assert_array_equal(values, wanted)
    order = np.argsort(-np.abs(wanted), axis=1, kind="stable")[:, :2]
    np.testing.assert_array_equal(
        matrix_of(found["top_values"]), np.take_along_axis(wanted, order, axis=1)
    )
    assert found["top_features"].to_pylist() == np.array(NAMES)[order].tolist()


def test_several_outputs() -> None:
    frame, explainer = frame_of(90), explainer_of(3)
    found = table_of(explain(blocks_of(frame, 3), explainer, keys=["id"]))
    wanted = plain_call(explainer, frame)
    for k in range(3):
        column = found[f"shap_values_class {k}"]
        np.testing.assert_array_equal(matrix_of(column), wanted[:, :, k])


def test_categories_by_name() -> None:
    frame, explainer = color_frame(), color_explainer()
    wanted = plain_call(explainer, frame.assign(c=pd.Categorical(frame["c"], COLORS)))
    for data in (frame, frame.assign(c=frame["c"].astype("category"))):
        found = table_of(explain(blocks_of(data, 4), explainer, keys=["id"]))
        np.testing.assert_array_equal(matrix_of(found["shap_values"]), wanted)


def test_categories_that_the_model_knows_by_codes(tmp_path: Path) -> None:
    explainer = leafshap.TreeExplainer(model_with_unnamed_categories())
    frame = color_frame()
    text = frame.assign(c=frame["c"].astype("category"))
    with pytest.raises(InvalidInputError, match="codes of training"):
        explain(blocks_of(text, 4), explainer).materialize()
    codes = frame.assign(c=text["c"].cat.codes.replace(-1, 2).astype("int64"))
    codes.assign(c=codes["c"].astype("category")).to_parquet(tmp_path / "values.parquet")
    codes.to_parquet(tmp_path / "codes.parquet")
    # Ray's blocks have lost what pandas wrote into the file
    for call in (explain, aggregate):
        with pytest.raises(InvalidInputError, match="codes of training"):
            call(ray.data.read_parquet(str(tmp_path / "values.parquet")), explainer)
    read = ray.data.read_parquet(str(tmp_path / "codes.parquet"))
    found = table_of(explain(read, explainer, keys=["id"]))
    np.testing.assert_array_equal(matrix_of(found["shap_values"]), plain_call(explainer, codes))


def test_blocks_without_rows() -> None:
    frame, explainer = frame_of(), explainer_of()
    some = blocks_of(frame, 4).filter(lambda row: row["id"] < 7 * 200)
    found = table_of(explain(some, explainer, keys=["id"]))
    np.testing.assert_array_equal(
        matrix_of(found["shap_values"]), plain_call(explainer, frame[:200])
    )
    check_aggregates(aggregate(some, explainer), one_pass(explainer, frame[:200]))
    none = blocks_of(frame, 4).filter(lambda row: False)
    assert explain(none, explainer).count() == 0
    assert aggregate(none, explainer).n_rows == 0


@pytest.mark.parametrize("n_blocks", [1, 7])
def test_aggregates_are_those_of_one_pass(n_blocks: int) -> None:
    frame, explainer = frame_of(), explainer_of()
    kind: dict[str, Any] = {"group": "group", "histograms": True, "interactions": True}
    blocks = blocks_of(frame, n_blocks)
    found, wanted = aggregate(blocks, explainer, **kind), one_pass(explainer, frame, **kind)
    check_aggregates(found, wanted)
    np.testing.assert_array_equal(found.quantile(0.5), wanted.quantile(0.5))
    again = aggregate(blocks, explainer, **kind)
    np.testing.assert_array_equal(again.mean_abs, found.mean_abs)


def test_what_is_wrong_is_said_at_once() -> None:
    frame, explainer = frame_of(60), explainer_of()
    blocks = blocks_of(frame, 2)
    with pytest.raises(InvalidInputError, match=r"'age'.*\(is it 'Age'\?\)"):
        explain(blocks_of(frame.rename(columns={"age": "Age"}), 2), explainer)
    with pytest.raises(InvalidInputError, match="no column 'nr' for a key"):
        explain(blocks, explainer, keys=["nr"])
    with pytest.raises(InvalidInputError, match="no column 'nr' for the groups"):
        aggregate(blocks, explainer, group="nr")
    with pytest.raises(InvalidInputError, match=r"ray\.data\.Dataset, got DataFrame"):
        explain(frame, explainer)


def test_what_is_wrong_in_a_task_is_said_when_it_runs() -> None:
    """Ray does not know the columns of a function's output before it has run."""
    unknown = blocks_of(frame_of(60), 2).map_batches(lambda block: block, batch_format="pyarrow")
    with pytest.raises(InvalidInputError, match="no column 'nr' for a key"):
        explain(unknown, explainer_of(), keys=["nr"]).take(1)


def test_a_process_unpacks_the_explainer_once() -> None:
    def count(block: pa.Table) -> pa.Table:
        from leafshap.batch import shipment

        return block.append_column("kept", pa.array([len(shipment._unpacked)] * len(block)))

    frame, explainer = frame_of(), explainer_of()
    found = explain(blocks_of(frame, 20), explainer, keys=["id"])
    kept = found.map_batches(count, batch_size=None, batch_format="pyarrow").to_pandas()["kept"]
    assert 1 <= kept.max() <= 4
