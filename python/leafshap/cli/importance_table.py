"""Importances of one model on one sample of rows, to be printed, written or drawn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from leafshap.cli.console import print_rows
from leafshap.ensemble import TreeEnsemble
from leafshap.errors import InvalidInputError
from leafshap.importance.compare import compare_importances
from leafshap.importance.estimators import predictor_of_link

if TYPE_CHECKING:
    import pyarrow as pa

    from leafshap.cli.data_files import Rows
    from leafshap.cli.progress import RowProgress
    from leafshap.converted import Converted

Floats = npt.NDArray[np.float64]

# column -> heading, and whether its shares are worth a column of their own
_HEADINGS = {
    "mean_abs_phi": ("mean |phi|", True),
    "permutation": ("permutation", True),
    "total_gain": ("gain", True),
    "split": ("splits", False),
}


@dataclass(frozen=True)
class Importances:
    """Importances of F features.

    Attributes
    ----------
    names : list of str
    columns : dict of str to ndarray of float64, shape (F,)
        "mean_abs_phi"; "permutation" and "permutation_std" if there are labels; "total_gain",
        "split" and "total_cover" if the model carries them.
    score : str or None
        What permutation lowers.
    """

    names: list[str]
    columns: dict[str, Floats]
    score: str | None

    def order(self, column: str | None) -> npt.NDArray[np.intp]:
        """Order the features by a column, falling, or (None) by name.

        Raises
        ------
        InvalidInputError
            If there is no such column.
        """
        if column is None:
            return np.argsort(np.array(self.names, dtype=object), kind="stable")
        if column not in self.columns:
            raise InvalidInputError(f"the model carries no {_HEADINGS[column][0]} to sort by")
        return np.argsort(-self.columns[column], kind="stable")

    def shown(self) -> dict[str, str]:
        """Headings of the columns that are printed and drawn."""
        return {c: heading for c, (heading, _) in _HEADINGS.items() if c in self.columns}

    def rows(self, order: npt.NDArray[np.intp]) -> dict[str, list[Any]]:
        """Return all columns in an order, the names first, as "feature"."""
        written: dict[str, list[Any]] = {"feature": [self.names[j] for j in order]}
        return written | {name: values[order].tolist() for name, values in self.columns.items()}


def measure(
    converted: Converted,
    rows: Rows,
    *,
    background: pa.Table | None,
    scoring: str | None,
    repeats: int,
    seed: int,
    n_jobs: int,
    progress: RowProgress,
) -> Importances:
    """Compute what there is to compute: permutation importance if `rows` has labels.

    Raises
    ------
    InvalidInputError, UnsupportedModelError
        As `compare_importances` and `permutation_importance`.
    """
    X = rows.features
    names = [str(name) for name in X.column_names]
    table = compare_importances(converted, X, data=background, feature_names=names, n_jobs=n_jobs)
    columns, score = dict(table.table), None
    if rows.others.num_columns:
        from leafshap.importance.permutation import permutation_importance

        score = scoring or _score_of(converted)
        result = permutation_importance(
            converted.model,
            _as_estimator_reads(X, converted),
            _labels(rows.others, converted),
            scoring=score,
            n_repeats=repeats,
            random_state=seed,
            n_jobs=n_jobs,
            progress=progress,
        )
        columns["permutation"] = result["importances_mean"]
        columns["permutation_std"] = result["importances_std"]
        score = score or "the estimator's own score"
    found = {name: columns[name] for name in (*_HEADINGS, *columns) if name in columns}
    return Importances(names, found, score)


def _score_of(converted: Converted) -> str | None:
    """Choose a score: None, the estimator's own, or one that the objective is about."""
    if hasattr(converted.model, "fit"):
        return None
    predictor = predictor_of_link(converted.ensemble)
    return "neg_log_loss" if predictor is not None and predictor.kind == "classifier" else "r2"


def _as_estimator_reads(X: pa.Table, converted: Converted) -> Any:
    """Give an estimator a DataFrame, if there is pandas: names and categories are in it."""
    if isinstance(converted.model, TreeEnsemble) or find_spec("pandas") is None:
        return X
    return X.to_pandas()


