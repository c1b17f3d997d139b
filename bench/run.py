"""Benchmark leafshap against its competitors: `python bench/run.py --help`.

Equality first, then time: see bench/README.md for the method.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import batch_jobs
import compat_jobs
import datasets
import equality
import jobs
import kernel_jobs
import latency
import machine
import memory
import permutation_jobs
import report
import timing
import workloads
from competitors import (
    BackgroundCompetitor,
    BatchCompetitor,
    CompatCompetitor,
    Competitor,
    KernelCompetitor,
    Library,
    PermutationCompetitor,
    Side,
    for_background,
    for_batch,
    for_compat,
    for_interactions,
    for_kernel,
    for_permutation,
    for_values,
)
from competitors.ours import OUR_NAMES, OURS
from competitors.ours_compat import OUR_COMPAT
from competitors.ours_kernel import OUR_KERNEL_NAMES
from competitors.ours_permutation import OUR_PERMUTATION
from models import TrainedModel
from options import arguments, choose, competitor_names
from workloads import BatchJob, CompatJob, Job, PermutationJob, Workload

_Job = TypeVar("_Job", Job, PermutationJob, CompatJob, BatchJob)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


class _Runner:
    """The options, and the results as they come in."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.repeats: int = options.repeats or (2 if options.quick else 5)
        self.failures: list[str] = []
        self.results: dict[str, Any] = {
            "machine": machine.describe(),
            "threads": options.threads,
            "repeats": self.repeats,
            "quick": options.quick,
            "rows": options.rows,
            "versions": {},
            "absent": {},
        }
        self.values: dict[str, Competitor] = self._present(for_values())
        self.interactions: dict[str, Competitor] = self._present(for_interactions())
        self.background: dict[str, BackgroundCompetitor] = self._present(for_background())
        self.kernel: dict[str, KernelCompetitor] = self._present(for_kernel())
        self.permutation: dict[str, PermutationCompetitor] = self._present(for_permutation())
        self.compat: dict[str, CompatCompetitor] = self._present(for_compat())
        self.batch: dict[str, BatchCompetitor] = self._present(for_batch())
        absent = OURS in self.results["absent"]
        self.results["leafshap"] = None if absent else machine.describe_build()
        self.results["workloads"] = {}
        for name, word in self.results["absent"].items():
            _say(f"without {name}: {word}")

    def _present(self, known: dict[str, Any]) -> dict[str, Any]:
        """Those chosen that can run here; notes versions, and why others cannot."""
        present: dict[str, Library] = {}
        for name, competitor in choose(known, self.options).items():
            word = competitor.absent()
            if word:
                self.results["absent"][name] = word
            else:
                self.results["versions"][name] = competitor.version()
                present[name] = competitor
        return present

    def run(self, workload: Workload) -> None:
        """One workload; a missing library or data set is a word in the results."""
        _say(f"\n{workload.name}")
        result: dict[str, Any] = {"measure": workload.measure, "group": workload.group}
        self.results["workloads"][workload.name] = result
        try:
            model = workloads.model_of(workload)
        except (ImportError, datasets.DataMissingError) as error:
            result["skipped"] = str(error)
            _say(f"  skipped: {error}")
            return
        result["model"] = model.info
        if workload.measure == "memory":
            self._memory(model, result)
        elif isinstance(workload.job, PermutationJob):
            self._permutation(workload, workload.job, model, result)
        elif isinstance(workload.job, CompatJob):
            self._compat(workload, workload.job, model, result)
        elif isinstance(workload.job, BatchJob):
            self._batch(workload, workload.job, model, result)
        elif workload.measure == "kernel" and workload.job:
            self._kernel(workload, workload.job, model, result)
        elif workload.job:
            self._background(workload, workload.job, model, result)
        else:
            self._race(workload, model, result)

    def _memory(self, model: TrainedModel, result: dict[str, Any]) -> None:
        if OURS in self.results["absent"]:
            result["skipped"] = self.results["absent"][OURS]
            return
        result["processes"] = memory.measure(model.path, model.spec.data, self.options.threads)
        for line in result["processes"]:
            _say(f"  {line['dtype']} {line['rows']} rows: {line['total_mb']:.1f} MB")

    def _competitors(self, workload: Workload) -> dict[str, Competitor]:
        return self.interactions if workload.measure == "interactions" else self.values

    def _prepare(
        self, workload: Workload, model: TrainedModel, result: dict[str, Any]
    ) -> dict[str, Side]:
        """Sides that can explain the model and agree with the reference."""
        result["skipped_competitors"] = skipped = {}
        result["agreement"] = agreement = {}
        result["setup_seconds"] = setup = {}
        X = datasets.rows(model.spec.data, equality.MOST_ROWS)
        sides: dict[str, Side] = {}
        reference: equality.Reference | None = None
        for name, competitor in self._competitors(workload).items():
            word = competitor.unsupported(model.spec)
            if word is None and workload.measure == "latency" and competitor.output != "values":
                word = "not an explanation"
            if word:
                skipped[name] = word
                continue
            try:
                start = time.perf_counter()
                side = competitor.prepare(model, self.options.threads)
                setup[name] = round(time.perf_counter() - start, 3)
                if reference is None and competitor.output == "values":
                    reference = equality.make_reference(name, side, X)
                found = equality.compare(competitor, side, reference, X)
            except Exception as error:  # whatever a library raises, the others still run
                skipped[name] = f"raised {type(error).__name__}: {error}"
                self.failures.append(f"{workload.name}: {name} {skipped[name]}")
                _say(f"  {name} {skipped[name]}")
                continue
            agreement[name] = {
                "reference": reference.name if reference else None,
                "rows": found.rows,
                "error": found.error,
                "tolerance": found.tolerance,
                "ok": found.ok,
            }
            word = "reference" if found.error is None else f"differs by {found.error:.1e}"
            _say(f"  {name}: {word} on {found.rows} rows, ready in {setup[name]:.2f} s")
            if found.ok:
                sides[name] = side
            else:
                self.failures.append(f"{workload.name}: {name} differs by {found.error:.2e}")
                skipped[name] = f"differs by {found.error:.1e}, more than {found.tolerance:.0e}"
        return sides

    def _race(self, workload: Workload, model: TrainedModel, result: dict[str, Any]) -> None:
        sides = self._prepare(workload, model, result)
        if not sides:
            result["skipped"] = "no competitor is left"
        elif workload.measure == "latency":
            X = datasets.rows(model.spec.data, latency.DISTINCT_ROWS)
            result["latency"] = latency.measure(sides, X, self.repeats)
            for name, found in result["latency"].items():
                _say(f"  {name}: {found['explain_us']['median']:.0f} us")
        else:
            self._throughput(workload, sides, model, result)

    def _throughput(
        self,
        workload: Workload,
        sides: dict[str, Side],
        model: TrainedModel,
        result: dict[str, Any],
    ) -> None:
        data, options = model.spec.data, self.options
        values_per_row = model.info["features"] * model.info["outputs"]
        if workload.measure == "interactions":
            values_per_row *= model.info["features"]
        limit = timing.most_rows(values_per_row)
        contestants = {}
        for name, side in sides.items():
            contestant = timing.Contestant(self._competitors(workload)[name], side)
            fast = name in OUR_NAMES or contestant.competitor.output == "prediction"
            target = timing.FAST_SECONDS if fast else timing.SLOW_SECONDS
            target *= timing.QUICK_FACTOR if options.quick else 1
            block = contestant.competitor.row_block(model.spec) * options.threads
            contestant.rows = options.rows or timing.choose_rows(
                partial(contestant.seconds_for, data),
                target,
                limit,
                least=contestant.competitor.min_rows,
                block=block,
            )
            contestants[name] = contestant
        timing.alternate(list(contestants.values()), data, self.repeats)
        result["sides"] = {name: c.summary() for name, c in contestants.items()}
        result["speedups"] = {
            mine: {
                name: timing.speedup(contestants[mine], contestant)
                for name, contestant in contestants.items()
                if name not in OUR_NAMES
            }
            for mine in OUR_NAMES
            if mine in contestants
        }
        for name, side_result in result["sides"].items():
            rate = side_result["rows_per_second"]["median"]
            _say(f"  {name}: {rate:,.0f} rows/s ({side_result['rows']} rows)")

    def _sized(self, job: _Job, shrink: Callable[[_Job], _Job]) -> _Job:
        """The job with as many rows as the options want."""
        if self.options.quick:
            job = shrink(job)
        return replace(job, rows=self.options.rows) if self.options.rows else job

    def _background(
        self, workload: Workload, job: Job, model: TrainedModel, result: dict[str, Any]
    ) -> None:
        options = self.options
        job = self._sized(job, jobs.shrink)
        race = jobs.Race(workload, job, model, options.threads, whole=bool(options.rows))
        for name, competitor in self.background.items():
            if name in OUR_NAMES or name in job.against:
                _say(f"  {name}: {race.enter(name, competitor)}")
        for name in job.against:
            if name not in self.background:
                word = self.results["absent"].get(name, "not asked for (--slow)")
                race.result["skipped_competitors"][name] = word
        race.run(self.repeats)
        race.compare_times(OUR_NAMES)
        self.failures += race.failures
        result.update(race.result)
        for name, found in result["sides"].items():
            seconds, building = found["seconds"]["median"], found["building_seconds"]
            _say(f"  {name}: {seconds:.3f} s, {building:.3f} s of it building")
        if OURS in result["sides"] and model.spec.library != "sklearn":
            result["processes"] = memory.measure(
                model.path, model.spec.data, options.threads, (job.rows,), job
            )

    def _kernel(
        self, workload: Workload, job: Job, model: TrainedModel, result: dict[str, Any]
    ) -> None:
        job = self._sized(job, kernel_jobs.shrink)
        race = kernel_jobs.Race(workload, job, model, self.options.threads)
        with kernel_jobs.one_blas_thread():
            for name, competitor in self.kernel.items():
                ours = name in OUR_KERNEL_NAMES
                _say(f"  {name}: {race.enter(name, competitor, ours)}")
            race.run(self.repeats)
        race.compare_times(OUR_KERNEL_NAMES)
        self.failures += race.failures
        result.update(race.result)
        for name, found in result["sides"].items():
            rate = found["rows_per_second"]["median"]
            _say(f"  {name}: {rate:,.2f} rows/s ({found['rows']} rows)")

    def _permutation(
        self, workload: Workload, job: PermutationJob, model: TrainedModel, result: dict[str, Any]
    ) -> None:
        job = self._sized(job, permutation_jobs.shrink)
        race = permutation_jobs.Race(workload, job, model, self.options.threads)
        for name, competitor in self.permutation.items():
            _say(f"  {name}: {race.enter(name, competitor)}")
        race.run(self.repeats)
        race.compare_outputs(self.permutation)
        race.compare_times(OUR_PERMUTATION)
        self.failures += race.failures
        result.update(race.result)
        for name, found in result["sides"].items():
            _say(f"  {name}: {found['seconds']['median']:.3f} s")

    def _compat(
        self, workload: Workload, job: CompatJob, model: TrainedModel, result: dict[str, Any]
    ) -> None:
        job = self._sized(job, compat_jobs.shrink)
        race = compat_jobs.Race(workload, job, model)
        seconds = compat_jobs.CALL_SECONDS * (timing.QUICK_FACTOR if self.options.quick else 1)
        if self.options.rows:
            seconds = math.inf
        with kernel_jobs.one_blas_thread():
            for name, competitor in self.compat.items():
                _say(f"  {name}: {race.enter(name, competitor, seconds)}")
            race.run(self.repeats)
        race.compare_times(OUR_COMPAT)
        self.failures += race.failures
        result.update(race.result)
        for name, found in result["sides"].items():
            _say(f"  {name}: {found['seconds']['median']:.3f} s")

    def _batch(
        self, workload: Workload, job: BatchJob, model: TrainedModel, result: dict[str, Any]
    ) -> None:
        race = batch_jobs.Race(
            workload, self._sized(job, batch_jobs.shrink), model, self.options.threads
        )
        for name in job.sides:
            if name in self.batch:
                _say(f"  {name}: {race.enter(name, self.batch[name])}")
            else:
                word = self.results["absent"].get(name, "not asked for")
                race.result["skipped_competitors"][name] = word
        if workload.measure == "batch-memory":
            race.measure_memory()
        elif workload.measure == "batch-kill":
            race.kill()
        else:
            race.run(self.repeats)
            race.compare_rates()
        self.failures += race.failures
        result.update(race.result)
        for name, found in result.get("sides", {}).items():
            rate = found["rows_per_second"]["median"]
            _say(f"  {name}: {rate:,.0f} rows/s, peak {found['peak_mb']:.0f} MB")

    def time_imports(self) -> None:
        """Of the modules that user code for shap may import."""
        modules = [competitor.module for competitor in self.compat.values()]
        self.results["import_seconds"] = compat_jobs.import_seconds(modules)

    def store(self) -> None:
        """After every workload, so that an interrupted run keeps what it has."""
        self.results["failures"] = self.failures
        out: Path | None = self.options.out
        if out is not None:
            out.parent.mkdir(parents=True, exist_ok=True)
            out.write_text(json.dumps(self.results, indent=1) + "\n")
            out.with_suffix(".md").write_text(report.render(self.results))


def main() -> int:
    """Run, print the table, and return 1 if any output was wrong."""
    options = arguments(__doc__)
    if options.isa:
        os.environ["LEAFSHAP_ISA"] = options.isa  # read when leafshap is imported
    # For sides that cannot be told how many threads to use; read when OpenMP is loaded.
    os.environ["OMP_NUM_THREADS"] = str(options.threads)
    if options.list:
        print("workloads:  ", *workloads.WORKLOADS, sep="\n  ")
        print("competitors:", *competitor_names(), sep="\n  ")
        return 0
    try:
        chosen = workloads.select(options.workloads)
    except ValueError as error:
        raise SystemExit(str(error)) from None
    unknown = sorted(set(options.competitors) - set(competitor_names()) - {"all"})
    if unknown:
        raise SystemExit(f"unknown competitors {unknown}; known: {competitor_names()}")
    runner = _Runner(options)
    if any(workload.group == workloads.COMPAT for workload in chosen):
        runner.time_imports()
    for workload in chosen:
        runner.run(workload)
        runner.store()
    print(report.render(runner.results))
    for failure in runner.failures:
        _say(f"FAILED: {failure}")
    return 1 if runner.failures else 0


if __name__ == "__main__":
    sys.exit(main())
