"""Entry point of the ``leafshap`` command and of ``python -m leafshap``."""

from __future__ import annotations

import sys

_COMMAND_PACKAGES = ("click", "rich")


def main() -> int:
    """Run the command; without its packages, say how to get them.

    Returns
    -------
    int
        The exit status: 0, or 1 for an error that has been printed, or 130 after Ctrl-C.
    """
    try:
        from leafshap import cli
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] not in _COMMAND_PACKAGES:
            raise
        print(
            f"error: the leafshap command needs the package {error.name}:\n"
            '  pip install "leafshap[cli]"     (in a clone: pip install ".[cli]")',
            file=sys.stderr,
        )
        return 1
    except KeyboardInterrupt:
        return 130
    return cli.run()


if __name__ == "__main__":
    sys.exit(main())
