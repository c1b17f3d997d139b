"""What two runs wrote, compared byte for byte, and where bytes differ row for row."""

from __future__ import annotations

from pathlib import Path

import numpy as np


def differences(found: Path, expected: Path) -> list[str]:
    """How what a case wrote differs from what it should have written, if it does.

    "bytes" where only the bytes do.
    """
    if expected.is_dir():
        names = sorted(path.name for path in expected.iterdir())
        if not found.is_dir() or sorted(path.name for path in found.iterdir()) != names:
            return [f"{expected.name} has other files"]
        return [word for name in names for word in differences(found / name, expected / name)]
    if found.read_bytes() == expected.read_bytes():
        return []
    return ["bytes" if _same_rows(found, expected) else f"{expected.name} has other rows"]


def _same_rows(found: Path, expected: Path) -> bool:
    if found.suffix == ".parquet":
        import pyarrow.parquet as pq

        return bool(pq.read_table(found).equals(pq.read_table(expected)))
    if found.suffix == ".arrow":
        import pyarrow as pa

        with pa.OSFile(str(found)) as one, pa.OSFile(str(expected)) as other:
            tables = [pa.ipc.open_file(file).read_all() for file in (one, other)]
        return bool(tables[0].equals(tables[1]))
    if found.suffix == ".npz":
        with np.load(found) as one, np.load(expected) as other:
            same = one.files == other.files
            return same and all(np.array_equal(one[name], other[name]) for name in one.files)
    return False
