"""permutation_importance: scikit-learn's, compiled for tree models."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from leafshap.coalitions.groups import Groups
    from leafshap.coalitions.progress import Progress


def permutation_importance(
    estimator: Any,
    X: Any,
    y: Any,
    *,
    scoring: Any = None,
    n_repeats: int = 5,
    n_jobs: int | None = None,
    random_state: Any = None,
    sample_weight: Any = None,
    max_samples: float = 1.0,
    groups: Groups = None,
    method: str = "sampled",
    progress: Progress = False,
) -> Any:
    """Measure what a score loses when a feature's values are shuffled between rows (Breiman 2001).

    As `sklearn.inspection.permutation_importance`: the same arguments and result and, for the same
    `random_state`, the same numbers to rounding. Models that `TreeEnsemble.from_model` converts are
    not called again and again: the compiled core walks only those trees of a row whose path tests
    the feature.

    Parameters
    ----------
    estimator : object
        A fitted estimator. With `scoring` by name also an XGBoost or LightGBM Booster, a path to a
        model file or a `TreeEnsemble`: numbers for a regression, classes 0, 1, ... otherwise.
    X : array, table or sparse matrix, shape (n, F)
        Rows to score, at best such that the model was not trained on. Sparse for converted models.
    y : array-like, shape (n,) or (n, targets)
        Their targets; None for scorers that need none.
    scoring : None, str, callable, list or dict
        As in scikit-learn: None (the estimator's own score), a scorer's name, a callable
        ``scorer(estimator, X, y)``, which may return a dict of scores, a list of names, or a dict
        of scorers. A callable that scikit-learn did not make gets the estimator and shuffled
        copies of X, whatever the model.
    n_repeats : int, default 5
        How often each feature is shuffled.
    n_jobs : int, optional
        Threads of the core, by default all the cores this process may use. For other estimators
        joblib's, by default 1. -1: all; other negative numbers are refused.
    random_state : int, RandomState or None
        Of the shuffles. The same for any `n_jobs`.
    sample_weight : array-like, shape (n,), optional
        Weights of the rows in the score.
    max_samples : int or float, default 1.0
        Rows, or share of them, that are drawn once, shuffled and scored. As in scikit-learn, they
        are compared with the score of all rows.
    groups : dict or sequence, optional
        Columns that are shuffled together, by name or number: ``{"where": ["lat", "lon"]}`` or
        ``[[0, 1], [2]]``. Columns in no group stay on their own, after the groups.
    method : str, default "sampled"
        "exact": the expectation over all permutations, without drawing any; for converted models
        and scores that are sums over rows (`scoring` by name or None: r2, accuracy, balanced
        accuracy, squared, absolute, percentage, squared logarithmic error, Poisson and gamma
        deviance, log loss, Brier score). `random_state` and `n_repeats` are ignored.
    progress : bool, "auto" or callable, default False
        A progress bar, or a function of the rows scored and their number in all.

    Returns
    -------
    Bunch, or dict of Bunch by scorer
        ``importances`` of shape (F, R), or (F, 1) if exact; ``importances_mean`` and
        ``importances_std`` (not corrected for the number of repeats) of shape (F,); ``names``,
        list of F str. With groups, F counts groups and the columns in none.

    Raises
    ------
    InvalidInputError
        If an argument is unknown or out of range, or X or y does not fit.
    UnsupportedModelError
        If ``method="exact"`` cannot be had for the model or the score.
    MissingDependencyError
        If scikit-learn is needed and not installed.

    Notes
    -----
    The exact expectation is over all n! permutations, those that leave rows in place included. A
    row then takes its own value with probability 1/n; Fisher, Rudin and Dominici (2019, equation 3)
    leave these pairs out, which makes importances n / (n - 1) times as large.

    A model that is converted is compared with its own predictions on some rows first; where they
    differ, or the way from margins to predictions is not known, the estimator is called after all.
    docs/permutation_importance.md says when importances mislead: above all when features are
    correlated.
    """
    from leafshap.importance.ways import importances

    return importances(
        estimator, X, y, scoring=scoring, n_repeats=n_repeats, n_jobs=n_jobs,
        random_state=random_state, sample_weight=sample_weight, max_samples=max_samples,
        groups=groups, method=method, progress=progress,
    )  # fmt: skip
