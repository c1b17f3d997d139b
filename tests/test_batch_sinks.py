"""Output files: what is read back is what was written, whatever the batches were."""

from __future__ import annotations

import csv
import datetime
import json
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from leafshap.batch.sinks import RejectWriter, format_of, join_parts, open_sink
from leafshap.batch.sources import Reject, open_source
from leafshap.errors import InvalidInputError

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")

FORMATS = ["parquet", "arrow", "csv", "npz"]


def explained(n: int, seed: int = 0) -> Any:
    """A table such as explaining gives."""
    rng = np.random.default_rng(seed)
    names = json.dumps(["shap_a", "shap_b c", "shap_d"]).encode()
    three, two = pa.list_(pa.float32(), 3), pa.list_(pa.string(), 2)
    schema = pa.schema(
        [
            pa.field("id", pa.int64()),
            pa.field("key, with comma", pa.string()),
            pa.field("shap_values", three, nullable=False, metadata={b"leafshap.columns": names}),
            pa.field("base_value", pa.float64(), nullable=False),
            pa.field("top_features", two, nullable=False),
        ]
    )
    words = np.array(["u", 'v "w"', "x\ny", "é"])[rng.integers(0, 4, n)]
    return pa.Table.from_arrays(
        [
            pa.array(np.arange(n) + (1 << 60)),
            pa.array(words, pa.string(), mask=rng.random(n) < 0.1),
            pa.FixedSizeListArray.from_arrays(pa.array(rng.normal(size=3 * n).astype("f4")), 3),
            pa.array(np.full(n, 0.1)),
            pa.FixedSizeListArray.from_arrays(pa.array(["a", "b c"] * n, pa.string()), 2),
        ],
        schema=schema,
    )


def write(table: Any, path: Path, format: str, rows: int) -> None:
    sink = open_sink(path, format, table.schema)
    for batch in table.to_batches(max_chunksize=rows):
        sink.write(batch)
    sink.close()


def matrix_of(table: Any, name: str) -> Any:
    return np.array(table[name].to_pylist())


def assert_holds(path: Path, format: str, table: Any) -> None:
    n = table.num_rows
    if format == "parquet":
        assert pq.read_table(path).equals(table)
        assert pq.read_table(path).schema == table.schema
    elif format == "arrow":
        with pa.memory_map(str(path)) as file:
            assert pa.ipc.open_file(file).read_all().equals(table)
    elif format == "csv":
        with open(path, newline="") as text:
            header, *rows = csv.reader(text)
        assert header == [
            "id", "key, with comma", "shap_a", "shap_b c", "shap_d", "base_value",
            "top_features_0", "top_features_1",
        ]  # fmt: skip
        columns = dict(zip(header, zip(*rows, strict=True), strict=True)) if rows else {}
        if not rows:
            assert n == 0
            return
        assert [int(cell) for cell in columns["id"]] == table["id"].to_pylist()
        keys = [cell or None for cell in columns["key, with comma"]]
        assert keys == table["key, with comma"].to_pylist()
        found = np.array([columns["shap_a"], columns["shap_b c"], columns["shap_d"]], dtype="f4")
        np.testing.assert_array_equal(found.T, matrix_of(table, "shap_values").astype("f4"))
        assert set(columns["top_features_1"]) == {"b c"}
        assert set(map(float, columns["base_value"])) == {0.1}
    else:
        with np.load(path) as arrays:
            assert arrays.files == table.column_names
            assert arrays["shap_values"].dtype == np.float32
            assert arrays["shap_values"].shape == (n, 3)
            np.testing.assert_array_equal(arrays["id"], table["id"].to_numpy())
            if n:
                np.testing.assert_array_equal(
                    arrays["shap_values"], matrix_of(table, "shap_values").astype("f4")
                )
                np.testing.assert_array_equal(
                    arrays["top_features"], matrix_of(table, "top_features")
                )
            keys = ["" if key is None else key for key in table["key, with comma"].to_pylist()]
            assert arrays["key, with comma"].tolist() == keys
            np.testing.assert_array_equal(arrays["base_value"], np.full(n, 0.1))


