"""CSV input: against Python's own reader, bad cells and rows named, any way of ending lines."""

from __future__ import annotations

import csv
import gzip
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leafshap.batch.sources import csv as csv_source
from leafshap.batch.sources import open_source
from leafshap.batch.sources.csv_records import Records, UnendedRecord
from leafshap.errors import InvalidInputError
from source_cases import check_continuing, read_all, values_of

pa = pytest.importorskip("pyarrow")


def written(folder: Path, text: str | bytes, name: str = "a.csv") -> Path:
    path = folder / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def blocks(text: bytes, rows: int, window: int, byte: int = 0) -> list[tuple[int, bytes, int]]:
    """(position behind it, text, number of records) of every block."""
    records = Records(io.BytesIO(text[byte:]), ",", byte, window)
    found = []
    while (block := records.take(rows)) is not None:
        found.append((records.byte, block[0].tobytes(), block[1]))
    return found


CELLS = st.text(alphabet='ab,"\n\r é', max_size=6)


@given(
    rows=st.lists(st.lists(CELLS, min_size=2, max_size=2), max_size=12),
    ending=st.sampled_from(["\n", "\r\n", "\r"]),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    final=st.booleans(),
    limits=st.tuples(st.integers(1, 5), st.integers(40, 200)),
)
@settings(max_examples=300, deadline=None)
def test_records_are_those_of_pythons_reader(
    rows: list[list[str]], ending: str, quoting: Any, final: bool, limits: tuple[int, int]
) -> None:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator=ending, quoting=quoting).writerows(rows)
    text = buffer.getvalue()
    data = (text if final else text.removesuffix(ending)).encode()
    expected = [row for row in csv.reader(io.StringIO(data.decode(), newline="")) if row]
    found = blocks(data, *limits)
    assert all(count <= limits[0] and len(block) <= limits[1] for _, block, count in found)
    read: list[list[str]] = []
    for _, block, count in found:
        part = list(csv.reader(io.StringIO(block.decode(), newline="")))
        read += [row for row in part if row]
        assert len([row for row in part if row]) == count
    assert read == expected
    for i, (byte, _, _) in enumerate(found):
        assert blocks(data, *limits, byte=byte) == found[i + 1 :]


@given(
    data=st.text(alphabet='a,"\n\r', max_size=40), limits=st.tuples(st.integers(1, 4), st.just(16))
)
@settings(max_examples=500, deadline=None)
def test_any_text_is_cut_the_same_from_anywhere(data: str, limits: tuple[int, int]) -> None:
    """Quotes wherever they fall; text that does not end is left out line by line."""

    def cut(byte: int) -> list[tuple[int, Any]]:
        records = Records(io.BytesIO(data.encode()[byte:]), ",", byte, limits[1])
        found: list[tuple[int, Any]] = []
        while True:
            try:
                block = records.take(limits[0])
            except UnendedRecord as error:
                found.append((records.byte, (records.skip_line(), error.quoted)))
            else:
                if block is None:
                    return found
                found.append((records.byte, (block[0].tobytes(), block[1])))

    every = cut(0)
    for i, (_, what) in enumerate(every):
        if isinstance(what[1], int) and not isinstance(what[1], bool):
            assert cut(every[i][0]) == every[i + 1 :]


def test_types_come_from_the_first_rows(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        "id,hash,x,whole,flag,day,word,none\n"
        "9007199254740993,18446744073709551615,1.5,1,true,2024-01-31,a,\n"
        ",1,NA,,,,None,\n"
        "-3,2, 2e3 ,7,False,2024-02-01,null,NaN\n",
    )
    source = open_source(path)
    assert dict(zip(source.schema.names, map(str, source.schema.types), strict=True)) == {
        "id": "int64", "hash": "uint64", "x": "double", "whole": "int64", "flag": "bool",
        "day": "string", "word": "string", "none": "double",
    }  # fmt: skip
    assert read_all(source).to_pydict() == {
        "id": [9007199254740993, None, -3],
        "hash": [18446744073709551615, 1, 2],
        "x": [1.5, None, 2000.0],
        "whole": [1, None, 7],
        "flag": [True, None, False],
        "day": ["2024-01-31", None, "2024-02-01"],
        "word": ["a", None, None],
        "none": [None, None, None],
    }


