"""Starting a run over files, or going on with one that was stopped."""

from __future__ import annotations

import hashlib
import json
import pickle
from dataclasses import asdict, replace
from typing import Any

import numpy as np

from leafshap import __version__
from leafshap.batch.parts import Job
from leafshap.batch.scoring import Explainer
from leafshap.batch.targets import Targets
from leafshap.batch.unfinished import Part, UnfinishedRun
from leafshap.errors import InvalidInputError
from leafshap.explainers.tree import TreeExplainer


def begin(
    run: UnfinishedRun,
    job: Job,
    explainer: Explainer,
    targets: Targets,
    resume: bool,
    overwrite: bool,
) -> tuple[Job, list[Part]]:
    """Go on with a run or start one.

    Returns
    -------
    Job
        With the sizes that the run was begun with.
    list of Part
        Those that are whole.

    Raises
    ------
    InvalidInputError
        If an output exists, or the unfinished run is another one.
    """
    description = _describe(job, explainer, targets)
    if not run.exists:
        run.remove_rest()
    if run.exists and resume:
        begun = run.description()
        sizes = begun.pop("sizes")
        _refuse_other(begun, description, run)
        return replace(job, **sizes), run.parts()
    if run.exists and not overwrite:
        raise InvalidInputError(
            f"{run.folder} holds an unfinished run: resume it (resume=True, --resume), or discard "
            "it (overwrite=True, --overwrite)"
        )
    for target in targets.all:
        if target.exists() and not overwrite:
            raise InvalidInputError(f"{target} exists: overwrite=True (--overwrite) replaces it")
    sizes = {"batch_rows": job.batch_rows, "part_rows": job.part_rows}
    run.begin({**description, "sizes": sizes})
    return job, []


def _refuse_other(begun: dict[str, Any], wanted: dict[str, Any], run: UnfinishedRun) -> None:
    for name, value in wanted.items():
        if begun.get(name) != value:
            raise InvalidInputError(
                f"the unfinished run in {run.folder} is another one, its {name} differ: it was "
                f"begun with {_shortened(begun.get(name))}, now it is {_shortened(value)}; "
                "overwrite=True (--overwrite) discards it"
            )


def _shortened(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) < 100 else f"{text[:97]}..."


def _describe(job: Job, explainer: Explainer, targets: Targets) -> dict[str, Any]:
    """Say what two runs must share for one to go on with the other."""
    description = {
        "version": __version__,
        "model": _digest(explainer),
        "inputs": job.source.fingerprint(),
        "options": asdict(job.scorer.output),
        "sample": [job.fraction, job.seed],
        "aggregates": None if job.aggregates is None else job.aggregates.settings,
        "output": [targets.output is not None, targets.is_file, targets.format],
    }
    normal: dict[str, Any] = json.loads(json.dumps(description))
    return normal


def _digest(explainer: Explainer) -> str:
    """Hash what decides the values."""
    digest = hashlib.sha256(repr(explainer).encode())
    if not isinstance(explainer, TreeExplainer):
        digest.update(pickle.dumps(explainer.for_workers()))
        return digest.hexdigest()
    expected: Any = explainer.expected_value
    if callable(expected):  # of a loss: a function of the label
        expected = expected(np.array([0.0, 1.0]))
    for array in [*explainer.model.to_arrays().as_dict().values(), explainer.data, expected]:
        is_array = isinstance(array, np.ndarray)
        digest.update(np.ascontiguousarray(array).data if is_array else repr(array).encode())
    return digest.hexdigest()
