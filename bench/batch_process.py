"""One way from a Parquet file to the output, in a fresh process: seconds and peak memory.

Run as a script it is that process. It has imported everything and loaded the model, and has
explained a few rows, before the clock starts.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import competitors
import memory
from memory import MEGABYTE


def measure(
    side: str, model: Path, table: Path, few: Path, output: Path, n_threads: int
) -> dict[str, Any]:
    """What a side takes for `table`, having explained the table `few` before.

    `output` is written by the side; it must not exist.

    Raises
    ------
    RuntimeError
        If the process fails; the message is the end of its error output.
    """
    command = [sys.executable, __file__, side, *map(str, (model, table, few, output, n_threads))]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ)
    if done.returncode:
        lines = done.stderr.strip().splitlines()
        raise RuntimeError(lines[-1] if lines else f"exit status {done.returncode}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def _measure_here(options: argparse.Namespace) -> None:
    side = competitors.for_batch()[options.side].prepare(options.model, options.threads)
    try:
        first = options.output.with_name("few-" + options.output.name)
        side.run(side.stage(options.few), first)
        staged = side.stage(options.table)
        gc.collect()
        before = memory.peak()
        cpu = time.process_time()
        start = time.perf_counter()
        found = side.run(staged, options.output)
        seconds = time.perf_counter() - start
        cpu = time.process_time() - cpu
        peak, worker_peaks = memory.peak(), side.worker_peaks()
        result = {
            "rows": side.rows(found),
            "seconds": seconds,
            "cpu_seconds": None if worker_peaks else cpu,
            # Of the whole process, with the interpreter and every library.
            "peak_mb": peak / MEGABYTE,
            "peak_before_mb": before / MEGABYTE,
            "worker_peaks_mb": [bytes_ / MEGABYTE for bytes_ in worker_peaks],
        }
        side.store(found, options.output)
    finally:
        side.close()
    print(json.dumps(result))


def main() -> None:
    """Measure in this process and print one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("side")
    for name in ("model", "table", "few", "output"):
        parser.add_argument(name, type=Path)
    parser.add_argument("threads", type=int)
    _measure_here(parser.parse_args())


if __name__ == "__main__":
    main()