@pytest.mark.parametrize("n", [0, 1, 1000])
@pytest.mark.parametrize("format", FORMATS)
def test_what_is_written_is_read_back(tmp_path: Path, format: str, n: int) -> None:
    table = explained(n)
    path = tmp_path / f"out.{format}"
    write(table, path, format, 170)
    assert_holds(path, format, table)
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("format", FORMATS)
def test_bytes_do_not_depend_on_batches(tmp_path: Path, format: str) -> None:
    table = explained(300_000 if format != "csv" else 5000)
    for rows in (77_777, 1000, 300_000):
        write(table, tmp_path / f"{rows}", format, rows)
    first, second, third = (path.read_bytes() for path in sorted(tmp_path.iterdir()))
    assert first == second == third


@pytest.mark.parametrize("format", FORMATS)
def test_parts_are_joined_in_order(tmp_path: Path, format: str) -> None:
    table = explained(140_000 if format != "csv" else 3000)
    n = table.num_rows
    cuts = [0, n // 3, n // 3, n // 2, n]
    parts = []
    for i in range(4):
        parts.append(tmp_path / f"{9 - i}.arrow")
        write(table.slice(cuts[i], cuts[i + 1] - cuts[i]), parts[-1], "arrow", 1000)
    join_parts(parts, tmp_path / "joined", format)
    assert_holds(tmp_path / "joined", format, table)
    write(table, tmp_path / "once", format, 5000)
    assert (tmp_path / "joined").read_bytes() == (tmp_path / "once").read_bytes()


def test_parts_that_cannot_be_joined(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="no parts"):
        join_parts([], tmp_path / "out", "csv")
    write(explained(3), tmp_path / "1.arrow", "arrow", 5)
    write(explained(3).drop(["id"]), tmp_path / "2.arrow", "arrow", 5)
    with pytest.raises(InvalidInputError, match=r"2\.arrow: its columns differ"):
        join_parts([tmp_path / "1.arrow", tmp_path / "2.arrow"], tmp_path / "out", "npz")


@pytest.mark.parametrize("format", FORMATS)
def test_dictionaries_are_written_as_values(tmp_path: Path, format: str) -> None:
    """Batches come with different ones; an Arrow file has room for one only."""
    schema = pa.schema([("i", "int8"), ("k", pa.dictionary(pa.int32(), pa.string()))])
    path = tmp_path / f"out.{format}"
    sink = open_sink(path, format, schema)
    for words in (["a", "b"], ["c", None], ["b"]):
        array = pa.array(words).dictionary_encode()
        sink.write(pa.RecordBatch.from_arrays([array.indices.cast("int8"), array], schema=schema))
    sink.close()
    if format == "npz":
        assert np.load(path)["k"].tolist() == ["a", "b", "c", "", "b"]
        return
    source = open_source(path)
    assert source.schema.field("k").type == pa.string()
    found = [v for c in source.chunks(["k"], 10) for v in c.batch.column("k").to_pylist()]
    assert found == ["a", "b", "c", None, "b"]


def test_integers_fit_or_are_refused(tmp_path: Path) -> None:
    """CSV input may come as floats where integers were expected."""
    sink = open_sink(tmp_path / "out.parquet", "parquet", pa.schema([("id", "int64")]))
    sink.write(pa.RecordBatch.from_arrays([pa.array([1.0, None])], names=["id"]))
    with pytest.raises(InvalidInputError, match="column 'id' cannot be converted to int64"):
        sink.write(pa.RecordBatch.from_arrays([pa.array([1.5])], names=["id"]))
    with pytest.raises(InvalidInputError, match="no column 'id'"):
        sink.write(pa.RecordBatch.from_arrays([pa.array([1])], names=["ID"]))
    sink.close()
    assert pq.read_table(tmp_path / "out.parquet")["id"].to_pylist() == [1, None]


def test_keys_of_many_types(tmp_path: Path) -> None:
    day, moment = datetime.date(2024, 2, 29), datetime.datetime(2024, 2, 29, 12, 30)
    table = pa.table(
        {
            "whole": pa.array([1, None, 3], pa.int32()),
            "full": pa.array([1, 2, 3], pa.uint8()),
            "flag": [True, None, False],
            "day": [day, None, day],
            "moment": pa.array([moment, moment, None], pa.timestamp("us", tz="UTC")),
            "price": pa.array([1, 2, None], pa.decimal128(5, 1)),
            "clock": pa.array([datetime.time(1, 2), None, None]),
            "number": pa.array([0.5, None, float("nan")]),
            "text": ["", None, "longer"],
        }
    )
    for format in FORMATS:
        write(table, tmp_path / f"out.{format}", format, 2)
    assert pq.read_table(tmp_path / "out.parquet").schema == table.schema
    with open(tmp_path / "out.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["whole"] for row in rows] == ["1", "", "3"]
    assert rows[0]["day"] == "2024-02-29"
    assert [row["number"] for row in rows] == ["0.5", "", "nan"]
    arrays = np.load(tmp_path / "out.npz")
    expected: dict[str, Any] = {
        "whole": np.array([1.0, np.nan, 3.0]),
        "full": np.array([1, 2, 3], "u1"),
        "flag": np.array([1.0, np.nan, 0.0]),
        "day": np.array([day, "NaT", day], "M8[D]"),
        "moment": np.array([moment, moment, "NaT"], "M8[us]"),
        "price": np.array([1.0, 2.0, np.nan]),
        "number": np.array([0.5, np.nan, np.nan]),
        "text": np.array(["", "", "longer"]),
    }
    for name, array in expected.items():
        np.testing.assert_array_equal(arrays[name], array)
        assert arrays[name].dtype == array.dtype, name
    assert arrays["clock"][0].startswith("01:02:00")


@pytest.mark.parametrize(
    ("column", "format", "message"),
    [
        (pa.array([[1], [1, 2]]), "csv", "column 'k' of type list<.*> cannot be written as CSV"),
        (pa.array([{"a": 1}]), "csv", "column 'k' of type struct<.*> cannot be written as CSV"),
        (pa.array([{"a": 1}]), "npz", "column 'k' of type struct<.*> cannot be written as npz"),
        (pa.array([(1 << 53) + 1, None]), "npz", "column 'k' has missing values and integers"),
    ],
)
def test_columns_that_a_format_has_no_place_for(
    tmp_path: Path, column: Any, format: str, message: str
) -> None:
    with pytest.raises(InvalidInputError, match=message):
        write(pa.table({"k": column}), tmp_path / "out", format, 10)


def test_missing_lists_are_empty_cells(tmp_path: Path) -> None:
    column = pa.array([[1.5, 2.0], None, [None, 3.0]], pa.list_(pa.float32(), 2))
    write(pa.table({"l": column}), tmp_path / "out.csv", "csv", 10)
    lines = (tmp_path / "out.csv").read_text().splitlines()
    assert lines == ['"l_0","l_1"', "1.5,2", ",", ",3"]
    write(pa.table({"l": column}).slice(1), tmp_path / "out.csv", "csv", 10)
    assert (tmp_path / "out.csv").read_text().splitlines()[1:] == [",", ",3"]


def test_two_columns_of_one_name(tmp_path: Path) -> None:
    table = pa.table({"l_0": [1.0], "l": pa.array([[1.0]], pa.list_(pa.float64(), 1))})
    with pytest.raises(InvalidInputError, match="two columns called 'l_0'"):
        open_sink(tmp_path / "out.csv", "csv", table.schema)


def test_parquet_groups_are_small_and_text_is_in_dictionaries(tmp_path: Path) -> None:
    table = explained(150_000)
    write(table, tmp_path / "a.parquet", "parquet", 10_000)
    metadata = pq.read_metadata(tmp_path / "a.parquet")
    groups = [metadata.row_group(i) for i in range(metadata.num_row_groups)]
    assert [group.num_rows for group in groups] == [131_072, 150_000 - 131_072]
    encodings = {
        groups[0].column(j).path_in_schema: groups[0].column(j).encodings
        for j in range(groups[0].num_columns)
    }
    dictionaries = {path for path, kinds in encodings.items() if "RLE_DICTIONARY" in kinds}
    assert dictionaries == {"key, with comma", "base_value", "top_features.list.element"}
    wide = pa.schema([("v", pa.list_(pa.float32(), 225))])
    sink = open_sink(tmp_path / "b.parquet", "parquet", wide)
    zeros = pa.FixedSizeListArray.from_arrays(pa.array(np.zeros(225 * 20_000, "f4")), 225)
    sink.write(pa.RecordBatch.from_arrays([zeros], schema=wide))
    sink.close()
    assert pq.read_metadata(tmp_path / "b.parquet").row_group(0).num_rows == 8192


def test_archives_are_plain_zip_files(tmp_path: Path) -> None:
    write(explained(10), tmp_path / "a.npz", "npz", 3)
    with zipfile.ZipFile(tmp_path / "a.npz") as archive:
        assert archive.testzip() is None
        assert {info.compress_type for info in archive.infolist()} == {zipfile.ZIP_STORED}


@pytest.mark.parametrize(
    ("name", "format"),
    [("a.parquet", "parquet"), ("b.PQ", "parquet"), ("c.feather", "arrow"), ("d.x.csv", "csv"),
     ("e.npz", "npz"), ("f.ipc", "arrow"), ("g.arrow", "arrow")],
)  # fmt: skip
def test_formats_by_suffix(name: str, format: str) -> None:
    assert format_of(name) == format
    assert format_of(Path("folder.csv") / name) == format


def test_unknown_formats(tmp_path: Path) -> None:
    for name in ("out", "out.txt", "out.npy"):
        with pytest.raises(InvalidInputError, match=rf"{name}: cannot tell .*\.parquet, .*\.npz"):
            format_of(name)
    with pytest.raises(InvalidInputError, match="unknown output format 'txt'"):
        open_sink(tmp_path / "out", "txt", pa.schema([]))
    with pytest.raises(InvalidInputError, match="unknown output format 'txt'"):
        join_parts([], tmp_path / "out", "txt")


def test_rejects_are_appended(tmp_path: Path) -> None:
    path = tmp_path / "rejects.csv"
    writer = RejectWriter(path)
    writer.write([Reject("a.csv", 3, "x, y", "not a number", 'q "z"\nnext')])
    writer.write([])
    assert writer.count == 1
    assert len(path.read_text().splitlines()) == 2  # there before it is closed
    writer.close()
    with open(path, "a") as file:
        file.write('a.csv,4,"half a li')  # a process was killed
    writer = RejectWriter(path)
    writer.write([Reject("b.parquet", None, None, "cannot be read")])
    writer.close()
    assert writer.count == 1
    with open(path, newline="") as file:
        assert list(csv.reader(file)) == [
            ["file", "row", "column", "reason", "text"],
            ["a.csv", "3", "x, y", "not a number", 'q "z"\\nnext'],
            ["b.parquet", "", "", "cannot be read", ""],
        ]


_MEASURE = r"""
import re, sys
from pathlib import Path
from leafshap.batch.sinks import join_parts
def peak(parts):
    join_parts([Path(part) for part in parts], sys.argv[2], sys.argv[1])
    status = Path("/proc/self/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1])
parts = sys.argv[3:]
small = peak(parts[:2])
print((peak(parts) - small) / 1024)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="tells memory in its own unit")
@pytest.mark.parametrize("format", ["parquet", "arrow", "npz"])
def test_memory_does_not_grow_with_the_parts(tmp_path: Path, format: str) -> None:
    rng = np.random.default_rng(0)
    values = pa.array(rng.random(100_000 * 15, dtype=np.float32))
    table = pa.table({"shap_values": pa.FixedSizeListArray.from_arrays(values, 15)})
    parts = []
    for i in range(20):  # 120 MB
        parts.append(str(tmp_path / f"{i}.arrow"))
        write(table, Path(parts[-1]), "arrow", 100_000)
    run = [sys.executable, "-c", _MEASURE, format, str(tmp_path / "joined"), *parts]
    grown = float(subprocess.run(run, capture_output=True, text=True, check=True).stdout)
    assert grown < 50, f"{grown} MB"
