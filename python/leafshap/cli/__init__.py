"""The ``leafshap`` command. Imported only by ``__main__`` and by the demo, which shares its bar.

A file for each command; `model_files` and `data_files` read what they are given, `progress` tells
how far they are. Importing it needs click and rich, nothing else.
"""

from __future__ import annotations

import importlib.util
import os
import sys
import warnings
from pathlib import Path
from typing import Any

import click
from rich.console import Console

import leafshap
from leafshap.cli.explain import explain
from leafshap.cli.importance import importance
from leafshap.cli.info import info
from leafshap.errors import LeafshapError

_DEMO_PACKAGES = ("lightgbm", "matplotlib", "xgboost")

_EXAMPLES = """\b
Examples:
  leafshap explain model.json data.parquet -o values.parquet
  leafshap importance model.json data.parquet --target label
  leafshap info model.json
"""


@click.group(context_settings={"help_option_names": ["-h", "--help"]}, epilog=_EXAMPLES)
@click.version_option(leafshap.__version__, prog_name="leafshap")
@click.option("--traceback", is_flag=True, help="Show where in the code an error happened.")
def app(traceback: bool) -> None:
    """Exact SHAP values of tree ensembles, fast.

    `leafshap COMMAND --help` tells more. The exit status is 0, or 1 after an error, 2 after wrong
    arguments, 130 after Ctrl-C.
    """


@app.command(short_help="Train two models on bundled flight records and explain every row.")
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


for command in (explain, importance, info):
    app.add_command(command)


def run(arguments: list[str] | None = None) -> int:
    """Run the command with `arguments` (default: those of the process); print errors in one line.

    Returns
    -------
    int
        The exit status: 0, 1 for an error, 2 for wrong arguments, 130 after Ctrl-C.

    Notes
    -----
    An error's notes (PEP 678), which say how to go on, are printed below it.
    """
    given = sys.argv[1:] if arguments is None else list(arguments)
    try:
        with warnings.catch_warnings():
            warnings.showwarning = _show_warning
            status = app.main(given, "leafshap", standalone_mode=False, obj=given)
        if sys.stdout is not None:  # it is closed (>&-)
            sys.stdout.flush()  # here, where a closed pipe is noticed, not while Python shuts down
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt) as error:
        _complain("interrupted", error.__cause__ or error)
        return 130
    except BrokenPipeError:
        return _leave_pipe()
    except SystemExit as error:  # click's and rich's answer to a closed pipe
        return error.code if isinstance(error.code, int) else 1
    except Exception as error:
        if "--traceback" in given[:1]:
            raise
        _complain(f"error: {_described(error)}", error)
        return 1
    return status if isinstance(status, int) else 0


def _complain(line: str, error: BaseException) -> None:
    for text in (line, *getattr(error, "__notes__", ())):
        click.echo(text, err=True)


def _described(error: Exception) -> str:
    """Say in one line what happened; of what nobody expects also how to learn more."""
    text = " ".join(str(error).split())
    if isinstance(error, ImportError) and not isinstance(error, LeafshapError):
        if (error.name or "").partition(".")[0] == "pyarrow":
            text += ': pip install "leafshap[cli]"'
        return text or type(error).__name__
    if isinstance(error, OSError) and error.filename is not None and error.strerror:
        return f"{error.filename}: {error.strerror}"
    if isinstance(error, (LeafshapError, OSError, MemoryError)) or _is_arrow_error(error):
        return text or ("out of memory" if isinstance(error, MemoryError) else type(error).__name__)
    return f"{type(error).__name__}: {text} (leafshap --traceback COMMAND ... shows where)"


def _is_arrow_error(error: Exception) -> bool:
    """Whether pyarrow raised it; ArrowInvalid is a ValueError, ArrowKeyError a KeyError."""
    pyarrow = sys.modules.get("pyarrow")
    return pyarrow is not None and isinstance(error, pyarrow.ArrowException)


def _show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: Any = None,
    line: str | None = None,
) -> None:
    click.echo(f"warning: {' '.join(str(message).split())}", err=True)


def _leave_pipe() -> int:
    """Be quiet when the reader (``| head``) has left, also while Python shuts down."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 1
