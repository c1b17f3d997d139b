"""What a result needs beside it to mean anything: machine, versions, commit."""

from __future__ import annotations

import datetime
import hashlib
import importlib
import json
import os
import platform
import subprocess
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent


def n_cores() -> int:
    """Cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _cpu() -> dict[str, Any]:
    found: dict[str, Any] = {"model": platform.processor() or platform.machine()}
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return found
    # "Intel(R) Xeon(R) Processor" alone does not name a generation: family and model do.
    wanted = {"model name": "model", "cpu family": "family", "model": "model_number"}
    for line in lines:
        key, _, value = (part.strip() for part in line.partition(":"))
        if not key:
            break
        if key in wanted:
            found[wanted[key]] = value
        elif key == "flags":
            vector = ("avx", "amx", "fma", "sve", "asimd")
            found["vector_flags"] = [f for f in value.split() if f.startswith(vector)]
    return found


def _git(*arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True, timeout=20
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def describe() -> dict[str, Any]:
    """Date, machine and commit as JSON-able values."""
    status = _git("status", "--porcelain")
    return {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "system": platform.platform(),
        "cpu": _cpu(),
        "cores": n_cores(),
        "load_average": list(os.getloadavg()) if hasattr(os, "getloadavg") else None,
        "commit": _git("rev-parse", "HEAD"),
        "dirty": bool(status) if status is not None else None,
    }


def describe_build() -> dict[str, Any]:
    """Of leafshap, which must be there, as JSON-able values."""
    import leafshap

    info = json.loads(json.dumps(leafshap.build_info(), default=str))
    # A working tree may be dirty: this tells two builds of one commit apart.
    core = Path(importlib.import_module("leafshap._core").__file__ or "")
    return {**info, "core_sha256": hashlib.sha256(core.read_bytes()).hexdigest()}
