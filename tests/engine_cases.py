"""What Dask, Spark and Ray are tested with: explainers, frames, and what one process gives."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

import leafshap
from batch_cases import NAMES, named_model, rows_of
from leafshap.batch import explain_batches
from leafshap.batch.aggregates import Aggregates

COLORS = ["red", "green", "blue"]


def explainer_of(n_outputs: int = 1, **options: Any) -> leafshap.TreeExplainer:
    return leafshap.TreeExplainer(named_model(n_outputs), **options)


def color_explainer() -> leafshap.TreeExplainer:
    """One that knows the categories of its feature "c" by name, and splits between them."""
    arrays = named_model().to_arrays()
    at = np.flatnonzero((arrays.split_feature == 2) & (arrays.left >= 0))
    assert len(at) > 1
    threshold = arrays.threshold.copy()
    threshold[at] = np.resize([0.5, 1.5], len(at))
    return leafshap.TreeExplainer(named_model(feature_categories={2: COLORS}, threshold=threshold))


def frame_of(n: int = 700, seed: int = 0) -> pd.DataFrame:
    """Rows with the features in another order, an id, a group, and a column of no use."""
    X = rows_of(named_model(), n, seed)
    columns: dict[str, Any] = {"id": np.arange(n) * 7}
    columns |= {NAMES[j]: X[:, j] for j in reversed(range(len(NAMES)))}
    columns["group"] = [("a", "a", "b")[i % 3] for i in range(n)]
    columns["unused"] = np.arange(n) % 5
    return pd.DataFrame(columns)


def color_frame(n: int = 300) -> pd.DataFrame:
    """As `frame_of`, with "c" as text and some of it missing."""
    names = np.array([*COLORS, None], dtype=object)
    return frame_of(n).assign(c=names[np.arange(n) % 4])


def plain_call(explainer: leafshap.TreeExplainer, frame: pd.DataFrame) -> npt.NDArray[Any]:
    """SHAP values by the call that knows neither batches nor engines."""
    return np.asarray(explainer.shap_values(frame[NAMES]))


def one_pass(explainer: leafshap.TreeExplainer, frame: pd.DataFrame, **kind: Any) -> Aggregates:
    """Aggregates of all rows as one batch."""
    import pyarrow as pa

    aggregates = Aggregates(**kind)
    table = pa.Table.from_pandas(frame, preserve_index=False)
    for _ in explain_batches(explainer, table.to_batches(), aggregates=aggregates):
        pass
    return aggregates


def check_aggregates(found: Aggregates, wanted: Aggregates) -> None:
    assert found.n_rows == wanted.n_rows
    assert found.feature_names == wanted.feature_names
    for what in ("mean_abs", "mean", "standard_deviation", "minimum", "maximum"):
        np.testing.assert_allclose(getattr(found, what), getattr(wanted, what), rtol=1e-9)
    assert found.group == wanted.group
    if wanted.group is None:
        return
    assert list(found.groups) == list(wanted.groups)
    for value, group in wanted.groups.items():
        assert found.groups[value].n_rows == group.n_rows
        np.testing.assert_allclose(found.groups[value].mean_abs, group.mean_abs, rtol=1e-9)


def killer(marker: Path) -> Callable[[], None]:
    """Make a function that ends its process without a word, the first time that it is called."""

    def kill() -> None:  # workers get it by value: they cannot import the tests
        import os

        try:
            marker.touch(exist_ok=False)
        except FileExistsError:
            return
        os._exit(9)

    return kill
