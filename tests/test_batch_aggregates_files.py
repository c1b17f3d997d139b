"""Saved aggregates: the same bits back, nothing executed, and damage always noticed."""

from __future__ import annotations

import datetime
import json
import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aggregate_cases import added, assert_same, make_base, make_values, output_names
from leafshap import InvalidInputError, TreeEnsemble
from leafshap.batch.aggregates import Aggregates
from small_ensembles import stump

pa = pytest.importorskip("pyarrow")

KEYS: list[list[Any]] = [
    ["b", None, "a", "Ünï \u0000 ,\n"],
    [2**40, -3, None, 0],
    [True, False, None, None],
    [datetime.date(1900, 1, 1), None, datetime.date(2024, 2, 29), None],
    [None] * 4,
]


def rich(keys: list[Any] | None = None, n_outputs: int = 2) -> Aggregates:
    """Two batches of everything."""
    aggregates = Aggregates(group="key column", interactions=True, histograms=True)
    pairs = np.array([[0, 1], [1, 3]], dtype=np.int32)
    for seed in (0, 1):
        values = make_values(4, n_outputs=n_outputs, seed=seed)
        aggregates.add(
            values,
            make_base(4, n_outputs),
            ["a b", "Ü", "c", ""],
            output_names(n_outputs),
            groups=pa.array(keys or KEYS[0]),
            interactions=(pairs, values[:, :2]),
        )
    return aggregates


@pytest.mark.parametrize("keys", KEYS, ids=["text", "integer", "boolean", "date", "null"])
@pytest.mark.parametrize("n_outputs", [1, 2])
def test_round_trip(keys: list[Any], n_outputs: int, tmp_path: Path) -> None:
    aggregates = rich(keys, n_outputs)
    path = tmp_path / "sums.aggregates"  # any name, no suffix is added
    aggregates.save(path)
    assert [p.name for p in tmp_path.iterdir()] == ["sums.aggregates"]
    loaded = Aggregates.load(str(path))
    assert_same(loaded, aggregates)
    assert [type(k) for k in loaded.groups] == [type(k) for k in aggregates.groups]
    # and goes on as if it had never been away
    for one in (loaded, aggregates):
        one.merge(rich(keys, n_outputs))
    assert_same(loaded, aggregates)
    loaded.save(path)
    assert_same(Aggregates.load(path), pickle.loads(pickle.dumps(aggregates)))


@pytest.mark.parametrize(
    "options", [{}, {"group": "g"}, {"interactions": True}, {"histograms": True}]
)
def test_without_rows(options: dict[str, Any], tmp_path: Path) -> None:
    Aggregates(**options).save(tmp_path / "a")
    loaded = Aggregates.load(tmp_path / "a")
    assert (loaded.n_rows, loaded.feature_names) == (0, None)
    kinds = {"group": None, "interactions": False, "histograms": False} | options
    found = (loaded.group, loaded.wants_interactions, loaded.wants_histograms)
    assert found == tuple(kinds.values())


def test_an_empty_batch_only(tmp_path: Path) -> None:
    aggregates = Aggregates(group="g", histograms=True)
    aggregates.add(make_values(0), make_base(0), groups=pa.array([], pa.string()))
    aggregates.save(tmp_path / "a")
    added(Aggregates.load(tmp_path / "a"), make_values(2), groups=pa.array([1, 2]), names=None)


def test_readable_without_leafshap(tmp_path: Path) -> None:
    rich().save(tmp_path / "a")
    with np.load(tmp_path / "a", allow_pickle=False) as file:
        header = json.loads(file["header"].tobytes())
        assert file["counts"].sum() == 8 * 4 * 2
    assert (header["format"], header["version"]) == ("leafshap-aggregates", 1)


