"""Peak memory of our explainer beyond its input and its output, measured in a fresh process.

Run as a script it is that process: it reads the model file without the model's library, so that
nothing but leafshap and NumPy is resident.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

import datasets
from workloads import Job

ROW_COUNTS = (20_000, 400_000)
MEGABYTE = 1e6


def _status(field: str) -> int | None:
    """A field of /proc/self/status in bytes (Linux only)."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return None
    for line in lines:
        if line.startswith(field + ":"):
            return int(line.split()[1]) * 1024
    return None


def peak() -> int:
    """Of this process, in bytes."""
    # VmHWM belongs to this program; ru_maxrss may be inherited from the process that started it.
    most = _status("VmHWM")
    if most is None:
        import resource  # not on Windows

        unit = 1 if sys.platform == "darwin" else 1024
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    return most


def _resident() -> int:
    return _status("VmRSS") or peak()


def _forget_peak() -> None:
    """Set the peak to what is resident now, where the system lets us (Linux)."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return


def _measure_here(options: argparse.Namespace) -> None:
    import leafshap

    X = datasets.rows(options.data, options.rows)
    background = datasets.background(options.data, options.background)
    datasets.forget()
    ready = _resident()
    _forget_peak()
    explainer = leafshap.TreeExplainer(
        options.path,
        background if options.background else None,
        model_output=options.model_output,
        dtype=options.dtype,
        n_jobs=options.threads,
    )
    built_peak, built = peak(), _resident()
    _forget_peak()
    if options.interactions:
        values = np.asarray(explainer.shap_interaction_values(X))
    else:
        values = np.asarray(explainer.shap_values(X, check_additivity=False))
    call_peak = peak()
    found = {
        "rows": options.rows,
        "dtype": options.dtype,
        "output_mb": values.nbytes / MEGABYTE,
        "input_mb": (X.nbytes + background.nbytes) / MEGABYTE,
        # While the model file is read and the plan built, what stays of it, and what the call
        # itself adds; total is the greatest of all over the state before the explainer.
        "construction_peak_mb": (built_peak - ready) / MEGABYTE,
        "explainer_mb": (built - ready) / MEGABYTE,
        "call_mb": (call_peak - built - values.nbytes) / MEGABYTE,
        "total_mb": max(built_peak - ready, call_peak - ready - values.nbytes) / MEGABYTE,
    }
    print(json.dumps(found))


def measure(
    path: Path,
    data: str,
    n_threads: int,
    row_counts: tuple[int, ...] = ROW_COUNTS,
    job: Job | None = None,
) -> list[dict[str, Any]]:
    """Peak memory for both precisions and every row count, each in its own process.

    With a `job` its background data is used, which counts as input.

    Raises
    ------
    RuntimeError
        If such a process fails; the message is its error output.
    """
    results = []
    for dtype in ("float64", "float32"):
        for n_rows in row_counts:
            command = [sys.executable, __file__, str(path), data, str(n_rows), dtype]
            command += ["--threads", str(n_threads)]
            if job:
                command += ["--background", str(job.background)]
                command += ["--model-output", job.model_output]
                command += ["--interactions"] if job.interactions else []
            done = subprocess.run(command, capture_output=True, text=True, env=os.environ)
            if done.returncode:
                raise RuntimeError(done.stderr.strip())
            results.append(json.loads(done.stdout))
    return results


def main() -> None:
    """Measure in this process and print one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("path", type=Path)
    parser.add_argument("data")
    parser.add_argument("rows", type=int)
    parser.add_argument("dtype", choices=("float64", "float32"))
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--background", type=int, default=0, help="rows; 0 is path-dependent")
    parser.add_argument("--model-output", default="raw")
    parser.add_argument("--interactions", action="store_true")
    _measure_here(parser.parse_args())


if __name__ == "__main__":
    main()
