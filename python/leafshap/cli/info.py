"""``leafshap info``: about the build, or about a model file."""

from __future__ import annotations

import platform
from contextlib import suppress
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

import leafshap
from leafshap.cli.arguments import trust_pickle_option
from leafshap.cli.console import print_properties
from leafshap.cli.model_files import load_model

if TYPE_CHECKING:
    from leafshap.ensemble import TreeEnsemble

_MOST_NAMES = 12

_PACKAGES = (
    "numpy", "pandas", "polars", "pyarrow", "xgboost", "xgboost-cpu", "lightgbm", "scikit-learn",
    "shap", "dask", "pyspark", "ray",
)  # fmt: skip

_EXAMPLES = """\b
Examples:
  leafshap info
  leafshap info model.json
"""


@click.command(short_help="Describe the build, or a model file.", epilog=_EXAMPLES)
@click.argument("model", required=False, type=click.Path(path_type=Path))
@trust_pickle_option
def info(model: Path | None, trust_pickle: bool) -> None:
    """Print versions, compiler, instruction sets and threads, as for a bug report.

    With MODEL: what kind of model the file holds, how large it is, its features and outputs.
    """
    if model is None:
        told = {**leafshap.build_info(), "system": platform.platform(), **_versions()}
        print_properties({name: _plain(value) for name, value in told.items()})
    else:
        print_properties(describe(load_model(model, trust_pickle=trust_pickle).ensemble))


def _versions() -> dict[str, str]:
    """Tell versions of Python and of the packages that are installed, without importing any."""
    found = {"python": platform.python_version()}
    for name in _PACKAGES:
        with suppress(metadata.PackageNotFoundError):
            found[name] = metadata.version(name)
    return found


def describe(ensemble: TreeEnsemble) -> dict[str, str]:
    """Describe a model, one text for each property."""
    schema = ensemble.schema
    names = ensemble.feature_names
    used = ensemble.count_trees()
    trees = f"{ensemble.n_trees:,}"
    if used < ensemble.n_trees:
        trees += f" (its own predict uses {used:,})"
    outputs = str(ensemble.n_outputs)
    if ensemble.output_names:
        outputs += f": {_listed(ensemble.output_names)}"
    categories = {
        _name(names, j): len(schema.feature_categories[j])
        if j in schema.feature_categories
        else None
        for j in sorted(schema.categorical_features | schema.feature_categories.keys())
    }
    told = [name if n is None else f"{name} ({n} values)" for name, n in categories.items()]
    return {
        "model": ensemble.source or "unknown",
        "trees": trees,
        "leaves": f"{ensemble.n_leaves:,}",
        "depth": str(ensemble.max_depth),
        "features": f"{ensemble.n_features:,}"
        + (f": {_listed(names)}" if names else " (without names)"),
        "features in splits": f"{len(schema.used_features):,}",
        "categorical": _listed(told) if told else "none",
        "outputs": outputs,
        "link": ensemble.link,
        "averaged": _plain(ensemble.averaged),
        "base values": ", ".join(f"{value:.6g}" for value in ensemble.base_values[:_MOST_NAMES]),
        "cover": "yes"
        if ensemble.has_cover
        else "no: path-dependent SHAP values need --background",
        "missing values": "yes" if schema.allow_nan else "no",
    }


def _name(names: list[str] | None, index: int) -> str:
    return str(index) if names is None else names[index]


def _listed(names: list[str]) -> str:
    more = len(names) - _MOST_NAMES
    shown = ", ".join(map(str, names[:_MOST_NAMES]))
    return f"{shown}, ... {more:,} more" if more > 0 else shown


def _plain(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        return ", ".join(map(str, value))
    return str(value)
