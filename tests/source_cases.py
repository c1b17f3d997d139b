"""What the tests of `leafshap.batch.sources` share: files of every format, and chunks compared."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from leafshap.batch.sources import Chunk, Source

pa = pytest.importorskip("pyarrow")


def example_table(n: int, seed: int = 0) -> Any:
    """Keys beyond float64's integers, numbers with missing ones, text and its dictionary."""
    rng = np.random.default_rng(seed)
    missing = rng.random(n) < 0.2
    words = np.array(["a", "b c", 'q"t', "x,y", "line\nend", "ü"])[rng.integers(0, 6, n)]
    return pa.table(
        {
            "id": pa.array(np.arange(n) + (1 << 60)),
            "x": pa.array(rng.normal(size=n), mask=missing),
            "f": pa.array(rng.normal(size=n).astype(np.float32)),
            "t": pa.array(words, pa.string(), mask=rng.random(n) < 0.1),
        }
    )


def write_example(folder: Path, kind: str, n: int = 1000, seed: int = 0) -> Path:
    """Write the example, or its numbers for npy, in one of KINDS."""
    from pyarrow import csv, feather
    from pyarrow import parquet as pq

    table = example_table(n, seed)
    suffix = {"stream": "ipc", "lz4": "feather", "gz": "csv.gz", "huge group": "parquet"}
    path = folder / f"part {seed}.{suffix.get(kind, kind)}"
    if kind == "parquet":
        pq.write_table(table, path, row_group_size=max(1, n // 30))
    elif kind == "huge group":
        pq.write_table(table, path, row_group_size=max(1, n))
    elif kind == "arrow":
        with pa.ipc.new_file(str(path), table.schema) as file:
            for start in range(0, n, 170):
                file.write_table(table.slice(start, 170), max_chunksize=170)
    elif kind == "lz4":
        feather.write_feather(table, str(path), compression="lz4", chunksize=90)
    elif kind == "stream":
        with pa.ipc.new_stream(str(path), table.schema) as file:
            file.write_table(table, max_chunksize=333)
    elif kind == "csv":
        csv.write_csv(table, str(path))
    elif kind == "gz":
        csv.write_csv(table, str(folder / "plain"))
        path.write_bytes(gzip.compress((folder / "plain").read_bytes()))
        (folder / "plain").unlink()
    else:
        matrix = np.column_stack([table["x"].to_numpy(), table["f"].to_numpy()])
        np.save(path, np.asfortranarray(matrix) if seed % 2 else matrix)
    return path


KINDS = ["parquet", "huge group", "arrow", "lz4", "stream", "csv", "gz", "npy"]


def read_all(source: Source, columns: list[str] | None = None, rows: int = 100, **how: Any) -> Any:
    """All chunks as one table."""
    wanted = source.schema.names if columns is None else columns
    batches = [chunk.batch for chunk in source.chunks(wanted, rows, **how)]
    return pa.Table.from_batches(batches)


def values_of(chunks: list[Chunk], column: str) -> list[Any]:
    return [value for chunk in chunks for value in chunk.batch.column(column).to_pylist()]


def assert_same_chunks(found: list[Chunk], expected: list[Chunk]) -> None:
    assert len(found) == len(expected)
    for a, b in zip(found, expected, strict=True):
        assert a.batch.schema == b.batch.schema
        # equals() holds NaN for unequal
        assert a.batch.to_pylist().__repr__() == b.batch.to_pylist().__repr__()
        assert (a.file, a.rejects, a.next) == (b.file, b.rejects, b.next)
        np.testing.assert_array_equal(a.rows, b.rows)
        assert a.rows.dtype == np.int64


def check_continuing(source: Source, columns: list[str], rows: int, **how: Any) -> list[Chunk]:
    """From every chunk's `next`, by way of JSON, the remaining chunks follow; give all."""
    chunks = list(source.chunks(columns, rows, **how))
    for i, chunk in enumerate(chunks):
        start = json.loads(json.dumps(chunk.next))
        assert_same_chunks(list(source.chunks(columns, rows, start, **how)), chunks[i + 1 :])
    return chunks
