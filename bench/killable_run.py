"""A run from file to file as a process that can be watched and killed.

Run as a script it is that process.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

Phase = Literal["start", "parts", "join", "move"]
PHASES: tuple[Phase, ...] = ("start", "parts", "join", "move")

_LOOK_SECONDS = 0.0005
# Around the end of a phase, in parts of its length: the move that follows it takes no time.
_MOVE = (0.85, 1.1)
# A process has started up after this part of the usual time.
_STARTED = 0.9
# So little that a part of few rows has several batches.
_MEMORY = 16 << 20


@dataclass(frozen=True)
class Case:
    """What a run writes: names of files, a folder without a suffix, or nothing ("")."""

    output: str
    aggregates: str = ""

    @property
    def name(self) -> str:
        return " + ".join(filter(None, (self.output, self.aggregates)))

    @property
    def finals(self) -> list[str]:
        return [name for name in (self.output, self.aggregates) if name]


@dataclass
class Seen:
    """What stood in the folder of a run when it was looked at."""

    finals: list[str] = field(default_factory=list)
    parts: set[int] = field(default_factory=set)  # numbers, of whole parts
    started: bool = False

    @classmethod
    def look(cls, folder: Path, case: Case) -> Seen:
        seen = cls()
        for path in _listed(folder):
            if path.name in case.finals:
                seen.finals.append(path.name)
            elif path.name.endswith(".unfinished"):
                seen.started = (path / "run.json").exists()
                for name in (inner.name for inner in _listed(path)):
                    part = re.fullmatch(r"part-(\d+)\.json", name)
                    if part:
                        seen.parts.add(int(part[1]))
        return seen


def _listed(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError:  # moved away meanwhile
        return []


@dataclass(frozen=True)
class Run:
    """How the run is started, in a folder that nothing else writes to."""

    model: Path
    table: Path
    case: Case
    folder: Path
    part_rows: int
    n_threads: int = 1

    def command(self, folder: Path, resume: bool) -> list[str]:
        command = [sys.executable, __file__, str(self.model), str(self.table)]
        if self.case.output:
            command += ["--output", str(folder / self.case.output)]
        if self.case.aggregates:
            command += ["--aggregates", str(folder / self.case.aggregates)]
        command += ["--part-rows", str(self.part_rows), "--threads", str(self.n_threads)]
        return command + ["--resume"] * resume

    def start(self, folder: Path, resume: bool) -> subprocess.Popen[str]:
        return subprocess.Popen(
            self.command(folder, resume),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )


@dataclass
class Course:
    """When an undisturbed run was how far: seconds since its start."""

    begins: dict[Phase, float]
    seconds: float
    n_parts: int

    def length(self, phase: Phase) -> float:
        if phase == "start":
            return self.begins["parts"]
        if phase == "parts":
            return self.begins["join"] - self.begins["parts"]
        return self.begins["move"] - self.begins["join"]

    def moment(self, rng: random.Random, phase: Phase) -> float:
        """Seconds from the beginning of a phase, or of the one before a move."""
        return self.length(phase) * (rng.uniform(*_MOVE) if phase == "move" else rng.random())

    def has_begun(self, phase: Phase, seen: Seen, seconds: float) -> bool:
        """Whether a run that started so many seconds ago is in a phase, or beyond."""
        if phase == "start" or seen.finals:
            return True
        if seconds < _STARTED * self.begins["parts"]:  # what is there is from the run before
            return False
        return len(seen.parts) >= self.n_parts if phase in ("join", "move") else seen.started


class FailedRunError(RuntimeError):
    """A run ended with an error of its own."""


def report_of(run: subprocess.Popen[str]) -> dict[str, Any]:
    """What a run that came to its end printed.

    Raises
    ------
    FailedRunError
    """
    out, error = run.communicate()
    if run.returncode:
        raise FailedRunError(error.strip() or f"exit status {run.returncode}")
    found: dict[str, Any] = json.loads(out.splitlines()[-1])
    return found


def undisturbed(run: Run, folder: Path) -> Course:
    """Let a run go through, and watch it.

    Raises
    ------
    FailedRunError
    """
    begins: dict[Phase, float] = {"start": 0.0}
    n_parts = 0
    began = time.perf_counter()
    process = run.start(folder, resume=False)
    while process.poll() is None:
        seen, now = Seen.look(folder, run.case), time.perf_counter() - began
        if seen.started:
            begins.setdefault("parts", now)
        if len(seen.parts) > n_parts:
            n_parts, begins["join"] = len(seen.parts), now
        if seen.finals:
            begins.setdefault("move", now)
        time.sleep(_LOOK_SECONDS)
    seconds = time.perf_counter() - began
    report_of(process)
    begins.setdefault("parts", seconds)
    begins.setdefault("join", seconds)
    begins.setdefault("move", seconds)
    return Course(begins, seconds, n_parts)


def kill(
    run: Run, folder: Path, reached: Callable[[Seen, float], bool], wait: float, *, resume: bool
) -> bool:
    """Start a run, and kill it `wait` seconds after it has `reached` something.

    Returns
    -------
    bool
        False if it was through before.

    Raises
    ------
    FailedRunError
    """
    process = run.start(folder, resume)
    began = time.perf_counter()
    deadline = None
    while process.poll() is None:
        now = time.perf_counter()
        if deadline is None and reached(Seen.look(folder, run.case), now - began):
            deadline = now + wait
        if deadline is not None and now >= deadline:
            break
        time.sleep(_LOOK_SECONDS)
    process.kill()  # SIGKILL
    _, error = process.communicate()
    if process.returncode > 0:
        raise FailedRunError(error.strip() or f"exit status {process.returncode}")
    return process.returncode < 0


def main() -> None:
    """Explain a table, and print how many rows there were."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model")
    parser.add_argument("table")
    parser.add_argument("--output")
    parser.add_argument("--aggregates")
    parser.add_argument("--part-rows", type=int)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--resume", action="store_true")
    options = parser.parse_args()

    import leafshap
    from leafshap.batch import explain_files

    model = options.model
    if model.endswith(".leafshap"):
        model = leafshap.TreeEnsemble.load(model)
    explainer = leafshap.TreeExplainer(model, dtype="float32", n_jobs=options.threads)
    report = explain_files(
        explainer,
        options.table,
        options.output,
        aggregate_output=options.aggregates,
        memory=_MEMORY,
        part_rows=options.part_rows,
        resume=options.resume,
    )
    print(json.dumps({"rows": report.n_rows, "resumed": report.n_resumed}))


if __name__ == "__main__":
    main()
