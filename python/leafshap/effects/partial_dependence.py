"""Partial dependence and individual conditional expectation (ICE) of tree models."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from leafshap.background import read_weights
from leafshap.bunch import make_bunch
from leafshap.effects.curves import Target, evaluate
from leafshap.effects.cuts import ModelCuts
from leafshap.effects.grids import (
    GRID_RESOLUTION,
    PERCENTILES,
    Values,
    check_points,
    deciles_of,
    grid_axis,
    read_rule,
)
from leafshap.effects.responses import check_response, choose_response, ensemble_of
from leafshap.effects.targets import read_categorical, read_targets
from leafshap.effects.user_columns import UserColumn, read_columns
from leafshap.errors import InvalidInputError
from leafshap.explainers.arguments import check_names
from leafshap.inputs import InputRows
from leafshap.threads import count_threads

KINDS = ("average", "individual", "both")


def partial_dependence(
    model: object,
    X: Any,
    features: Any,
    *,
    grid: Any = "cuts",
    kind: str = "average",
    sample_weight: Any = None,
    model_output: str = "auto",
    categorical_features: Any = None,
    feature_names: Sequence[str] | None = None,
    percentiles: tuple[float, float] = PERCENTILES,
    grid_resolution: int = GRID_RESOLUTION,
    custom_values: dict[Any, Any] | None = None,
    check_predictions: bool = True,
    n_jobs: int = -1,
) -> Any:
    """Compute how the model's output depends on some features, the others as in the data.

    The partial dependence of features S at a point v is the mean over the rows of X of the model's
    output with S set to v (Friedman 2001, equation 53): what scikit-learn calls
    ``method="brute"``, exactly, but every tree is asked only for the rows and points that it tells
    apart. The curves of single rows are individual conditional expectations (Goldstein et al.
    2015).

    Parameters
    ----------
    model : tree model
        An XGBoost, LightGBM or scikit-learn tree model, a path to a model file, or a
        `TreeEnsemble`.
    X : array, table or sparse matrix, shape (n, F)
        Rows to average over.
    features : int, str, tuple or list
        A feature by number or name; a tuple of them that are set together; or a list of such
        targets, which gives a list of results. (A list is one target in scikit-learn's function,
        and several in its `PartialDependenceDisplay`.)
    grid : "cuts", "sklearn", array, list of arrays or dict, default "cuts"
        * "cuts": one value in every bin between two thresholds of the model, so nothing is missed;
          see the notes.
        * "sklearn": scikit-learn's grid, from `percentiles` and `grid_resolution`.
        * an array of values of the one feature, a list of an array for each of a tuple's features,
          or a dict from feature to array; taken as it is, in any order, with NaN, infinite values
          and repeats where the model accepts them.
    kind : "average", "individual" or "both", default "average"
    sample_weight : array-like, shape (n,), optional
        Weights of the rows in averages.
    model_output : str, default "auto"
        "raw" (margin), "probability" (or "predict_proba"; of two classes the second), or "predict".
        "auto" is what scikit-learn shows: "probability" of classifiers, "predict" of regressors;
        and "raw" of boosters, files, ensembles and isolation forests.
    categorical_features : sequence of int, str or bool, optional
        Features of which every value in X is a point. Text and categorical columns always are.
    feature_names : sequence of str, optional
        By default those of X, else the model's.
    percentiles : tuple of float, default (0.05, 0.95)
        Ends of the "sklearn" grid.
    grid_resolution : int, default 100
        Points of the "sklearn" grid, for a feature with at least as many distinct values.
    custom_values : dict, optional
        Values of some features, by number or name; the others follow `grid`.
    check_predictions : bool, default True
        Compare some rows with the model's own prediction.
    n_jobs : int, default -1
        Threads; results do not depend on it, bit for bit.

    Returns
    -------
    Bunch, or list of Bunch
        As scikit-learn's, so that `PartialDependenceDisplay` can draw it, with

        * ``grid_values``: a list of the values of each feature, as X has them (categories as such);
        * ``average``: ndarray of shape (K, len(values[0]), len(values[1]), ...), if asked for;
        * ``individual``: ndarray of shape (K, n, len(values[0]), ...), if asked for;
        * ``features``, ``feature_names`` (of all F), ``is_categorical``, ``deciles``: what the
          display's arguments of these names want; ``deciles`` has all features of the call;
        * ``at_cuts``: for each feature, whether a step begins at each of its values;
        * ``output_names``: names of the K outputs, or None.

    Raises
    ------
    UnsupportedModelError
        If the model cannot be converted, or has no such output.
    InvalidInputError
        If an argument is unknown or does not fit, or a joint grid has more than a million points.
    AdditivityError
        If the model's own prediction is another.

    Notes
    -----
    A "cuts" grid of numbers has the smallest value of each bin, so that a step begins at each
    (``drawstyle="steps-post"``); the first is the data's smallest value, the last its largest,
    where these lie beyond. NaN comes last if X has it there and the model tells it from numbers;
    but not where several features are set together, as a surface has no place for it. Of
    categories it has all that the model knows.

    Where features are correlated, some of the rows that are averaged are far from any data.
    """
    if kind not in KINDS:
        raise InvalidInputError(f"unknown kind {kind!r}: expected one of {', '.join(KINDS)}")
    n_threads = count_threads(n_jobs)
    ensemble = ensemble_of(
        model,
        "partial_dependence",
        'sklearn.inspection.partial_dependence(method="brute") takes any fitted estimator.',
    )
    response = choose_response(model_output, ensemble, model)
    schema, n_features = ensemble.schema, ensemble.n_features
    given = InputRows(X, schema)
    names = check_names(feature_names, ensemble) or given.names or ensemble.feature_names
    targets, single = read_targets(features, names, n_features)
    categorical = read_categorical(categorical_features, names, n_features)
    rule = read_rule(
        grid, custom_values, percentiles, grid_resolution, categorical, targets, single, names,
        n_features,
    )  # fmt: skip
    if not given.n_rows:
        raise InvalidInputError("X has no rows to average over")
    weights = None
    if sample_weight is not None:
        weights = read_weights(sample_weight, given.n_rows, "sample weights")
    rows = given.whole()
    if check_predictions:
        check_response(response, model, ensemble, given, n_threads)

    used = sorted({j for target in targets for j in target})
    columns = read_columns(X, given, rows, used, schema)
    cuts = ModelCuts(ensemble, ensemble.count_trees()) if rule.kind == "cuts" else None
    grids = [
        [grid_axis(rule, columns[j], cuts, schema, len(target) > 1) for j in target]
        for target in targets
    ]
    asked = [_target([columns[j] for j in t], g) for t, g in zip(targets, grids, strict=True)]
    evaluate(
        ensemble, response, rows, weights, asked, kind != "individual", kind != "average", n_threads
    )

    shown = {j: c.categories is not None or j in categorical for j, c in columns.items()}
    deciles = {j: deciles_of(c) for j, c in columns.items() if not shown[j]}
    output_names = ensemble.output_names
    shared: dict[str, Any] = {
        "feature_names": names or [f"x{j}" for j in range(n_features)],
        "deciles": deciles,
        "output_names": None if output_names is None else output_names[response.kept],
    }
    results = []
    for target, values in zip(asked, grids, strict=True):
        shape = [len(axis) for axis in values]
        found: dict[str, Any] = {"grid_values": values}
        if target.average is not None:
            found["average"] = target.average.reshape(-1, *shape)
        if target.individual is not None:
            found["individual"] = target.individual.reshape(-1, given.n_rows, *shape)
        found["features"] = target.features
        found["is_categorical"] = tuple(shown[j] for j in target.features)
        found["at_cuts"] = tuple(
            rule.kind == "cuts" and j not in rule.given and not shown[j] for j in target.features
        )
        results.append(make_bunch(**found, **shared))
    return results[0] if single else results


def _target(columns: Sequence[UserColumn], axes: Sequence[Values]) -> Target:
    """Make all points of the product of axes, the last feature's values the fastest."""
    check_points(axes, columns)
    codes = [column.encode(axis) for column, axis in zip(columns, axes, strict=True)]
    points = np.stack([c.ravel() for c in np.meshgrid(*codes, indexing="ij")], axis=1)
    return Target(tuple(column.index for column in columns), points)
