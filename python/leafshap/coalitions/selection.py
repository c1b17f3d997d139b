"""`l1_reg`: a few players chosen by a lasso before the regression, as shap does it.

It is off unless asked for: a lasso drops small values to zero, so that results are biased even
where every coalition is known, and their standard errors know nothing of the choice.
"""

from __future__ import annotations

import re
import warnings
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from leafshap import _core
from leafshap.errors import InvalidInputError, MissingDependencyError

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
L1 = Literal[False] | str | float
Choice = tuple[str, float] | None  # what chooses, and its number


def read_l1(l1_reg: Any) -> Choice:
    """Check `l1_reg`; None: off.

    Raises
    ------
    InvalidInputError
    """
    if l1_reg is None or l1_reg is False or l1_reg == "auto":
        return None
    if isinstance(l1_reg, str):
        count = re.fullmatch(r"num_features\((\d+)\)", l1_reg)
        if count and int(count[1]) > 0:
            return "num_features", float(count[1])
        if l1_reg in ("aic", "bic"):
            return l1_reg, 0.0
    elif isinstance(l1_reg, (int, float, np.integer, np.floating)) and l1_reg is not True:
        if l1_reg == 0:
            return None
        if 0 < l1_reg < float("inf"):
            return "alpha", float(l1_reg)
    raise InvalidInputError(
        'l1_reg must be False, "num_features(k)", "aic", "bic" or a positive number, got '
        f"{l1_reg!r}"
    )


def fit_selected(
    choice: tuple[str, float],
    coalitions: Bools,
    weights: Floats,
    inclusion: Floats,
    odd: Floats,
    odd_full: Floats,
    even: Floats,
    even_full: Floats,
    n_threads: int,
) -> tuple[Floats, Floats]:
    """Regression on the players that a lasso keeps, for every game by itself: (M, C) each.

    Values of other players are 0, and their standard errors NaN. The arguments are those of
    `_core.fit_regression` and `_core.fit_process`.
    """
    phi = np.zeros((coalitions.shape[1], odd.shape[1]))
    errors = np.full_like(phi, np.nan)
    n_empty = 0
    for c in range(odd.shape[1]):
        kept = _keep(choice, coalitions, weights, odd[:, c], odd_full[c], even[:, c], even_full[c])
        if len(kept) == 1:
            phi[kept, c], errors[kept, c] = 2 * odd_full[c], 0.0
        elif not len(kept):
            n_empty += 1
        else:
            members = np.ascontiguousarray(coalitions[:, kept])
            own = np.ascontiguousarray(odd[:, c : c + 1])
            found = _core.fit_regression(
                members, weights, inclusion, own, odd_full[c : c + 1], n_threads
            )
            phi[kept, c], errors[kept, c] = found[0][:, 0], found[1][:, 0]
    if n_empty:
        warnings.warn(
            f"l1_reg kept no feature for {n_empty} of {odd.shape[1]} rows: their values are 0",
            RuntimeWarning,
            stacklevel=2,
        )
    return phi, errors


def _keep(
    choice: tuple[str, float],
    coalitions: Bools,
    weights: Floats,
    odd: Floats,
    odd_full: float,
    even: Floats,
    even_full: float,
) -> npt.NDArray[np.int64]:
    """Players that the lasso keeps.

    The sum constraint is put into the data, as in shap: each coalition S counts with a weight of
    w (M - |S|) against the empty coalition and of w |S| against the full one.
    """
    try:
        from sklearn.linear_model import Lasso, LassoLarsIC, lars_path
    except ImportError as error:
        raise MissingDependencyError(
            "l1_reg needs scikit-learn: pip install scikit-learn"
        ) from error
    members = np.concatenate([coalitions, ~coalitions]).astype(np.float64)
    values = np.concatenate([even + odd, even - odd]) - (even_full - odd_full)
    w = np.concatenate([weights, weights]) / (2 * weights.sum())
    size = members.sum(axis=1)
    root = np.sqrt(np.concatenate([w * (members.shape[1] - size), w * size]))
    X = np.concatenate([members, members - 1]) * root[:, np.newaxis]
    y = np.concatenate([values, values - 2 * odd_full]) * root
    what, number = choice
    if what == "num_features":
        most = min(int(number), members.shape[1])
        return np.sort(np.asarray(lars_path(X, y, max_iter=most)[1], dtype=np.int64))
    if what == "alpha":
        found = Lasso(alpha=number, fit_intercept=True).fit(X, y)
    else:
        try:
            found = LassoLarsIC(criterion=what).fit(X, y)
        except ValueError as error:
            raise InvalidInputError(
                f'l1_reg="{what}" needs more coalitions than {2 * len(coalitions)}: {error}'
            ) from error
    return np.flatnonzero(found.coef_)
