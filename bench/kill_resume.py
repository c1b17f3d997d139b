"""Kill a run at a random moment, resume it, and hold its output against an undisturbed run's.

    python bench/kill_resume.py MODEL TABLE.parquet

A moment is a part of one of the run's phases, as an undisturbed run went through them: from its
start to its folder of parts, while there are more and more parts, while they are put together, and
around the move to the final name. A resumed run may be killed again.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import sys
import tempfile
from itertools import cycle, islice
from pathlib import Path
from typing import Any

from killable_run import (
    PHASES,
    Case,
    FailedRunError,
    Phase,
    Run,
    Seen,
    kill,
    report_of,
    undisturbed,
)
from output_files import differences

# First runs are killed in these, in turns.
_PHASES: tuple[Phase, ...] = ("parts", "join", "move", "start")
_AGAIN = 0.5  # how often a resumed run is killed, too
_MOST_KILLS = 3
_MISSED = 10  # runs that were through before the moment

CASES = (
    Case("values.parquet"),
    Case("values.csv"),
    Case("values.arrow"),
    Case("values.npz"),
    Case("folder"),
    Case("", "means.csv"),
    Case("values.parquet", "means.csv"),
)


class Trial:
    """One case: an undisturbed run, then killed ones."""

    def __init__(self, run: Run, seed: int = 0) -> None:
        self.run = run
        self.rng = random.Random(f"{run.case.name} {seed}")
        self.expected = run.folder / "undisturbed"
        self.expected.mkdir()
        self.course = undisturbed(run, self.expected)
        self.failures: list[str] = []
        left = [p.name for p in self.expected.iterdir() if p.name not in run.case.finals]
        if left:
            self.failures.append(f"an undisturbed run leaves {left}")

    def attempt(self, phase: Phase) -> dict[str, Any]:
        """Kill a run in a phase, resume it, and compare."""
        folder = self.run.folder / "killed"
        folder.mkdir()
        try:
            deaths = self._kills(folder, phase)
            report = self._resume(folder)
            words = self._compare(folder)
            left = sorted({p.name for p in folder.iterdir()} - set(self.run.case.finals))
            if left and report:
                words.append(f"leaves {left}")
        except FailedRunError as error:
            deaths, report, words = [], {}, [str(error)]
        finally:
            shutil.rmtree(folder)
        self.failures += [f"killed in {phase}: {word}" for word in words if word != "bytes"]
        # Nothing in common but a failure, all rows, or all bytes.
        same = "bytes" if not words else "rows" if set(words) == {"bytes"} else None
        return {"phase": phase, "deaths": deaths, "same": same, **report}

    def _resume(self, folder: Path) -> dict[str, Any]:
        """Run to the end; what is whole of a killed run must be taken over."""
        last = self._state(folder)
        if self._is_done(last):
            return {}
        report = report_of(self.run.start(folder, resume=True))
        there = min(last["parts"] * self.run.part_rows, report["rows"])
        if not last["final"] and report["resumed"] < there:
            raise FailedRunError(f"takes over {report['resumed']} rows of {there}")
        return report

    def _kills(self, folder: Path, phase: Phase) -> list[dict[str, Any]]:
        """Where runs stood when they were killed: the first in the phase, others at any moment."""
        wait = self.course.moment(self.rng, phase)
        missed = 0
        while not self._kill(folder, phase, wait, resume=False):
            missed += 1
            if missed == _MISSED:
                raise FailedRunError(f"was through {missed} times before the moment")
            shutil.rmtree(folder)
            folder.mkdir()
            wait *= 0.5
        deaths = [self._state(folder)]
        while len(deaths) < _MOST_KILLS and self.rng.random() < _AGAIN:
            if self._is_done(deaths[-1]):
                break
            phase = self.rng.choice(PHASES)
            wait = self.course.moment(self.rng, phase)
            if not self._kill(folder, phase, wait, resume=True):
                break  # it was through before
            deaths.append(self._state(folder))
        return deaths

    def _is_done(self, state: dict[str, Any]) -> bool:
        """Whether there was nothing left to do: no run to resume, and everything is there."""
        return not state["started"] and state["final"] == self.run.case.finals

    def _kill(self, folder: Path, phase: Phase, wait: float, *, resume: bool) -> bool:
        def reached(seen: Seen, seconds: float) -> bool:
            return self.course.has_begun(phase, seen, seconds)

        return kill(self.run, folder, reached, wait, resume=resume)

    def _state(self, folder: Path) -> dict[str, Any]:
        """What a run left; what stands under a final name must be whole."""
        seen = Seen.look(folder, self.run.case)
        for name in seen.finals:
            for word in differences(folder / name, self.expected / name):
                if word != "bytes":
                    raise FailedRunError(f"half-written under its final name: {word}")
        finals = [name for name in self.run.case.finals if name in seen.finals]
        return {"started": seen.started, "parts": len(seen.parts), "final": finals}

    def _compare(self, folder: Path) -> list[str]:
        words = []
        for name in self.run.case.finals:
            if (folder / name).exists():
                words += differences(folder / name, self.expected / name)
            else:
                words.append(f"there is no {name}")
        return words


def trial(run: Run, kills: int, seed: int = 0) -> dict[str, Any]:
    """Kill runs so often, each at another moment; JSON-able."""
    try:
        tried = Trial(run, seed)
    except FailedRunError as error:
        return {"case": run.case.name, "failures": [str(error)], "attempts": []}
    attempts = [tried.attempt(phase) for phase in islice(cycle(_PHASES), kills)]
    return {
        "case": run.case.name,
        "seconds": round(tried.course.seconds, 3),
        "begins": {phase: round(s, 3) for phase, s in tried.course.begins.items()},
        "parts": tried.course.n_parts,
        "attempts": attempts,
        "failures": tried.failures,
    }


def main() -> int:
    """Try every case, print what happened, and return 1 if anything was lost or half-written."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("model", type=Path)
    parser.add_argument("table", type=Path)
    parser.add_argument("--kills", type=int, default=10, help="of every case")
    parser.add_argument("--cases", nargs="+", default=[], help=", ".join(c.name for c in CASES))
    parser.add_argument("--part-rows", type=int, default=50_000)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    failed = False
    for case in CASES:
        if options.cases and case.name not in options.cases:
            continue
        with tempfile.TemporaryDirectory() as folder:
            run = Run(
                options.model,
                options.table,
                case,
                Path(folder),
                options.part_rows,
                options.threads,
            )
            found = trial(run, options.kills, options.seed)
        print(json.dumps(found), flush=True)
        failed |= bool(found["failures"])
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
