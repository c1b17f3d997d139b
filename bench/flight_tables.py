"""Parquet files of as many flights as one likes: drawn from the data, with noise on the numbers.

Rows differ from one another, and the first rows of a longer table are those of a shorter one.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

import datasets
from datasets import FLIGHTS_FEATURES, Floats

TABLES = datasets.CACHE / "tables"
ROW_GROUP = 1_000_000

_BLOCK = 50_000
_SEED = 9
# Minutes and miles, which XGBoost splits finely; the others are dates, hours and codes.
_NOISY = ("dep_time", "dep_delay", "arr_time", "air_time", "distance")
_READ_BYTES = 1 << 24


@dataclass(frozen=True)
class FlightTable:
    """So many rows in so many files of equal length; `row_group` rows are written at once."""

    rows: int
    files: int = 1
    row_group: int = ROW_GROUP

    @property
    def label(self) -> str:
        """For a report."""
        group = min(self.row_group, self.rows // self.files)
        folder = f"{self.files} files, " if self.files > 1 else ""
        return f"{self.rows:,} rows, {folder}row groups of {group:,}"

    def path(self) -> Path:
        """The Parquet file, or the folder of files; written on first use."""
        name = f"flights-{self.rows}-{self.files}-{min(self.row_group, self.rows)}"
        path = TABLES / (name if self.files > 1 else f"{name}.parquet")
        if not path.exists():
            TABLES.mkdir(parents=True, exist_ok=True)
            partial = path.with_name("part-" + path.name)
            if self.files > 1:
                shutil.rmtree(partial, ignore_errors=True)
                partial.mkdir()
                ends = [self.rows * i // self.files for i in range(self.files + 1)]
                for i, (begin, end) in enumerate(pairwise(ends)):
                    self._write(partial / f"part-{i:05}.parquet", begin, end)
            else:
                self._write(partial, 0, self.rows)
            partial.replace(path)
        return path

    def _write(self, path: Path, begin: int, end: int) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        schema = pa.schema([(name, pa.float32()) for name in FLIGHTS_FEATURES])
        with pq.ParquetWriter(path, schema) as writer:
            for first in range(begin, end, self.row_group):
                columns = flights(first, min(first + self.row_group, end)).T
                table = pa.table([pa.array(np.ascontiguousarray(c)) for c in columns], schema)
                writer.write_table(table, row_group_size=self.row_group)

    def warm(self) -> None:
        """Read every byte, so that it comes from memory when it is read again."""
        path = self.path()
        for file in sorted(path.iterdir()) if path.is_dir() else [path]:
            with file.open("rb") as stream:
                while stream.read(_READ_BYTES):
                    pass


def flights(begin: int, end: int) -> Floats:
    """The rows from `begin` to `end` (excluded), float32 (n, 15), of an endless table."""
    first, last = begin // _BLOCK, -(-end // _BLOCK)
    rows = np.concatenate([_block(i) for i in range(first, last)])
    return rows[begin - first * _BLOCK : end - first * _BLOCK]


def _block(number: int) -> Floats:
    flights, _ = datasets.load("flights")
    rng = np.random.default_rng([_SEED, number])
    rows = flights[rng.integers(len(flights), size=_BLOCK)]
    noisy = [FLIGHTS_FEATURES.index(name) for name in _NOISY]
    rows[:, noisy] += rng.uniform(-0.5, 0.5, (_BLOCK, len(noisy))).astype(np.float32)
    return rows


def features(path: Path, most: int) -> Floats:
    """The rows of a file, at most so many, as float32 (n, 15)."""
    import pyarrow.parquet as pq

    parts: list[Floats] = []
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(batch_size=_BLOCK):
            parts.append(np.column_stack([column.to_numpy() for column in batch.columns]))
            if sum(map(len, parts)) >= most:
                break
    return np.concatenate(parts)[:most]