def test_missing_cells_are_those_of_pandas(tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas")
    from pandas._libs.parsers import STR_NA_VALUES

    lines = "".join(
        f'{i},"{text}",{text},x{text}\n' for i, text in enumerate(sorted(STR_NA_VALUES))
    )
    path = written(tmp_path, f"i,a,b,c\n{lines}99,1.5,x,y\n")
    found = read_all(open_source(path))
    expected = pandas.read_csv(path)
    for name in ("a", "b", "c"):
        np.testing.assert_array_equal(found[name].is_null().to_numpy(), expected[name].isna())
    assert found["b"].null_count == len(STR_NA_VALUES)


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("final", [True, False])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_line_ends_and_byte_order_mark(
    tmp_path: Path, ending: str, final: bool, mark: bytes
) -> None:
    lines = ["a,b c", "1,x", "", '2,"y', 'z"', "3,", ""]
    text = ending.join(lines) + (ending if final else "")
    source = open_source(written(tmp_path, mark + text.encode()))
    chunks = check_continuing(source, ["a", "b c"], 2)
    assert [chunk.batch.to_pydict() for chunk in chunks] == [
        {"a": [1, 2], "b c": ["x", f"y{ending}z"]},
        {"a": [3], "b c": [None]},
    ]


def test_quotes_within_cells(tmp_path: Path) -> None:
    path = written(tmp_path, 'a,b\n1,5" pipe\n2,"two\nlines, ""quoted"""\n3,x"y"\n4,"z"z\n')
    found = read_all(open_source(path), rows=1)
    assert found["b"].to_pylist() == ['5" pipe', 'two\nlines, "quoted"', 'x"y"', "zz"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "a.csv: the file is empty"),
        ("\n\n", "a.csv: the file is empty"),
        ("a,b,a\n1,2,3\n", "a.csv: the header names the column 'a' twice"),
        ('a,"b\n1,2\n', "a.csv: the header does not end"),
        (b"\xff\xfea\x00\n\x00", "a.csv: the header is not UTF-8 text"),
    ],
)
def test_headers_that_are_refused(tmp_path: Path, text: str | bytes, message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        open_source(written(tmp_path, text))


@pytest.mark.parametrize("text", ["a,b\n", "a,b", "a,b\r\n\r\n", '"a","b"'])
def test_header_only(tmp_path: Path, text: str) -> None:
    source = open_source(written(tmp_path, text))
    assert source.schema == pa.schema([("a", pa.float64()), ("b", pa.float64())])
    assert list(source.chunks(["a", "b"], 10)) == []


def test_bad_rows_are_named(tmp_path: Path) -> None:
    rows = ["1,0.5,a", "2,x,a", "3,1,a,b", "4", "5,1,b", "y,1,c", "7,0x1g,d", "8,2,"]
    path = written(tmp_path, "id,x,t\n1,1,q\n" + "\n".join(rows) + "\n")
    opened = read_all(open_source(path), ["t"], rejects=True)  # the others are not looked at
    assert opened["t"].to_pylist() == ["q", "a", "a", "b", "c", "d", None]
    first = written(tmp_path, "id,x,t\n" + "1,1.5,q\n" * 3, "0.csv")
    source = open_source([first, path])
    with pytest.raises(InvalidInputError) as caught:
        list(source.chunks(source.schema.names, 100))
    assert str(caught.value) == f"{path}, row 2, column 'x': not a number: 'x'"
    for batch_rows in (1, 2, 3, 100):
        chunks = check_continuing(source, ["t", "x", "id"], batch_rows, rejects=True)
        rejects = [reject for chunk in chunks for reject in chunk.rejects]
        assert {reject.file for reject in rejects} == {str(path)}
        assert [(r.row, r.column, r.reason, r.text) for r in rejects] == [
            (2, "x", "not a number", "x"),
            (3, None, "3 cells expected, 4 found", "3,1,a,b"),
            (4, None, "3 cells expected, 1 found", "4"),
            (6, "id", "not an integer", "y"),
            (7, "x", "not a number", "0x1g"),
        ]
        numbers = np.concatenate([chunk.rows for chunk in chunks])
        np.testing.assert_array_equal(numbers, [0, 1, 2, 0, 1, 5, 8])
        assert values_of(chunks, "id") == [1, 1, 1, 1, 1, 5, 8]


def test_many_bad_cells_of_every_kind(tmp_path: Path) -> None:
    """Against Python, cell by cell."""
    rng = np.random.default_rng(0)
    cells = ["1", "-2", "0.5", "1e3", "NA", "", "z", "1,5", "inf", " 7 ", "true", "nan"]
    columns = rng.choice(cells, (2000, 2))
    lines = [
        f'{a if "," not in a else chr(34) + a + chr(34)},"{b}",{i}'
        for i, (a, b) in enumerate(columns)
    ]
    first = written(tmp_path, "a,b,i\n0.5,false,0\n", "0.csv")
    path = written(tmp_path, "\n".join(["a,b,i", *lines]), "1.csv")
    source = open_source([first, path])
    chunks = list(source.chunks(["a", "b", "i"], 300, rejects=True))

    def good(a: str, b: str) -> bool:
        return a not in ("z", "1,5", "true") and b in ("true", "1", "NA", "nan", "")

    expected = [i for i, (a, b) in enumerate(columns) if good(a, b)]
    # Arrow's reader takes no spaces around true
    found = np.concatenate([chunk.rows for chunk in chunks[1:]])
    np.testing.assert_array_equal(found, expected)
    rejected = [int(reject.row or 0) for chunk in chunks for reject in chunk.rejects]
    assert sorted([*rejected, *expected]) == list(range(2000))
    values = np.concatenate([chunk.batch.column("a").to_numpy(False) for chunk in chunks[1:]])
    missing = ("NA", "", "nan")
    np.testing.assert_array_equal(
        values, [np.nan if columns[i, 0] in missing else float(columns[i, 0]) for i in expected]
    )


def test_whole_numbers_may_have_decimals_later(tmp_path: Path) -> None:
    big = (1 << 53) + 1
    path = written(tmp_path, f"id,n\n{big},1\n{big + 2},2\n{big + 4},2.5\n{big + 6},x\n")
    first = written(tmp_path, f"id,n\n{big},1\n", "0.csv")
    source = open_source([first, path])
    assert source.schema == pa.schema([("id", "int64"), ("n", "int64")])
    chunks = check_continuing(source, ["id", "n"], 2, rejects=True)
    assert [str(chunk.batch.schema.field("n").type) for chunk in chunks] == [
        "int64",
        "int64",
        "double",
    ]
    assert chunks[2].batch.to_pydict() == {"id": [big + 4], "n": [2.5]}  # identifiers are exact
    assert [(r.row, r.reason) for r in chunks[2].rejects] == [(3, "not a number")]
    chunks = check_continuing(source, ["id", "n"], 2, rejects=True, exact=["id", "n"])
    assert all(chunk.batch.schema == source.schema for chunk in chunks)
    assert [(r.row, r.reason, r.text) for r in chunks[2].rejects] == [
        (2, "not an integer", "2.5"),
        (3, "not an integer", "x"),
    ]
    with pytest.raises(
        InvalidInputError, match=r"a\.csv, row 2, column 'n': not an integer: '2.5'"
    ):
        list(source.chunks(["n"], 100, exact=["n"]))


def test_text_that_does_not_end(tmp_path: Path) -> None:
    path = written(tmp_path, 'a,b\n1,x\n2,"y\n3,z\n4,w\n')
    source = open_source(path)
    with pytest.raises(InvalidInputError, match=r"row 1: quoted text that does not end: '2,\"y'"):
        list(source.chunks(["a"], 100))
    chunks = check_continuing(source, ["a"], 100, rejects=True)
    assert [chunk.rows.tolist() for chunk in chunks] == [[0], [], [2, 3]]
    assert values_of(chunks, "a") == [1, 3, 4]


def test_text_that_is_not_utf8(tmp_path: Path) -> None:
    first = written(tmp_path, "a,b\n1,x\n", "0.csv")
    path = written(tmp_path, b"a,b\n1,x\n2,caf\xe9\n3,y\n")
    source = open_source([first, path])
    with pytest.raises(InvalidInputError, match=r"a\.csv, row 1, column 'b': not UTF-8 text"):
        list(source.chunks(["b"], 100))
    chunks = list(source.chunks(["b"], 100, rejects=True))
    assert chunks[1].batch.column("b").to_pylist() == ["x", "y"]


def test_blocks_end_after_a_window(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows wider than a window's share: small blocks, and a line beyond it is a bad row."""

    def small(stream: Any, delimiter: str, byte: int = 0) -> Records:
        return Records(stream, delimiter, byte, window=100)

    monkeypatch.setattr(csv_source, "Records", small)
    lines = [f"{i},{'x' * (i % 40)}" for i in range(200)]
    lines[50] = f"50,{'y' * 500}"
    source = open_source(written(tmp_path, "\n".join(["a,b", *lines])))
    chunks = check_continuing(source, ["a", "b"], 30, rejects=True)
    assert len(chunks) > 40
    numbers = np.concatenate([chunk.rows for chunk in chunks])
    np.testing.assert_array_equal(numbers, np.delete(np.arange(200), 50))
    rejects = [reject for chunk in chunks for reject in chunk.rejects]
    assert [reject.row for reject in rejects] == [50]
    assert rejects[0].reason.startswith("more than")
    assert len(rejects[0].text) < 300


def test_tabs_and_orders_of_columns(tmp_path: Path) -> None:
    written(tmp_path, "a\tb\n1\tx,y\n", "0.tsv")
    written(tmp_path, "b\tc\ta\nz\t0\t2\n", "1.tsv")
    (tmp_path / "2.tsv.gz").write_bytes(gzip.compress(b"a\tb\n3\tw\n"))
    source = open_source(tmp_path)
    assert source.schema.names == ["a", "b", "c"]
    assert read_all(source, ["b", "a"]).to_pydict() == {"b": ["x,y", "z", "w"], "a": [1, 2, 3]}
    with pytest.raises(InvalidInputError, match=r"0\.tsv, column 'c': there is no such column"):
        read_all(source, ["c"])


def test_a_compressed_file_cut_short(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    data = gzip.compress(("a\n" + "\n".join(map(str, rng.random(2_000_000)))).encode(), 1)
    path = written(tmp_path, data[: len(data) - 1000], "a.csv.gz")
    source = open_source(path)
    with pytest.raises(InvalidInputError, match=r"a\.csv\.gz: cannot be read"):
        list(source.chunks(["a"], 1_000_000))
    chunks = list(source.chunks(["a"], 50_000, rejects=True))
    assert chunks[-1].rejects[0].row is None
    assert chunks[0].rows[0] == 0


@pytest.mark.parametrize("kind", ["csv", "csv.gz"])
def test_large_files_are_read_as_pandas_reads_them(tmp_path: Path, kind: str) -> None:
    """Several windows, quoted line ends among them."""
    pandas = pytest.importorskip("pandas")
    rng = np.random.default_rng(1)
    n = 250_000
    frame = pandas.DataFrame(
        {
            "id": np.arange(n),
            "x": np.where(rng.random(n) < 0.1, np.nan, rng.normal(size=n)),
            "t": np.array(["plain", 'with "quotes"', "two\nlines", "a,b"])[rng.integers(0, 4, n)],
            "wide": "w" * 60,
        }
    )
    path = tmp_path / f"a.{kind}"
    frame.to_csv(path, index=False)
    source = open_source(path)
    chunks = list(source.chunks(["id", "x", "t"], 65_536))
    assert len(chunks) >= 4
    table = pa.Table.from_batches([chunk.batch for chunk in chunks])
    np.testing.assert_array_equal(table["id"].to_numpy(), frame["id"])
    np.testing.assert_array_equal(table["x"].to_numpy(), frame["x"])
    assert table["t"].to_pylist() == frame["t"].tolist()
    rest = source.chunks(["id", "x", "t"], 65_536, chunks[1].next)
    assert next(rest).batch.equals(chunks[2].batch) or chunks[2].batch.column("x").null_count
