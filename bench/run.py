"""Benchmark leafshap against its competitors: `python bench/run.py --help`.

Equality first, then time: see bench/README.md for the method.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import datasets
import equality
import latency
import machine
import memory
import report
import timing
import workloads
from competitors import Competitor, Side, registry
from competitors.ours import OURS, OURS_FLOAT32
from workloads import TrainedModel, Workload


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--workloads", nargs="+", default=[], metavar="NAME", help="names or groups (default: all)"
    )
    parser.add_argument(
        "--competitors", nargs="+", default=[], metavar="NAME", help="names, or all"
    )
    parser.add_argument("--rows", type=int, help="rows per call, for every side")
    parser.add_argument("--threads", type=int, default=machine.n_cores(), help="for every side")
    parser.add_argument("--repeats", type=int, help="rounds (default 5; 2 with --quick)")
    parser.add_argument("--isa", choices=("avx512", "avx2", "baseline"), help="force ours")
    parser.add_argument("--out", type=Path, help="JSON file; the table goes beside it as .md")
    parser.add_argument("--quick", action="store_true", help="short calls: does it run, roughly?")
    parser.add_argument("--list", action="store_true", help="list workloads and competitors")
    return parser.parse_args()


def _choose_competitors(names: list[str]) -> dict[str, Competitor]:
    """Competitors asked for, and ours always."""
    known = registry()
    unknown = sorted(set(names) - set(known) - {"all"})
    if unknown:
        raise SystemExit(f"unknown competitors {unknown}; known: {list(known)}")
    return {
        name: competitor
        for name, competitor in known.items()
        if name in (*names, OURS, OURS_FLOAT32)
        or "all" in names
        or (not names and competitor.by_default)
    }


class _Runner:
    """The options, and the results as they come in."""

    def __init__(self, options: argparse.Namespace, competitors: dict[str, Competitor]) -> None:
        self.options = options
        self.repeats: int = options.repeats or (2 if options.quick else 5)
        self.failures: list[str] = []
        absent = {name: word for name, c in competitors.items() if (word := c.absent())}
        self.competitors = {n: c for n, c in competitors.items() if n not in absent}
        self.results: dict[str, Any] = {
            "machine": machine.describe(),
            "threads": options.threads,
            "repeats": self.repeats,
            "quick": options.quick,
            "rows": options.rows,
            "versions": {name: c.version() for name, c in self.competitors.items()},
            "leafshap": self._build_info(),
            "absent": absent,
            "workloads": {},
        }
        for name, word in absent.items():
            _say(f"without {name}: {word}")

    def _build_info(self) -> Any:
        if OURS not in self.competitors:
            return None
        import leafshap

        info = json.loads(json.dumps(leafshap.build_info(), default=str))
        # A working tree may be dirty: this tells two builds of one commit apart.
        core = Path(importlib.import_module("leafshap._core").__file__ or "")
        return {**info, "core_sha256": hashlib.sha256(core.read_bytes()).hexdigest()}

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
        else:
            self._race(workload, model, result)

    def _memory(self, model: TrainedModel, result: dict[str, Any]) -> None:
        if OURS not in self.competitors:
            result["skipped"] = self.results["absent"].get(OURS, "leafshap only")
            return
        result["processes"] = memory.measure(model.path, model.spec.data, self.options.threads)
        for line in result["processes"]:
            _say(f"  {line['dtype']} {line['rows']} rows: {line['total_mb']:.1f} MB")

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
        for name, competitor in self.competitors.items():
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
            self._throughput(sides, model, result)

    def _throughput(
        self, sides: dict[str, Side], model: TrainedModel, result: dict[str, Any]
    ) -> None:
        data, options = model.spec.data, self.options
        limit = timing.most_rows(model.info["features"], model.info["outputs"])
        contestants = {}
        for name, side in sides.items():
            contestant = timing.Contestant(self.competitors[name], side)
            fast = name in (OURS, OURS_FLOAT32) or contestant.competitor.output == "prediction"
            target = timing.FAST_SECONDS if fast else timing.SLOW_SECONDS
            target *= timing.QUICK_FACTOR if options.quick else 1
            block = contestant.competitor.row_block(model.spec) * options.threads
            contestant.rows = options.rows or timing.choose_rows(
                contestant, data, target, limit, block
            )
            contestants[name] = contestant
        timing.alternate(list(contestants.values()), data, self.repeats)
        result["sides"] = {name: c.summary() for name, c in contestants.items()}
        result["speedups"] = {
            mine: {
                name: timing.speedup(contestants[mine], contestant)
                for name, contestant in contestants.items()
                if name not in (OURS, OURS_FLOAT32)
            }
            for mine in (OURS, OURS_FLOAT32)
            if mine in contestants
        }
        for name, side_result in result["sides"].items():
            rate = side_result["rows_per_second"]["median"]
            _say(f"  {name}: {rate:,.0f} rows/s ({side_result['rows']} rows)")

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
    options = _arguments()
    if options.isa:
        os.environ["LEAFSHAP_ISA"] = options.isa  # read when leafshap is imported
    if options.list:
        print("workloads:  ", *workloads.WORKLOADS, sep="\n  ")
        print("competitors:", *registry(), sep="\n  ")
        return 0
    try:
        chosen = workloads.select(options.workloads)
    except ValueError as error:
        raise SystemExit(str(error)) from None
    runner = _Runner(options, _choose_competitors(options.competitors))
    for workload in chosen:
        runner.run(workload)
        runner.store()
    print(report.render(runner.results))
    for failure in runner.failures:
        _say(f"FAILED: {failure}")
    return 1 if runner.failures else 0


if __name__ == "__main__":
    sys.exit(main())
