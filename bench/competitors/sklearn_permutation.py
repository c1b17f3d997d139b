"""scikit-learn's inspection: a prediction of all rows for every feature, repeat and point."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from competitors import PermutationSide, PermutationTask, estimator_of, not_installed, version_of
from models import TrainedModel
from workloads import PermutationJob

SKLEARN = "sklearn"
_WARM_ROWS = 100


class SklearnPermutation:
    """`sklearn.inspection.permutation_importance` and `partial_dependence(method="brute")`.

    Importances either in as many processes as there are threads, with a model that predicts on one
    thread in each, or in this process with a model that predicts on all threads. Curves know
    only the latter.
    """

    tolerance = 1e-5  # XGBoost predicts float32
    point_by_point = True

    def __init__(self, name: str, *, processes: bool) -> None:
        self.name = name
        self.processes = processes
        self.by_default = processes

    def absent(self) -> str | None:
        return not_installed("sklearn")

    def version(self) -> str:
        return f"scikit-learn {version_of('scikit-learn')}"

    def unsupported(self, job: PermutationJob) -> str | None:
        return "the same as sklearn here" if job.points and not self.processes else None

    def prepare(self, model: TrainedModel, job: PermutationJob, n_threads: int) -> PermutationSide:
        from sklearn import inspection

        workers = n_threads if self.processes and not job.points else 1
        estimator = estimator_of(model, n_threads // workers)

        def importances(task: PermutationTask) -> npt.NDArray[Any]:
            found = inspection.permutation_importance(
                estimator,
                task.X,
                task.y,
                scoring=job.scoring,
                n_repeats=job.repeats,
                n_jobs=workers,
                random_state=0,
            )
            return np.asarray(found.importances)

        def curves(task: PermutationTask) -> npt.NDArray[Any]:
            parts = []
            for feature, values in task.grid.items():
                found = inspection.partial_dependence(
                    estimator,
                    task.X,
                    [feature],
                    custom_values={feature: values},
                    method="brute",
                    kind="both" if job.individual else "average",
                )
                part = found["average"]
                if job.individual:
                    part = np.concatenate([part, found["individual"][0]])
                parts.append(part)
            return np.stack(parts) if job.individual else np.concatenate(parts)

        if workers > 1:  # the processes start, and import, before anything is timed
            rng = np.random.default_rng(0)
            X = rng.normal(size=(_WARM_ROWS, model.info["features"])).astype(np.float32)
            importances(PermutationTask(X, X[:, 0], {}))
        return PermutationSide(curves if job.points else importances, workers > 1)


COMPETITORS = (
    SklearnPermutation(SKLEARN, processes=True),
    SklearnPermutation("sklearn-threads", processes=False),
)
