"""Input files: every format gives the rows that are there, in the same chunks from anywhere."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from leafshap.batch.sources import Position, Reject, open_source
from leafshap.errors import InvalidInputError
from source_cases import KINDS, check_continuing, example_table, read_all, values_of, write_example

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")


@pytest.mark.parametrize("rows", [1, 7, 64, 333, 5000])
@pytest.mark.parametrize("kind", KINDS)
def test_continuing_gives_the_remaining_chunks(tmp_path: Path, kind: str, rows: int) -> None:
    n = {1: 15, 7: 100}.get(rows, 400)
    for seed in (0, 1):
        write_example(tmp_path, kind, n, seed)
    source = open_source(tmp_path)
    chunks = check_continuing(source, source.schema.names, rows)
    assert all(0 < chunk.batch.num_rows <= rows for chunk in chunks)
    numbers = np.concatenate([chunk.rows for chunk in chunks])
    np.testing.assert_array_equal(numbers, np.tile(np.arange(n), 2))
    if kind not in ("csv", "gz"):  # blocks of text end where lines do
        assert [c.batch.num_rows for c in chunks[: n // rows]] == [rows] * (n // rows)


@pytest.mark.parametrize("kind", KINDS)
def test_rows_are_those_of_the_file(tmp_path: Path, kind: str) -> None:
    path = write_example(tmp_path, kind)
    source = open_source(path)
    table = example_table(1000)
    if kind == "npy":
        found = read_all(source, rows=70)
        np.testing.assert_array_equal(found["0"].to_numpy(), table["x"].to_numpy())
        np.testing.assert_array_equal(found["1"].to_numpy(), table["f"].to_numpy())
        assert source.schema.names == ["0", "1"]
        return
    if kind in ("csv", "gz"):
        table = table.set_column(2, "f", table["f"].cast("float64"))
        found = read_all(source, rows=70)
        np.testing.assert_array_equal(  # a float32's shortest text
            found["f"].to_numpy().astype(np.float32), table["f"].to_numpy().astype(np.float32)
        )
        assert found.drop(["f"]).equals(table.drop(["f"]))
        return
    assert read_all(source, rows=70).equals(table)
    assert read_all(source, ["t", "id"], rows=70).equals(table.select(["t", "id"]))


@pytest.mark.parametrize("kind", KINDS)
def test_row_counts_are_told_where_known(tmp_path: Path, kind: str) -> None:
    paths = [write_example(tmp_path, kind, 50 + seed, seed) for seed in (0, 1)]
    source = open_source(paths)
    assert source.n_rows == (None if kind in ("csv", "gz", "stream") else 101)
    assert source.files == [str(path) for path in paths]


@pytest.mark.parametrize("kind", KINDS)
def test_no_rows(tmp_path: Path, kind: str) -> None:
    source = open_source(write_example(tmp_path, kind, 0))
    assert list(source.chunks(source.schema.names, 10)) == []


def test_parquet_positions_are_rows(tmp_path: Path) -> None:
    source = open_source(write_example(tmp_path, "parquet", 100))
    start: Position = {"file": 0, "row": 37}
    first = next(iter(source.chunks(["id"], 10, start)))
    np.testing.assert_array_equal(first.rows, np.arange(37, 47))
    assert first.batch.column("id").to_pylist() == [i + (1 << 60) for i in range(37, 47)]


@pytest.mark.parametrize("kind", ["parquet", "arrow"])
def test_dictionaries_stay(tmp_path: Path, kind: str) -> None:
    words = pa.array(np.repeat(["a", "b", "c", None, "d"], 20)).dictionary_encode()
    indices = pa.array(words.indices.to_pylist(), pa.int8())
    column = pa.DictionaryArray.from_arrays(indices, words.dictionary)
    table = pa.table({"t": column})
    path = tmp_path / f"a.{kind}"
    if kind == "parquet":
        pq.write_table(table, path, row_group_size=10)
    else:
        with pa.ipc.new_file(str(path), table.schema) as file:
            file.write_table(table, max_chunksize=10)
    source = open_source(path)
    assert source.schema.field("t").type == pa.dictionary(pa.int32(), pa.string())
    chunks = check_continuing(source, ["t"], 33)
    assert all(chunk.batch.schema == source.schema for chunk in chunks)
    assert values_of(chunks, "t") == column.to_pylist()


def test_columns_are_found_by_name_and_numbers_meet(tmp_path: Path) -> None:
    pq.write_table(
        pa.table({"a": pa.array([1, 2], pa.int32()), "b": ["u", "v"]}), tmp_path / "1.pq"
    )
    pq.write_table(
        pa.table({"extra": [0], "b": pa.array(["w"]).dictionary_encode(), "a": pa.array([0.5])}),
        tmp_path / "2.pq",
    )
    pq.write_table(pa.table({"b": pa.nulls(1), "a": pa.nulls(1)}), tmp_path / "3.pq")
    source = open_source(tmp_path)
    assert source.schema.names == ["a", "b", "extra"]
    found = read_all(source, ["b", "a"])
    assert found.schema == pa.schema([("b", pa.string()), ("a", pa.float64())])
    assert found.to_pydict() == {"b": ["u", "v", "w", None], "a": [1.0, 2.0, 0.5, None]}


@pytest.mark.parametrize(
    ("types", "common"),
    [
        (("int32", "int64"), "int64"),
        (("int16", "float32"), "float32"),
        (("int64", "float32"), "float64"),
        (("bool", "int8"), "int8"),
        (("string", "large_string"), "large_string"),
    ],
)
def test_common_types(tmp_path: Path, types: tuple[str, str], common: str) -> None:
    for i, kind in enumerate(types):
        pq.write_table(pa.table({"a": pa.array([], kind)}), tmp_path / f"{i}.parquet")
    assert open_source(tmp_path).schema.field("a").type == pa.type_for_alias(common)


def test_integers_that_no_float_holds_are_not_rounded(tmp_path: Path) -> None:
    pq.write_table(pa.table({"a": [1, (1 << 53) + 1]}), tmp_path / "1.parquet")
    pq.write_table(pa.table({"a": [0.5]}), tmp_path / "2.parquet")
    with pytest.raises(InvalidInputError, match=r"1\.parquet, rows 0 to 1: column 'a' cannot be"):
        read_all(open_source(tmp_path))


def faulty_folder(folder: Path) -> dict[str, Path]:
    """Good files at both ends; between them one without a column, one of text, one damaged."""
    good = {"a": [1.0, 2.0], "b": [1, 2]}
    paths = {name: folder / f"{name}.parquet" for name in ("1good", "2lacks", "3text", "5good")}
    pq.write_table(pa.table(good), paths["1good"])
    pq.write_table(pa.table({"b": [1]}), paths["2lacks"])
    pq.write_table(pa.table({"a": ["x"], "b": [1]}), paths["3text"])
    paths["4cut"] = folder / "4cut.parquet"
    paths["4cut"].write_bytes(paths["1good"].read_bytes()[:-50])
    pq.write_table(pa.table(good), paths["5good"])
    return paths


def test_a_file_that_does_not_fit_is_named_before_anything_is_read(tmp_path: Path) -> None:
    paths = faulty_folder(tmp_path)
    with pytest.raises(InvalidInputError, match=r"2lacks\.parquet, column 'a': there is no such"):
        next(iter(open_source(tmp_path).chunks(["a"], 10)))
    paths["2lacks"].unlink()
    with pytest.raises(InvalidInputError, match=r"3text\.parquet, column 'a': it is string here"):
        next(iter(open_source(tmp_path).chunks(["a"], 10)))
    paths["3text"].unlink()
    with pytest.raises(InvalidInputError, match=r"4cut\.parquet: cannot be read"):
        next(iter(open_source(tmp_path).chunks(["a"], 10)))
    paths["4cut"].unlink()
    assert read_all(open_source(tmp_path), ["a"])["a"].to_pylist() == [1.0, 2.0] * 2


def test_files_that_do_not_fit_are_rejects(tmp_path: Path) -> None:
    faulty_folder(tmp_path)
    source = open_source(tmp_path)
    chunks = check_continuing(source, ["a"], 10, rejects=True)
    rejects = [reject for chunk in chunks for reject in chunk.rejects]
    assert [Path(reject.file).name[:5] for reject in rejects] == ["2lack", "3text", "4cut."]
    assert [(reject.row, reject.column) for reject in rejects] == [
        (None, "a"),
        (None, "a"),
        (None, None),
    ]
    assert values_of(chunks, "a") == [1.0, 2.0] * 2


def test_a_file_damaged_inside_is_read_up_to_there(tmp_path: Path) -> None:
    table = pa.table({"a": np.random.default_rng(0).normal(size=40_000)})
    path = tmp_path / "1.parquet"
    pq.write_table(table, path, row_group_size=10_000, compression="zstd", use_dictionary=False)
    pq.write_table(table.slice(0, 10), tmp_path / "2.parquet")
    data = bytearray(path.read_bytes())
    middle = len(data) * 5 // 8
    data[middle - 20_000 : middle + 20_000] = bytes(40_000)
    path.write_bytes(data)
    source = open_source(tmp_path)
    with pytest.raises(InvalidInputError, match=r"1\.parquet: cannot be read"):
        list(source.chunks(["a"], 5000))
    chunks = check_continuing(source, ["a"], 5000, rejects=True)
    rejects = [reject for chunk in chunks for reject in chunk.rejects]
    assert [(reject.row, Path(reject.file).name) for reject in rejects] == [(None, "1.parquet")]
    assert chunks[0].batch.column("a").equals(table["a"].chunk(0).slice(0, 5000))
    assert chunks[-1].batch.num_rows == 10


def test_nothing_to_read(tmp_path: Path) -> None:
    cases: list[tuple[Any, str]] = [
        (tmp_path / "none.parquet", "no such file"),
        (tmp_path, "there are no input files in it"),
        ([], "list of paths is empty"),
        (str(tmp_path / "*.csv"), "no file matches"),
    ]
    for paths, message in cases:
        with pytest.raises(InvalidInputError, match=message):
            open_source(paths)
    (tmp_path / "a.xyz").write_text("a\n1\n")
    with pytest.raises(InvalidInputError, match=r"a\.xyz: the format of this file is unknown"):
        open_source(tmp_path / "a.xyz")
    assert read_all(open_source(tmp_path / "a.xyz", "csv"))["a"].to_pylist() == [1]
    assert read_all(open_source(tmp_path, "csv"))["a"].to_pylist() == [1]
    with pytest.raises(InvalidInputError, match="unknown input format 'json'"):
        open_source(tmp_path, "json")
    for name in ("a.parquet", "a.arrow", "a.npy", "a.csv"):
        (tmp_path / name).write_bytes(b"")
        with pytest.raises(InvalidInputError, match=rf"{name}: .*empty|{name}: cannot be read"):
            open_source(tmp_path / name)
    with pytest.raises(InvalidInputError, match=r"several formats, such as .* and "):
        open_source(tmp_path)


def test_absent_columns_are_named(tmp_path: Path) -> None:
    source = open_source(write_example(tmp_path, "parquet"))
    with pytest.raises(InvalidInputError, match=r"part 0\.parquet: there is no column 'y'"):
        list(source.chunks(["y"], 10))
    twice = pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["a", "a"])
    pq.write_table(twice, tmp_path / "twice.parquet")
    with pytest.raises(InvalidInputError, match="column 'a': there are 2 of it"):
        read_all(open_source(tmp_path / "twice.parquet"), ["a"])


def test_names_with_dots_are_columns_of_their_own(tmp_path: Path) -> None:
    table = pa.table({"a": [1], "a.b": [2], "with space": [3]})
    pq.write_table(table, tmp_path / "a.parquet")
    source = open_source(tmp_path / "a.parquet")
    for name in table.column_names:
        assert read_all(source, [name]).to_pydict() == {name: table[name].to_pylist()}


def test_folders_tell_columns(tmp_path: Path) -> None:
    places = {
        "year=2023/city=a b": 1,
        "year=2024/city=x%2Fy": 2,
        "year=2024/city=__HIVE_DEFAULT_PARTITION__": 3,
    }
    for place, value in places.items():
        (tmp_path / place).mkdir(parents=True)
        pq.write_table(pa.table({"v": [value, value]}), tmp_path / place / "p.parquet")
    (tmp_path / "_temporary").mkdir()
    for name in ("_SUCCESS", ".p.parquet.crc", "_temporary/q.parquet", "notes.txt"):
        (tmp_path / name).write_bytes(b"not data")
    source = open_source(tmp_path)
    text = pa.dictionary(pa.int32(), pa.string())
    assert source.schema == pa.schema([("v", "int64"), ("year", "int64"), ("city", text)])
    chunks = check_continuing(source, ["city", "v", "year"], 1)
    rows = {tuple(row.values()) for chunk in chunks for row in chunk.batch.to_pylist()}
    assert rows == {("a b", 1, 2023), ("x/y", 2, 2024), (None, 3, 2024)}
    assert read_all(source, ["year"])["year"].to_pylist() == [2023, 2023, 2024, 2024, 2024, 2024]
    every = open_source(str(tmp_path / "**" / "*.parquet"))
    assert every.files == source.files
    assert every.schema == source.schema
    by_pattern = open_source(str(tmp_path / "year=2024" / "*" / "*.parquet"))
    assert by_pattern.schema.names == ["v", "city"]
    assert open_source(str(tmp_path / "year=*")).schema.names == ["v", "year", "city"]


def test_files_are_sorted_and_read_once(tmp_path: Path) -> None:
    names = [str(write_example(tmp_path, "npy", 5, seed)) for seed in (2, 0, 1)]
    source = open_source([*names, tmp_path, names[0]])
    assert source.files == sorted(names)
    assert source.n_rows == 15


def test_fingerprints_are_of_files_not_of_their_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_example(tmp_path, "npy")
    (tmp_path / "link").symlink_to(tmp_path)
    expected = open_source(path).fingerprint()
    monkeypatch.chdir(tmp_path)
    for name in (path.name, f"./{path.name}", tmp_path / "link" / path.name, "*.npy"):
        assert open_source(name).fingerprint() == expected


def test_fingerprints_tell_changes(tmp_path: Path) -> None:
    path = write_example(tmp_path, "npy")
    source = open_source(path)
    before = source.fingerprint()
    assert before == open_source(path).fingerprint()
    state = os.stat(path)
    assert before == [[str(path.resolve()), state.st_size, state.st_mtime_ns]]
    os.utime(path, ns=(0, 5))
    assert source.fingerprint() == [[str(path.resolve()), state.st_size, 5]]


@pytest.mark.parametrize("dtype", ["?", "i1", "u8", "<f4", ">f4", "f2", ">i8"])
def test_matrices_of_every_number(tmp_path: Path, dtype: str) -> None:
    matrix = np.random.default_rng(0).integers(0, 2, (50, 3)).astype(dtype)
    np.save(tmp_path / "a.npy", matrix)
    found = read_all(open_source(tmp_path / "a.npy"), ["2", "0"], rows=7)
    np.testing.assert_array_equal(found["2"].to_numpy(), matrix[:, 2].astype(np.float64))
    np.testing.assert_array_equal(found["0"].to_numpy(), matrix[:, 0].astype(np.float64))


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros(3), "expected a matrix"),
        (np.zeros((3, 2), "c16"), "expected numbers, got dtype complex128"),
        (np.zeros((3, 2), "U2"), "expected numbers"),
        (np.array([[None]]), "expected numbers, got dtype object"),
    ],
)
def test_arrays_that_are_no_matrix_of_numbers(
    tmp_path: Path, array: np.ndarray[Any, Any], message: str
) -> None:
    np.save(tmp_path / "a.npy", array, allow_pickle=True)
    with pytest.raises(InvalidInputError, match=message):
        open_source(tmp_path / "a.npy")


def test_a_matrix_cut_short(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.zeros((10, 4)))
    data = (tmp_path / "a.npy").read_bytes()
    (tmp_path / "a.npy").write_bytes(data[:-100])
    with pytest.raises(InvalidInputError, match=r"a\.npy: the file ends after 6 of its 10 rows"):
        open_source(tmp_path / "a.npy")


_MEASURE = r"""
import re, sys
from pathlib import Path
from leafshap.batch.sources import open_source
def peak(path):
    source = open_source(path)
    n = sum(chunk.batch.num_rows for chunk in source.chunks(source.schema.names, 16384))
    assert n == source.n_rows
    status = Path("/proc/self/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1])
small = peak(sys.argv[1])
print((peak(sys.argv[2]) - small) / 1024)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="tells memory in its own unit")
@pytest.mark.parametrize("suffix", ["parquet", "arrow", "npy"])
def test_memory_does_not_grow_with_a_file_in_one_piece(tmp_path: Path, suffix: str) -> None:
    rng = np.random.default_rng(0)
    paths = []
    for n in (200_000, 2_000_000):  # 120 MB
        matrix = rng.random((n, 15), dtype=np.float32)
        path = tmp_path / f"{n}.{suffix}"
        table = pa.table({str(j): np.ascontiguousarray(matrix[:, j]) for j in range(15)})
        if suffix == "parquet":
            pq.write_table(table, path, row_group_size=n, use_dictionary=False, compression="none")
        elif suffix == "arrow":
            with pa.ipc.new_file(str(path), table.schema) as file:
                file.write_batch(table.combine_chunks().to_batches()[0])
        else:
            np.save(path, matrix)
        paths.append(str(path))
    run = [sys.executable, "-c", _MEASURE, *paths]
    grown = float(subprocess.run(run, capture_output=True, text=True, check=True).stdout)
    assert grown < 60, f"{grown} MB"


