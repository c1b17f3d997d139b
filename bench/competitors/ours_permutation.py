"""leafshap's permutation importance and partial dependence: every call converts the model."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from competitors import PermutationSide, PermutationTask, estimator_of
from competitors.ours import LeafshapLibrary
from models import TrainedModel
from workloads import PermutationJob

OUR_PERMUTATION = "leafshap"


class LeafshapPermutation(LeafshapLibrary):
    """`permutation_importance(model, X, y)`, `partial_dependence(model, X, features)`."""

    point_by_point = False

    def unsupported(self, job: PermutationJob) -> str | None:
        import leafshap

        name = "partial_dependence" if job.points else "permutation_importance"
        return None if hasattr(leafshap, name) else f"leafshap has no {name}"

    def prepare(self, model: TrainedModel, job: PermutationJob, n_threads: int) -> PermutationSide:
        import leafshap

        estimator = estimator_of(model, n_threads)
        options: dict[str, Any] = {"n_repeats": job.repeats, "random_state": 0}
        if job.exact:
            options = {"method": "exact"}

        def importances(task: PermutationTask) -> npt.NDArray[Any]:
            found = leafshap.permutation_importance(
                estimator, task.X, task.y, scoring=job.scoring, n_jobs=n_threads, **options
            )
            return np.asarray(found.importances)

        def curves(task: PermutationTask) -> npt.NDArray[Any]:
            found = leafshap.partial_dependence(
                estimator,
                task.X,
                list(task.grid),
                grid=task.grid,
                kind="both" if job.individual else "average",
                n_jobs=n_threads,
            )
            average = [bunch["average"] for bunch in found]  # (1, points) each
            if not job.individual:
                return np.concatenate(average)
            parts = [[b["average"], b["individual"][0]] for b in found]
            return np.stack([np.concatenate(part) for part in parts])

        return PermutationSide(curves if job.points else importances)


COMPETITORS = (LeafshapPermutation(OUR_PERMUTATION, "float64", 0.0),)
