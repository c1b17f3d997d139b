"""The pictures of docs/plots.md: python docs/examples/plots_gallery.py [folder]."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import lightgbm
import matplotlib as mpl
import numpy as np
import pandas as pd

import leafshap
import leafshap.plots

DPI = 70


def make_flats(n: int = 400) -> tuple[pd.DataFrame, pd.Series]:
    """Made-up flats: numbers, a category, and years of building that are not known."""
    rng = np.random.default_rng(0)
    flats = pd.DataFrame(
        {
            "area": rng.gamma(6.0, 13.0, n).round(),
            "district": pd.Categorical(rng.choice(["Centre", "Harbour", "Hills", "Old town"], n)),
            "built": rng.integers(1900, 2024, n).astype(float),
            "floor": rng.integers(0, 9, n),
            "lift": rng.integers(0, 2, n),
        }
    )
    rent = 6.0 + 3.0 * flats["district"].isin(["Centre", "Hills"]) + 0.04 * flats["area"]
    rent += np.where(flats["lift"] == 1, 0.25, -0.25) * flats["floor"]
    rent += np.where(flats["built"] > 1990, 2.0, 0.0) + rng.normal(0.0, 0.5, n)
    flats.loc[rng.random(n) < 0.1, "built"] = np.nan
    return flats, rent


def main(folder: Path) -> None:
    """Draw every picture."""
    mpl.use("Agg")
    from matplotlib import pyplot

    X, y = make_flats()
    model = lightgbm.LGBMRegressor(n_estimators=60, num_leaves=12, min_data_per_group=5, verbose=-1)
    model.fit(X, y)
    explainer = leafshap.TreeExplainer(model)
    explanation = explainer(X)
    features = ["area", "built", "district"]
    dependence = leafshap.partial_dependence(model, X, features, kind="both")
    joint = leafshap.partial_dependence(model, X, ("floor", "area"))
    importance = leafshap.permutation_importance(model, X, y, n_repeats=20, random_state=0)
    pictures: dict[str, Any] = {
        "beeswarm": explanation.plot.beeswarm(),
        "waterfall": explanation.plot.waterfall(row=0),
        "scatter": explanation.plot.scatter("floor", color="lift"),
        "partial_dependence": leafshap.plots.partial_dependence(dependence, max_curves=60)[0],
        "partial_dependence_two": leafshap.plots.partial_dependence(joint),
        "interaction_matrix": leafshap.plots.interaction_matrix(explainer.mean_abs_interactions(X)),
        "permutation_importance": leafshap.plots.permutation_importance(importance),
    }
    folder.mkdir(parents=True, exist_ok=True)
    for name, axis in pictures.items():
        axis.figure.savefig(folder / f"{name}.png", dpi=DPI)
    pyplot.close("all")


if __name__ == "__main__":
    here = Path(__file__).resolve().parent.parent / "plots"
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else here)
