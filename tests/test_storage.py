"""The file format: the same bits back, nothing executed, and damage always noticed."""

from __future__ import annotations

import json
import os
import pickle
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import oracle
from leafshap import InvalidModelError, TreeEnsemble, UnsupportedModelError
from leafshap.converters.arrays import EnsembleArrays
from small_ensembles import assert_same, rich, stump
from strategies import Recipe, random_ensemble, random_rows


class TestFile:
    @pytest.mark.parametrize(
        "arrays", [stump(), stump(cover=None), rich()], ids=["", "no cover", "rich"]
    )
    def test_round_trip(self, arrays: EnsembleArrays, tmp_path: Path) -> None:
        ensemble = TreeEnsemble(arrays)
        path = tmp_path / "model.leafshap"  # any name, no suffix is added
        ensemble.save(path)
        assert [p.name for p in tmp_path.iterdir()] == ["model.leafshap"]
        loaded = TreeEnsemble.load(str(path))
        expected = ensemble.to_arrays()
        categories = {
            f: [None if v != v or v is None else v for v in values]
            for f, values in expected.feature_categories.items()
        }
        assert_same(loaded.to_arrays(), replace(expected, feature_categories=categories))
        again = tmp_path / "again"
        loaded.save(again)
        assert_same(TreeEnsemble.load(again).to_arrays(), loaded.to_arrays())

    def test_predictions_survive(self, tmp_path: Path) -> None:
        arrays = random_ensemble(Recipe(seed=8, n_outputs=2))
        X = random_rows(arrays, 100)
        TreeEnsemble(arrays).save(tmp_path / "m")
        result = TreeEnsemble.load(tmp_path / "m").predict(X)
        np.testing.assert_allclose(result, oracle.predict(arrays, X), rtol=1e-13, atol=1e-13)

    def test_pickle(self) -> None:
        ensemble = TreeEnsemble(rich())
        copy = pickle.loads(pickle.dumps(ensemble))
        # rich() holds NaN in a category list, which equals itself only as the same object
        a, b = ensemble.to_arrays(), copy.to_arrays()
        assert repr(a.feature_categories) == repr(b.feature_categories)
        assert_same(replace(a, feature_categories={}), replace(b, feature_categories={}))

    def test_readable_without_leafshap(self, tmp_path: Path) -> None:
        TreeEnsemble(stump()).save(tmp_path / "m")
        with np.load(tmp_path / "m", allow_pickle=False) as file:
            header = json.loads(file["header"].tobytes())
            np.testing.assert_array_equal(file["leaf_value"], [0, 10, 20])
        assert (header["format"], header["version"]) == ("leafshap-tree-ensemble", 1)

    def test_every_member_is_documented(self, tmp_path: Path) -> None:
        document = Path(__file__).parents[1] / "docs" / "format.md"
        if not document.exists():
            pytest.skip("no docs beside the tests")
        TreeEnsemble(stump()).save(tmp_path / "m")
        text = document.read_text(encoding="utf-8")
        with np.load(tmp_path / "m", allow_pickle=False) as file:
            for name in [*file.files, *json.loads(file["header"].tobytes())]:
                assert f"`{name}`" in text, name

    def test_a_failed_save_leaves_the_old_file(self, tmp_path: Path) -> None:
        path = tmp_path / "m"
        TreeEnsemble(stump()).save(path)
        before = path.read_bytes()
        odd = TreeEnsemble(stump(feature_categories={0: [object()]}))
        with pytest.raises(UnsupportedModelError, match="category of type object"):
            odd.save(path)
        assert path.read_bytes() == before
        assert list(tmp_path.iterdir()) == [path]

    def test_an_interrupted_save_leaves_nothing(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def interrupted(*_args: Any) -> None:
            raise KeyboardInterrupt

        monkeypatch.setattr(os, "replace", interrupted)
        with pytest.raises(KeyboardInterrupt):
            TreeEnsemble(stump()).save(tmp_path / "m")
        assert list(tmp_path.iterdir()) == []

    def test_absent_file_or_directory(self, tmp_path: Path) -> None:
        with pytest.raises(FileNotFoundError):
            TreeEnsemble.load(tmp_path / "m")
        with pytest.raises(FileNotFoundError):
            TreeEnsemble(stump()).save(tmp_path / "no" / "m")


def members(path: Path) -> dict[str, npt.NDArray[Any]]:
    with np.load(path, allow_pickle=False) as file:
        return {name: file[name] for name in file.files}


def write(path: Path, values: dict[str, Any], **header: Any) -> None:
    """A file with some of its header's entries replaced (None: left out)."""
    entries = json.loads(values["header"].tobytes()) | header
    entries = {k: v for k, v in entries.items() if v is not ...}
    values = values | {"header": np.frombuffer(json.dumps(entries).encode(), np.uint8)}
    with open(path, "wb") as file:
        np.savez(file, allow_pickle=True, **values)


class TestDamagedFiles:
    @pytest.fixture
    def path(self, tmp_path: Path) -> Path:
        TreeEnsemble(rich()).save(tmp_path / "m")
        return tmp_path / "m"

    @pytest.mark.parametrize(
        "content", [b"", b"PK\x03\x04", b"{}", b"\x93NUMPY", b"tree\nversion=v4\n", b"\0" * 100]
    )
    def test_foreign_bytes(self, content: bytes, path: Path) -> None:
        path.write_bytes(content)
        with pytest.raises(InvalidModelError, match=r"m: damaged"):
            TreeEnsemble.load(path)

    def test_foreign_archives(self, path: Path) -> None:
        for name in ("weights", "header"):
            with zipfile.ZipFile(path, "w") as archive, archive.open(f"{name}.npy", "w") as file:
                np.save(file, np.ones(3))
            with pytest.raises(InvalidModelError):
                TreeEnsemble.load(path)

    def test_every_truncation(self, path: Path) -> None:
        content = path.read_bytes()
        for size in {*range(0, len(content), 61), *range(len(content) - 40, len(content))}:
            path.write_bytes(content[:size])
            with pytest.raises(InvalidModelError):
                TreeEnsemble.load(path)

    def test_flipped_bytes(self, path: Path) -> None:
        content = path.read_bytes()
        expected = TreeEnsemble.load(path).to_arrays()
        rng = np.random.default_rng(0)
        refused = 0
        for _ in range(400):
            damaged = bytearray(content)
            damaged[rng.integers(len(content))] ^= 1 << rng.integers(8)
            path.write_bytes(damaged)
            try:
                loaded = TreeEnsemble.load(path)
            except InvalidModelError:
                refused += 1
            else:  # a time stamp of the archive, say
                assert_same(loaded.to_arrays(), expected)
        assert refused > 250

    @pytest.mark.parametrize(
        ("header", "words"),
        [
            ({"version": 2}, "newer leafshap.*version 2"),
            ({"version": 0}, "version 0"),
            ({"version": "1"}, "version '1'"),
            ({"format": "other"}, "not a file written by"),
            ({"n_features": ...}, "n_features"),
            ({"n_features": "6"}, "n_features"),
            ({"n_features": True}, "n_features"),
            ({"n_features": 1, "feature_names": None, "feature_categories": {}}, "split feature"),
            ({"n_outputs": 2}, "output_names"),
            ({"comparison": ">"}, "comparison"),
            ({"input_precision": "float16"}, "input_precision"),
            ({"category_rule": "none"}, "category_rule"),
            ({"feature_names": [1, 2]}, "feature_names"),
            ({"feature_names": ["too", "few"]}, "feature_names"),
            ({"output_names": ["too", "few"]}, "output_names"),
            ({"feature_categories": {"x": []}}, "damaged"),
            ({"feature_categories": {"77": []}}, "feature_categories"),
            ({"feature_categories": {"0": [[1]]}}, "feature_categories"),
            ({"tree_limit": 0}, "tree_limit"),
            ({"tree_limit": 7}, "tree_limit"),
            ({"trees_per_iteration": 0}, "trees_per_iteration"),
        ],
    )
    def test_headers(self, header: dict[str, Any], words: str, path: Path) -> None:
        write(path, members(path), **header)
        with pytest.raises(InvalidModelError, match=words):
            TreeEnsemble.load(path)

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("left", None),
            ("left", np.zeros(3, np.int64)),
            ("left", np.zeros((3, 1), np.int32)),
            ("left", np.array([{}])),
            ("base_values", np.array([np.nan] * 3)),
            ("threshold", np.zeros(3)),
        ],
    )
    def test_arrays(self, name: str, value: Any, path: Path) -> None:
        values = members(path)
        values[name] = value
        if value is None:
            del values[name]
        write(path, values)
        with pytest.raises(InvalidModelError):
            TreeEnsemble.load(path)

    def test_no_pickle_is_read(self, path: Path) -> None:
        class Trap:
            def __reduce__(self) -> Any:
                return (os.mkdir, (str(path) + ".trap",))

        write(path, members(path) | {"extra": np.array([Trap()], dtype=object)})
        with pytest.raises(InvalidModelError):
            TreeEnsemble.load(path)
        assert not os.path.exists(str(path) + ".trap")

    def test_compressed_members_are_refused(self, path: Path) -> None:
        # stored members bound the memory that a file can ask for by its own size
        values = members(path)
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, value in values.items():
                with archive.open(f"{name}.npy", "w") as file:
                    np.save(file, value)
        with pytest.raises(InvalidModelError, match="compressed"):
            TreeEnsemble.load(path)

    def test_a_size_that_lies(self, path: Path) -> None:
        with zipfile.ZipFile(path, "a") as archive:
            head = "{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000000,), }"
            data = b"\x93NUMPY\x01\x00" + len(head).to_bytes(2, "little") + head.encode()
            archive.writestr("more.npy", data)
        with pytest.raises(InvalidModelError):
            TreeEnsemble.load(path)
