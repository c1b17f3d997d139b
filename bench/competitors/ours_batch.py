"""leafshap from file to file, and the in-memory kernel it is held against: all in float32."""

from __future__ import annotations

import importlib
import re
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

import memory
from competitors import BatchSide, not_installed, version_of
from competitors.ours import LeafshapLibrary

OUR_KERNEL = "leafshap-memory"
OUR_FILES = "leafshap-files"
OUR_COLUMNS = "leafshap-columns"
OUR_AGGREGATES = "leafshap-aggregates"
OUR_DASK = "leafshap-dask"
OUR_BATCH_NAMES = (OUR_KERNEL, OUR_FILES, OUR_COLUMNS, OUR_AGGREGATES, OUR_DASK)

_KERNEL_ROWS = 1_000_000


def _number(file: Path) -> int:
    """Of a part; Dask's are not padded with zeros."""
    numbers = re.findall(r"\d+", file.name)
    return int(numbers[-1]) if numbers else 0


def read_values(output: Path) -> npt.NDArray[Any]:
    """The SHAP values (n, F) of a Parquet file, or of a folder's files in order.

    They are in a column of lists, or in one column for every feature.
    """
    import pyarrow.parquet as pq

    files = sorted(output.glob("*.parquet"), key=_number) if output.is_dir() else [output]
    parts = []
    for file in files:
        table = pq.read_table(file)
        if "shap_values" not in table.column_names:
            names = [name for name in table.column_names if name.startswith("shap_")]
            parts.append(np.column_stack([table[name].to_numpy() for name in names]))
            continue
        # Chunk by chunk: combined ones may be more than an offset of Arrow can count.
        chunks = table["shap_values"].chunks
        parts += [c.flatten().to_numpy().reshape(len(c), -1) for c in chunks if len(c)]
    return np.concatenate(parts)


class _LeafshapBatch(LeafshapLibrary):
    """What they share: an explainer of the model file, which no other library reads."""

    output: Literal["values", "mean |phi|"] = "values"
    in_part = False

    def __init__(self, name: str) -> None:
        super().__init__(name, "float32", 1e-5)

    def absent(self) -> str | None:
        return super().absent() or not_installed("pyarrow") or not_installed("leafshap.batch")

    def explainer(self, model: Path, n_threads: int) -> Any:
        import leafshap

        return leafshap.TreeExplainer(str(model), dtype=self.dtype, n_jobs=n_threads)

    def values(self, output: Path) -> npt.NDArray[Any]:
        return read_values(output)


class LeafshapMemory(_LeafshapBatch):
    """`shap_values(X, check_additivity=False)`: X has been read, and nothing is written."""

    def prepare(self, model: Path, n_threads: int) -> BatchSide:
        from flight_tables import features

        explainer = self.explainer(model, n_threads)
        return BatchSide(
            run=lambda X, output: explainer.shap_values(X, check_additivity=False),
            stage=lambda table: features(table, _KERNEL_ROWS),
            rows=len,
            store=lambda values, output: np.save(output.open("wb"), values),
        )

    def values(self, output: Path) -> npt.NDArray[Any]:
        return np.asarray(np.load(output))


class LeafshapFiles(_LeafshapBatch):
    """`explain_files(explainer, table, output)`; also with `values="columns"`."""

    def __init__(self, name: str, **options: Any) -> None:
        super().__init__(name)
        self.options = options

    def prepare(self, model: Path, n_threads: int) -> BatchSide:
        from leafshap.batch import explain_files

        explainer = self.explainer(model, n_threads)
        return BatchSide(
            run=lambda table, output: explain_files(explainer, table, output, **self.options),
            rows=lambda report: int(report.n_rows),
        )


class LeafshapAggregates(_LeafshapBatch):
    """`explain_files(explainer, table, aggregates=Aggregates())`: no values are written."""

    output = "mean |phi|"

    def prepare(self, model: Path, n_threads: int) -> BatchSide:
        from leafshap.batch import Aggregates, explain_files

        explainer = self.explainer(model, n_threads)
        return BatchSide(
            run=lambda table, output: explain_files(explainer, table, aggregates=Aggregates()),
            rows=lambda report: int(report.n_rows),
            store=lambda report, output: np.save(output.open("wb"), report.aggregates.mean_abs),
        )

    def values(self, output: Path) -> npt.NDArray[Any]:
        return np.asarray(np.load(output))


class LeafshapDask(_LeafshapBatch):
    """`explain(dd.read_parquet(folder), explainer, values="columns").to_parquet(output, ...)`.

    Of leafshap.batch.dask, on a local cluster of one worker with one thread for every thread.
    """

    def absent(self) -> str | None:
        return super().absent() or not_installed("dask") or not_installed("distributed")

    def version(self) -> str:
        return f"{super().version()} with dask {version_of('dask')}"

    def prepare(self, model: Path, n_threads: int) -> BatchSide:
        # By name: their annotations are none of ours.
        dd, distributed, ours = (
            importlib.import_module(name)
            for name in ("dask.dataframe", "distributed", "leafshap.batch.dask")
        )
        explainer = self.explainer(model, n_threads)
        cluster = distributed.LocalCluster(
            n_workers=n_threads, threads_per_worker=1, processes=True, dashboard_address=None
        )
        client = distributed.Client(cluster)

        def run(table: Path, output: Path) -> None:
            explained = ours.explain(dd.read_parquet(table), explainer, values="columns")
            # as the guide says: dictionaries of SHAP values cost time and space
            explained.to_parquet(output, write_index=False, use_dictionary=["base_value"])

        def close() -> None:
            client.close()
            cluster.close()

        return BatchSide(
            run=run,
            worker_peaks=lambda: list(client.run(memory.peak).values()),
            close=close,
        )


COMPETITORS = (
    LeafshapMemory(OUR_KERNEL),
    LeafshapFiles(OUR_FILES),
    LeafshapFiles(OUR_COLUMNS, values="columns"),
    LeafshapAggregates(OUR_AGGREGATES),
    LeafshapDask(OUR_DASK),
)