def test_rejects_are_told_in_one_line() -> None:
    assert str(Reject("a.csv", 3, "x", "not a number", "b")) == (
        "a.csv, row 3, column 'x': not a number: 'b'"
    )
    assert str(Reject("a.csv", None, None, "cannot be read")) == "a.csv: cannot be read"


def polars_frame(polars: Any) -> Any:
    words = ["b", None, "a", "longer than twelve bytes"]
    return polars.DataFrame(
        {
            "enum": polars.Series(words, dtype=polars.Enum(["longer than twelve bytes", "b", "a"])),
            "category": polars.Series(words, dtype=polars.Categorical),
            "text": words,
            "bytes": [None if word is None else word.encode() for word in words],
            "x": [1.0, 2.0, 3.0, 4.0],
        }
    )


@pytest.mark.parametrize("compression", ["uncompressed", "zstd"])
def test_files_of_polars(tmp_path: Path, compression: Any) -> None:
    polars = pytest.importorskip("polars")
    frame = polars_frame(polars)
    for i in range(2):
        frame.write_ipc(tmp_path / f"{i}.arrow", compression=compression)
    source = open_source(tmp_path)
    words = pa.dictionary(pa.int32(), pa.string())
    types = [pa.dictionary(pa.int32(), pa.string(), ordered=True), words, pa.string(), pa.binary()]
    assert source.schema == pa.schema(list(zip(frame.columns, [*types, pa.float64()], strict=True)))
    chunks = check_continuing(source, frame.columns, 3)
    assert all(chunk.batch.schema == source.schema for chunk in chunks)
    for name in frame.columns:
        assert values_of(chunks, name) == frame[name].to_list() * 2


