"""Aggregates as files: a .npz archive of plain arrays with a JSON header, as storage.py's."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from leafshap.atomic import whole_file
from leafshap.batch.aggregates.groups import GroupSums
from leafshap.batch.aggregates.histograms import Histograms
from leafshap.batch.aggregates.interactions import InteractionSums
from leafshap.batch.aggregates.keys import KINDS, pack_key, unpack_key
from leafshap.batch.aggregates.sums import Sums
from leafshap.batch.aggregates.totals import Totals
from leafshap.errors import InvalidInputError
from leafshap.storage import read_members

if TYPE_CHECKING:
    from leafshap.batch.aggregates.aggregates import Aggregates

FORMAT = "leafshap-aggregates"
VERSION = 1

_TOTALS = ("sums", "sums_abs", "squares", "minimum", "maximum", "base_sums")

Members = dict[str, npt.NDArray[Any]]


def write(path: str | os.PathLike[str], aggregates: Aggregates) -> None:
    """See `Aggregates.save`."""
    header: dict[str, Any] = {
        "format": FORMAT,
        "version": VERSION,
        **aggregates.settings,
        "shape": None,
    }
    members: Members = {}
    if aggregates._sums is not None:
        _pack(aggregates._sums, header, members)
    text = json.dumps(header, allow_nan=False)
    members["header"] = np.frombuffer(text.encode(), dtype=np.uint8)
    with whole_file(path) as partial, open(partial, "xb") as file:
        np.savez(file, allow_pickle=False, **members)


def read(path: str | os.PathLike[str]) -> Aggregates:
    """See `Aggregates.load`."""
    with open(path, "rb") as file:
        try:
            return _unpack(read_members(file))
        except _NewerVersionError as error:
            raise InvalidInputError(f"{os.fspath(path)}: {error}") from None
        except Exception as error:  # zipfile and numpy raise a dozen kinds on damaged bytes
            raise InvalidInputError(
                f"{os.fspath(path)}: damaged, or not a file written by Aggregates.save ({error})"
            ) from error


class _NewerVersionError(Exception):
    pass


def _pack(sums: Sums, header: dict[str, Any], members: Members) -> None:
    header["shape"] = list(sums.shape)
    header["feature_names"], header["output_names"] = sums.feature_names, sums.output_names
    totals, groups, pairs, histograms = sums.totals, sums.groups, sums.pairs, sums.histograms
    header["n_rows"] = totals.n_rows
    for name in _TOTALS:
        members[name] = getattr(totals, name)
    if groups is not None:
        values, at = groups.ordered()
        header["group_kind"] = groups.kind
        header["group_values"] = [pack_key(value) for value in values]
        members["group_counts"] = groups.counts[at]
        members["group_sums"], members["group_sums_abs"] = groups.sums[at], groups.sums_abs[at]
    if pairs is not None:
        members["pairs"], members["pair_sums"] = pairs.pairs, pairs.sums
        members["main_sums"] = pairs.main_sums
    if histograms is not None:
        members["keys"], members["counts"] = histograms.ordered()


def _unpack(members: Members) -> Aggregates:
    from leafshap.batch.aggregates.aggregates import Aggregates

    header = json.loads(members["header"].tobytes())
    if header["format"] != FORMAT:
        raise ValueError("its header differs")
    if header["version"] > VERSION:
        raise _NewerVersionError(
            f"written by a newer leafshap (format version {header['version']}, this one reads up "
            f"to {VERSION}): update leafshap"
        )
    flags = {name: header[name] for name in ("interactions", "histograms")}
    shape = header["shape"]
    sizes = [] if shape is None else [*shape, header["n_rows"]]
    if not all(type(flag) is bool for flag in flags.values()) or not all(
        type(size) is int and size >= 0 for size in sizes
    ):
        raise ValueError("its header is damaged")
    aggregates = Aggregates(group=header["group"], **flags)
    if shape is not None:
        aggregates._sums = _unpack_sums(aggregates, header, members)
    return aggregates


def _unpack_sums(aggregates: Aggregates, header: dict[str, Any], members: Members) -> Sums:
    n_features, n_outputs = header["shape"]
    n_columns = n_features * n_outputs

    def member(name: str, dtype: type, *sizes: int | None) -> npt.NDArray[Any]:
        array = members[name]
        fits = array.ndim == len(sizes) and all(
            size in (None, length) for size, length in zip(sizes, array.shape, strict=True)
        )
        if array.dtype != np.dtype(dtype) or not fits:
            raise ValueError(f"its array {name} has the shape {array.shape} of {array.dtype}")
        return array

    sizes = {name: n_outputs if name == "base_sums" else n_columns for name in _TOTALS}
    totals = Totals(
        header["n_rows"], **{name: member(name, np.float64, sizes[name]) for name in _TOTALS}
    )
    features = _names(header, "feature_names", n_features)
    outputs = _names(header, "output_names", n_outputs)
    sums = Sums((n_features, n_outputs), features, outputs, totals, None, None, None)
    if aggregates.group is not None:
        kind = header["group_kind"]
        if kind is not None and kind not in KINDS:
            raise ValueError(f"its groups are of an unknown kind {kind!r}")
        values = [unpack_key(value, kind) for value in header["group_values"]]
        sums.groups = groups = GroupSums(n_columns)
        groups.kind = kind
        groups.slots = {value: i for i, value in enumerate(values)}
        n = len(groups.slots)
        groups.counts = member("group_counts", np.int64, n)
        groups.sums = member("group_sums", np.float64, n, n_columns)
        groups.sums_abs = member("group_sums_abs", np.float64, n, n_columns)
    if aggregates.wants_interactions:
        pairs = member("pairs", np.int32, None, 2)
        sums.pairs = InteractionSums(
            pairs,
            member("pair_sums", np.float64, len(pairs), n_outputs),
            member("main_sums", np.float64, n_features, n_outputs),
        )
    if aggregates.wants_histograms:
        sums.histograms = Histograms(n_columns)
        sums.histograms.keys = keys = member("keys", np.int32, None)
        sums.histograms.counts = member("counts", np.int64, n_columns, len(keys))
    return sums


def _names(header: dict[str, Any], what: str, n: int) -> list[str] | None:
    names = header[what]
    if names is None:
        return None
    if len(names) != n or not all(isinstance(name, str) for name in names):
        raise ValueError(f"its {what} are damaged")
    return list(names)
