"""shapiq's TreeExplainer with background data: its own C++, and what it does by default."""

from __future__ import annotations

import contextlib
import importlib
import io
from typing import Any

import numpy as np
import numpy.typing as npt

from competitors import BackgroundSide, not_installed, version_of
from models import TrainedModel
from workloads import Job


class ShapiqBackground:
    """`TreeExplainer(model, mode="interventional", reference_dataset=data).explain_X(X)`.

    `backend="shapiq"` is its own code: rows one after another, the trees of a row shared between
    OpenMP threads. By default (`backend="auto"`) it hands rows x background >= 100,000 to woodelf,
    where that is installed.
    """

    tolerance = 1e-6  # float64; XGBoost models have float32 leaves, summed in another order

    def __init__(self, name: str, backend: str) -> None:
        self.name = name
        self.backend = backend
        own = backend == "shapiq"
        self.by_default = own  # the other is as slow as woodelf
        self.row_by_row = own

    def absent(self) -> str | None:
        missing = not_installed("shapiq")
        if missing is None and self.backend == "auto":
            missing = not_installed("woodelf")
        return missing

    def version(self) -> str:
        return f"shapiq {version_of('shapiq')}"

    def prepare(self, model: TrainedModel, job: Job, n_threads: int) -> BackgroundSide:
        # Its __init__ types the class as an object where an optional import fails.
        shapiq: Any = importlib.import_module("shapiq")
        trained = model.load()
        n_features = model.info["features"]

        def build(background: npt.NDArray[np.float32]) -> Any:
            return shapiq.TreeExplainer(
                trained,
                mode="interventional",
                reference_dataset=background,
                index="SV",
                max_order=1,
                min_order=1,
                backend=self.backend,
            )

        def explain(explainer: Any, X: npt.NDArray[np.float32]) -> Any:
            # woodelf, called from there, tells its progress.
            with (
                contextlib.redirect_stdout(io.StringIO()),
                contextlib.redirect_stderr(io.StringIO()),
            ):
                return explainer.explain_X(X)

        def values(batch: Any) -> npt.NDArray[Any]:
            phi = np.zeros((batch.n_instances, n_features))
            for interaction, column in batch.values.items():
                if len(interaction) == 1:
                    phi[:, interaction[0]] = column
            return phi

        return BackgroundSide(build, explain, values=values)


COMPETITORS = (ShapiqBackground("shapiq", "shapiq"), ShapiqBackground("shapiq-auto", "auto"))