def test_the_same_sums_make_the_same_arrays(tmp_path: Path) -> None:
    """In whatever order the groups and bins came."""
    values, keys = make_values(50), np.arange(50) % 7
    for name, order in (("a", np.arange(50)), ("b", np.arange(50)[::-1])):
        aggregates = Aggregates(group="g", histograms=True)
        added(aggregates, values[order], [1] * 50, groups=pa.array(keys[order]))
        aggregates.save(tmp_path / name)
    with np.load(tmp_path / "a") as a, np.load(tmp_path / "b") as b:
        for name in ("header", "keys", "counts", "group_counts", "minimum"):
            np.testing.assert_array_equal(a[name], b[name])


def test_an_interrupted_save_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"old")

    def interrupted(*_args: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        rich().save(path)
    assert [p.read_bytes() for p in tmp_path.iterdir()] == [b"old"]


def test_absent_files(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Aggregates.load(tmp_path / "a")


class TestDamage:
    @pytest.fixture
    def path(self, tmp_path: Path) -> Path:
        rich().save(tmp_path / "sums")
        return tmp_path / "sums"

    @pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"{}", b"\0" * 100])
    def test_foreign_bytes(self, content: bytes, path: Path) -> None:
        path.write_bytes(content)
        with pytest.raises(InvalidInputError, match="sums: damaged"):
            Aggregates.load(path)

    def test_a_model(self, path: Path) -> None:
        TreeEnsemble(stump()).save(path)
        with pytest.raises(InvalidInputError, match=r"sums: .*its header differs"):
            Aggregates.load(path)

    def test_every_truncation(self, path: Path) -> None:
        content = path.read_bytes()
        for size in range(0, len(content), 37):
            path.write_bytes(content[:size])
            with pytest.raises(InvalidInputError, match="sums: damaged"):
                Aggregates.load(path)

    def test_flipped_bytes(self, path: Path) -> None:
        content = path.read_bytes()
        expected = Aggregates.load(path)
        rng = np.random.default_rng(0)
        refused = 0
        for _ in range(300):
            damaged = bytearray(content)
            damaged[rng.integers(len(content))] ^= 1 << int(rng.integers(8))
            path.write_bytes(damaged)
            try:
                loaded = Aggregates.load(path)
            except InvalidInputError:
                refused += 1
            else:  # a time stamp of the archive, say
                assert_same(loaded, expected)
        assert refused > 150

    @pytest.mark.parametrize(
        ("header", "words"),
        [
            ({"version": 2}, "newer leafshap.*version 2"),
            ({"format": "other"}, "header differs"),
            ({"shape": [4, 3]}, "array sums has the shape"),
            ({"shape": "42"}, "header is damaged"),
            ({"shape": [4]}, "damaged"),
            ({"n_rows": -1}, "header is damaged"),
            ({"group": 3}, "group must be"),
            ({"histograms": "no"}, "header is damaged"),
            ({"feature_names": ["too few"]}, "feature_names are damaged"),
            ({"output_names": [1, 2]}, "output_names are damaged"),
            ({"group_kind": "float"}, "unknown kind"),
            ({"group_kind": "integer"}, "is no integer"),
            ({"group_kind": "date"}, "damaged"),
            ({"group_values": ["a", "a", "b", "c"]}, "group_counts"),
        ],
    )
    def test_headers(self, header: dict[str, Any], words: str, path: Path) -> None:
        with np.load(path) as file:
            members = {name: file[name] for name in file.files}
        changed = json.loads(members["header"].tobytes()) | header
        members["header"] = np.frombuffer(json.dumps(changed).encode(), np.uint8)
        with open(path, "wb") as out:
            np.savez(out, **members)
        with pytest.raises(InvalidInputError, match=rf"sums: .*{words}"):
            Aggregates.load(path)

    def test_no_pickle_is_read(self, path: Path) -> None:
        class Trap:
            def __reduce__(self) -> Any:
                return (os.mkdir, (str(path) + ".trap",))

        with open(path, "wb") as out:
            np.savez(out, header=np.array([Trap()], dtype=object))
        with pytest.raises(InvalidInputError, match="sums: damaged"):
            Aggregates.load(path)
        assert not os.path.exists(str(path) + ".trap")