def _labels(others: pa.Table, converted: Converted) -> npt.NDArray[Any]:
    """Read labels; of a classifier only those that it knows.

    Raises
    ------
    InvalidInputError
        If one is missing, or no class of the model.
    """
    import pyarrow as pa

    name, column = others.column_names[0], others.column(0)
    if column.null_count:
        raise InvalidInputError(f"--target {name}: {column.null_count:,} labels are missing")
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if pa.types.is_boolean(column.type):
        column = column.cast(pa.int8())  # classes 0 and 1
    labels = np.asarray(column.to_numpy())
    classes = getattr(converted.model, "classes_", None)
    if classes is None:
        predictor = predictor_of_link(converted.ensemble)
        classes = None if predictor is None else predictor.classes
        labels = _codes_of_outputs(labels, converted.ensemble.output_names, name)
        if labels.dtype.kind not in "iuf" and not hasattr(converted.model, "fit"):
            raise InvalidInputError(
                f"--target {name}: labels such as {labels[0]!r} are no numbers; a model file knows "
                "classes as 0, 1, ..."
            )
    if classes is not None and np.ndim(classes) == 1:
        known = set(np.asarray(classes).tolist())
        unknown = next((label for label in np.unique(labels).tolist() if label not in known), None)
        if unknown is not None:
            raise _no_class(unknown, sorted(known), name)
    return labels


def _codes_of_outputs(
    labels: npt.NDArray[Any], names: list[str] | None, target: str
) -> npt.NDArray[Any]:
    """Give labels by numbers, as a model file knows classes, where it stores their names.

    Numbers are such numbers already, unless the names are numbers.

    Raises
    ------
    InvalidInputError
        Naming a label that is none of the names.
    """
    if names is None or len(names) < 2:
        return labels
    code: dict[Any, int] = {name: k for k, name in enumerate(names)}
    if labels.dtype.kind in "iuf":  # 1.0 is the class "1"
        code = {float(name): k for name, k in code.items() if _is_number(name)}
        if not code:
            return labels
    for label in labels.tolist():
        if label not in code:
            raise _no_class(str(label), names, target)
    return np.array([code[label] for label in labels.tolist()])


def _no_class(label: Any, known: Sequence[Any], target: str) -> InvalidInputError:
    shown = ", ".join(map(repr, known[:10]))
    return InvalidInputError(
        f"--target {target}: {label!r} is no class of the model, which knows {shown}"
    )


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def print_importances(found: Importances, order: npt.NDArray[np.intp]) -> None:
    """Print a table of some features."""
    shown = [name for name in _HEADINGS if name in found.columns]
    headings = ["feature"]
    cells = [[found.names[j] for j in order]]
    for name in shown:
        heading, with_share = _HEADINGS[name]
        values = found.columns[name]
        texts = [f"{values[j]:.4g}" for j in order]
        if name == "split":
            texts = [f"{values[j]:,.0f}" for j in order]
        elif name == "permutation":
            spread = found.columns["permutation_std"]
            texts = [f"{t} \u00b1 {spread[j]:.1g}" for t, j in zip(texts, order, strict=True)]
        headings.append(heading)
        cells.append(texts)
        if with_share:
            headings.append("%")
            total = np.abs(values).sum() or 1.0
            cells.append([f"{100 * values[j] / total:.1f}" for j in order])
    print_rows(headings, zip(*cells, strict=True))


def notes(found: Importances, rows: Rows, n_shown: int, repeats: int, seed: int) -> str:
    """Say what was measured, and on what."""
    told = f"{len(rows):,} rows"
    if len(rows) < rows.n_total:
        told = f"{len(rows):,} of {rows.n_total:,} rows, drawn at random (--rows, --seed {seed})"
    lines = [f"measured on {told}"]
    if found.score is not None:
        lines.append(
            f"permutation: what {found.score} loses, mean \u00b1 deviation of {repeats} repeats"
        )
    if n_shown < len(found.names):
        lines.append(f"{len(found.names) - n_shown:,} more features: --top, or --out FILE")
    return "\n".join(lines)