@pytest.mark.skipif(not hasattr(pa, "string_view"), reason="no views in this pyarrow")
def test_views_of_text_are_text(tmp_path: Path) -> None:
    words = ["b", None, "a", "longer than twelve bytes"]
    views = pa.array(words, pa.string_view())
    codes = pa.array([1, 0, None, 2], pa.int8())
    table = pa.table(
        {
            "t": views,
            "d": pa.DictionaryArray.from_arrays(codes, pa.array(["u", "v", "w"], pa.string_view())),
            "b": pa.array([b"1", b"2", None, b"3"], pa.binary_view()),
        }
    )
    with pa.ipc.new_file(str(tmp_path / "a.arrow"), table.schema) as file:
        file.write_table(table)
    with pa.ipc.new_stream(str(tmp_path / "b.ipc"), table.schema) as file:
        file.write_table(table)
    with pa.ipc.new_file(str(tmp_path / "c.arrow"), pa.schema([("t", "string")])) as file:
        file.write_table(pa.table({"t": words}))
    source = open_source([tmp_path / "a.arrow", tmp_path / "b.ipc"])
    words_by_code = pa.dictionary(pa.int32(), pa.string())
    assert source.schema == pa.schema([("t", "string"), ("d", words_by_code), ("b", "binary")])
    chunks = check_continuing(source, ["b", "d", "t"], 3)
    assert values_of(chunks, "t") == words * 2
    assert values_of(chunks, "d") == ["v", "u", None, "w"] * 2
    assert values_of(chunks, "b") == [b"1", b"2", None, b"3"] * 2
    source = open_source([tmp_path / "a.arrow", tmp_path / "c.arrow"])
    assert read_all(source, ["t"])["t"].to_pylist() == words * 2
