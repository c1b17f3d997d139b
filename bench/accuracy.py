"""How far estimated SHAP values are from the exact ones: `python bench/accuracy.py --help`.

See bench/README.md for the method. Times beside the errors are of one thread.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import logging
import multiprocessing
import os
import sys
import time
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

import machine
import report_accuracy
from accuracy_estimators import ESTIMATORS, Estimator
from accuracy_games import GAMES, RowGame
from competitors import version_of, xgboost_native

_BLAS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
_VERSIONS = {
    name: name for name in ("leafshap", "shap", "shapiq", "numpy", "scipy", "lightgbm")
} | {"xgboost": xgboost_native.DISTRIBUTIONS}


@dataclass(frozen=True)
class Task:
    """One row of one game at one budget, for all estimators."""

    game: str
    row: int
    multiple: int  # evaluations per player
    seeds: int
    limit: float
    names: tuple[str, ...]


@dataclass
class Tally:
    """What one estimator did in a task."""

    errors: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    evaluations: list[int] = field(default_factory=list)
    raised: str | None = None

    def open(self, limit: float) -> bool:
        """Whether it goes on: not after it raised, nor beyond the limit of its time."""
        return self.raised is None and (len(self.errors) < 3 or sum(self.seconds) < limit)


class _Counted:
    """A game that counts what it is asked, and the time it takes."""

    def __init__(self, game: RowGame) -> None:
        self._game = game
        self.evaluations = 0
        self.seconds = 0.0

    def __call__(self, coalitions: Any) -> Any:
        began = time.perf_counter()
        found = self._game(coalitions)
        self.evaluations += len(found)
        self.seconds += time.perf_counter() - began
        return found


def _estimate(estimator: Estimator, game: RowGame, task: Task, seed: int, tally: Tally) -> None:
    counted = _Counted(game)
    players = len(game.truth)
    began = time.perf_counter()
    try:
        found = estimator.estimate(counted, players, task.multiple * players, seed)
    except Exception as error:  # whatever a library raises, the others still run
        tally.raised = f"raised {type(error).__name__}: {error}".splitlines()[0]
        return
    tally.seconds.append(time.perf_counter() - began - counted.seconds)
    tally.evaluations.append(counted.evaluations)
    tally.errors.append(float(np.linalg.norm(found - game.truth) / np.linalg.norm(game.truth)))


def _warm_up(names: tuple[str, ...]) -> None:
    """Import, and do what is done once, so that no estimate's time has it in."""
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    for name in names:
        with contextlib.suppress(Exception):
            ESTIMATORS[name].estimate(_product_and_sum, 8, 120, 0)


def _product_and_sum(coalitions: Any) -> Any:
    members = np.asarray(coalitions, dtype=float)
    return members.sum(axis=1) + members[:, 0] * members[:, 1] * members[:, 2]


def run_task(task: Task) -> tuple[Task, dict[str, Tally]]:
    """Every estimator with every seed, in turns."""
    spec = GAMES[task.game]
    game = RowGame(spec, task.row)
    tallies = {name: Tally() for name in task.names}
    for name, tally in tallies.items():
        most = ESTIMATORS[name].most_players
        if most is not None and spec.players > most:
            tally.raised = f"takes minutes for more than {most} players"
    for seed in range(task.seeds):
        for name, tally in tallies.items():
            if tally.open(task.limit):
                _estimate(ESTIMATORS[name], game, task, seed, tally)
    return task, tallies


def _summary(tallies: list[Tally]) -> dict[str, Any]:
    """Of one estimator over the rows of a point."""
    raised = next((t.raised for t in tallies if t.raised), None)
    if raised is not None:
        return {"absent": raised}
    errors = np.concatenate([t.errors for t in tallies])
    return {
        "error": float(np.sqrt(np.mean(errors**2))),
        "median": float(np.median(errors)),
        "rows": [float(np.sqrt(np.mean(np.square(t.errors)))) for t in tallies],
        "estimates": len(errors),
        "seconds": float(np.mean(np.concatenate([t.seconds for t in tallies]))),
        "most_evaluations": max(max(t.evaluations) for t in tallies),
    }


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--games", nargs="+", choices=list(GAMES), default=list(GAMES))
    parser.add_argument(
        "--multiples", nargs="+", type=int, default=[4, 8, 16, 32, 64], metavar="N",
        help="evaluations per player (default: 4 8 16 32 64)",
    )  # fmt: skip
    parser.add_argument(
        "--estimators", nargs="+", choices=list(ESTIMATORS), default=list(ESTIMATORS)
    )
    parser.add_argument("--seeds", type=int, default=30, help="for every row (default 30)")
    parser.add_argument("--rows", type=int, default=3, help="explained rows (default 3)")
    parser.add_argument("--processes", type=int, default=machine.n_cores())
    parser.add_argument(
        "--limit", type=float, default=60.0,
        help="seconds of an estimator for a row and a budget; at least 3 seeds (default 60)",
    )  # fmt: skip
    parser.add_argument("--out", type=Path, help="JSON file; the tables go beside it as .md")
    return parser.parse_args()


def _present(names: list[str]) -> tuple[tuple[str, ...], dict[str, str]]:
    absent = {name: word for name in names if (word := ESTIMATORS[name].absent())}
    return tuple(name for name in names if name not in absent), absent


def main() -> int:
    """Run and print the tables."""
    options = _arguments()
    names, absent = _present(options.estimators)
    results: dict[str, Any] = {
        "machine": machine.describe(),
        "processes": options.processes,
        "seeds": options.seeds,
        "rows": options.rows,
        "leafshap": machine.describe_build(),
        "versions": [f"{name} {v}" for name, d in _VERSIONS.items() if (v := version_of(d))],
        "absent": absent,
        "points": [],
    }
    for game in options.games:
        GAMES[game].trained()  # before several processes would
    tasks = [
        Task(game, row, multiple, options.seeds, options.limit, names)
        for game in options.games
        for multiple in options.multiples
        for row in range(options.rows)
    ]
    # the long ones first, so that no process is left alone with one
    tasks.sort(key=lambda task: -task.multiple * GAMES[task.game].players)
    os.environ.update(dict.fromkeys(_BLAS, "1"))  # read by the processes that are started now
    done: dict[tuple[str, int], dict[int, dict[str, Tally]]] = {}
    began = time.perf_counter()
    with multiprocessing.get_context("spawn").Pool(options.processes, _warm_up, (names,)) as pool:
        for i, (task, tallies) in enumerate(pool.imap_unordered(run_task, tasks), 1):
            done.setdefault((task.game, task.multiple), {})[task.row] = tallies
            said = f"{task.game} {task.multiple}M row {task.row}"
            seconds = time.perf_counter() - began
            print(f"{i}/{len(tasks)} {said}, {seconds:.0f} s", file=sys.stderr, flush=True)
    results["seconds"] = round(time.perf_counter() - began, 1)
    results["points"] = [
        {
            "game": game,
            "players": GAMES[game].players,
            "background": GAMES[game].background,
            "multiple": multiple,
            "estimators": {
                name: _summary([rows[row][name] for row in sorted(rows)]) for name in names
            },
        }
        for game in options.games
        for multiple in options.multiples
        for rows in [done[game, multiple]]
    ]
    text = report_accuracy.render(results)
    if options.out is not None:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(json.dumps(results, indent=1) + "\n")
        options.out.with_suffix(".md").write_text(text)
    print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
