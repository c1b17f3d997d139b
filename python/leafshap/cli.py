"""The ``leafshap`` command: ``demo`` and ``info``. Imported only by ``__main__``."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

import leafshap
from leafshap.errors import LeafshapError

_DEMO_PACKAGES = ("lightgbm", "matplotlib", "xgboost")


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(leafshap.__version__, prog_name="leafshap")
def app() -> None:
    """Exact SHAP values of tree ensembles, fast."""


@app.command()
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("leafshap-demo"),
    show_default=True,
    help="Folder for the picture and the values.",
)
@click.option(
    "--rows",
    type=click.IntRange(min=1000),
    default=None,
    help="Use that many flights, drawn at random, instead of all 327,346.",
)
def demo(out: Path, rows: int | None) -> None:
    """Train XGBoost and LightGBM on bundled flight records and explain every row."""
    absent = [name for name in _DEMO_PACKAGES if importlib.util.find_spec(name) is None]
    if absent:
        raise click.ClickException(
            f"the demo needs {', '.join(absent)}:\n"
            '  pip install "leafshap[demo]"     (in a clone: pip install ".[demo]")'
        )
    from leafshap.demo.run import run_demo

    run_demo(out, rows, Console())


@app.command()
def info() -> None:
    """Print version, compiler, instruction sets and threads, as for a bug report."""
    table = Table(show_header=False, box=None, pad_edge=False)
    for name, value in leafshap.build_info().items():
        table.add_row(name, _plain(value))
    Console().print(table)


def _plain(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)


def run(arguments: list[str] | None = None) -> int:
    """Run the command with `arguments` (default: those of the process); print errors in one line.

    Returns
    -------
    int
        The exit status: 0, 1 for an error, 2 for wrong arguments, 130 after Ctrl-C.
    """
    try:
        status = app.main(arguments, prog_name="leafshap", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted", err=True)
        return 130
    except (LeafshapError, OSError, MemoryError) as error:
        click.echo(f"error: {str(error) or type(error).__name__}", err=True)
        return 1
    return status if isinstance(status, int) else 0
