"""CSV input: keys come through as they are, and what the header tells of the file."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from leafshap.batch.sources import open_source
from leafshap.errors import InvalidInputError
from source_cases import check_continuing, read_all, values_of

pa = pytest.importorskip("pyarrow")


def written(folder: Path, text: str, name: str = "a.csv") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8", newline="")
    return path


# cells of a key, and whether they are the integers that Python would write
KEYS = [
    (["1", "20", "-3", "0"], True),
    ([str((1 << 63) - 1), str(-(1 << 63)), ""], True),
    (["00012", "00013"], False),
    (["1", "2", "007"], False),
    (["1E5", "2e3"], False),
    (["1.10", "1.1"], False),
    (["1234567890123456789012345", "1"], False),
    ([str(1 << 63)], False),
    (["-0", "1"], False),
    (["+1"], False),
    ([" 7", "7 "], False),
    (["0x1F"], False),
    (["true", "false"], False),
    (["2024-01-31"], False),
    (["a", "b", ""], False),
    (["NA", "DE", "null", "None", "nan", ""], False),  # Namibia
    (["1", "2", ""], True),
    (["", ""], False),
]


@pytest.mark.parametrize(("cells", "integers"), KEYS)
def test_keys_come_through_as_they_are(cells: list[str], integers: bool, tmp_path: Path) -> None:
    path = written(tmp_path, "x,id\n" + "".join(f"0.5,{cell}\n" for cell in cells))
    source = open_source(path)
    source.expect(numbers=["x"], keys=["id"])
    assert source.schema.field("id").type == (pa.int64() if integers else pa.string())
    for rows in (1, 100):
        chunks = check_continuing(source, ["id", "x"], rows, exact=["id"])
        found = ["" if key is None else str(key) for key in values_of(chunks, "id")]
        assert found == cells


def test_what_is_missing_in_keys(tmp_path: Path) -> None:
    """Of integers whatever is none; of text the empty cell only, also beside a bad row."""
    cells = {"NA": "1", '"NA"': "NA", '""': "", "": "<NA>", "x": "2"}
    rows = [f"{cell},NaN,{n},{cell}\n" for cell, n in cells.items()]
    text = "country,x,n,word\n" + "".join(rows)
    for more in ("", "A,no number,3,b\n"):
        source = open_source(written(tmp_path, text + more))
        source.expect(numbers=["x"], text=["word"], keys=["country", "n"])
        chunks = list(source.chunks(["country", "x", "n", "word"], 100, rejects=True))
        assert values_of(chunks, "country") == ["NA", "NA", None, None, "x"]
        assert values_of(chunks, "n") == [1, None, None, None, 2]
        assert values_of(chunks, "word") == [None, None, None, None, "x"]
        assert sum(len(chunk.rejects) for chunk in chunks) == bool(more)


def test_keys_that_change_their_form_are_bad_cells(tmp_path: Path) -> None:
    first = written(tmp_path, "id,x\n1,1\n22,2\n", "0.csv")
    later = ["3,1", "007,2", "1.0,3", "", " 8,4", "1e3,5", "-0,6", "9,6", "", "ü,7", ",8"]
    path = written(tmp_path, "\n".join(["id,x", *later]), "1.csv")
    source = open_source([first, path])
    source.expect(numbers=["x"], keys=["id"])
    with pytest.raises(InvalidInputError) as caught:
        list(source.chunks(["id", "x"], 100))
    assert str(caught.value) == (
        f"{path}, row 1, column 'id': not a plain integer, as the first cells of this key are: "
        "'007'"
    )
    for rows in (1, 3, 100):
        chunks = check_continuing(source, ["x", "id"], rows, rejects=True)
        assert values_of(chunks, "id") == [1, 22, 3, 9, None]
        assert values_of(chunks, "x") == [1, 2, 1, 6, 8]
        assert all(chunk.batch.schema.field("id").type == pa.int64() for chunk in chunks)
        bad = [(r.row, r.column, r.text) for chunk in chunks for r in chunk.rejects]
        texts = {1: "007", 2: "1.0", 3: " 8", 4: "1e3", 5: "-0", 7: "ü"}
        assert bad == [(row, "id", text) for row, text in texts.items()]


def test_keys_against_pythons_reader(tmp_path: Path) -> None:
    """Any column that is a key is that of csv.reader."""
    rng = np.random.default_rng(0)
    for seed in range(20):
        pool = ["1", "12", "012", "1.5", "x", '"a,b"', "-4", "9" * 19, "1e9", " 3"][: 2 + seed % 9]
        lines = [",".join(row) for row in rng.choice(pool, (300, 2))]
        path = written(tmp_path, "\n".join(["a,b", *lines]) + "\n")
        with open(path, encoding="utf-8", newline="") as file:
            expected = list(csv.DictReader(file))
        source = open_source(path)
        source.expect(numbers=[], keys=["a", "b"])
        chunks = list(source.chunks(["a", "b"], 70, exact=["a", "b"]))
        for name in ("a", "b"):
            assert [str(v) for v in values_of(chunks, name)] == [row[name] for row in expected]


def test_the_first_file_with_rows_tells_the_type_of_a_key(tmp_path: Path) -> None:
    written(tmp_path, "id,x\n", "0.csv")
    written(tmp_path, "x,id\n1,5\n", "1.csv")
    written(tmp_path, "id,x\n06,2\n", "2.csv")
    source = open_source(tmp_path)
    source.expect(numbers=["x"], keys=["id"])
    assert source.schema == pa.schema([("id", pa.int64()), ("x", pa.int64())])
    (tmp_path / "2.csv").rename(tmp_path / "00.csv")
    source = open_source(tmp_path)
    source.expect(numbers=["x"], keys=["id"])
    assert read_all(source)["id"].to_pylist() == ["06", "5"]


def test_numbers_win_over_text_and_text_over_keys(tmp_path: Path) -> None:
    path = written(tmp_path, "a,b,c,d\n01,02,03,04\nx,05,06,7.5\n")
    source = open_source(path)
    source.expect(numbers=["a", "d"], text=["a", "b"], keys=["a", "b", "c"])
    assert source.schema == pa.schema(
        [("a", "float64"), ("b", "string"), ("c", "string"), ("d", "float64")]
    )
    found = read_all(source, rejects=True).to_pydict()
    assert found == {"a": [1.0], "b": ["02"], "c": ["03"], "d": [4.0]}
    source = open_source(path)
    source.expect(numbers=["a"])
    assert source.schema.field("a").type == pa.float64()
    assert source.schema.field("b").type == pa.int64()


def test_columns_of_folders_stay(tmp_path: Path) -> None:
    (tmp_path / "year=2024").mkdir()
    written(tmp_path, "a\n01\n", "year=2024/a.csv")
    source = open_source(tmp_path)
    source.expect(numbers=[], keys=["a", "year"])
    assert read_all(source).to_pydict() == {"a": ["01"], "year": [2024]}


def test_other_formats_have_their_types(tmp_path: Path) -> None:
    from pyarrow import parquet

    parquet.write_table(pa.table({"a": ["1"], "b": [1.5]}), tmp_path / "a.parquet")
    source = open_source(tmp_path)
    source.expect(numbers=["a"], text=["b"], keys=["b"])
    assert source.schema == pa.schema([("a", "string"), ("b", "float64")])


@pytest.mark.parametrize("header", ["0.5,1.5,-2", "3", "1,0", "1,2,3", "2019;2020", "1,1", "nan,2"])
def test_a_first_line_of_numbers_is_no_header(header: str, tmp_path: Path) -> None:
    path = written(tmp_path, f"{header}\n{header}\n")
    with pytest.raises(InvalidInputError, match=r"a\.csv: the first line holds numbers, no names"):
        open_source(path)


@pytest.mark.parametrize("header", ["0", "0,1,2", ",0,1", "a,1", "1,b", "0;1"])
def test_numbers_that_are_names(header: str, tmp_path: Path) -> None:
    mark = ";" if ";" in header else ","
    path = written(tmp_path, f"{header}\n{header}\n")
    assert open_source(path).schema.names == header.split(mark)


@pytest.mark.parametrize("mark", [";", "\t", "|"])
@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz"])
def test_the_header_tells_the_delimiter(mark: str, name: str, tmp_path: Path) -> None:
    import gzip

    rows = [["a b", "x", "t"], ["1", "0.5", "p,q"], ["2", "", f"u{mark}v"], ["3", "2", "two\nl"]]
    path = tmp_path / name
    opened = gzip.open if name.endswith("gz") else open
    file: Any
    with opened(path, "wt", encoding="utf-8", newline="") as file:
        csv.writer(file, delimiter=mark).writerows(rows)
    source = open_source(path)
    chunks = check_continuing(source, ["a b", "x", "t"], 2)
    found = {column: values_of(chunks, column) for column in source.schema.names}
    assert found == {"a b": [1, 2, 3], "x": [0.5, None, 2.0], "t": ["p,q", f"u{mark}v", "two\nl"]}


@pytest.mark.parametrize(
    ("header", "names"),
    [
        ("a;b,c|d", ["a;b", "c|d"]),  # a comma decides
        ('"a;b"', ["a;b"]),
        ("a|b;c|d", ["a", "b;c", "d"]),
        ("a;b|c", ["a", "b|c"]),
        ('x;"two\nlines";"p;q"', ["x", "two\nlines", "p;q"]),
        ("plain", ["plain"]),
    ],
)
def test_delimiters_of_headers(header: str, names: list[str], tmp_path: Path) -> None:
    assert open_source(written(tmp_path, f"{header}\n")).schema.names == names


def test_each_file_has_its_own_delimiter(tmp_path: Path) -> None:
    written(tmp_path, "a;b\n1;2\n", "0.csv")
    written(tmp_path, "b,a\n3,4\n", "1.csv")
    found = read_all(open_source(tmp_path))
    assert found.to_pydict() == {"a": [1, 4], "b": [2, 3]}


def test_decimal_commas_are_named(tmp_path: Path) -> None:
    source = open_source(written(tmp_path, "id;x\n1;1,5\n2;3\n"))
    source.expect(numbers=["x"])
    with pytest.raises(InvalidInputError, match=r"a\.csv, row 0, column 'x': not a number: '1,5'"):
        list(source.chunks(["x"], 10))
