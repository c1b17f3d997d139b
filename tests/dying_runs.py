"""Runs over files that kill themselves before a change to the file system, whichever is wanted.

Run as a script it is the process that they are forked from: it has imported everything, and does
what a line of JSON on its standard input says.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

CHANGES = ("mkdir", "rename", "replace", "unlink", "rmdir", "fsync")


# What functions import, which would be done anew in every process.
IMPORTED = (
    "pyarrow.csv",
    "pyarrow.parquet",
    "leafshap.batch.sources.files",
    "leafshap.batch.sources.csv",
    "leafshap.batch.sinks.arrow",
    "leafshap.batch.sinks.parquet",
)


class DyingRuns:
    """Starts them; to be used in a with statement."""

    def __init__(self, model: Path, source: Path) -> None:
        # Arrow's threads are no danger: it starts others in a process that was forked.
        command = [
            sys.executable,
            "-W",
            "ignore::DeprecationWarning",
            __file__,
            str(model),
            str(source),
        ]
        one_thread = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL")}
        environment = {**os.environ, **one_thread, "PYTHONPATH": os.pathsep.join(sys.path)}
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.communicate()

    def run(self, options: dict[str, Any], die_before: int = -1) -> str:
        """Run `explain_files` with these options; it dies before that change, counted from 0.

        Returns
        -------
        str
            "done", "killed", or the error.
        """
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        stdin.write(json.dumps({"options": options, "die_before": die_before}) + "\n")
        stdin.flush()
        answer: str = json.loads(stdout.readline())
        return answer


def die_before(number: int) -> None:
    """Kill this process before that change, counted from 0."""
    left = number

    def dying(change: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            nonlocal left
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            left -= 1
            return change(*arguments, **options)

        return call

    # It takes long, and what a process wrote is not lost when it dies.
    setattr(os, "fsync", lambda file: None)  # noqa: B010
    for name in CHANGES:
        setattr(os, name, dying(getattr(os, name)))


def _serve(model: str, source: str) -> None:
    import pyarrow as pa

    import leafshap
    from leafshap.batch import explain_files, files

    for module in IMPORTED:
        importlib.import_module(module)
    pa.array([0.0]).to_numpy()  # pyarrow imports pandas, where there is one
    files._LEAST_MEMORY = 1  # otherwise a part is too long for many runs
    for line in sys.stdin:
        wanted = json.loads(line)
        end, start = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                explainer = leafshap.TreeExplainer(leafshap.TreeEnsemble.load(model), n_jobs=1)
                die_before(wanted["die_before"])
                explain_files(explainer, source, **wanted["options"])
            except BaseException as error:
                os.write(start, f"{type(error).__name__}: {error}".encode()[:4000])
            finally:
                os._exit(0)
        os.close(start)
        with os.fdopen(end) as answer:
            text = answer.read()
        _, status = os.waitpid(child, 0)
        killed = os.waitstatus_to_exitcode(status) == -signal.SIGKILL
        print(json.dumps("killed" if killed else text or "done"), flush=True)


if __name__ == "__main__":
    _serve(*sys.argv[1:])
