"""Model files of the command: every kind, and no pickle that is not trusted."""

from __future__ import annotations

import os
import pickle
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import leafshap
from leafshap.errors import InvalidModelError, LeafshapError, UnsupportedModelError

pytest.importorskip("click")
pytest.importorskip("rich")

from leafshap import cli
from leafshap.cli.model_files import load_model
from small_ensembles import rich, stump

SEED = 7


def training_data(n: int = 200) -> tuple[Any, Any]:
    random = np.random.default_rng(SEED)
    X = random.normal(size=(n, 3))
    return X, (X[:, 0] + X[:, 1] * X[:, 2] > 0).astype(int)


def printed(capsys: pytest.CaptureFixture[str]) -> dict[str, str]:
    lines = capsys.readouterr().out.splitlines()
    return {line[:20].strip(): line[20:].strip() for line in lines}


@pytest.mark.parametrize("suffix", ["json", "ubj"])
def test_xgboost_files(suffix: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    xgboost = pytest.importorskip("xgboost")
    X, y = training_data()
    names = ["age", "net income", "b"]
    data = xgboost.DMatrix(X, y, feature_names=names)
    booster = xgboost.train({"objective": "binary:logistic", "nthread": 1}, data, 7)
    path = tmp_path / f"a model.{suffix}"
    booster.save_model(path)
    found = load_model(path).ensemble
    np.testing.assert_allclose(
        found.predict(X), booster.predict(data, output_margin=True), rtol=1e-5, atol=1e-6
    )
    assert cli.run(["info", str(path)]) == 0
    told = printed(capsys)
    assert told["model"].startswith(f"xgboost {xgboost.__version__}")
    assert told["trees"] == "7"
    assert told["leaves"] == str(found.n_leaves)
    assert told["depth"] == str(found.max_depth)
    assert told["features"] == "3: age, net income, b"
    assert told["link"] == "logistic"
    assert told["cover"] == "yes"


def test_lightgbm_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lightgbm = pytest.importorskip("lightgbm")
    X, y = training_data()
    parameters = {"objective": "multiclass", "num_class": 3, "verbosity": -1, "num_threads": 1}
    booster = lightgbm.train(parameters, lightgbm.Dataset(X, y + (X[:, 0] > 1)), 4)
    path = tmp_path / "model.txt"
    booster.save_model(path)
    found = load_model(path).ensemble
    np.testing.assert_allclose(found.predict(X), booster.predict(X, raw_score=True), rtol=1e-12)
    assert cli.run(["info", str(path)]) == 0
    told = printed(capsys)
    assert told["trees"] == "12"
    assert told["features"] == "3 (without names)"
    assert told["outputs"] == "3"
    assert told["link"] == "softmax"


@pytest.mark.parametrize("name", ["model.npz", "model", "model.bin", "model.txt", "model.json"])
def test_own_file_under_any_name(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    leafshap.TreeEnsemble(stump()).save(path)
    assert load_model(path).ensemble.source == "a stump"


def test_info_of_all_there_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arrays = rich()
    arrays.feature_names = ["[red]a", "b c", "naïve", *"def"]
    leafshap.TreeEnsemble(arrays).save(tmp_path / "m.npz")
    assert cli.run(["info", str(tmp_path / "m.npz")]) == 0
    told = printed(capsys)
    assert told["features"] == "6: [red]a, b c, naïve, d, e, f"
    assert told["outputs"] == "3: x, y, z"
    assert told["trees"].endswith("(its own predict uses 3)")
    assert told["averaged"] == "True"
    assert "naïve (3 values)" in told["categorical"]
    assert told["missing values"] == "no"


def test_info_of_a_model_without_cover(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    leafshap.TreeEnsemble(stump(cover=None)).save(tmp_path / "m.npz")
    assert cli.run(["info", str(tmp_path / "m.npz")]) == 0
    assert "--background" in printed(capsys)["cover"]


class Evil:
    """Leaves a mark when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> Any:
        return Path.touch, (self.mark,)


@pytest.mark.parametrize("name", ["m.pkl", "m.pickle", "m.joblib", "M.PKL"])
@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_pickles_by_name_are_refused(name: str, protocol: int, tmp_path: Path) -> None:
    mark, path = tmp_path / "mark", tmp_path / name
    path.write_bytes(pickle.dumps(Evil(mark), protocol))
    with pytest.raises(UnsupportedModelError, match="--trust-pickle"):
        load_model(path)
    assert not mark.exists()


@pytest.mark.parametrize("name", ["m.txt", "m.json", "m.ubj", "m.npz", "m", "m.bin"])
@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_pickles_by_content_are_never_loaded_unasked(
    name: str, protocol: int, tmp_path: Path
) -> None:
    mark, path = tmp_path / "mark", tmp_path / name
    path.write_bytes(pickle.dumps(Evil(mark), protocol))
    # the oldest protocols are text without a mark: no model of any kind, and no pickle either
    with pytest.raises(LeafshapError, match="--trust-pickle" if protocol >= 2 else name):
        load_model(path)
    assert not mark.exists()
    with pytest.raises(LeafshapError):  # unpickled, it is no model
        load_model(path, trust_pickle=True)
    assert mark.exists() == (protocol >= 2)


@pytest.mark.parametrize("compression", [0, "zlib", "gzip", "bz2", "xz", "lzma"])
@pytest.mark.parametrize("name", ["m.txt", "m.joblib", "m"])
def test_joblib_files(compression: Any, name: str, tmp_path: Path) -> None:
    joblib = pytest.importorskip("joblib")
    path = tmp_path / name
    given = (compression, 3) if compression else 0
    joblib.dump(leafshap.TreeEnsemble(stump()), path, compress=given)
    with pytest.raises(UnsupportedModelError, match="--trust-pickle"):
        load_model(path)
    assert load_model(path, trust_pickle=True).ensemble.source == "a stump"


def test_a_trusted_estimator(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ensemble = pytest.importorskip("sklearn.ensemble")
    X, y = training_data()
    forest = ensemble.RandomForestClassifier(5, random_state=0).fit(X, np.array(["no", "yes"])[y])
    (tmp_path / "m.pkl").write_bytes(pickle.dumps(forest))
    assert cli.run(["info", str(tmp_path / "m.pkl")]) == 1
    assert "--trust-pickle" in capsys.readouterr().err
    assert cli.run(["info", str(tmp_path / "m.pkl"), "--trust-pickle"]) == 0
    assert printed(capsys)["outputs"] == "2: no, yes"
    found = load_model(tmp_path / "m.pkl", trust_pickle=True)
    np.testing.assert_allclose(found.ensemble.predict(X), forest.predict_proba(X), atol=1e-12)


def test_a_pickle_of_something_not_installed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "m.pkl").write_bytes(b"cno_such_package\nThing\n.")
    assert cli.run(["info", str(tmp_path / "m.pkl"), "--trust-pickle"]) == 1
    assert "no_such_package, which is not installed" in capsys.readouterr().err


@pytest.mark.parametrize("content", [b"\x80\x04nonsense", b"\x80\x05.", b"x\x9cnot zlib", b"abc"])
def test_damaged_pickles(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "m.pkl").write_bytes(content)
    with pytest.raises(InvalidModelError, match=r"m\.pkl"):
        load_model(tmp_path / "m.pkl", trust_pickle=True)


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("m.json", b"", "empty"),
        ("m.json", b"PAR1....", "Parquet file, not a model"),
        ("m.txt", b"ARROW1\0\0", "Arrow file, not a model"),
        ("m.npz", b"\x93NUMPY\x01\0", "m.npz"),
        ("m.csv", b"a,b\n1,2\n", "a table, not a model"),
        ("m.json", b'{"learner": ', "not valid JSON"),
        ("m.json", b"[1, 2]", "m.json"),
        ("m.json", b"{L\0\0", "name it .ubj"),
        ("m.ubj", b'{"learner": 1}', "m.ubj"),
        ("m.txt", b"some notes\n", "m.txt"),
        ("m.npz", b"PK\x03\x04 and no more", "m.npz"),
        ("m.model", b"binf\0\0\0", "suffix '.model'"),
        ("m", b"\x7fELF", "suffix ''"),
    ],
)
def test_what_is_no_model(
    name: str, content: bytes, told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / name).write_bytes(content)
    assert cli.run(["info", str(tmp_path / name)]) == 1
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert len(error.splitlines()) == 1
    assert told in error
    assert name in error


def test_an_archive_of_data(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.savez(tmp_path / "data.npz", X=np.zeros((2, 2)))
    assert cli.run(["info", str(tmp_path / "data.npz")]) == 1
    assert "not a file written by TreeEnsemble.save" in capsys.readouterr().err


def test_files_that_cannot_be_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["info", str(tmp_path / "absent.json")]) == 1
    assert f"{tmp_path}/absent.json: No such file" in capsys.readouterr().err
    assert cli.run(["info", str(tmp_path)]) == 1
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0 or sys.platform == "win32",
    reason="everything may be read",
)
def test_no_permission(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "m.json"
    path.write_text("{}")
    path.chmod(0)
    assert cli.run(["info", str(path)]) == 1
    assert "Permission denied" in capsys.readouterr().err
