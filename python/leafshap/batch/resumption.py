"""Starting a run over files, or going on with one that was stopped."""

from __future__ import annotations

import hashlib
import json
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
    if run.exists and resume:
        begun = run.description()
        sizes, may_replace = begun.pop("sizes"), begun.pop("overwrite")
        _refuse_other(begun, description, run)
        if not run.is_complete:
            targets.check_room(may_replace or run.is_moving)
        return replace(job, **sizes), run.go_on()
    if run.exists and not overwrite:
        raise InvalidInputError(
            f"{run.folder} holds an unfinished run: resume it (resume=True, --resume), or discard "
            "it (overwrite=True, --overwrite)"
        )
    targets.check_room(overwrite)
    sizes = {"batch_rows": job.batch_rows, "part_rows": job.part_rows}
    run.begin({**description, "sizes": sizes, "overwrite": overwrite})
    return job, []


# What differs, in words.
_CAUSES = {
    "version": "by another version of leafshap",
    "model": "with another explainer (model, background data, dtype, names)",
    "inputs": "with other input files, or they have changed",
    "options": "with other options",
    "sample": "with another sample",
    "aggregates": "with other aggregates",
    "output": "for output of another kind, or of other columns",
}


def _refuse_other(begun: dict[str, Any], wanted: dict[str, Any], run: UnfinishedRun) -> None:
    for name, value in wanted.items():
        other = begun.get(name)
        if other == value:
            continue
        cause = _CAUSES[name]
        if isinstance(value, dict) and isinstance(other, dict):
            changed = [key for key in value if other.get(key) != value[key]]
            cause += ": " + ", ".join(f"{k} was {other.get(k)!r}, is {value[k]!r}" for k in changed)
        raise InvalidInputError(
            f"the unfinished run in {run.folder} was begun {cause}; overwrite=True (--overwrite) "
            "discards it"
        )


def _describe(job: Job, explainer: Explainer, targets: Targets) -> dict[str, Any]:
    """Say what two runs must share for one to go on with the other."""
    names = job.scorer.output_schema(job.source.schema, job.aggregates).names
    description = {
        "version": __version__,
        "model": _digest(explainer),
        "inputs": job.source.fingerprint(),
        "options": asdict(job.scorer.output),
        "sample": None if job.fraction == 1 else [job.fraction, job.seed],
        "aggregates": None if job.aggregates is None else job.aggregates.settings,
        "output": [targets.output is not None, targets.is_file, targets.format, *names],
    }
    normal: dict[str, Any] = json.loads(json.dumps(description))
    return normal


def _digest(explainer: Explainer) -> str:
    """Hash what decides the values: the trees, or what a function gives for its background."""
    digest = hashlib.sha256(repr(explainer).encode())
    digest.update(repr(explainer.input_schema.feature_names).encode())
    expected: Any = explainer.expected_value
    if callable(expected):  # of a loss: a function of the label
        expected = expected(np.array([0.0, 1.0]))
    arrays: list[Any] = [np.asarray(expected)]
    if isinstance(explainer, TreeExplainer):
        arrays += [explainer.data, *explainer.model.to_arrays().as_dict().values()]
    for array in arrays:
        is_array = isinstance(array, np.ndarray)
        digest.update(np.ascontiguousarray(array).data if is_array else repr(array).encode())
    return digest.hexdigest()
