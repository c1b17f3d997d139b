"""leafshap's own file format: a .npz archive of plain arrays with a JSON header.

No pickle inside: reading a file executes nothing. docs/format.md describes the format.
"""

from __future__ import annotations

import io
import json
import os
import zipfile
from typing import Any

import numpy as np
import numpy.typing as npt

from leafshap.atomic import whole_file
from leafshap.columns import is_missing
from leafshap.converters.arrays import EnsembleArrays
from leafshap.errors import InvalidModelError, UnsupportedModelError

FORMAT = "leafshap-tree-ensemble"
VERSION = 1

# name -> (dtype, allowed numbers of dimensions)
_ARRAYS: dict[str, tuple[str, tuple[int, ...]]] = {
    "tree_offsets": ("int64", (1,)),
    "tree_output": ("int32", (1,)),
    "tree_weight": ("float64", (1,)),
    "split_feature": ("int32", (1,)),
    "left": ("int32", (1,)),
    "right": ("int32", (1,)),
    "threshold": ("float64", (1,)),
    "default_left": ("bool", (1,)),
    "missing": ("uint8", (1,)),
    "categorical": ("uint8", (1,)),
    "category_offsets": ("int64", (1,)),
    "category_codes": ("int32", (1,)),
    "cover": ("float64", (1,)),
    "leaf_value": ("float64", (1, 2)),
    "base_values": ("float64", (1,)),
    "missing_value": ("float64", (0,)),
    "split_gain": ("float64", (1,)),
}
_OPTIONAL = ("cover", "split_gain")

# name -> types that JSON gives it
_HEADER: dict[str, tuple[type, ...]] = {
    "n_features": (int,),
    "n_outputs": (int,),
    "comparison": (str,),
    "input_precision": (str,),
    "category_rule": (str,),
    "allow_nan": (bool,),
    "allow_inf": (bool,),
    "link": (str,),
    "averaged": (bool,),
    "tree_limit": (int, type(None)),
    "trees_per_iteration": (int,),
    "feature_names": (list, type(None)),
    "output_names": (list, type(None)),
    "feature_categories": (dict,),
    "encode_numeric": (bool,),
    "source": (str,),
}


def write_arrays(path: str | os.PathLike[str], arrays: EnsembleArrays) -> None:
    """Write an ensemble; the file takes its name only when it is complete on disk."""
    header = {"format": FORMAT, "version": VERSION}
    header |= {name: getattr(arrays, name) for name in _HEADER}
    header["feature_categories"] = {
        str(feature): [_pack_category(value) for value in values]
        for feature, values in arrays.feature_categories.items()
    }
    text = json.dumps(header, default=_plain_scalar, allow_nan=False)
    members = {"header": np.frombuffer(text.encode(), dtype=np.uint8)}
    for name, (dtype, _) in _ARRAYS.items():
        value = getattr(arrays, name)
        if value is not None:
            members[name] = np.asarray(value, dtype=dtype)
    with whole_file(path) as partial, open(partial, "xb") as file:
        np.savez(file, allow_pickle=False, **members)


def read_arrays(path: str | os.PathLike[str]) -> EnsembleArrays:
    """Read what `write_arrays` wrote.

    Raises
    ------
    InvalidModelError
        If the file is damaged, of another kind, or of a newer version.
    """
    with open(path, "rb") as file:
        try:
            return _unpack(read_members(file))
        except InvalidModelError as error:
            raise InvalidModelError(f"{os.fspath(path)}: {error}") from error.__cause__
        except Exception as error:  # zipfile and numpy raise a dozen kinds on damaged bytes
            raise InvalidModelError(
                f"{os.fspath(path)}: damaged, or not a file written by TreeEnsemble.save ({error})"
            ) from error


def read_members(file: Any) -> dict[str, npt.NDArray[Any]]:
    """All arrays of a .npz file by name; their size is bounded by that of the file.

    Raises
    ------
    InvalidModelError
        If a member is compressed; on damaged bytes, one of the dozen kinds of zipfile and numpy.
    """
    members = {}
    with zipfile.ZipFile(file) as archive:
        for info in archive.infolist():
            if info.compress_type != zipfile.ZIP_STORED:
                raise InvalidModelError(f"member {info.filename} is compressed: not written by us")
            data = archive.read(info)
            members[info.filename.removesuffix(".npy")] = np.lib.format.read_array(
                io.BytesIO(data), allow_pickle=False
            )
    return members


def _unpack(members: dict[str, npt.NDArray[Any]]) -> EnsembleArrays:
    if "header" not in members:
        raise InvalidModelError("not a file written by TreeEnsemble.save (it has no header)")
    header = json.loads(members["header"].tobytes())
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        raise InvalidModelError("not a file written by TreeEnsemble.save (its header differs)")
    version = header.get("version")
    if not isinstance(version, int) or version < 1:
        raise InvalidModelError(f"its format version {version!r} is not a positive number")
    if version > VERSION:
        raise InvalidModelError(
            f"written by a newer leafshap (format version {version}, this one reads up to "
            f"{VERSION}): update leafshap"
        )
    values: dict[str, Any] = {}
    for name, types in _HEADER.items():
        if name not in header or type(header[name]) not in types:
            raise InvalidModelError(f"its header's {name} is absent or of the wrong type")
        values[name] = header[name]
    for name in ("feature_names", "output_names"):
        if not all(isinstance(text, str) for text in values[name] or ()):
            raise InvalidModelError(f"its header's {name} are not text")
    values["feature_categories"] = {
        int(feature): [_unpack_category(value) for value in categories]
        for feature, categories in values["feature_categories"].items()
    }
    for name, (dtype, dimensions) in _ARRAYS.items():
        if name in _OPTIONAL and name not in members:
            values[name] = None
            continue
        if name not in members:
            raise InvalidModelError(f"its array {name} is absent")
        array = members[name]
        if array.dtype != np.dtype(dtype) or array.ndim not in dimensions:
            raise InvalidModelError(f"its array {name} has dtype {array.dtype}, {array.ndim}-D")
        values[name] = array
    values["missing_value"] = float(values["missing_value"])
    return EnsembleArrays(**values)


def _plain_scalar(value: Any) -> Any:
    """Turn numpy's integers, floats, booleans and text into Python's."""
    if isinstance(value, np.generic):
        return value.item()
    raise UnsupportedModelError(f"cannot save a value of type {type(value).__name__}: {value!r}")


def _pack_category(value: Any) -> Any:
    """Write a category value for JSON, which knows neither NaN nor the infinities."""
    value = value.item() if isinstance(value, np.generic) else value
    if is_missing(value):
        return None
    if isinstance(value, float) and not np.isfinite(value):
        return {"float": str(value)}
    if isinstance(value, (str, int, float)):  # bool is an int
        return value
    raise UnsupportedModelError(
        f"cannot save a category of type {type(value).__name__} ({value!r}): only text and numbers"
    )


def _unpack_category(value: Any) -> Any:
    if isinstance(value, dict):
        return float(value["float"])
    if isinstance(value, list):
        raise InvalidModelError("its header's feature_categories hold a list")
    return value
