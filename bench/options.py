"""What a run was asked for: its arguments, and the competitors they choose."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import machine
from competitors import (
    for_background,
    for_batch,
    for_compat,
    for_interactions,
    for_kernel,
    for_permutation,
    for_values,
)
from competitors.ours import OUR_NAMES
from competitors.ours_batch import OUR_BATCH_NAMES
from competitors.ours_compat import OUR_COMPAT
from competitors.ours_kernel import OUR_KERNEL_NAMES
from competitors.ours_permutation import OUR_PERMUTATION

_OURS = (*OUR_NAMES, *OUR_KERNEL_NAMES, OUR_PERMUTATION, OUR_COMPAT, *OUR_BATCH_NAMES)


def arguments(description: str | None) -> argparse.Namespace:
    """Of the command line."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument(
        "--workloads", nargs="+", default=[], metavar="NAME", help="names or groups (default: all)"
    )
    parser.add_argument(
        "--competitors", nargs="+", default=[], metavar="NAME", help="names, or all"
    )
    parser.add_argument("--slow", action="store_true", help="also those that take minutes a call")
    parser.add_argument("--rows", type=int, help="rows per call, for every side")
    parser.add_argument("--threads", type=int, default=machine.n_cores(), help="for every side")
    parser.add_argument("--repeats", type=int, help="rounds (default 5; 2 with --quick)")
    parser.add_argument("--isa", choices=("avx512", "avx2", "baseline"), help="force ours")
    parser.add_argument("--out", type=Path, help="JSON file; the table goes beside it as .md")
    parser.add_argument("--quick", action="store_true", help="short calls: does it run, roughly?")
    parser.add_argument("--list", action="store_true", help="list workloads and competitors")
    return parser.parse_args()


def competitor_names() -> list[str]:
    """Of all competitors."""
    families: tuple[Callable[[], dict[str, Any]], ...] = (
        for_values,
        for_interactions,
        for_background,
        for_kernel,
        for_permutation,
        for_compat,
        for_batch,
    )
    return list(dict.fromkeys(name for family in families for name in family()))


def choose(known: dict[str, Any], options: argparse.Namespace) -> dict[str, Any]:
    """Competitors asked for, and ours always."""
    names = options.competitors
    return {
        name: competitor
        for name, competitor in known.items()
        if name in (*names, *_OURS)
        or "all" in names
        or (not names and (competitor.by_default or options.slow))
    }
