"""A model file of the command line: whatever its kind, and nothing unpickled unasked."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

from leafshap.converted import Converted
from leafshap.ensemble import TreeEnsemble
from leafshap.errors import InvalidModelError, MissingDependencyError, UnsupportedModelError

PICKLE_SUFFIXES = frozenset({".pkl", ".pickle", ".joblib"})
MODEL_SUFFIXES = frozenset({".json", ".ubj", ".txt", ".npz"}) | PICKLE_SUFFIXES

NO_COVER = (
    "the model does not store how many training rows went through its nodes (cover), which "
    "path-dependent SHAP values need: give --background"
)

_ZIP = b"PK\x03\x04"
# gzip, bzip2, xz, lzma, lz4, joblib's old format, and the levels of zlib
_COMPRESSED = (
    *(b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"\x5d\x00\x00", b"\x04\x22\x4d\x18", b"ZF"),
    *(bytes([0x78, level]) for level in (0x01, 0x5E, 0x9C, 0xDA)),
)
_PROTOCOLS = range(2, pickle.HIGHEST_PROTOCOL + 8)  # also those of a later Python

# What data begin with; and the names of those that begin with nothing of their own.
_DATA_BEGINNINGS = {
    b"PAR1": "a Parquet file",
    b"ARROW1": "an Arrow file",
    b"FEA1": "a Feather file",
    b"\xff\xff\xff\xff": "an Arrow stream",
    b"\x93NUMPY": "a numpy array",
}
_DATA_SUFFIXES = frozenset({".csv", ".tsv"})


def load_model(path: Path, *, trust_pickle: bool = False) -> Converted:
    """Read a model from a file.

    Parameters
    ----------
    path : Path
        XGBoost .json or .ubj; LightGBM .txt; a file of `TreeEnsemble.save`, under any name; or a
        pickle or joblib file, which its content tells as well as its name.
    trust_pickle : bool, default False
        Whether a pickle may be loaded, which can run any code.

    Returns
    -------
    Converted
        Of a file without pickle the model is the ensemble itself.

    Raises
    ------
    UnsupportedModelError
        If the kind of file is not known, is a pickle that is not trusted, or holds no such model.
    InvalidModelError
        If it is damaged.
    MissingDependencyError
        If a pickle needs a package that is not installed.
    OSError
        If it cannot be read.
    """
    with open(path, "rb") as file:
        head = file.read(64)
    suffix = path.suffix.lower()
    if not head:
        raise InvalidModelError(f"{path}: the file is empty")
    pickled = _kind_of_pickle(head, suffix)
    if pickled is not None:
        if not trust_pickle:
            raise UnsupportedModelError(
                f"{path} is {pickled}, and a pickle can run any code when it is loaded: if you "
                "know who made it, say --trust-pickle; else save the model in its library's own "
                "format (XGBoost: save_model; LightGBM: booster_.save_model)"
            )
        return Converted.of(_unpickle(path))
    if head.startswith(_ZIP) or suffix == ".npz":
        ensemble = TreeEnsemble.load(path)
    else:
        _refuse_data(path, head, suffix)
        if suffix not in MODEL_SUFFIXES:
            raise UnsupportedModelError(
                f"{path}: the kind of model is not known by the suffix {suffix!r}: expected .json "
                "or .ubj (XGBoost), .txt (LightGBM), .npz (leafshap) or, with --trust-pickle, "
                ".pkl, .pickle or .joblib"
            )
        ensemble = _convert(path)
    return Converted(ensemble, ensemble)


def _kind_of_pickle(head: bytes, suffix: str) -> str | None:
    """Tell by its beginning that a file is a pickle, or compressed as joblib does it.

    Or by its name: the oldest protocols are text, without a mark.
    """
    if head.startswith(_COMPRESSED):
        return "compressed, as pickles of joblib are"
    marked = head[0] == 0x80 and len(head) > 1 and head[1] in _PROTOCOLS
    return "a pickle" if marked or suffix in PICKLE_SUFFIXES else None


def _refuse_data(path: Path, head: bytes, suffix: str) -> None:
    found = next((kind for mark, kind in _DATA_BEGINNINGS.items() if head.startswith(mark)), None)
    if found is None and suffix in _DATA_SUFFIXES:
        found = "a table"
    if found is not None:
        raise InvalidModelError(f"{path} is {found}, not a model: MODEL comes first, then DATA")


def _convert(path: Path) -> TreeEnsemble:
    try:
        return TreeEnsemble.from_model(path)
    except (InvalidModelError, UnsupportedModelError) as error:
        if str(path) in str(error):
            raise
        raise type(error)(f"{path}: {error}") from error


def _unpickle(path: Path) -> Any:
    try:
        try:
            import joblib
        except ImportError:
            with open(path, "rb") as file:
                return pickle.load(file)
        return joblib.load(path)  # reads plain pickles, too
    except ModuleNotFoundError as error:
        raise MissingDependencyError(
            f"{path}: to load it takes {error.name}, which is not installed"
        ) from error
    except OSError:
        raise
    except MemoryError:
        raise
    except Exception as error:  # unpickling runs code of others
        raise InvalidModelError(
            f"{path}: damaged, or not a pickle that can be loaded here "
            f"({type(error).__name__}: {error})"
        ) from error
