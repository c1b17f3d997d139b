"""Which columns of a data set the model reads, by name wherever there are names."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from leafshap.errors import InvalidInputError
from leafshap.inputs import InputSchema, are_made_up

_NAMED_IN_ERRORS = 5


@dataclass(frozen=True)
class InputColumns:
    """Columns of the data by what they are for.

    Attributes
    ----------
    features : list of str
        In the model's order, as the data name them.
    shown : list of str
        What they are called in results: the same, or the model's names for data without any.
    keys : list of str
        Carried through.
    label, group : str or None
        Of a loss; of the aggregates.
    """

    features: list[str]
    shown: list[str]
    keys: list[str]
    label: str | None = None
    group: str | None = None


def match_columns(
    names: Sequence[str],
    schema: InputSchema,
    keys: Sequence[str],
    label: str | None = None,
    group: str | None = None,
) -> InputColumns:
    """Find the model's features and the columns for other things in a data set.

    A model with names of its own takes the columns of these names, wherever they stand; one without
    (or with such as "f0", which libraries make up) all that are for nothing else, in their order.
    So does any model of data without names, whose columns are called "0", "1", ... .

    Raises
    ------
    InvalidInputError
        If a column is absent, there twice, or their number is not the model's.
    """
    present = set(names)
    others = [(key, "a key") for key in keys] + [(label, "the label"), (group, "the groups")]
    for name, role in others:
        if name is not None and name not in present:
            raise InvalidInputError(
                f"there is no column {name!r} for {role}{_closest(name, names)}"
            )
    features = _features(names, schema, {*keys, label, group})
    shown = schema.feature_names if _are_numbers(features, len(names)) else None
    return InputColumns(features, list(shown or features), list(keys), label, group)


def _are_numbers(names: Sequence[str], n_columns: int) -> bool:
    """Whether these of so many columns are numbered, as those of a matrix are."""
    given = set(names)
    return list(names) == [name for name in map(str, range(n_columns)) if name in given]


def _features(names: Sequence[str], schema: InputSchema, set_apart: set[str | None]) -> list[str]:
    own = schema.feature_names
    rest = [name for name in names if name not in set_apart]
    if own is not None:
        found = _by_name(own, names)
        absent = [name for name, match in zip(own, found, strict=True) if match is None]
        if not absent:
            return [match for match in found if match is not None]
        nameless = are_made_up(own) or _are_numbers(rest, len(names))
        if not nameless or len(absent) < len(own):
            raise InvalidInputError(_lack(absent, own, names))
    if len(rest) != schema.n_features:
        raise InvalidInputError(
            f"the model has {schema.n_features} features, but there are {len(rest)} columns beside "
            f"keys, label and group, which are taken in their order, since {_why_in_order(schema)}"
        )
    _refuse_twice(rest, names)
    return rest


def _why_in_order(schema: InputSchema) -> str:
    if schema.feature_names is None or are_made_up(schema.feature_names):
        return "the model knows no names (feature_names=, --features give them)"
    return "the data have no names"


def _by_name(own: Sequence[str], names: Sequence[str]) -> list[str | None]:
    """Find the column of each feature; LightGBM stores the spaces of names as underscores."""
    exact, named = set(names), set(own)
    # what a feature has by its own name is not another one's
    loose = {name.replace(" ", "_"): name for name in names if name not in named}
    found = [name if name in exact else loose.get(name.replace(" ", "_")) for name in map(str, own)]
    _refuse_twice([name for name in found if name is not None], names)
    return found


def _refuse_twice(wanted: Sequence[str], names: Sequence[str]) -> None:
    counts = Counter(names)
    for name in wanted:
        if counts[name] > 1:
            raise InvalidInputError(f"there are {counts[name]} columns called {name!r}")


def _lack(absent: Sequence[str], own: Sequence[str], names: Sequence[str]) -> str:
    shown = ", ".join(repr(name) for name in absent[:_NAMED_IN_ERRORS])
    more = ", ..." if len(absent) > _NAMED_IN_ERRORS else ""
    there = ", ".join(repr(name) for name in names[:_NAMED_IN_ERRORS])
    others = ", ..." if len(names) > _NAMED_IN_ERRORS else ""
    return (
        f"{len(absent)} of the model's {len(own)} columns are not in the data: {shown}{more}"
        f"{_closest(absent[0], names)}; there are: {there}{others}"
    )


def _closest(name: str, names: Sequence[str]) -> str:
    """Say which column may be meant."""
    lower = {other.lower(): other for other in names}
    near = difflib.get_close_matches(name.lower(), lower, n=1)
    return f" (is it {lower[near[0]]!r}?)" if near else ""
