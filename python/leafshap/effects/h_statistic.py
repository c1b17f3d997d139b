"""Friedman's H statistic: how much of a joint effect is interaction."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain, combinations
from typing import Any

import numpy as np
import numpy.typing as npt

from leafshap.background import read_weights
from leafshap.bunch import make_bunch
from leafshap.effects.pairs import Pair, combined_features, disjoint_rounds
from leafshap.effects.responses import check_response, choose_response, ensemble_of
from leafshap.effects.targets import feature_index
from leafshap.ensemble import TreeEnsemble
from leafshap.errors import InvalidInputError
from leafshap.explainers.arguments import check_names
from leafshap.inputs import FloatArray, InputRows, take_rows
from leafshap.integers import whole_number
from leafshap.responses import curve_blocks, response_plan
from leafshap.threads import count_threads
from leafshap.workers import workers

Floats = npt.NDArray[np.float64]

MAX_SAMPLES = 500
# What is smaller than this share of the largest margin is rounding.
_ROUNDING = 1e-12


def h_statistic(
    model: object,
    X: Any,
    features: Sequence[Any] | None = None,
    *,
    pairs: Sequence[tuple[Any, Any]] | None = None,
    sample_weight: Any = None,
    max_samples: int | None = MAX_SAMPLES,
    random_state: Any = 0,
    feature_names: Sequence[str] | None = None,
    check_predictions: bool = True,
    n_jobs: int = -1,
) -> Any:
    """Compute how strongly features interact in the model's margin.

    Of two features, the share of the variance of their joint partial dependence that the sum of
    their own does not explain; of one feature, the share of the model's variance that is neither
    its own partial dependence nor that of all others together (Friedman and Popescu 2008,
    equations 44 and 45)::

        H_jk^2 = sum_i w_i (PD_jk - PD_j - PD_k)^2 / sum_i w_i PD_jk^2
        H_j^2  = sum_i w_i (f - PD_j - PD_-j)^2    / sum_i w_i f^2

    all at the rows i of the data, and centred to mean 0.

    Parameters
    ----------
    model : tree model
        An XGBoost, LightGBM or scikit-learn tree model, a path to a model file, or a
        `TreeEnsemble`. What is decomposed is its raw margin.
    X : array, table or sparse matrix, shape (n, F)
        Rows at which partial dependences are evaluated, and over which they average.
    features : sequence of int or str, optional
        All pairs of these, at least two; by default of all features that the model uses.
    pairs : sequence of tuples, optional
        Some pairs instead, each once.
    sample_weight : array-like, shape (n,), optional
        Weights of the rows.
    max_samples : int or None, default 500
        Rows, at least 2, drawn from X if it has more; None: all.
    random_state : int, RandomState, Generator or None, default 0
        For the drawing.
    feature_names : sequence of str, optional
        By default those of X, else the model's.
    check_predictions : bool, default True
        Compare some rows with the model's own prediction.
    n_jobs : int, default -1
        Threads; results do not depend on it.

    Returns
    -------
    Bunch
        * ``pairs``: ndarray of int, shape (P, 2); ``names``: their names, a list of tuples;
        * ``h``, ``h_squared``: ndarray of float64, shape (P,), or (P, K) with several outputs;
        * ``numerator``, ``denominator``: of `h_squared`, divided by the sum of weights, so that
          ``sqrt(numerator)`` is the interaction's strength in units of the margin;
        * ``features``: ndarray of int, shape (V,); ``overall``, ``overall_squared``: H_j and its
          square, shape (V,) or (V, K);
        * ``n_rows``: how many rows were used.

    Raises
    ------
    UnsupportedModelError
        If the model cannot be converted.
    InvalidInputError
        If an argument does not fit.
    AdditivityError
        If the model's own prediction is another.

    Notes
    -----
    Features that no tree combines on a path have H = 0, exactly. Numerators below the rounding of
    doubles count as 0, and where the joint partial dependence is constant, H is 0.

    H is relative to the two features' joint effect: a large H of features without much effect is
    common, also from noise. `numerator` tells what matters to the model.
    """
    n_threads = count_threads(n_jobs)
    ensemble = ensemble_of(model, "h_statistic")
    response = choose_response("raw", ensemble, model)
    given = InputRows(X, ensemble.schema)
    names = check_names(feature_names, ensemble) or given.names or ensemble.feature_names
    chosen, wanted = _read_pairs(features, pairs, names, ensemble)
    weights = None
    if sample_weight is not None:
        weights = read_weights(sample_weight, given.n_rows, "sample weights")
    given, weights = _sample(X, given, weights, max_samples, random_state, ensemble)
    rows = given.whole()
    if check_predictions:
        check_response(response, model, ensemble, given, n_threads)

    single = _SingleEffects(ensemble, rows, weights, chosen, n_threads)
    together = combined_features(ensemble, ensemble.count_trees())
    combined = sorted({pair for pair in map(_ordered, wanted) if together[pair]})
    joint = _joint_effects(ensemble, rows, weights, combined, n_threads)
    squares = []
    for j, k in wanted:
        alone = single.of(j) + single.of(k)
        both = joint.get(_ordered((j, k)), alone)
        squares.append((both - alone, both))
    rest = [(single.margins - single.of(j) - single.without(j), single.margins) for j in chosen]
    smallest, n_outputs = (_ROUNDING * single.largest) ** 2, ensemble.n_outputs
    numerator, denominator, h_squared = _shares(squares, weights, smallest, n_outputs)
    _, _, overall_squared = _shares(rest, weights, smallest, n_outputs)
    labels = names or [f"x{j}" for j in range(ensemble.n_features)]
    return make_bunch(
        pairs=np.array(wanted, dtype=np.int64).reshape(-1, 2),
        names=[(labels[j], labels[k]) for j, k in wanted],
        h=np.sqrt(h_squared),
        h_squared=h_squared,
        numerator=numerator,
        denominator=denominator,
        features=np.array(chosen, dtype=np.int64),
        feature_names=[labels[j] for j in chosen],
        overall=np.sqrt(overall_squared),
        overall_squared=overall_squared,
        n_rows=len(rows),
    )


class _SingleEffects:
    """Centred effects of single features at the data's rows.

    Attributes
    ----------
    margins : ndarray of float64, shape (n, K)
        Centred.
    largest : float
        Largest margin, not centred.
    """

    def __init__(
        self,
        ensemble: TreeEnsemble,
        rows: FloatArray,
        weights: Floats | None,
        features: Sequence[int],
        n_threads: int,
    ) -> None:
        players = np.full(ensemble.n_features, -1, dtype=np.int32)
        players[list(features)] = np.arange(len(features))
        plan = response_plan(ensemble, players, rows)
        margins = np.empty((len(rows), ensemble.n_outputs))
        plan.predict(rows, margins, n_threads)
        self.largest = float(np.abs(margins).max(initial=0.0))
        self.margins = _centred(margins, weights)
        means = plan.means(rows, weights, n_threads)
        offsets, shares = plan.cell_offsets, []
        self._own: dict[int, Floats] = {}
        for p, j in enumerate(features):
            cells = plan.cells(p)
            self._own[j] = _centred(means[offsets[p] + cells], weights)
            n_cells = int(offsets[p + 1] - offsets[p])
            counts = np.bincount(cells, weights=weights, minlength=n_cells)
            shares.append(counts if weights is not None else counts / len(rows))
        # the partial dependence on all features but j at row i is row i's mean curve over j
        self._others = {j: np.empty_like(margins) for j in features}
        for start, curves in curve_blocks(plan, ensemble, rows, n_threads):
            for p, j in enumerate(features):
                curve = curves[:, offsets[p] : offsets[p + 1]]
                mean = (curve * shares[p][:, np.newaxis]).sum(axis=1)
                self._others[j][start : start + len(curves)] = mean
        self._others = {j: _centred(mean, weights) for j, mean in self._others.items()}

    def of(self, feature: int) -> Floats:
        """Partial dependence on a feature, shape (n, K)."""
        return self._own[feature]

    def without(self, feature: int) -> Floats:
        """Partial dependence on all other features, shape (n, K)."""
        return self._others[feature]


def _joint_effects(
    ensemble: TreeEnsemble,
    rows: FloatArray,
    weights: Floats | None,
    pairs: Sequence[Pair],
    n_threads: int,
) -> dict[Pair, Floats]:
    """Centred partial dependence on two features at the rows, (n, K) of each pair.

    Pairs without a common feature are players of one plan; most of the time goes into making plans.
    """

    def effects(members: Sequence[Pair]) -> list[tuple[Pair, Floats]]:
        players = np.full(ensemble.n_features, -1, dtype=np.int32)
        for p, pair in enumerate(members):
            players[list(pair)] = p
        plan = response_plan(ensemble, players, rows)
        means, offsets = plan.means(rows, weights, 1), plan.cell_offsets
        return [
            (pair, _centred(means[offsets[p] + plan.cells(p)], weights))
            for p, pair in enumerate(members)
        ]

    with workers(n_threads) as each:
        return dict(chain.from_iterable(each(effects, disjoint_rounds(pairs))))


def _shares(
    terms: Sequence[tuple[Floats, Floats]],
    weights: Floats | None,
    smallest: float,
    n_outputs: int,
) -> tuple[Floats, Floats, Floats]:
    """Mean squares of pairs of (n, K) values, and their ratios; (P,), or (P, K) for K > 1."""
    squares = np.array([[_mean(x * x, weights) for x in pair] for pair in terms])
    squares = squares.reshape(len(terms), 2, n_outputs)
    numerator, denominator = squares[:, 0], squares[:, 1]
    numerator = np.where(numerator <= smallest, 0.0, numerator)
    flat = denominator <= smallest
    ratio = np.where(flat, 0.0, numerator / np.where(flat, 1.0, denominator))
    if numerator.shape[1] != 1:
        return numerator, denominator, ratio
    return numerator[:, 0], denominator[:, 0], ratio[:, 0]


def _mean(values: Floats, weights: Floats | None) -> Floats:
    if weights is None:
        return np.asarray(values.mean(axis=0))
    return np.asarray((values * weights[:, np.newaxis]).sum(axis=0))


def _centred(values: Floats, weights: Floats | None) -> Floats:
    return np.asarray(values - _mean(values, weights))


def _ordered(pair: Pair) -> Pair:
    return (min(pair), max(pair))


def _read_pairs(
    features: Any, pairs: Any, names: Sequence[str] | None, ensemble: TreeEnsemble
) -> tuple[list[int], list[Pair]]:
    """Which features, and which pairs of them.

    Raises
    ------
    InvalidInputError
    """
    n_features = ensemble.n_features
    if pairs is None:
        if features is None:
            chosen = sorted(ensemble.schema.used_features)
        else:
            chosen = [feature_index(j, names, n_features) for j in _listed(features, "features")]
            if len(set(chosen)) < len(chosen):
                raise InvalidInputError(f"features names a feature twice: {features!r}")
            if len(chosen) < 2:
                raise InvalidInputError(
                    f"features must name at least 2, whose interaction is measured: {features!r}"
                )
        return chosen, list(combinations(chosen, 2))
    if features is not None:
        raise InvalidInputError("give features (all pairs of them) or pairs, not both")
    wanted: list[Pair] = []
    known: set[Pair] = set()
    for pair in _listed(pairs, "pairs"):
        parts = list(pair) if isinstance(pair, (tuple, list, np.ndarray)) else []
        found = [feature_index(j, names, n_features, "pairs") for j in parts]
        if len(found) != 2 or found[0] == found[1]:
            raise InvalidInputError(f"pairs must hold tuples of two features, got {pair!r}")
        if _ordered((found[0], found[1])) in known:
            raise InvalidInputError(f"pairs names a pair twice: {pair!r}")
        wanted.append((found[0], found[1]))
        known.add(_ordered(wanted[-1]))
    return sorted({j for pair in wanted for j in pair}), wanted


def _listed(given: Any, what: str) -> list[Any]:
    if isinstance(given, (str, bytes)) or not hasattr(given, "__len__"):
        raise InvalidInputError(f"{what} must be a sequence, got {given!r}")
    if not len(given):
        raise InvalidInputError(f"{what} is empty")
    return list(given)


def _sample(
    X: Any,
    given: InputRows,
    weights: Floats | None,
    max_samples: Any,
    random_state: Any,
    ensemble: TreeEnsemble,
) -> tuple[InputRows, Floats | None]:
    """Draw rows without replacement, in their order, if there are more than wanted."""
    n = given.n_rows
    most = n if max_samples is None else whole_number(max_samples)
    if most is None or (most < 2 and max_samples is not None):
        raise InvalidInputError(
            f"max_samples must be an integer of at least 2 or None, got {max_samples!r}"
        )
    by_numpy = isinstance(random_state, np.random.RandomState)
    try:
        generator = None if by_numpy else np.random.default_rng(random_state)
    except (TypeError, ValueError) as error:
        raise InvalidInputError(f"cannot use random_state {random_state!r}: {error}") from error
    if n == 0:
        raise InvalidInputError("X has no rows to average over")
    if n <= most:
        return given, weights
    if generator is None:
        generator = np.random.default_rng(random_state.randint(2**31 - 1))
    drawn = np.sort(generator.choice(n, most, replace=False))
    kept = None if weights is None else weights[drawn]
    if kept is not None:
        if not kept.any():
            raise InvalidInputError(
                "sample_weight is zero for all rows drawn: raise max_samples, or leave those out"
            )
        kept = kept / kept.sum()
    return InputRows(take_rows(X, drawn), ensemble.schema), kept
